// The reader of small files, with what editors, pipes and disks do to them.
#include "base/small_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "base/file.h"
#include "test/temporary_folder.h"

namespace marque {
namespace {

using Origin = ReadRules::Origin;

class SmallFile : public testing::Test {
 protected:
    std::string put(std::string_view text, mode_t mode = 0600) const {
        std::string path = folder_ + "/file";
        const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        EXPECT_EQ(::write(file.fd(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
        EXPECT_EQ(::fchmod(file.fd(), mode), 0);
        return path;
    }
    // A pipe under the name that <(…) gives one, holding `text`.
    std::string pipe_with(std::string_view text) {
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        pipe_ = std::make_unique<File>(ends[0]);
        const File writer(ends[1]);
        EXPECT_EQ(::write(writer.fd(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
        return fmt::format("/dev/fd/{}", ends[0]);
    }

    const TemporaryFolder made_;
    const std::string folder_ = made_.path();
    std::unique_ptr<File> pipe_;
};

TEST_F(SmallFile, TextLosesWhatEditorsAddToIt) {
    struct Row {
        std::string_view raw, text;
    };
    for (const Row& row : std::initializer_list<Row>{{"a\nb\n", "a\nb\n"},
                                                     {"a\nb", "a\nb\n"},
                                                     {"\xEF\xBB\xBF"
                                                      "a\r\nb \t\r\n",
                                                      "a\nb\n"},
                                                     {"a\n\n\r\n  \n", "a\n"},
                                                     {" a\n\n b", " a\n\n b\n"},
                                                     {"", ""},
                                                     {" \r\n", ""}})
        EXPECT_EQ(read_text(put(row.raw), {}), row.text) << row.raw;
}

TEST_F(SmallFile, ALineIsOneLine) {
    for (const std::string_view raw : {"one line", "one line\n", "\xEF\xBB\xBFone line\r\n", "\n one line \t\n\n"})
        EXPECT_EQ(read_line(put(raw), {}), "one line") << raw;
    for (const auto& [raw, what] : {std::pair{"one\ntwo\n", ", line 2: more follows"},
                                    {"one\r\n\r\ntwo", ", line 3: more follows"},
                                    {"one\rtwo", ", line 1: more follows"},
                                    {" \n", " is empty"}}) {
        const auto line = read_line(put(raw), {});
        ASSERT_FALSE(line) << raw;
        EXPECT_EQ(line.error().code, Code::InvalidRequest);
        EXPECT_NE(line.error().message.find(what), std::string::npos) << line.error().message;
        EXPECT_EQ(read_secret_line(put(raw), {}).error().message, line.error().message);
    }
}

TEST_F(SmallFile, WhatIsNoTextIsNamedWithItsLine) {
    using namespace std::string_view_literals;
    for (const auto& [raw, what] : {std::pair{"a\nb\0c\n"sv, ", line 2: there is a NUL byte"},
                                    {"a\n\n\xFF\n"sv, ", line 3: it is not valid UTF-8"},
                                    {"\xFF\xFE"
                                     "a\0"sv,
                                     " is UTF-16"}}) {
        const auto text = read_text(put(raw), {});
        ASSERT_FALSE(text);
        EXPECT_NE(text.error().message.find(what), std::string::npos) << text.error().message;
        // Of a store's own file it is damage, not a request.
        EXPECT_EQ(read_text(put(raw), {1024, Origin::Own}).error().code, Code::Corrupt);
    }
}

TEST_F(SmallFile, EveryFileHasALimit) {
    EXPECT_EQ(read_text(put("12345678"), {8}), "12345678\n");
    for (const std::string& path : {put("123456789"), std::string("/dev/zero")}) {
        EXPECT_EQ(read_text(path, {8}).error().message.find("cannot read"), std::string::npos);
        EXPECT_NE(read_text(path, {8}).error().message.find("too large: at most 8 bytes"), std::string::npos);
        EXPECT_EQ(read_secret(path, {8}).error().code, Code::InvalidRequest);
    }
}

TEST_F(SmallFile, APipeIsReadWhereAPersonNamesIt) {
    const std::string path = pipe_with("text");
    EXPECT_EQ(read_text(path, {1024, Origin::Regular}).error().code, Code::Corrupt);
    EXPECT_EQ(read_text(path, {}), "text\n");
    // Nobody writes to this one, and nobody waits for it.
    ASSERT_EQ(::mkfifo((folder_ + "/fifo").c_str(), 0600), 0);
    EXPECT_EQ(read_text(folder_ + "/fifo", {1024, Origin::Own}).error().code, Code::Corrupt);
}

TEST_F(SmallFile, AnErrorIsNeverTheEndOfTheFile) {
    // Reading a process' memory at address 0 fails with EIO, as a broken disk does.
    const auto text = read_text("/proc/self/mem", {});
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Code::Unavailable);
    EXPECT_EQ(text.error().message, "cannot read '/proc/self/mem': Input/output error");
    EXPECT_EQ(read_secret("/proc/self/mem", {}).error().code, Code::Unavailable);
}

TEST_F(SmallFile, WhatIsNotThereSaysSo) {
    EXPECT_EQ(*read_text_if_there(folder_ + "/none", {}), std::nullopt);
    EXPECT_EQ(*read_line_if_there(put("") + "/below", {8, Origin::Own}), std::nullopt);
    const auto none = read_text(folder_ + "/none", {});
    EXPECT_EQ(none.error().code, Code::InvalidRequest);
    EXPECT_TRUE(none.error().message.ends_with("none': No such file or directory")) << none.error().message;
    EXPECT_EQ(read_text(folder_, {}).error().message, "cannot read '" + folder_ + "': Is a directory");
}

TEST_F(SmallFile, AStoresOwnFileIsNoLinkAndNobodyElses) {
    const std::string path = put("text", 0640), link = folder_ + "/link";
    std::filesystem::create_symlink(path, link);
    EXPECT_EQ(read_text(link, {64, Origin::Regular}), "text\n");
    EXPECT_EQ(read_text(link, {64, Origin::Own}).error().code, Code::Corrupt);
    EXPECT_EQ(read_text(path, {64, Origin::Own, 022}), "text\n");
    EXPECT_EQ(read_text(path, {64, Origin::Own, 077}).error().code, Code::StateRefuses);
    EXPECT_EQ(read_text(put("text", 0620), {64, Origin::Own, 022}).error().code, Code::StateRefuses);
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
    ASSERT_EQ(::chown(put("text").c_str(), 12345, 12345), 0);
    EXPECT_EQ(read_text(path, {64, Origin::Own, 022}), "text\n");
    EXPECT_EQ(read_text(path, {64, Origin::Own, 022, ReadRules::Writer::UsOrRoot}).error().code, Code::StateRefuses);
}

TEST_F(SmallFile, ASecretThatGrowsWhileItIsReadIsWhole) {
    const std::string path = pipe_with(std::string(3000, 'x'));
    const auto secret = read_secret(path, {4096});
    ASSERT_TRUE(secret);
    EXPECT_EQ(secret->reveal_text(), std::string(3000, 'x'));
    // A file of /proc says that it is empty.
    EXPECT_GT(read_secret("/proc/self/status", {16384})->size(), 100U);
}

}  // namespace
}  // namespace marque
