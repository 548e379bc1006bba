// verify: answers by a lease; what is remembered of the log; the reaper.
#include <gtest/gtest.h>

#include "test/leased_store.h"
#include "verify/facts.h"
#include "verify/verifier.h"
#include "verify/verify.h"

namespace marque::verify {
namespace {

using namespace domain;
using namespace std::chrono_literals;

class LeaseTest : public testing::Test {
 protected:
    struct KeptMemory final : Memory {
        Result<std::optional<KnownLog>> recall() override { return known; }
        Result<void> remember(const KnownLog& log) override {
            known = log;
            return {};
        }
        std::optional<KnownLog> known;
    };

    void SetUp() override {
        commit({audit::InstallationCreated{{"zj1ag1skkg2n4mac8rsbvkm3y4", t0}},
                audit::WorkspaceAdded{{workspace, {}, t0}},
                audit::EnvironmentAdded{{workspace, dev, Protection::Open, {}, {}, t0}},
                audit::IdentityCreated{
                    Identity{workspace, codex, dev, MachineKind::Agent, *ScopeSet::parse("a:b"), "", {}, {}, t0}},
                audit::CredentialIssued{Credential{id, workspace, codex, hash_token(key(1), token),
                                                   *ScopeSet::parse("a:b"), CredentialStanding::Active, t0}}});
    }
    void commit(std::vector<audit::Event> events) {
        ASSERT_TRUE(store.change([&](const store::Reader&) -> Result<std::vector<audit::Draft>> {
            std::vector<audit::Draft> drafts;
            for (const audit::Event& event : events)
                drafts.push_back({event, audit::OperatorActor{}, clock.now(), audit::Mode::Setup, "", "", ""});
            return drafts;
        }));
    }
    void revoke() { commit({audit::Revoked{CredentialRef{workspace, codex, id}, "active"}}); }
    std::unique_ptr<Verifier> make(Duration lease = 5s) {
        return std::make_unique<Verifier>(
            [this]() -> Result<std::unique_ptr<store::Store>> {
                if (verifiers.is_away) return Error(Code::Unavailable, "away");
                return std::make_unique<LeasedStore>(store, verifiers);
            },
            key(9), clock, [this](const Notice& notice) { notices.push_back(notice.kind); },
            store::VerifierTerms{"web", store::Freshness::Lease, lease}, &memory);
    }
    std::string verdict(Verifier& of) {
        const auto session = of.session();
        if (!session) return std::string("none: ") + name_of(session.error().code);
        const auto verdict = session->index().verify(hasher, token, {}, t0);
        return session->may_answer() ? name_of(verdict.reason) : "none: the lease ended";
    }
    // A turn when a renewal is due.
    Result<void> renew(Verifier& of) {
        clock.pass(1s);
        return of.keep();
    }

    const WorkspaceName workspace = *WorkspaceName::parse("default");
    const EnvironmentName dev = *EnvironmentName::parse("dev");
    const IdentityName codex = *IdentityName::parse("codex");
    const CredentialId id = CredentialId::from_bits(1);
    const std::string token{make_token(TokenClass::Test, id, Bytes(token_entropy_bytes, 5)).reveal_text()};
    MovingClock clock;
    store::memory::MemoryStore store{key(9)};
    MemoryVerifiers verifiers{store, clock};
    KeptMemory memory;
    std::vector<Notice::Kind> notices;
    TokenHasher hasher{key(1)};
};

TEST_F(LeaseTest, RegistersBeforeItReadsAndAcknowledgesAfterItPublished) {
    const auto verifier = make();
    std::string seen_at_acknowledge;
    verifiers.before_each = [&](const char* what) {
        if (std::string_view(what) == "acknowledge") seen_at_acknowledge = verdict(*verifier);
    };
    ASSERT_TRUE(verifier->keep());
    EXPECT_EQ(verifiers.calls, (std::vector<std::string>{"add", "renew", "acknowledge", "all"}));
    EXPECT_EQ(seen_at_acknowledge, "accepted") << "who is told that it knows is answered by what it knows";
    EXPECT_EQ(verifiers.rows.at("v1").acknowledged, 5u);
}

TEST_F(LeaseTest, Invariant6_AnswersWithoutTheStoreUntilItsLeaseEndsAndThenNotAtAll) {
    const auto verifier = make(5s);
    ASSERT_TRUE(verifier->keep());
    verifiers.is_away = true;
    revoke();
    clock.pass(5s - 1us);
    EXPECT_FALSE(verifier->keep());
    EXPECT_EQ(verdict(*verifier), "accepted") << "nobody was told that it holds yet";
    clock.pass(1us);
    EXPECT_EQ(verdict(*verifier), "none: unavailable");
    verifier->notice_end_of_lease();
    EXPECT_EQ(verifier->status().leases_lost, 1u);
    EXPECT_FALSE(verifier->status().is_fresh);
    verifiers.is_away = false;
    ASSERT_TRUE(verifier->keep());
    EXPECT_EQ(verdict(*verifier), "credential_revoked");
    EXPECT_EQ(notices, (std::vector{Notice::Kind::NotFresh, Notice::Kind::Fresh}));
}

TEST_F(LeaseTest, TheLeaseRunsFromBeforeItWasAskedFor) {
    const auto verifier = make(5s);
    verifiers.before_each = [&](const char* what) {
        if (std::string_view(what) == "renew") clock.pass(4s);  // the answer took so long
    };
    ASSERT_TRUE(verifier->keep());
    EXPECT_EQ(verifier->status().lease_left, 1s);
}

TEST_F(LeaseTest, AVerdictIsHeldAgainstTheLeaseOfWhatItWasMadeFrom) {
    const auto verifier = make(5s);
    ASSERT_TRUE(verifier->keep());
    const auto session = verifier->session();
    ASSERT_TRUE(session && session->may_answer());
    clock.pass(5s);  // the process was stopped between the verdict and the answer
    EXPECT_FALSE(session->may_answer());
}

TEST_F(LeaseTest, ARenewalWithoutChangesReadsNothing) {
    const auto verifier = make();
    ASSERT_TRUE(verifier->keep());
    const auto before = verifier->status().catch_ups;
    verifiers.calls.clear();
    ASSERT_TRUE(renew(*verifier));
    EXPECT_EQ(verifiers.calls, (std::vector<std::string>{"renew", "all"}));
    EXPECT_EQ(verifier->status().catch_ups, before);
    EXPECT_EQ(verifier->status().lease_left, 5s);
}

TEST_F(LeaseTest, ATurnBeforeARenewalIsDueAsksNothing) {
    const auto verifier = make();
    ASSERT_TRUE(verifier->keep());
    verifiers.calls.clear();
    clock.pass(999ms);
    ASSERT_TRUE(verifier->keep());
    EXPECT_TRUE(verifiers.calls.empty());
}

TEST_F(LeaseTest, AFencedVerifierBeginsAnewAsAnother) {
    const auto verifier = make();
    ASSERT_TRUE(verifier->keep());
    ASSERT_TRUE(verifiers.fence("v1"));
    revoke();
    ASSERT_TRUE(renew(*verifier));
    EXPECT_EQ(verdict(*verifier), "credential_revoked");
    EXPECT_EQ(verifiers.rows.at("v2").acknowledged, 6u);
}

TEST_F(LeaseTest, WhoLeavesIsNotWaitedFor) {
    const auto verifier = make();
    ASSERT_TRUE(verifier->keep());
    verifier->leave();
    EXPECT_TRUE(verifiers.rows.empty());
}

TEST_F(LeaseTest, Invariant11_ALogThatWentBackClosesItAtOnceAndItSaysWhatItKnew) {
    const auto verifier = make();
    const auto before = store.rows;
    ASSERT_TRUE(verifier->keep());
    revoke();
    ASSERT_TRUE(renew(*verifier));
    store.rows = before;  // a standby that had not got everything
    EXPECT_FALSE(renew(*verifier));
    EXPECT_EQ(verdict(*verifier), "none: corrupt");
    EXPECT_FALSE(verifier->status().log_verifies);
    EXPECT_NE(verifiers.rows.at("v1").closed, "") << "for marque doctor, anywhere";
}

// revoke_failover.pml, M_RECONNECT: the lease is of one server, and the rows would be of another.
TEST_F(LeaseTest, ALeaseIsOfTheLogThatGaveIt) {
    const auto verifier = make();
    ASSERT_TRUE(verifier->keep());
    const auto before = store.rows;
    revoke();
    verifiers.before_read = [&] { store.rows = before; };  // it has not got the revocation
    clock.pass(1s);
    EXPECT_EQ(verifier->keep().error().code, Code::Unavailable);
    EXPECT_EQ(verifier->status().lease_left, 4s) << "the old lease runs out";
    store.rows = before;
    revoke();
    verifiers.before_read = [&] {
        store.rows = before;
        commit({audit::Paused{CredentialRef{workspace, codex, id}, "active", {}}});  // as long, and another
    };
    EXPECT_EQ(verifier->keep().error().code, Code::Unavailable);
    EXPECT_EQ(verifier->status().lease_left, 4s);
}

// M_BLINDACK: what is acknowledged is a log's entry, and not a number.
TEST_F(LeaseTest, AcknowledgesNothingInAnotherLog) {
    const auto verifier = make();
    ASSERT_TRUE(verifier->keep());
    const auto before = store.rows;
    revoke();
    verifiers.before_each = [&](const char* what) {
        if (std::string_view(what) != "acknowledge") return;
        store.rows = before;
        commit({audit::Paused{CredentialRef{workspace, codex, id}, "active", {}}});
    };
    ASSERT_TRUE(renew(*verifier));
    EXPECT_EQ(verifiers.rows.at("v1").acknowledged, 5u);
}

TEST_F(LeaseTest, Invariant11_TheNextProcessKnowsWhatTheLastOneKnew) {
    const auto before = store.rows;
    revoke();
    {
        const auto verifier = make();
        ASSERT_TRUE(verifier->keep());
        verifier->leave();
    }
    store.rows = before;
    const auto verifier = make();
    EXPECT_FALSE(verifier->keep());
    EXPECT_EQ(verdict(*verifier), "none: corrupt");
    commit({audit::Paused{CredentialRef{workspace, codex, id}, "active", {}}});  // as long, and another
    EXPECT_FALSE(renew(*verifier));
    EXPECT_EQ(verdict(*verifier), "none: corrupt");
}

TEST_F(LeaseTest, AnAcceptedLogIsGoneOnWith) {
    const auto before = store.rows;
    const auto verifier = make();
    revoke();
    ASSERT_TRUE(verifier->keep());
    store.rows = before;
    EXPECT_FALSE(renew(*verifier));
    commit({audit::LogAccepted{6, ""}});
    ASSERT_TRUE(renew(*verifier));
    EXPECT_EQ(verdict(*verifier), "accepted");
    EXPECT_EQ(notices.back(), Notice::Kind::Fresh);
    EXPECT_EQ(memory.known->size, 6u);
}

TEST_F(LeaseTest, AnAcceptanceInAnOlderCopyOpensNothing) {
    commit({audit::LogAccepted{1, ""}});
    const auto before = store.rows;
    const auto verifier = make();
    clock.pass(1s);
    revoke();
    ASSERT_TRUE(verifier->keep());
    store.rows = before;
    EXPECT_FALSE(renew(*verifier));
    EXPECT_EQ(verdict(*verifier), "none: corrupt");
}

TEST_F(LeaseTest, TheReaperFencesWaitsAndOnlyThenRemoves) {
    const auto dead = make(5s), other = make(5s);
    ASSERT_TRUE(dead->keep());
    ASSERT_TRUE(other->keep());
    const Duration wait = store::longest_in_force(5s);
    const auto turn = [&](Duration time) {
        clock.pass(time);
        ASSERT_TRUE(other->keep());
    };
    turn(2 * wait);
    EXPECT_FALSE(verifiers.rows.at("v1").is_fenced);
    turn(1s);
    EXPECT_TRUE(verifiers.rows.at("v1").is_fenced);
    turn(wait);
    EXPECT_TRUE(verifiers.rows.contains("v1")) << "its lease may be in force to the last moment";
    turn(1s);
    EXPECT_FALSE(verifiers.rows.contains("v1"));
    EXPECT_TRUE(verifiers.rows.contains("v2"));
}

TEST_F(LeaseTest, TheReaperLeavesThoseAloneWhoRenew) {
    const auto one = make(), other = make();
    for (int i = 0; i < 60; ++i) {
        ASSERT_TRUE(renew(*one));
        ASSERT_TRUE(other->keep());
    }
    EXPECT_FALSE(verifiers.rows.at("v1").is_fenced);
    EXPECT_FALSE(verifiers.rows.at("v2").is_fenced);
}

TEST_F(LeaseTest, TheReaperLeavesThoseAloneWhoseWordAloneCounts) {
    ASSERT_TRUE(verifiers.add({"vm", store::Freshness::AckOnly, 5s}));
    const auto other = make();
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(renew(*other));
    EXPECT_FALSE(verifiers.rows.at("v1").is_fenced);
}

}  // namespace
}  // namespace marque::verify
