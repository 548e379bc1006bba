// Invariant 15: a migration seals no row that it did not check. It starts from a store that the program of schema 1
// made, with rows of every kind (test/store/baseline/).
#include "store/sql/migration.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "test/store/backends.h"
#include "test/store/every_row.h"

namespace marque::store {
namespace {

using namespace domain;

const Instant t0(Duration(1'800'000'000'000'000));
const WorkspaceName workspace = *WorkspaceName::parse("default");

Result<std::vector<audit::Draft>> tell(const Reader&, int from, int to) {
    return std::vector<audit::Draft>{{audit::StoreMigrated{from, to}, audit::OperatorActor{}, t0}};
}

class Baseline : public testing::TestWithParam<Kind> {
 protected:
    void SetUp() override {
        if (!backend_) GTEST_SKIP() << "there is no PostgreSQL server: MARQUE_TEST_POSTGRES names no file";
        const std::ifstream file(fmt::format("{}/test/store/baseline/{}.sql", MARQUE_SOURCE, GetParam().name));
        std::stringstream sql;
        sql << file.rdbuf();
        ASSERT_FALSE(sql.str().empty());
        backend_->replace_with(sql.str());
    }
    std::unique_ptr<Store> open() { return backend_->open(sealing_key); }
    // Every row, as text.
    static std::vector<std::string> contents(Store& store) {
        std::vector<std::string> all;
        const auto read = store.read([&](const Reader& r) -> Result<void> {
            const auto add = [&](const auto&... values) { all.push_back((fmt::format("{} ", values) + ...)); };
            const auto installation = *TRY(r.installation());
            add(installation.id, installation.policy.quorum, installation.owners_revision);
            for (const Workspace& w : TRY(r.workspaces(Listing::Complete))) {
                add(w.name.text(), name_of(w.condition.stored), w.revision);
                for (const Environment& e : TRY(r.environments(w.name, Listing::Complete)))
                    add(e.name.text(), static_cast<int>(e.protection), e.max_lifetime.value_or(Duration(0)).count());
                for (const Identity& i : TRY(r.identities(w.name, {}, 100, Listing::Complete))) {
                    add(i.name.text(), i.environment.text(), i.scopes.text(), i.contact, i.labels.size(),
                        name_of(i.condition.stored), i.description, i.revision);
                    for (const Credential& c : TRY(r.credentials(w.name, i.name, Listing::Complete))) {
                        add(c.id.text(), name_of(c.stored), c.hash[0], c.succession ? "succeeds" : "", c.revision);
                        if (const auto use = TRY(r.last_use(c.id))) add(use->from, use->count);
                        if (const auto refused = TRY(r.refused_uses(c.id))) add(refused->reason, refused->count);
                    }
                }
            }
            for (const Operator& o : TRY(r.operators())) add(o.name.text(), o.uid, o.is_removed, o.grants.size());
            for (const Owner& o : TRY(r.owners())) add(o.fingerprint, o.public_key, o.comment);
            for (const Approval& a : TRY(r.approvals({}, 100, Listing::Complete)))
                add(a.id.text(), name_of(a.stored), a.text, a.signatures.size(), a.revision);
            for (const StoredEntry& e : TRY(r.entries(0, 1000))) add(e.seq, e.bytes);
            return {};
        });
        EXPECT_TRUE(read) << read.error().message;
        return all;
    }

    std::unique_ptr<Backend> backend_ = GetParam().make();
};

TEST_P(Baseline, GoesUpAndDownAndUpAgainAndHoldsWhatItHeld) {
    const auto maintenance = backend_->maintain();
    ASSERT_EQ(maintenance->status()->schema, 1);
    EXPECT_EQ(*maintenance->check(), std::vector<std::string>{});
    const auto fresh = GetParam().make();
    fill_with_every_kind_of_row(fresh->store());
    auto expected = contents(fresh->store());
    const int newest = sql::newest_schema;
    for (const int to : {newest, 1, newest}) {
        const auto migrated = maintenance->migrate(to, tell);
        ASSERT_TRUE(migrated) << "to " << to << ": " << migrated.error().message;
        EXPECT_EQ(maintenance->status()->schema, to);
        EXPECT_EQ(*maintenance->check(), std::vector<std::string>{});
    }
    auto found = contents(*open());
    ASSERT_GT(found.size(), expected.size());
    found.resize(expected.size());  // the migrations' own entries are the last
    EXPECT_EQ(found, expected);
    EXPECT_EQ(*read_from(*open(), [](const Reader& r) { return r.examine_rows(); }), std::vector<std::string>{});
}

TEST_P(Baseline, Invariant15_ARowThatWasChangedIsNamedAndStopsTheMigration) {
    const std::pair<const char*, const char*> changes[] = {
        {"UPDATE installation SET quorum = 1", "installation"},
        {"UPDATE workspace SET state = 'active'", "workspace other"},
        {"UPDATE environment SET is_protected = 0", "environment production"},
        {"UPDATE identity SET scopes = 'a:b,c:d,e:f' WHERE name = 'codex'", "identity codex"},
        {"UPDATE credential SET state = 'active' WHERE state = 'revoked'", "credential 0123456789ae"},
        {"UPDATE operator SET is_removed = 0", "operator bob"},
        {"UPDATE permission SET workspace = '*' WHERE operator = 'bob' AND permission = 'workspace:view'",
         "permission bob"},
        {"UPDATE owner SET public_key = 'ssh-ed25519 EVIL' WHERE fingerprint = 'SHA256:two'", "owner SHA256:two"},
        {"UPDATE approval SET state = 'open'", "approval 4ygg40s9"},
        {"UPDATE approval_signature SET signature = 'another'", "a signature of approval 4ygg40s8"},
        {"DELETE FROM credential WHERE id = '0123456789ac'", "credential/0123456789ac was taken away"},
    };
    for (const auto& [sql, name] : changes) {
        SCOPED_TRACE(sql);
        SetUp();
        backend_->execute(sql);
        const auto migrated = backend_->maintain()->migrate(sql::newest_schema, tell);
        ASSERT_FALSE(migrated);
        EXPECT_EQ(migrated.error().code, Code::Corrupt);
        EXPECT_NE(migrated.error().message.find(name), std::string::npos) << migrated.error().message;
        EXPECT_EQ(backend_->maintain()->status()->schema, 1) << "nothing was changed";
    }
}

TEST_P(Baseline, Invariant15_WhatWasSealedUnderOneListIsNoSealUnderTheOther) {
    ASSERT_TRUE(backend_->maintain()->migrate(sql::newest_schema, tell));
    backend_->execute("UPDATE identity SET description = 'may do everything' WHERE name = 'codex'");
    const auto read =
        read_from(*open(), [](const Reader& r) { return r.identity(workspace, *IdentityName::parse("codex")); });
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message.find("identity codex is not as it was written"), std::string::npos);
    const auto down = backend_->maintain()->migrate(1, tell);
    ASSERT_FALSE(down) << "nor is it sealed on the way down";
    EXPECT_NE(down.error().message.find("identity codex"), std::string::npos) << down.error().message;
}

TEST_P(Baseline, WhatIsRefusedInsideAMigrationUndoesAllOfIt) {
    const auto refuse = [](const Reader&, int, int) -> Result<std::vector<audit::Draft>> {
        return Error(Code::PermissionDenied, "no");
    };
    EXPECT_EQ(backend_->maintain()->migrate(sql::newest_schema, refuse).error().code, Code::PermissionDenied);
    EXPECT_EQ(backend_->maintain()->status()->schema, 1);
    EXPECT_EQ(*backend_->maintain()->check(), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Stores, Baseline, testing::ValuesIn(std::begin(kinds) + 1, std::end(kinds)),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace marque::store
