// Invariant 20: a change is remembered for this machine's verifiers before it is reported, and looked for once more.
#include "verify/remembering_store.h"

#include <gtest/gtest.h>

#include "store/memory/memory_store.h"
#include "test/fixed.h"

namespace marque::verify {
namespace {

using namespace domain;

// What is remembered, shared by all who remember in this folder.
struct Folder {
    std::optional<KnownLog> known;
    bool is_full = false;
    std::function<void()> when_remembered = [] {};
};

class FolderMemory final : public Memory {
 public:
    explicit FolderMemory(Folder& folder) : folder_(folder) {}
    Result<std::optional<KnownLog>> recall() override { return folder_.known; }
    Result<void> remember(const KnownLog& known) override {
        if (folder_.is_full) return Error(Code::Unavailable, "the disk is full");
        folder_.known = known;
        folder_.when_remembered();
        return {};
    }

 private:
    Folder& folder_;
};

class RememberingTest : public testing::Test {
 protected:
    RememberingTest() { EXPECT_TRUE(add("default")); }

    Result<Revision> add(const char* workspace) {
        return remembering.change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
            std::vector<audit::Draft> drafts;
            if (!TRY(reader.installation()))
                drafts.push_back({audit::InstallationCreated{{"zj1ag1skkg2n4mac8rsbvkm3y4", t0}}, {}, t0});
            drafts.push_back({audit::WorkspaceAdded{{*WorkspaceName::parse(workspace), {}, t0}}, {}, t0});
            return drafts;
        });
    }

    Folder folder;
    store::memory::MemoryStore store{key(9)};
    std::vector<std::string> told;
    RememberingStore remembering{std::make_unique<store::ForwardingStore>(store),
                                 std::make_unique<FolderMemory>(folder),
                                 [&](const std::string& why) { told.push_back(why); }};
};

TEST_F(RememberingTest, Invariant20_AChangeIsKnownBeforeItIsReported) {
    EXPECT_EQ(*add("another"), 3u);
    ASSERT_TRUE(folder.known);
    EXPECT_EQ(*folder.known,
              *store::read_from(store, [](const store::Reader& reader) { return known_log_of(reader, 3); }));
    EXPECT_TRUE(told.empty());
}

TEST_F(RememberingTest, Invariant20_AChangeThatIsUndoneWhileItIsRememberedIsNotInForce) {
    const store::memory::Rows before = store.rows;
    folder.when_remembered = [&] { store.rows = before; };
    const auto changed = add("another");
    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().code, Code::Corrupt);
    EXPECT_FALSE(changed.error().tampered.empty());
    EXPECT_NE(changed.error().message.find("is NOT in force"), std::string::npos) << changed.error().message;
    EXPECT_EQ(folder.known->size, 3u) << "so verifiers refuse what lies there";
}

TEST_F(RememberingTest, AChangeStandsThatCanNotBeRemembered) {
    folder.is_full = true;
    EXPECT_EQ(*add("another"), 3u);
    EXPECT_EQ(told, std::vector<std::string>{"the disk is full"});
}

TEST_F(RememberingTest, ALogThatDoesNotContinueTheKnownOneIsChangedAndNotRemembered) {
    folder.known->size = 100;
    EXPECT_EQ(*add("another"), 3u);
    EXPECT_EQ(folder.known->size, 100u);
    EXPECT_EQ(told.size(), 1u);
}

TEST_F(RememberingTest, WhatAFasterProcessKnewIsNotForgotten) {
    const KnownLog later{folder.known->installation, 7, {}, t0};
    FolderMemory memory(folder);
    ASSERT_TRUE(advance(memory, later));
    ASSERT_TRUE(advance(memory, {later.installation, 3, {}, t0}));
    EXPECT_EQ(folder.known->size, 7u);
}

}  // namespace
}  // namespace marque::verify
