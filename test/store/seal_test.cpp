// Invariant 12: whoever can write SQL, and has not the key, gets nothing in. Each attack is made on a store that holds
// something worth it, with every former state of every table at hand; what may come of it is a refusal, and a name.
#include "audit/seal.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "store/append.h"
#include "store/sql/reader.h"
#include "test/store/backends.h"
#include "test/store/every_row.h"

namespace marque::store {
namespace {

using namespace domain;
using namespace std::chrono_literals;

const Instant t0(Duration(1'800'000'000'000'000));

class Seals : public testing::TestWithParam<Kind> {
 protected:
    Store& store() { return backend_->store(); }
    void execute(const std::string& sql) { ASSERT_TRUE(backend_->execute(sql)); }

    Result<Revision> commit(std::vector<audit::Event> events) {
        return store().change([&](const Reader&) -> Result<std::vector<audit::Draft>> {
            std::vector<audit::Draft> drafts;
            for (const audit::Event& event : events) drafts.push_back({event, audit::OperatorActor{}, t0});
            return drafts;
        });
    }
    // That `view` is refused for what somebody wrote, and says so.
    template <class View>
    void expect_refused(const View& view, const char* what) {
        const auto got = read_from(store(), view);
        ASSERT_FALSE(got.has_value()) << what;
        EXPECT_EQ(got.error().code, Code::Corrupt) << what;
        EXPECT_FALSE(got.error().tampered.empty()) << what << ": " << got.error().message;
    }
    Result<std::vector<std::string>> findings() {
        std::vector<std::string> found;
        TRY(store().read_unchecked([&](const Reader& r) -> Result<void> {
            found = TRY(r.examine_rows());
            return {};
        }));
        return found;
    }
    void expect_found(const std::string& name) {
        const auto found = findings();
        ASSERT_TRUE(found.has_value()) << found.error().message;
        EXPECT_NE(fmt::format("{}", fmt::join(*found, "; ")).find(name), std::string::npos)
            << name << " in: " << fmt::format("{}", fmt::join(*found, "; "));
    }
    Result<void> load() {
        return store().read([](const Reader& r) { return r.visit_all(nothing_to_visit()); });
    }
    // What a verifier loads, what a command reads, and what an auditor sees.
    void expect_kept_out(const std::string& name) {
        const auto loaded = load();
        ASSERT_FALSE(loaded.has_value()) << name << ": everything was read and taken";
        EXPECT_FALSE(loaded.error().tampered.empty()) << loaded.error().message;
        expect_found(name);
    }
    // Copies of all that is sealed, to be put back later: "INSERT INTO credential SELECT * FROM kept.N_credential".
    int keep() {
        const int number = ++kept_;
        for (const char* table : all_tables)
            execute(fmt::format("CREATE TABLE kept.\"{0}_{1}\" AS SELECT * FROM {1}", number, table));
        return number;
    }
    void put_back(int number, std::initializer_list<const char*> tables, const std::string& where = "") {
        for (const char* table : tables) {
            execute(fmt::format("DELETE FROM {} {}", table, where));
            execute(fmt::format("INSERT INTO {1} SELECT * FROM kept.\"{0}_{1}\" {2}", number, table, where));
        }
    }

    static constexpr const char* all_tables[] = {
        "installation", "workspace", "environment", "identity",           "credential", "operator", "permission",
        "owner",        "approval",  "row_seal",    "approval_signature", "row_tree",   "log_head"};

    const WorkspaceName workspace = *WorkspaceName::parse("default");
    const EnvironmentName dev = *EnvironmentName::parse("dev"), production = *EnvironmentName::parse("production");
    const IdentityName codex = *IdentityName::parse("codex"), board = *IdentityName::parse("board");
    const CredentialId id = *CredentialId::parse("0123456789ab"), id2 = *CredentialId::parse("0123456789ac");
    const CredentialRef ref{workspace, codex, id};
    const OperatorName ops = *OperatorName::parse("ops");
    const ApprovalId approval_id = *ApprovalId::parse("4ygg40s8");

    Identity identity(const IdentityName& name, const EnvironmentName& environment) const {
        return {workspace, name, environment, MachineKind::Agent, *ScopeSet::parse("a:b,c:d"), "ct", {}, {}, t0};
    }
    Credential credential(const CredentialId& one, const IdentityName& of, std::uint8_t hash) const {
        Credential c{one,     workspace, of, {}, *ScopeSet::parse("a:b"), CredentialStanding::Pending, t0,
                     t0 + 1h, {},        {}, {}};
        c.hash.fill(hash);
        return c;
    }
    Owner owner(const std::string& fingerprint) const { return {fingerprint, "ssh-ed25519 AAAA", "", {}}; }

    void SetUp() override {
        if (!backend_) GTEST_SKIP() << "there is no PostgreSQL server: MARQUE_TEST_POSTGRES names no file";
        Installation installation;
        installation.id = "zj1ag1skkg2n4mac8rsbvkm3y4";
        installation.created_at = t0;
        ASSERT_TRUE(commit({audit::InstallationCreated{installation}, audit::WorkspaceAdded{{workspace, {}, t0}},
                            audit::EnvironmentAdded{{workspace, dev, Protection::Open, {}, {}, t0}},
                            audit::EnvironmentAdded{{workspace, production, Protection::Protected, {}, {}, t0}},
                            audit::OperatorAdded{{ops, 1000, false, {{std::nullopt, Permission::Manage}}, t0}},
                            audit::OwnerAdded{owner("SHA256:one")}}));
        ASSERT_TRUE(
            commit({audit::IdentityCreated{identity(codex, dev)}, audit::IdentityCreated{identity(board, production)},
                    audit::CredentialIssued{credential(id, codex, 1)},
                    audit::CredentialIssued{credential(id2, board, 2)}, audit::CredentialActivated{ref}}));
        ASSERT_TRUE(load());
        ASSERT_TRUE(findings()->empty());
    }

    std::unique_ptr<Backend> backend_ = GetParam().make();
    int kept_ = 0;
};

TEST_P(Seals, Invariant12_ARowThatWasChangedIsRefusedAndNamed) {
    const std::pair<const char*, const char*> changes[] = {
        {"UPDATE credential SET state = 'active' WHERE id = '0123456789ac'", "credential 0123456789ac"},
        {"UPDATE credential SET scopes = 'a:b,c:d' WHERE id = '0123456789ab'", "credential 0123456789ab"},
        {"UPDATE credential SET expires_at = NULL WHERE id = '0123456789ab'", "credential 0123456789ab"},
        {"UPDATE credential SET identity = 'board' WHERE id = '0123456789ab'", "credential 0123456789ab"},
        {"UPDATE credential SET revision = revision + 1 WHERE id = '0123456789ab'", "credential 0123456789ab"},
        {"UPDATE identity SET scopes = 'a:b,c:d,e:f' WHERE name = 'codex'", "identity codex"},
        {"UPDATE identity SET environment = 'dev' WHERE name = 'board'", "identity board"},
        {"UPDATE environment SET is_protected = 0 WHERE name = 'production'", "environment production"},
        {"UPDATE workspace SET paused_until = 1", "workspace default"},
        {"UPDATE operator SET uid = 4242", "operator ops"},
        {"UPDATE permission SET workspace = 'default'", "permission ops"},
        {"UPDATE owner SET public_key = 'ssh-ed25519 EVIL'", "owner SHA256:one"},
        {"UPDATE installation SET quorum = 3", "installation"},
    };
    const int now = keep();
    for (const auto& [sql, name] : changes) {
        SCOPED_TRACE(sql);
        execute(sql);
        expect_kept_out(name);
        // Children first, so that nothing is left standing on nothing.
        execute("DELETE FROM permission");
        execute("DELETE FROM owner");
        execute("DELETE FROM credential");
        execute("DELETE FROM identity");
        execute("DELETE FROM environment");
        put_back(now, {"workspace", "environment", "identity", "credential", "operator", "permission", "owner",
                       "installation"});
        ASSERT_TRUE(load().has_value()) << "what was put back as it was is taken again";
        ASSERT_TRUE(findings()->empty());
    }
}

TEST_P(Seals, Invariant12_TwoHashesThatChangePlacesAreRefused) {
    execute("UPDATE credential SET hash = (SELECT hash FROM credential c WHERE c.id <> credential.id)");
    expect_kept_out("credential 0123456789ab");
    expect_refused([&](const Reader& r) { return r.credential(id); }, "one by itself");
}

TEST_P(Seals, Invariant12_NothingIsAdded) {
    execute("INSERT INTO owner (fingerprint, public_key, comment, revision) VALUES ('SHA256:mine', 'x', '', 6)");
    execute(
        "INSERT INTO row_seal (bucket, place, seal) SELECT bucket + 0, 'owner/SHA256:mine', seal FROM row_seal"
        " WHERE place = 'owner/SHA256:one'");
    expect_refused([](const Reader& r) { return r.owners(); }, "an owner");
    expect_kept_out("owner SHA256:mine");
}

TEST_P(Seals, Invariant12_WhatWasTakenAwayIsMissed) {
    // Without owners, whoever manages the installation could register the first.
    execute("DELETE FROM owner");
    execute("DELETE FROM row_seal WHERE place = 'owner/SHA256:one'");
    expect_refused([](const Reader& r) { return r.owners(); }, "no owner at all");
    expect_kept_out("installation");
}

// A decision that rests on a list rests on all of it.
TEST_P(Seals, Invariant12_AListThatLacksARowIsRefusedAndNamed) {
    execute("DELETE FROM credential WHERE identity = 'board'");
    const auto complete = read_from(store(), [](const Reader& r) { return r.require_complete(); });
    ASSERT_FALSE(complete);
    EXPECT_NE(complete.error().message.find("credential/0123456789ac was taken away"), std::string::npos)
        << complete.error().message;
    expect_refused([](const Reader& r) { return r.workspaces(Listing::Complete); }, "workspaces");
    expect_refused([&](const Reader& r) { return r.environments(workspace, Listing::Complete); }, "environments");
    expect_refused([&](const Reader& r) { return r.identities(workspace, {}, 10, Listing::Complete); }, "identities");
    expect_refused([&](const Reader& r) { return r.credentials(workspace, board, Listing::Complete); }, "credentials");
    expect_refused([](const Reader& r) { return r.approvals({}, 10, Listing::Complete); }, "approvals");
    expect_refused([&](const Reader& r) { return r.approvals_of(ops, t0); }, "an operator's approvals");
    const auto found =
        read_from(store(), [&](const Reader& r) { return r.identities(workspace, {}, 10, Listing::AsFound); });
    ASSERT_TRUE(found) << "what decides nothing goes on";
    EXPECT_EQ(found->size(), 2u);
}

TEST_P(Seals, Invariant12_ARowThatIsThereTwiceIsRefused) {
    if (std::string(GetParam().name) == "sqlite")
        execute(
            "CREATE TABLE other AS SELECT * FROM permission; DROP TABLE permission;"
            "ALTER TABLE other RENAME TO permission");
    else
        execute("ALTER TABLE permission DROP CONSTRAINT permission_pkey");
    execute("INSERT INTO permission SELECT * FROM permission");
    const auto later = backend_->open(sealing_key);
    const auto complete = read_from(*later, [](const Reader& r) { return r.require_complete(); });
    ASSERT_FALSE(complete);
    EXPECT_EQ(complete.error().code, Code::Corrupt) << complete.error().message;
}

TEST_P(Seals, Invariant12_ANameWhoseRowWasTakenAwayIsNotFree) {
    execute("DELETE FROM credential WHERE identity = 'board'");
    execute("DELETE FROM identity WHERE name = 'board'");
    expect_refused([&](const Reader& r) { return r.identity(workspace, board); }, "a name that was used");
    EXPECT_FALSE(commit({audit::IdentityCreated{identity(board, dev)}}));
    expect_kept_out("identity/default/board");
}

// With its seal, with the seals of its bucket, with the whole tree: the head is sealed over none of them.
TEST_P(Seals, Invariant12_AnOlderRowIsRefusedWithWhateverIsPutBackBesideIt) {
    const int before = keep();
    ASSERT_TRUE(commit({audit::Revoked{ref, "active"}}));
    const int after = keep();
    const std::string one = "WHERE id = '0123456789ab'";
    put_back(before, {"credential"}, one);
    expect_kept_out("credential 0123456789ab");
    put_back(before, {"row_seal"}, "WHERE place = 'credential/0123456789ab'");
    expect_kept_out("credential 0123456789ab is as it was at entry 11: entry 12 wrote it since");
    expect_refused([&](const Reader& r) { return r.credential(id); }, "with its seal");
    put_back(before, {"row_tree"});
    expect_refused([&](const Reader& r) { return r.credential(id); }, "with the tree");
    EXPECT_FALSE(findings()->empty());
    execute(fmt::format("UPDATE log_head SET row_root = (SELECT row_root FROM kept.\"{}_log_head\")", before));
    EXPECT_FALSE(read_from(store(), [&](const Reader& r) { return r.credential(id); }));
    execute("UPDATE log_head SET row_root = NULL");
    EXPECT_FALSE(read_from(store(), [&](const Reader& r) { return r.credential(id); }));
    EXPECT_FALSE(commit({audit::StoreBackedUp{"/b"}})) << "nothing is appended to a head that is not ours";
    put_back(after, {"credential"}, one);
    put_back(after, {"row_seal", "row_tree", "log_head"});
    EXPECT_TRUE(load());
}

TEST_P(Seals, Invariant12_AWithdrawnPermissionDoesNotComeBack) {
    const int before = keep();
    ASSERT_TRUE(commit({audit::PermissionWithdrawn{ops, {std::nullopt, Permission::Manage}}}));
    put_back(before, {"permission"});
    expect_refused([](const Reader& r) { return r.operator_with_uid(1000); }, "with its row");
    put_back(before, {"row_seal"}, "WHERE place LIKE 'permission/%'");
    expect_refused([](const Reader& r) { return r.operator_with_uid(1000); }, "with its seal");
}

TEST_P(Seals, Invariant12_AnApprovalIsUsedOnce) {
    Approval approval{approval_id, "n", "text", "plan",  "identity.create",      InstallationRef{},
                      workspace,   ops, t0,     t0 + 1h, ApprovalStanding::Open, {}};
    const auto asked = commit({audit::ApprovalRequested{approval}});
    ASSERT_TRUE(asked) << asked.error().message;
    const int open = keep();
    ASSERT_TRUE(commit({audit::ApprovalRedeemed{approval_id, "plan"}}));
    put_back(open, {"approval"});
    put_back(open, {"row_seal"}, "WHERE place LIKE 'approval/%'");
    expect_refused([&](const Reader& r) { return r.approval(approval_id); }, "an approval that was used");
    EXPECT_FALSE(commit({audit::ApprovalRedeemed{approval_id, "plan"}})) << "not even by whoever does not look";
}

// Whoever writes without having looked would seal what somebody else has put there.
TEST_P(Seals, Invariant12_NothingIsSealedThatWasNotSealedBefore) {
    execute("UPDATE credential SET scopes = 'a:b,c:d' WHERE id = '0123456789ab'");
    const auto paused = commit({audit::Paused{ref, "active", {}}});
    ASSERT_FALSE(paused);
    EXPECT_EQ(paused.error().tampered, "credential/0123456789ab");
    expect_found("credential 0123456789ab");
}

// The rest goes on: what was not touched can be paused and revoked.
TEST_P(Seals, Invariant12_WhatIsWellCanStillBeTakenAway) {
    execute("UPDATE credential SET scopes = 'c:d' WHERE id = '0123456789ac'");
    EXPECT_TRUE(commit({audit::Revoked{ref, "active"}}));
    EXPECT_TRUE(commit({audit::Refused{"store.read", StoreRef{}, Error(Code::Corrupt, "x")}})) << "and be told of";
    expect_kept_out("credential 0123456789ac");
}

// A head of size 0 would be under every key's seal.
TEST_P(Seals, Invariant12_ALogWithoutAnEntryHasNoHead) {
    const int before = keep();
    ASSERT_TRUE(commit({audit::Revoked{ref, "active"}}));
    put_back(before, {"credential"}, "WHERE id = '0123456789ab'");
    put_back(before, {"row_seal", "row_tree"});
    execute(
        fmt::format("UPDATE log_head SET size = 0, frontier = substr(frontier, 1, 0),"
                    " row_root = (SELECT row_root FROM kept.\"{}_log_head\")",
                    before));
    execute("DELETE FROM entry");
    expect_refused([&](const Reader& r) { return r.credential(id); }, "an older row");
    EXPECT_FALSE(commit({audit::StoreBackedUp{"/b"}}));
    execute("DELETE FROM log_head");
    expect_refused([&](const Reader& r) { return r.credential(id); }, "a row without a log");
    EXPECT_FALSE(commit({audit::Paused{ref, "active", {}}}));
}

// Its seal would be left in the bucket, under a name that nobody looks for.
TEST_P(Seals, Invariant12_ASealKeepsItsName) {
    execute("DELETE FROM credential WHERE identity = 'board'");
    execute("DELETE FROM identity WHERE name = 'board'");
    execute("DELETE FROM environment WHERE name = 'production'");
    execute("UPDATE row_seal SET place = 'x' WHERE place = 'environment/default/production'");
    expect_refused([&](const Reader& r) { return r.environment(workspace, production); }, "a protected environment");
    EXPECT_FALSE(commit({audit::EnvironmentAdded{{workspace, production, Protection::Open, {}, {}, t0}}}));
}

// Nothing is written through an object that Marque did not make.
TEST_P(Seals, Invariant12_NothingIsWrittenWhereATriggerLies) {
    if (std::string(GetParam().name) == "sqlite") {
        execute(
            "CREATE TRIGGER mine AFTER UPDATE ON credential WHEN new.state = 'revoked'"
            " BEGIN UPDATE credential SET state = 'active' WHERE id = new.id; END");
        execute(
            "CREATE TRIGGER mine_too AFTER INSERT ON owner WHEN new.fingerprint <> 'SHA256:mine' BEGIN"
            " INSERT INTO owner (fingerprint, public_key, comment, revision) VALUES ('SHA256:mine', 'x', '', 1); END");
    } else {
        execute(
            "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.state := 'active'; RETURN NEW; END $$;"
            "CREATE TRIGGER mine BEFORE UPDATE ON credential FOR EACH ROW EXECUTE FUNCTION mine();"
            "CREATE FUNCTION mine_too() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.fingerprint <> "
            "'SHA256:mine'"
            " THEN INSERT INTO owner (fingerprint, public_key, comment, revision) VALUES ('SHA256:mine', 'x', '', 1);"
            " END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER mine_too AFTER INSERT ON owner FOR EACH ROW EXECUTE FUNCTION mine_too()");
    }
    const auto later = backend_->open(sealing_key);
    const auto revoked = later->change([&](const Reader&) -> Result<std::vector<audit::Draft>> {
        return std::vector<audit::Draft>{{audit::Revoked{ref, "active"}, audit::OperatorActor{}, t0}};
    });
    ASSERT_FALSE(revoked);
    EXPECT_EQ(revoked.error().tampered, "trigger mine") << revoked.error().message;
    EXPECT_EQ(backend_->maintain()->check()->size(), 1u) << "and doctor says so";
}

// A column that holds another kind of value is read as what it is not, and compared as what it is.
TEST_P(Seals, Invariant12_AValueOfAnotherKindIsRefused) {
    // The schema is ours again by the time it is looked at.
    const auto rewrite_schema = [&](const std::string& from, const std::string& to) {
        execute("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '" + from + "', '" + to +
                "') WHERE name = 'permission'");
    };
    if (std::string(GetParam().name) == "sqlite") {
        rewrite_schema(") STRICT,", ") /**/");
        execute(
            "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;"
            "UPDATE permission SET operator = CAST(operator AS BLOB)");
        rewrite_schema(") /**/", ") STRICT,");
    } else {
        execute("ALTER TABLE permission ALTER COLUMN operator TYPE varchar(63)");
    }
    const auto later = backend_->open(sealing_key);
    const auto loaded = later->read([](const Reader& r) { return r.visit_all(nothing_to_visit()); });
    ASSERT_FALSE(loaded);
    EXPECT_FALSE(loaded.error().tampered.empty()) << loaded.error().message;
}

Secret next_key() {
    return Secret::copy_of(Bytes(32, 8));
}

TEST_P(Seals, AnotherKeySealsEverythingOrNothing) {
    const auto maintenance = backend_->maintain();
    const auto why_not = [](const Reader&) -> Result<std::vector<audit::Draft>> { return Error(Code::NotFound, "no"); };
    const auto because = [](const Reader&) -> Result<std::vector<audit::Draft>> {
        return std::vector<audit::Draft>{{audit::KeyRotated{"a", "b"}, audit::OperatorActor{}, t0}};
    };
    EXPECT_EQ(maintenance->reseal(SealingKey(next_key), why_not).error().code, Code::NotFound);
    EXPECT_TRUE(load()) << "and nothing has changed";
    ASSERT_EQ(*maintenance->reseal(SealingKey(next_key), because), true);
    EXPECT_FALSE(load()) << "the old key opens nothing";
    const auto renewed = backend_->open(next_key);
    const auto loaded = renewed->read([](const Reader& r) { return r.visit_all(nothing_to_visit()); });
    EXPECT_TRUE(loaded) << loaded.error().message;
    const auto head = read_from(*renewed, [](const Reader& r) { return r.head(); });
    EXPECT_EQ(head->frontier.size(), 12u) << "with its entry";
    const auto entries = read_from(*renewed, [](const Reader& r) { return r.entries(0, 100); });
    for (const StoredEntry& entry : *entries)
        EXPECT_EQ(entry.seal, audit::seal_of_entry(next_key(), entry.seq, audit::leaf_hash(bytes_of(entry.bytes))));
    EXPECT_EQ(*maintenance->reseal(SealingKey(next_key), because), false) << "a repeat finds it done";
}

TEST_P(Seals, Invariant12_AnotherKeySealsNothingThatThisOneDidNot) {
    const auto maintenance = backend_->maintain();
    const auto because = [](const Reader&) -> Result<std::vector<audit::Draft>> {
        return std::vector<audit::Draft>{{audit::KeyRotated{"a", "b"}, audit::OperatorActor{}, t0}};
    };
    const int whole = keep();
    execute("UPDATE credential SET scopes = 'c:d' WHERE id = '0123456789ac'");
    EXPECT_EQ(maintenance->reseal(SealingKey(next_key), because).error().code, Code::Corrupt);
    put_back(whole, {"credential"});
    execute("UPDATE entry SET bytes = replace(bytes, 'codex', 'codec') WHERE seq = 7");
    EXPECT_EQ(maintenance->reseal(SealingKey(next_key), because).error().code, Code::Corrupt);
    execute("UPDATE entry SET bytes = replace(bytes, 'codec', 'codex') WHERE seq = 7");
    EXPECT_TRUE(load()) << "it was found before anything was committed";
    execute("CREATE TABLE kept.head AS SELECT * FROM log_head");
    execute("UPDATE log_head SET size = 0, frontier = substr(frontier, 1, 0)");
    EXPECT_EQ(maintenance->reseal(SealingKey(next_key), because).error().code, Code::Corrupt);
    execute("DELETE FROM log_head");
    EXPECT_FALSE(maintenance->reseal(SealingKey(next_key), because)) << "nor is nothing said to be sealed";
    execute("INSERT INTO log_head SELECT * FROM kept.head");
    EXPECT_TRUE(maintenance->reseal(SealingKey(next_key), because));
}

// A character that moves from the end of one column to the beginning of the next, and a value that moves to a column
// that has none.
TEST_P(Seals, Invariant12_ColumnsKeepTheirPlaces) {
    execute("UPDATE identity SET contact = 'c', labels = 't' || labels WHERE name = 'codex'");
    expect_kept_out("identity codex");
    execute("UPDATE identity SET contact = 'ct', labels = substr(labels, 2) WHERE name = 'codex'");
    ASSERT_TRUE(load());
    execute("UPDATE credential SET paused_until = expires_at, expires_at = NULL WHERE id = '0123456789ab'");
    expect_kept_out("credential 0123456789ab");
}

TEST_P(Seals, TheTreeIsTheSameWhetherItGrewOrWasMadeAtOnce) {
    for (int i = 0; i < 40; ++i) {
        const auto name = *IdentityName::parse(fmt::format("many-{}", i));
        ASSERT_TRUE(commit({audit::IdentityCreated{identity(name, dev)}}));
        const auto person = *OperatorName::parse(fmt::format("o{}", i));
        ASSERT_TRUE(commit({audit::Revoked{IdentityRef{workspace, name}, "active"},
                            audit::OperatorAdded{{person, 2000u + static_cast<unsigned>(i), false, {}, t0}}}));
    }
    EXPECT_TRUE(load());
    EXPECT_TRUE(findings()->empty());
}

// The store in memory, the first of them, has no database that somebody could write to.
// Behind the look for triggers, which no trigger passes: what is sealed is what the event makes of the checked row.
TEST(SealsOfSqlite, Invariant12_WhatATriggerMakesOfARowIsNotSealed) {
    const TemporaryFolder folder;
    const std::string path = folder / "marque.db";
    ASSERT_TRUE(sqlite::SqliteStore::create(path));
    fill_with_every_kind_of_row(*sqlite::SqliteStore::open(path, SealingKey(sealing_key)).release());
    auto database = sqlite::Database::open(path).release();
    SealingKey key(sealing_key);
    const CredentialId id = *CredentialId::parse("0123456789ab");
    ASSERT_TRUE(
        database.execute("CREATE TRIGGER mine AFTER UPDATE ON credential WHEN NEW.scopes <> 'x:y'"
                         " BEGIN UPDATE credential SET scopes = 'x:y' WHERE id = NEW.id; END"));
    ASSERT_TRUE(database.begin_write());
    const CredentialRef ref{*WorkspaceName::parse("default"), *IdentityName::parse("codex"), id};
    ASSERT_TRUE(sqlite::write_events(database, sql::SqlReader(database, key),
                                     {{audit::Paused{ref, "active", {}}, audit::OperatorActor{}, t0}}, key.get()));
    ASSERT_TRUE(database.commit());
    const auto read = sql::SqlReader(database, key).credential(id);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().tampered, "credential/0123456789ab") << read.error().message;
}

INSTANTIATE_TEST_SUITE_P(Backends, Seals, testing::ValuesIn(std::span(kinds).subspan(1)),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace marque::store
