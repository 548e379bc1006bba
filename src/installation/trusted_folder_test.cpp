// The store's folder and its files, each as somebody else could have left it.
#include "installation/trusted_folder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "base/new_file.h"
#include "test/temporary_folder.h"

namespace marque::installation {
namespace {

class TrustedFolder : public testing::Test {
 protected:
    void SetUp() override {
        for (const char* name : {"marque.db", "root.key", "known_log", "hooks.toml"})
            ASSERT_TRUE(create_file(path(name), {}, FileOwner::Caller));
    }

    std::string path(const std::string& name) const { return folder_ + "/" + name; }
    // The code of the refusal, or nothing.
    std::optional<Code> refusal() const {
        const auto trusted = require_trusted(folder_);
        if (trusted) return std::nullopt;
        return trusted.error().code;
    }

    const TemporaryFolder made_;
    const std::string folder_ = made_.path();
};

TEST_F(TrustedFolder, OfTheCallersFilesIsTrusted) {
    EXPECT_EQ(refusal(), std::nullopt);
    EXPECT_TRUE(distrusted(folder_).empty());
    EXPECT_TRUE(require_trusted(path("none")));
    ::chmod(folder_.c_str(), 0755);
    EXPECT_EQ(refusal(), std::nullopt) << "that others can read names is doctor's to say";
}

TEST_F(TrustedFolder, ThatOthersWriteIsNot) {
    for (const mode_t mode : {0720, 0702, 01777}) {
        ::chmod(folder_.c_str(), mode);
        EXPECT_EQ(refusal(), Code::StateRefuses) << mode;
    }
}

TEST_F(TrustedFolder, EveryFileThatOpeningReadsIsLookedAt) {
    for (const char* name : {"marque.db", "marque.db-wal", "marque.db-shm", "marque.db-journal", "root.key",
                             "root.key.next", "root.key.command", "postgresql.conninfo", "known_log"}) {
        if (!std::filesystem::exists(path(name))) {
            ASSERT_TRUE(create_file(path(name), {}, FileOwner::Caller));
        }
        ::chmod(path(name).c_str(), 0620);
        EXPECT_EQ(refusal(), Code::StateRefuses) << name;
        ASSERT_EQ(distrusted(folder_).size(), 1U) << name;
        EXPECT_NE(distrusted(folder_)[0].message.find(name), std::string::npos);
        std::filesystem::remove(path(name));
        std::filesystem::create_symlink(path("hooks.toml"), path(name));
        EXPECT_EQ(refusal(), Code::Corrupt) << name;
        std::filesystem::remove(path(name));
    }
    // What is not read to open a store does not keep anybody from revoking.
    ::chmod(path("hooks.toml").c_str(), 0666);
    EXPECT_EQ(refusal(), std::nullopt);
    EXPECT_EQ(distrusted(folder_).size(), 1U);
}

TEST_F(TrustedFolder, ADatabaseHasOneName) {
    std::filesystem::create_hard_link(path("marque.db"), path("copy"));
    EXPECT_EQ(refusal(), Code::StateRefuses);
    EXPECT_NE(require_trusted(folder_).error().message.find("has 2 names (hard links)"), std::string::npos);
    std::filesystem::remove(path("copy"));
    EXPECT_EQ(refusal(), std::nullopt);
}

TEST_F(TrustedFolder, RootBelievesAFolderOfOneAccount) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root looks at others' folders";
    ASSERT_EQ(::chown(folder_.c_str(), 12345, 12345), 0);
    EXPECT_EQ(refusal(), std::nullopt) << "files of root's may lie in it";
    ASSERT_EQ(::chown(path("marque.db").c_str(), 12345, 12345), 0);
    EXPECT_EQ(refusal(), std::nullopt);
    ASSERT_EQ(::chown(path("known_log").c_str(), 23456, 23456), 0);
    EXPECT_EQ(refusal(), Code::StateRefuses) << "a third account's file";
    // Another account is told whose folder it is.
    ASSERT_EQ(::seteuid(23456), 0);
    const auto refused = require_trusted(folder_);
    ASSERT_EQ(::seteuid(0), 0);
    EXPECT_EQ(refused.error().code, Code::PermissionDenied);
    EXPECT_EQ(refused.error().hint, "run marque as that account: sudo -u '#12345' marque …");
}

}  // namespace
}  // namespace marque::installation
