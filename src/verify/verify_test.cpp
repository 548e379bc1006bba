// verify: the index judges as the domain does, and the verifier is never older than the question.
#include "verify/verify.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "store/forwarding_store.h"
#include "store/memory/memory_store.h"
#include "test/fixed.h"
#include "verify/facts.h"
#include "verify/verifier.h"

namespace marque::verify {
namespace {

using namespace domain;
using namespace std::chrono_literals;

const WorkspaceName workspace = *WorkspaceName::parse("default");
const EnvironmentName dev = *EnvironmentName::parse("dev");

struct Token {
    CredentialId id;
    std::string text;
    TokenHash hash;
};
Token token(std::uint64_t bits) {
    const auto id = CredentialId::from_bits(bits);
    const std::string text(make_token(TokenClass::Test, id, Bytes(token_entropy_bytes, 5)).reveal_text());
    return {id, text, hash_token(key(1), text)};
}

Identity identity(const std::string& name, const char* scopes = "a:b,c:d") {
    return {workspace, *IdentityName::parse(name), dev, MachineKind::Agent, *ScopeSet::parse(scopes), "", {}, {}, t0};
}
Credential credential(const Token& of, const std::string& name, const char* scopes = "a:b") {
    return {of.id,
            workspace,
            *IdentityName::parse(name),
            of.hash,
            *ScopeSet::parse(scopes),
            CredentialStanding::Active,
            t0,
            t0 + 1h,
            {},
            {},
            {}};
}

TEST(NumberTable, FindsWhatWasPutInAndNothingElse) {
    std::mt19937_64 random(3);
    std::vector<std::uint64_t> keys(50'000);
    std::ranges::generate(keys, std::ref(random));
    // Keys that look alike to the table: their products with its multiplier share the upper half.
    std::uint64_t inverse = 1;
    for (int i = 0; i < 6; ++i) inverse *= 2 - 0x9E3779B97F4A7C15 * inverse;
    for (std::uint64_t i = 0; i < 100; ++i) keys.push_back(inverse * (0xFFFFFFFF00000000 | i));
    NumberTable table;
    const auto find = [&](std::uint64_t key) {
        return table.find(key, [&](std::uint32_t number) { return keys[number] == key; });
    };
    for (std::uint32_t number = 0; number < keys.size(); ++number) {
        EXPECT_FALSE(find(keys[number]));
        table.insert(keys[number], number);
        EXPECT_EQ(find(keys[number]), number);
    }
    for (std::uint32_t number = 0; number < keys.size(); ++number) EXPECT_EQ(find(keys[number]), number);
    EXPECT_FALSE(find(inverse * (0xFFFFFFFF00000000 | 100)));
}

TEST(Index, RowsPutTogetherAreThoseThatWerePut) {
    Index together, one_by_one;
    std::vector<std::string> names;
    for (int i = 0; i < 100; ++i) names.push_back("m" + std::to_string(i));
    std::vector<store::CredentialFacts> rows;
    for (Index* index : {&together, &one_by_one}) {
        index->put(Workspace{workspace, {}, t0});
        ASSERT_TRUE(index->put(Environment{workspace, dev, Protection::Open, {}, {}, t0}));
        for (const std::string& name : names)
            ASSERT_TRUE(index->put(store::IdentityFacts{"default", name, "dev", "a:b", {}}));
    }
    for (std::uint64_t i = 0; i < 300; ++i)
        rows.push_back({token(i).id,
                        "default",
                        names[i % 100],
                        "a:b",
                        token(i).hash,
                        {CredentialStanding::Active, {}, t0 + std::chrono::seconds(i)},
                        false});
    ASSERT_TRUE(together.put(rows));
    for (const auto& row : rows) ASSERT_TRUE(one_by_one.put(row));
    TokenHasher hasher(key(1));
    for (std::uint64_t i = 0; i < 300; ++i) {
        const Verdict verdict = together.verify(hasher, token(i).text, {}, t0);
        EXPECT_EQ(verdict.reason, one_by_one.verify(hasher, token(i).text, {}, t0).reason);
        EXPECT_EQ(together.holder(*verdict.line).identity, names[i % 100]);
    }
    rows.front().identity = "nobody";
    EXPECT_EQ(together.put(rows).error().code, Code::Corrupt);
}

TEST(Index, Invariant14_JudgesAsTheDomainDoes) {
    std::mt19937_64 random(7);
    const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<std::uint64_t>(n)); };
    const auto condition = [&] {
        Condition c{static_cast<Standing>(pick(3)), {}};
        if (c.stored == Standing::Paused && pick(2) == 0) c.paused_until = t0 + std::chrono::seconds(pick(3) - 1);
        return c;
    };
    TokenHasher hasher(key(1));
    int accepted = 0;
    for (int round = 0; round < 5000; ++round) {
        Ancestry s{{workspace, condition(), t0},
                   {workspace, dev, Protection::Open, {}, condition(), t0},
                   identity("codex", pick(2) == 0 ? "a:b" : "a:b,c:d"),
                   credential(token(42), "codex", "a:b,c:d")};
        if (pick(3) != 0) s.workspace.condition = s.environment.condition = {};
        s.identity.condition = pick(2) == 0 ? Condition{} : condition();
        s.credential.stored = static_cast<CredentialStanding>(pick(5));
        if (pick(2) == 0) s.credential.stored = CredentialStanding::Active;
        s.credential.created_at = t0 - std::chrono::minutes(pick(20));
        s.credential.expires_at = t0 + std::chrono::seconds(pick(4) - 1);
        s.credential.retire_at = t0 + std::chrono::seconds(pick(3) - 1);
        if (pick(2) == 0) s.credential.paused_until = t0 + std::chrono::seconds(pick(3) - 1);
        Demand demand;
        if (pick(2) == 0) demand.scope = *Scope::parse("c:d");
        if (pick(2) == 0) demand.environment = *EnvironmentName::parse(pick(4) == 0 ? "staging" : "dev");

        Index index;
        index.put(s.workspace);
        ASSERT_TRUE(index.put(s.environment));
        ASSERT_TRUE(put_identity(index, s.identity));
        ASSERT_TRUE(put_credential(index, s.credential));
        const Verdict verdict = index.verify(hasher, token(42).text, demand, t0);
        EXPECT_EQ(name_of(verdict.reason), std::string(name_of(judge(s, demand, t0))));
        accepted += verdict.is_accepted();
    }
    EXPECT_GT(accepted, 100) << "the test reaches what it is about";
}

// When the address space has no room for a second index, everything can still be read again into the first.
TEST(Index, ClearedItHoldsNothingAndKeepsItsMemory) {
    Index index;
    TokenHasher hasher(key(1));
    std::size_t bytes = 0;
    for (int time = 0; time < 2; ++time) {
        index.put(Workspace{workspace, {}, t0});
        ASSERT_TRUE(index.put(Environment{workspace, dev, Protection::Open, {}, {}, t0}));
        ASSERT_TRUE(put_identity(index, identity("codex", "a:b")));
        ASSERT_TRUE(put_credential(index, credential(token(42), "codex", "a:b")));
        for (std::uint64_t i = 1000; i < 1100; ++i)  // the table of ids grows
            ASSERT_TRUE(put_credential(index, credential(token(i), "codex", "a:b")));
        EXPECT_EQ(index.verify(hasher, token(42).text, {}, t0).reason, Reason::Accepted);
        if (time == 0) bytes = index.bytes();
        EXPECT_EQ(index.bytes(), bytes);
        index.clear();
        EXPECT_EQ(index.verify(hasher, token(42).text, {}, t0).reason, Reason::Unknown);
        EXPECT_EQ(index.credentials(), 0u);
    }
}

TEST(Index, TellsTokensApart) {
    Index index;
    index.put(Workspace{workspace, {}, t0});
    ASSERT_TRUE(index.put(Environment{workspace, dev, Protection::Open, {}, {}, t0}));
    ASSERT_TRUE(put_identity(index, identity("codex")));
    for (std::uint64_t i = 1; i <= 3000; ++i) ASSERT_TRUE(put_credential(index, credential(token(i), "codex")));
    TokenHasher hasher(key(1));
    for (const std::uint64_t i : {1, 1500, 3000}) {
        const Verdict verdict = index.verify(hasher, token(i).text, {}, t0);
        ASSERT_TRUE(verdict.is_accepted());
        EXPECT_EQ(index.holder(*verdict.line).credential, token(i).id);
        EXPECT_EQ(index.holder(*verdict.line).identity, "codex");
    }
    EXPECT_EQ(index.verify(hasher, token(3001).text, {}, t0).reason, Reason::Unknown);
    EXPECT_EQ(index.verify(hasher, token(1).text + "x", {}, t0).reason, Reason::Malformed);
    std::string mistyped = token(1).text;
    mistyped.back() = mistyped.back() == '0' ? '1' : '0';
    EXPECT_EQ(index.verify(hasher, mistyped, {}, t0).reason, Reason::Malformed);
    TokenHasher other(key(2));
    EXPECT_EQ(index.verify(other, token(1).text, {}, t0).reason, Reason::WrongSecret);
}

// Two ids that the table of numbers can't tell apart: the lines themselves do.
TEST(Index, TellsIdsApartThatLookAlike) {
    std::uint64_t inverse = 1;
    for (int i = 0; i < 6; ++i) inverse *= 2 - 0x9E3779B97F4A7C15 * inverse;
    std::vector<std::uint64_t> alike;
    for (std::uint64_t i = 0; alike.size() < 2; ++i)
        if (const std::uint64_t bits = inverse * (0xFFFFFFFF00000000 | i); bits < std::uint64_t{1} << 60)
            alike.push_back(bits);
    Index index;
    index.put(Workspace{workspace, {}, t0});
    ASSERT_TRUE(index.put(Environment{workspace, dev, Protection::Open, {}, {}, t0}));
    ASSERT_TRUE(put_identity(index, identity("codex")));
    ASSERT_TRUE(put_credential(index, credential(token(alike[0]), "codex")));
    TokenHasher hasher(key(1));
    EXPECT_TRUE(index.verify(hasher, token(alike[0]).text, {}, t0).is_accepted());
    EXPECT_EQ(index.verify(hasher, token(alike[1]).text, {}, t0).reason, Reason::Unknown);
}

// What has the same name in another workspace is another thing.
TEST(Index, ANameIsOneWithinItsWorkspace) {
    const WorkspaceName other = *WorkspaceName::parse("other");
    Index index;
    for (const WorkspaceName& place : {workspace, other}) {
        index.put(Workspace{place, {}, t0});
        ASSERT_TRUE(index.put(Environment{place, dev, Protection::Open, {}, {}, t0}));
        Identity codex = identity("codex");
        codex.workspace = place;
        ASSERT_TRUE(put_identity(index, codex));
        Credential own = credential(token(place == other), "codex");
        own.workspace = place;
        ASSERT_TRUE(put_credential(index, own));
    }
    TokenHasher hasher(key(1));
    const auto reason = [&](std::uint64_t of) { return index.verify(hasher, token(of).text, {}, t0).reason; };
    ASSERT_TRUE(index.put(Environment{other, dev, Protection::Open, {}, {Standing::Paused}, t0}));
    EXPECT_EQ(reason(0), Reason::Accepted);
    EXPECT_EQ(reason(1), Reason::EnvironmentPaused);
    ASSERT_TRUE(index.put(Environment{other, dev, Protection::Open, {}, {}, t0}));
    Identity revoked = identity("codex");
    revoked.condition.stored = Standing::Revoked;
    ASSERT_TRUE(put_identity(index, revoked));
    EXPECT_EQ(reason(0), Reason::IdentityRevoked);
    EXPECT_EQ(reason(1), Reason::Accepted);
}

TEST(Index, APauseEndsAtItsOwnTime) {
    Index index;
    index.put(Workspace{workspace, {}, t0});
    ASSERT_TRUE(index.put(Environment{workspace, dev, Protection::Open, {}, {}, t0}));
    Identity codex = identity("codex");
    TokenHasher hasher(key(1));
    const auto reason_after = [&](const Condition& condition) {
        codex.condition = condition;
        EXPECT_TRUE(put_identity(index, codex));
        EXPECT_TRUE(put_credential(index, credential(token(1), "codex")));
        return index.verify(hasher, token(1).text, {}, t0 + 30min).reason;
    };
    EXPECT_EQ(reason_after({Standing::Paused, t0 + 10min}), Reason::Accepted);
    EXPECT_EQ(reason_after({Standing::Paused, {}}), Reason::IdentityPaused) << "not at that of the one before";
    EXPECT_EQ(reason_after({Standing::Paused, t0 + 40min}), Reason::IdentityPaused);
    EXPECT_EQ(reason_after({Standing::Active, {}}), Reason::Accepted);
}

TEST(Index, RefusesWhatStandsUnderNothing) {
    Index index;
    EXPECT_EQ(put_credential(index, credential(token(1), "codex")).error().code, Code::Corrupt);
    EXPECT_EQ(put_identity(index, identity("codex")).error().code, Code::Corrupt);
    EXPECT_EQ(index.put(Environment{workspace, dev, Protection::Open, {}, {}, t0}).error().code, Code::Corrupt);
}

class VerifierTest : public testing::Test {
 protected:
    void commit(std::vector<audit::Event> events) {
        ASSERT_TRUE(store.change([&](const store::Reader&) -> Result<std::vector<audit::Draft>> {
            std::vector<audit::Draft> drafts;
            for (const audit::Event& event : events)
                drafts.push_back({event, audit::OperatorActor{}, t0, audit::Mode::Setup, "", "", ""});
            return drafts;
        }));
    }
    void SetUp() override {
        commit({audit::InstallationCreated{{"zj1ag1skkg2n4mac8rsbvkm3y4", t0}},
                audit::WorkspaceAdded{{workspace, {}, t0}},
                audit::EnvironmentAdded{{workspace, dev, Protection::Open, {}, {}, t0}},
                audit::IdentityCreated{identity("codex")}, audit::CredentialIssued{credential(codex, "codex")}});
    }
    std::string verdict(const Token& of) {
        const auto session = verifier.session();
        if (!session) return std::string("none: ") + name_of(session.error().code);
        return name_of(session->index().verify(hasher, of.text, {}, t0).reason);
    }

    const Token codex = token(1);
    const CredentialRef ref{workspace, *IdentityName::parse("codex"), codex.id};
    FixedClock clock;
    store::memory::MemoryStore store{key(9)};
    std::vector<std::string> notices;
    bool is_away = false;
    Verifier verifier{[this]() -> Result<std::unique_ptr<store::Store>> {
                          if (is_away) return Error(Code::Unavailable, "away");
                          return std::make_unique<store::ForwardingStore>(store);
                      },
                      key(9), clock, [this](const Notice& n) { notices.push_back(n.what); }};
    TokenHasher hasher{key(1)};
};

TEST_F(VerifierTest, Invariant6_EveryChangeIsSeenByTheNextQuestion) {
    EXPECT_EQ(verdict(codex), "accepted");
    commit({audit::Paused{IdentityRef{workspace, ref.identity}, "active", {}}});
    EXPECT_EQ(verdict(codex), "identity_paused");
    commit({audit::Resumed{IdentityRef{workspace, ref.identity}, "paused"}});
    EXPECT_EQ(verdict(codex), "accepted");
    commit({audit::Paused{EnvironmentRef{workspace, dev}, "active", {}}});
    EXPECT_EQ(verdict(codex), "environment_paused");
    commit({audit::Resumed{EnvironmentRef{workspace, dev}, "paused"}});
    commit({audit::Paused{WorkspaceRef{workspace}, "active", {}}});
    EXPECT_EQ(verdict(codex), "workspace_paused");
    commit({audit::Resumed{WorkspaceRef{workspace}, "paused"}});
    const Token second = token(2);
    EXPECT_EQ(verdict(second), "unknown");
    commit({audit::CredentialIssued{credential(second, "codex")}});
    EXPECT_EQ(verdict(second), "accepted");
    commit({audit::Revoked{ref, "active"}});
    EXPECT_EQ(verdict(codex), "credential_revoked");
    EXPECT_EQ(verdict(second), "accepted");
    EXPECT_EQ(verifier.status().reloads, 0u) << "by the events, not by reading all again";
}

TEST_F(VerifierTest, Invariant7_NoStoreIsNoVerdict) {
    is_away = true;
    EXPECT_EQ(verdict(codex), "none: unavailable");
    EXPECT_EQ(verdict(codex), "none: unavailable");
    EXPECT_EQ(notices, std::vector<std::string>{"away"}) << "why is said once";
}

TEST_F(VerifierTest, Invariant11_ALogThatWentBackIsRefused) {
    const auto before = store.rows;
    EXPECT_EQ(verdict(codex), "accepted");
    commit({audit::Revoked{ref, "active"}});
    EXPECT_EQ(verdict(codex), "credential_revoked");
    store.rows = before;  // an older copy, put back
    ASSERT_TRUE(store.record_uses({}, {}));
    EXPECT_EQ(verdict(codex), "none: corrupt");
    EXPECT_FALSE(verifier.status().log_verifies);
}

TEST_F(VerifierTest, Invariant11_AForkedLogIsRefused) {
    const auto before = store.rows;
    commit({audit::Revoked{ref, "active"}});
    EXPECT_EQ(verdict(codex), "credential_revoked");
    store.rows = before;
    commit({audit::Paused{ref, "active", {}}, audit::Resumed{ref, "paused"}});  // as long, and longer
    EXPECT_EQ(verdict(codex), "none: corrupt");
}

TEST_F(VerifierTest, Invariant12_AnEntryThatNobodySealedIsRefused) {
    EXPECT_EQ(verdict(codex), "accepted");
    commit({audit::Paused{ref, "active", {}}});
    store.rows.entries.back().seal[0] ^= 1;
    EXPECT_EQ(verdict(codex), "none: corrupt");
    EXPECT_FALSE(verifier.status().log_verifies);
}

TEST_F(VerifierTest, Invariant12_AHeadThatNobodySealedIsRefused) {
    EXPECT_EQ(verdict(codex), "accepted");
    store.rows.head.seal[0] ^= 1;
    ASSERT_TRUE(store.record_uses({}, {}));  // a commit
    EXPECT_EQ(verdict(codex), "none: corrupt");
}

TEST_F(VerifierTest, Invariant12_AStoreOfAnotherInstallationIsRefused) {
    EXPECT_EQ(verdict(codex), "accepted");
    store.rows.installation->id = "another";
    ASSERT_TRUE(store.record_uses({}, {}));
    EXPECT_EQ(verdict(codex), "none: corrupt");
}

TEST_F(VerifierTest, RowsWrittenWithoutAnEventAreReadAgain) {
    EXPECT_EQ(verdict(codex), "accepted");
    store.rows.credentials.at(codex.id).stored = CredentialStanding::Revoked;
    store.rows.head.unlogged_writes = 1;
    ASSERT_TRUE(store.record_uses({}, {}));  // a commit
    EXPECT_EQ(verdict(codex), "credential_revoked");
    EXPECT_EQ(verifier.status().reloads, 1u);
}

TEST_F(VerifierTest, ReadersAndAWriterShareIt) {
    std::atomic<bool> is_revoked{false};
    std::mutex store_mutex;  // the memory store is for one thread
    store::memory::MemoryStore& rows = store;
    Verifier shared(
        [&]() -> Result<std::unique_ptr<store::Store>> { return std::make_unique<store::ForwardingStore>(rows); },
        key(9), clock, [](const Notice&) {});
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            TokenHasher own(key(1));
            for (int n = 0; n < 300; ++n) {
                const bool was_revoked = is_revoked;
                const std::lock_guard lock(store_mutex);
                const auto session = shared.session();
                if (!session || (was_revoked && session->index().verify(own, codex.text, {}, t0).is_accepted()))
                    ++wrong;
            }
        });
    {
        const std::lock_guard lock(store_mutex);
        commit({audit::Revoked{ref, "active"}});
        is_revoked = true;
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace marque::verify
