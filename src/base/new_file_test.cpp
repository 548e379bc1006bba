// New files: whole or not there, never over another. File systems that lack what is usual are made with strace, in
// test/cli/files.bats.
#include "base/new_file.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/small_file.h"
#include "test/temporary_folder.h"

namespace marque {
namespace {

class NewFile : public testing::Test {
 protected:
    std::string path(const std::string& name) const { return folder_ + "/" + name; }
    std::size_t count() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
    }
    static struct stat stat_of(const std::string& path) {
        struct stat info{};
        EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
        return info;
    }

    const TemporaryFolder made_;
    const std::string folder_ = made_.path();
};

TEST_F(NewFile, IsWholePrivateAndNeverOverAnother) {
    const mode_t before = ::umask(0777);
    EXPECT_TRUE(create_file(path("a"), bytes_of("text"), FileOwner::Caller));
    ::umask(before);
    EXPECT_EQ(stat_of(path("a")).st_mode & 07777, 0600U);
    EXPECT_EQ(read_text(path("a"), {}), "text\n");
    const auto again = create_file(path("a"), bytes_of("other"), FileOwner::Caller);
    EXPECT_EQ(again.error().code, Code::StateRefuses);
    EXPECT_EQ(again.error().message, "'" + path("a") + "' exists");
    EXPECT_EQ(read_text(path("a"), {}), "text\n");
    EXPECT_EQ(count(), 1U);
    EXPECT_TRUE(replace_file(path("a"), bytes_of("new"), FileOwner::Caller));
    EXPECT_EQ(read_text(path("a"), {}), "new\n");
    EXPECT_EQ(count(), 1U);
}

TEST_F(NewFile, ManyAppearTogetherOrNot) {
    ASSERT_TRUE(create_file(path("b"), bytes_of("mine"), FileOwner::Caller));
    {
        NewFiles files = *NewFiles::in(folder_, FileOwner::Caller);
        for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(files.write(name, bytes_of(name)));
        EXPECT_EQ(count(), 4U);
        EXPECT_EQ(files.publish().error().code, Code::StateRefuses);
    }
    EXPECT_EQ(count(), 1U);
    EXPECT_EQ(read_text(path("b"), {}), "mine\n");
    NewFiles files = *NewFiles::in(folder_, FileOwner::Caller);
    for (const char* name : {"c", "d"}) EXPECT_TRUE(files.write(name, bytes_of(name)));
    EXPECT_TRUE(files.publish());
    EXPECT_EQ(count(), 3U);
}

TEST_F(NewFile, AFileAtTheLimitLeavesNothing) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{1000, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto made = create_file(path("a"), bytes_of(std::string(2000, 'x')), FileOwner::Caller);
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(made.error().code, Code::Unavailable);
    EXPECT_EQ(made.error().message, "cannot write '" + path("a") + "': File too large");
    EXPECT_EQ(count(), 0U);
}

TEST_F(NewFile, AFolderIsTriedOutForReal) {
    EXPECT_TRUE(NewFiles::in(folder_, FileOwner::Caller)->try_out(1));
    EXPECT_EQ(count(), 0U);
    EXPECT_NE(NewFiles::in(path("none"), FileOwner::Caller).error().message.find("is not there"), std::string::npos);
    ASSERT_TRUE(create_file(path("file"), {}, FileOwner::Caller));
    EXPECT_EQ(NewFiles::in(path("file"), FileOwner::Caller).error().code, Code::InvalidRequest);
    // Nobody has a right to make a file here, root neither.
    EXPECT_FALSE(NewFiles::in("/proc/self", FileOwner::Caller)->try_out(1));
    EXPECT_FALSE(NewFiles::in(folder_, FileOwner::Caller)->try_out(std::size_t{1} << 60));
}

TEST_F(NewFile, IsRenamedWithinItsFolder) {
    ASSERT_TRUE(create_file(path("a"), bytes_of("a"), FileOwner::Caller));
    ASSERT_TRUE(create_file(path("b"), bytes_of("b"), FileOwner::Caller));
    EXPECT_EQ(rename_to_new(path("a"), path("b")).error().code, Code::StateRefuses);
    EXPECT_TRUE(rename_to_new(path("a"), path("c")));
    EXPECT_TRUE(rename_over(path("c"), path("b")));
    EXPECT_EQ(read_text(path("b"), {}), "a\n");
    EXPECT_EQ(count(), 1U);
}

TEST_F(NewFile, InAStoresFolderItIsTheFoldersOwners) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root makes files for others";
    ASSERT_EQ(::chown(folder_.c_str(), 12345, 12346), 0);
    ASSERT_TRUE(create_file(path("theirs"), {}, FileOwner::FolderOwner));
    ASSERT_TRUE(replace_file(path("replaced"), {}, FileOwner::FolderOwner));
    ASSERT_TRUE(ensure_private_file(path("private")));
    ASSERT_TRUE(create_file(path("mine"), {}, FileOwner::Caller));
    for (const char* name : {"theirs", "replaced", "private"}) {
        EXPECT_EQ(stat_of(path(name)).st_uid, 12345U) << name;
        EXPECT_EQ(stat_of(path(name)).st_gid, 12346U) << name;
    }
    EXPECT_EQ(stat_of(path("mine")).st_uid, 0U);
}

TEST_F(NewFile, AbsentMeansNotEvenALink) {
    std::filesystem::create_symlink(path("nowhere"), path("link"));
    EXPECT_TRUE(require_absent(path("none"), "x"));
    EXPECT_EQ(require_absent(path("link"), "it is never overwritten").error().message,
              "'" + path("link") + "' exists; it is never overwritten");
    EXPECT_EQ(require_absent(path(std::string(300, 'n')), "x").error().code, Code::Unavailable);
}

}  // namespace
}  // namespace marque
