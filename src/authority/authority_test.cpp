// authority: each invariant of the design that the use cases keep, over the store in memory,
// with a clock, random bytes and a delivery that the test holds in its hand.
#include "authority/evidence.h"
#include "authority/log.h"
#include "authority/runtime.h"
#include "store/forwarding_store.h"
#include "test/authority_fixture.h"
#include "test/leased_store.h"

namespace marque::authority {
namespace {

using Invariant1 = AuthorityTest;
using Invariant2 = AuthorityTest;
using Invariant3 = AuthorityTest;
using Invariant4 = AuthorityTest;
using Invariant5 = AuthorityTest;
using Invariant7 = AuthorityTest;
using Invariant8 = AuthorityTest;
using Invariant9 = AuthorityTest;
using Invariant10 = AuthorityTest;
using Invariant11 = AuthorityTest;
using Invariant12 = AuthorityTest;
using Invariant13 = AuthorityTest;

TEST_F(AuthorityTest, InitHappensOnce) {
    InitRequest again{*OperatorName::parse("other"), *WorkspaceName::parse("w"), {}};
    EXPECT_EQ(ops().init(again, Confirmation::parse("").release()).error().code, Code::StateRefuses);
    EXPECT_EQ(ops().init(again, Confirmation::none()).error().code, Code::StateRefuses) << "nor is it shown";
    EXPECT_EQ(log_size(), 6u);
}

TEST_F(AuthorityTest, ATokenIsAcceptedForItsScopes) {
    const std::string token = token_of("codex");
    EXPECT_EQ(verdict(token), Reason::Accepted);
    EXPECT_EQ(verdict(token, "card:edit"), Reason::Accepted);
    EXPECT_EQ(verdict(token, "card:delete"), Reason::ScopeMissing);
    clock.pass(default_lifetime - 1us);
    EXPECT_EQ(verdict(token), Reason::Accepted);
    clock.pass(1us);
    EXPECT_EQ(verdict(token), Reason::Expired);
}

TEST_F(Invariant1, EveryChangeOfARowHasItsEvent) {
    token_of("codex");
    ASSERT_TRUE(ops().pause(ByNameOrId{"codex"}, {}, confirmed("r")));
    ASSERT_TRUE(ops().resume(ByNameOrId{"codex"}, confirmed()));
    ASSERT_TRUE(revoke("codex"));
    std::vector<std::string> actions;
    for (const auto& entry : store.rows.entries) actions.push_back(audit::decode(entry.bytes)->action);
    EXPECT_EQ(actions, (std::vector<std::string>{"installation.create", "operator.add", "workspace.add",
                                                 "environment.add", "environment.add", "environment.add",
                                                 "identity.create", "credential.issue", "credential.activate",
                                                 "identity.pause", "identity.resume", "identity.revoke"}));
}

TEST_F(Invariant2, TheStoreHoldsNoToken) {
    const std::string token = token_of("codex");
    for (const auto& entry : store.rows.entries) {
        EXPECT_EQ(entry.bytes.find(token.substr(22)), std::string::npos);
        EXPECT_EQ(entry.bytes.find(to_hex(store.rows.credentials.begin()->second.hash)), std::string::npos);
    }
}

TEST_F(Invariant3, BornInactiveAndActiveOnlyAfterDelivery) {
    Reason during = Reason::Accepted;
    delivery.meanwhile = [&](std::span<const IssuedToken> tokens) {
        during = verdict(std::string(tokens.front().token.reveal_text()));
        EXPECT_EQ(store.rows.credentials.begin()->second.stored, CredentialStanding::Pending)
            << "committed before it is delivered";
    };
    const std::string token = token_of("codex");
    EXPECT_EQ(during, Reason::NotInForce);
    EXPECT_TRUE(accepts(token));
}

TEST_F(Invariant3, AnUndeliveredCredentialIsRevokedAtOnceAndSaysSo) {
    delivery.fails = true;
    EXPECT_EQ(create("codex").error().code, Code::Unavailable);
    EXPECT_EQ(store.rows.credentials.begin()->second.stored, CredentialStanding::Revoked);
    EXPECT_EQ(last_entry().action, "credential.deliver");
    EXPECT_EQ(last_entry().outcome, "failed");
}

TEST_F(Invariant3, WhereItCanNotBeRevokedTheOutcomeIsUnknown) {
    delivery.fails = true;
    delivery.meanwhile = [&](auto) { store.rows.operators.clear(); };
    EXPECT_EQ(create("codex").error().code, Code::OutcomeUnknown) << "its token may be there, and can be activated";
    EXPECT_EQ(store.rows.credentials.begin()->second.stored, CredentialStanding::Pending);
}

TEST_F(Invariant3, WhatWasDeliveredBeforeACrashWorksAfterOneCommand) {
    struct Crash {};
    std::string token;
    delivery.meanwhile = [&](std::span<const IssuedToken> tokens) {
        token = tokens.front().token.reveal_text();
        throw Crash{};
    };
    EXPECT_THROW(static_cast<void>(create("codex")), Crash);
    EXPECT_EQ(verdict(token), Reason::NotInForce);
    EXPECT_EQ(ops().activate(Secret::copy_of(bytes_of(token)), confirmed())->progress, Progress::Applied);
    EXPECT_TRUE(accepts(token));
    EXPECT_EQ(ops().activate(Secret::copy_of(bytes_of(token)), confirmed())->progress, Progress::AlreadySo);
}

TEST_F(Invariant3, AfterTenMinutesItLapsesForEver) {
    struct Crash {};
    std::string token;
    delivery.meanwhile = [&](std::span<const IssuedToken> tokens) {
        token = tokens.front().token.reveal_text();
        throw Crash{};
    };
    EXPECT_THROW(static_cast<void>(create("codex")), Crash);
    clock.pass(delivery_window);
    EXPECT_EQ(ops().activate(Secret::copy_of(bytes_of(token)), confirmed()).error().code, Code::StateRefuses);
    EXPECT_EQ(verdict(token), Reason::NotInForce);
}

TEST_F(Invariant4, TheOldOneWorksUntilTheNewOneIsInForceAndThenOverlaps) {
    const std::string old_token = token_of("codex");
    delivery.meanwhile = [&](auto) { EXPECT_TRUE(accepts(old_token)); };
    ASSERT_TRUE(ops().rotate({"codex"}, confirmed(), delivery));
    const std::string new_token = delivery.delivered.back();
    EXPECT_TRUE(accepts(old_token));
    EXPECT_TRUE(accepts(new_token));
    clock.pass(default_overlap - 1us);
    EXPECT_TRUE(accepts(old_token));
    clock.pass(1us);
    EXPECT_EQ(verdict(old_token), Reason::Retired);
    EXPECT_TRUE(accepts(new_token));
}

TEST_F(Invariant4, AFailedDeliveryNeverCostsTheOldOne) {
    const std::string old_token = token_of("codex");
    delivery.fails = true;
    for (const OldCredential what :
         {OldCredential::RetiresAfterOverlap, OldCredential::RetiresWhenNewIsUsed, OldCredential::IsRevoked}) {
        EXPECT_FALSE(ops().rotate({"codex", what}, confirmed(), delivery));
        EXPECT_TRUE(accepts(old_token));
    }
}

TEST_F(Invariant4, CompromisedEndsTheOldOneOnlyAfterDelivery) {
    const std::string old_token = token_of("codex");
    delivery.meanwhile = [&](auto) { EXPECT_TRUE(accepts(old_token)); };
    ASSERT_TRUE(ops().rotate({"codex", OldCredential::IsRevoked}, confirmed(), delivery));
    EXPECT_EQ(verdict(old_token), Reason::CredentialRevoked);
    EXPECT_TRUE(accepts(delivery.delivered.back()));
}

TEST_F(Invariant4, UntilUsedEndsTheOldOneWithTheFirstUseOfTheNew) {
    const std::string old_token = token_of("codex");
    ASSERT_TRUE(ops().rotate({"codex", OldCredential::RetiresWhenNewIsUsed}, confirmed(), delivery));
    const std::string new_token = delivery.delivered.back();
    clock.pass(24h);
    EXPECT_TRUE(accepts(old_token)) << "longer than an overlap";
    ASSERT_TRUE(ops().record_use(ops().verify(new_token, {})->verdict, "here"));
    EXPECT_EQ(verdict(old_token), Reason::Retired);
    EXPECT_EQ(last_entry().action, "credential.retire");
    EXPECT_EQ(audit::canonical(last_entry().body.at("mode")), "\"runtime\"");
    const std::size_t size = log_size();
    ASSERT_TRUE(ops().record_use(ops().verify(new_token, {})->verdict, "here"));
    EXPECT_EQ(log_size(), size) << "once";
}

TEST_F(Invariant4, UntilUsedIsBounded) {
    const std::string old_token = token_of("codex");
    ASSERT_TRUE(ops().rotate({"codex", OldCredential::RetiresWhenNewIsUsed}, confirmed(), delivery));
    clock.pass(default_overlap_until_used);
    EXPECT_EQ(verdict(old_token), Reason::Retired);
}

TEST_F(Invariant4, NeverWidensAndNeverOutlivesPolicy) {
    token_of("codex");
    IssueRequest narrow{*IdentityName::parse("codex"), *ScopeSet::parse("card:view"), Ending::after(2h)};
    ASSERT_TRUE(ops().issue(narrow, confirmed(), delivery));
    const IssueRequest wide{*IdentityName::parse("codex"), *ScopeSet::parse("card:view,card:delete"), {}};
    EXPECT_EQ(ops().issue(wide, confirmed(), delivery).error().code, Code::StateRefuses);
    const std::string narrow_id = delivery.delivered.back().substr(9, 12);
    ASSERT_TRUE(ops().rotate({narrow_id}, confirmed(), delivery));
    const std::string token = delivery.delivered.back();
    EXPECT_EQ(verdict(token, "card:view"), Reason::Accepted);
    EXPECT_EQ(verdict(token, "card:edit"), Reason::ScopeMissing);
    clock.pass(2h);
    EXPECT_EQ(verdict(token), Reason::Expired) << "as long as the old one was made for";
}

TEST_F(Invariant4, PolicyCutsARotation) {
    ASSERT_TRUE(ops().add_environment({*EnvironmentName::parse("short"), Protection::Open, Duration(1h)}, confirmed()));
    CreateRequest request_ = request("brief", "short");
    request_.expires = Ending::after(2h);
    EXPECT_EQ(ops().create(std::span(&request_, 1), confirmed(), delivery).error().code, Code::StateRefuses);
    request_.expires = Ending::never();
    EXPECT_EQ(ops().create(std::span(&request_, 1), confirmed(), delivery).error().code, Code::StateRefuses);
    request_.expires.reset();
    ASSERT_TRUE(ops().create(std::span(&request_, 1), confirmed(), delivery)) << "the default gives way";
    RotateRequest rotate{"brief"};
    rotate.expires = Ending::after(2h);
    EXPECT_EQ(ops().rotate(rotate, confirmed(), delivery).error().code, Code::StateRefuses);
    clock.pass(30min);
    ASSERT_TRUE(ops().rotate({"brief"}, confirmed(), delivery));
    clock.pass(1h);
    EXPECT_EQ(verdict(delivery.delivered.back()), Reason::Expired);
}

TEST_F(Invariant4, OfTwoRotationsOneWins) {
    const std::string old_token = token_of("codex");
    const std::string old_id = old_token.substr(9, 12);
    TestDelivery inner;
    delivery.meanwhile = [&](auto) { ASSERT_TRUE(ops().rotate({old_id}, confirmed(), inner)); };
    const auto outer = ops().rotate({old_id}, confirmed(), delivery);
    ASSERT_FALSE(outer);
    EXPECT_EQ(outer.error().code, Code::StateRefuses) << "the outcome is known: it lost";
    EXPECT_NE(outer.error().message.find("it has been replaced already"), std::string::npos) << outer.error().message;
    EXPECT_EQ(last_entry().action, "credential.deliver");
    EXPECT_EQ(last_entry().outcome, "failed");
    EXPECT_TRUE(accepts(inner.delivered.back()));
    EXPECT_FALSE(accepts(delivery.delivered.back()));
    EXPECT_TRUE(accepts(old_token)) << "in its overlap";
}

// A repeat waits at the same barrier: whoever lost the answer to the first one learns from it that it holds.
TEST_F(Invariant5, ARepeatIsAwaitedToo) {
    const std::string token = token_of("codex");
    MovingClock moving;
    MemoryVerifiers verifiers(store, moving);
    ASSERT_TRUE(verifiers.add({"web", store::Freshness::Lease, 5s}));
    LeasedStore leased(store, verifiers);
    audit::Process process;
    process.uid = ops_uid;
    for (const Progress progress : {Progress::Applied, Progress::AlreadySo}) {
        Authority over_leases(leased, moving, random, root_key, signatures, process);
        const auto done = over_leases.revoke(ByNameOrId{"codex"}, confirmed("because"));
        ASSERT_TRUE(done);
        EXPECT_EQ(done->progress, progress);
        ASSERT_TRUE(done->receipt.has_value());
        EXPECT_EQ(done->receipt->waited_out, std::vector<std::string>{"web"});
    }
}

TEST_F(Invariant5, ARevocationDuringARotationStands) {
    const std::string old_token = token_of("codex");
    delivery.meanwhile = [&](auto) { ASSERT_TRUE(revoke(old_token.substr(9, 12).c_str())); };
    EXPECT_FALSE(ops().rotate({"codex"}, confirmed(), delivery));
    EXPECT_FALSE(accepts(old_token));
    EXPECT_FALSE(accepts(delivery.delivered.back())) << "its replacement must not come into force either";
}

TEST_F(Invariant5, AnIdentityRevokedDuringCreateStaysRevoked) {
    delivery.meanwhile = [&](auto) { ASSERT_TRUE(revoke("codex")); };
    EXPECT_FALSE(create("codex"));
    EXPECT_FALSE(accepts(delivery.delivered.back()));
}

TEST_F(Invariant5, RevokedIsForEverAndMayBeRepeated) {
    const std::string token = token_of("codex");
    ASSERT_EQ(revoke("codex")->progress, Progress::Applied);
    const std::size_t size = log_size();
    EXPECT_EQ(verdict(token), Reason::IdentityRevoked);
    EXPECT_EQ(revoke("codex")->progress, Progress::AlreadySo);
    EXPECT_EQ(log_size(), size) << "a second one changes nothing";
    EXPECT_EQ(ops().resume(ByNameOrId{"codex"}, confirmed()).error().code, Code::StateRefuses);
    EXPECT_EQ(ops().pause(ByNameOrId{"codex"}, {}, confirmed("r")).error().code, Code::StateRefuses);
    EXPECT_EQ(ops().issue({*IdentityName::parse("codex")}, confirmed(), delivery).error().code, Code::StateRefuses);
    EXPECT_EQ(ops().rotate({"codex"}, confirmed(), delivery).error().code, Code::StateRefuses);
    EXPECT_EQ(create("codex").error().code, Code::StateRefuses) << "names are not reused";
    EXPECT_EQ(verdict(token), Reason::IdentityRevoked);
}

TEST_F(Invariant5, ALeakedTokenIsFoundAndEndedAndThatIsNoUse) {
    const std::string token = token_of("codex");
    ASSERT_TRUE(ops().revoke(ByToken{Secret::copy_of(bytes_of(token))}, confirmed("leaked")));
    EXPECT_EQ(verdict(token), Reason::CredentialRevoked);
    EXPECT_TRUE(store.rows.last_uses.empty());
    std::string forged = token_of("hermes");
    const std::string mixed = forged.substr(0, 22) + token.substr(22);  // one's id, the other's secret
    EXPECT_EQ(ops().revoke(ByToken{Secret::copy_of(bytes_of(mixed))}, confirmed("x")).error().code,
              Code::InvalidRequest);
    const auto id = *CredentialId::parse(forged.substr(9, 12));
    const Secret guessed = make_token(TokenClass::Test, id, Bytes(token_entropy_bytes, 9));  // its id, and no secret
    EXPECT_EQ(ops().revoke(ByToken{Secret::copy_of(guessed.reveal())}, confirmed("x")).error().code, Code::NotFound);
    EXPECT_TRUE(accepts(forged));
}

TEST_F(Invariant5, ManyAreRevokedByTheirCount) {
    token_of("a1"), token_of("a2"), token_of("a3");
    Filter filter;
    ASSERT_TRUE(filter.add("env=dev"));
    EXPECT_EQ(ops().revoke(filter, confirmed("r"))->progress, Progress::Shown) << "a bare --confirm is not enough";
    EXPECT_EQ(ops().revoke(filter, {{}, Confirmation::parse("2").release(), "r"})->progress, Progress::Shown);
    EXPECT_EQ(ops().revoke(filter, {{}, Confirmation::parse("3").release(), "r"})->progress, Progress::Applied);
    for (const std::string& token : delivery.delivered) EXPECT_FALSE(accepts(token));
    EXPECT_EQ(ops().revoke(filter, confirmed("r")).error().code, Code::NotFound);
}

// A store that answers with what the test says.
class FailingStore final : public store::Store {
 public:
    explicit FailingStore(Code code) : code_(code) {}
    Result<void> read(const std::function<Result<void>(const store::Reader&)>&) override { return error(); }
    Result<Revision> change(const store::Decide&) override { return error(); }
    Result<void> record_uses(std::span<const store::Use>, std::span<const store::RefusedUse>) override {
        return error();
    }
    Result<void> mark() override { return error(); }
    Result<bool> is_as_marked() const override { return false; }
    Result<void> examine() override { return error(); }

 private:
    Error error() const { return {code_, "the store is gone"}; }
    Code code_;
};

// RFC 7009: whoever has the token may end it, and a client nobody's but its own.
TEST_F(Invariant5, ATokenIsRevokedByItsHolderAlone) {
    const std::string token = token_of("codex");
    const CredentialId id = only_credential();
    const auto revoke_with = [&](std::string_view text, const char* client) {
        std::optional<IdentityRef> who;
        if (client != nullptr) who = IdentityRef{*WorkspaceName::parse("default"), *IdentityName::parse(client)};
        return revoke_by_holder(store, token_key(root_key), text, who, clock.now(), "r1")->kind;
    };
    using enum HolderRevocation::Kind;
    const std::size_t before = log_size();
    const Secret guessed = make_token(TokenClass::Test, id, Bytes(token_entropy_bytes, 9));
    EXPECT_EQ(revoke_with(guessed.reveal_text(), nullptr), NotOne) << "the id alone ends nothing";
    EXPECT_EQ(revoke_with("mrq_test_", nullptr), NotOne);
    EXPECT_EQ(revoke_with(token, "claude"), AnothersToken);
    EXPECT_EQ(log_size(), before);
    EXPECT_TRUE(accepts(token));
    EXPECT_EQ(revoke_with(token, "codex"), Revoked);
    EXPECT_EQ(verdict(token), Reason::CredentialRevoked);
    EXPECT_EQ(last_entry().actor, "codex");
    EXPECT_EQ(revoke_with(token, nullptr), Revoked) << "a repeat succeeds";
    EXPECT_EQ(log_size(), before + 1) << "and changes nothing";
}

TEST_F(Invariant10, WhyIsToldToThoseWhoMayLook) {
    const std::string token = token_of("codex");
    const Grant elsewhere{*WorkspaceName::parse("other"), Permission::Manage},
        here{*WorkspaceName::parse("default"), Permission::View};
    ASSERT_TRUE(ops().add_workspace(*elsewhere.workspace, confirmed()));
    ASSERT_TRUE(ops().add_operator(*OperatorName::parse("stranger"), 1001, {elsewhere}, confirmed()));
    ASSERT_TRUE(ops().add_operator(*OperatorName::parse("viewer"), 1002, {here}, confirmed()));
    EXPECT_TRUE(ops().verify(token, {})->tells_why);
    EXPECT_FALSE(as(1001).verify(token, {})->tells_why) << "of another workspace";
    EXPECT_TRUE(as(1002).verify(token, {})->tells_why);
    EXPECT_FALSE(as(4711).verify(token, {})->tells_why) << "nobody's";
    EXPECT_FALSE(as(4711).verify("garbage", {})->tells_why);
}

TEST_F(Invariant7, NoAnswerFromTheStoreIsNoVerdict) {
    const std::string token = token_of("codex");
    for (const Code code : {Code::Unavailable, Code::Corrupt, Code::OutcomeUnknown}) {
        FailingStore gone(code);
        Authority authority(gone, clock, random, root_key, signatures, {});
        const auto answer = authority.verify(token, {});
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, code);
        EXPECT_EQ(authority.revoke(ByNameOrId{"codex"}, confirmed("r")).error().code, code)
            << "never swallowed on the way to revoked";
    }
}

TEST_F(Invariant7, AnotherKeyAcceptsNothing) {
    const std::string token = token_of("codex");
    const Secret other_key = Secret::copy_of(Bytes(root_key_bytes, 6));
    Authority other(store, clock, random, other_key, signatures, {});
    EXPECT_EQ(other.verify(token, {})->verdict.reason, Reason::WrongSecret);
}

TEST_F(Invariant7, AMissingParentIsCorruptAndNotValid) {
    const std::string token = token_of("codex");
    store.rows.environments.clear();
    EXPECT_EQ(ops().verify(token, {}).error().code, Code::Corrupt);
}

TEST_F(Invariant7, TokensThatAreNotOurs) {
    const std::string a = token_of("a1"), b = token_of("b1");
    EXPECT_EQ(verdict(""), Reason::Malformed);
    EXPECT_EQ(verdict(a + "x"), Reason::Malformed);
    EXPECT_EQ(verdict("mrq_live_" + a.substr(9)), Reason::Malformed);
    const auto unknown =
        make_token(TokenClass::Test, *CredentialId::parse("zzzzzzzzzzzz"), Bytes(token_entropy_bytes, 1));
    EXPECT_EQ(verdict(std::string(unknown.reveal_text())), Reason::Unknown);
    const auto guessed =
        make_token(TokenClass::Test, *CredentialId::parse(a.substr(9, 12)), Bytes(token_entropy_bytes, 1));
    EXPECT_EQ(verdict(std::string(guessed.reveal_text())), Reason::WrongSecret);
}

TEST_F(Invariant8, NothingComesIntoBeingInAProtectedEnvironment) {
    const auto refused = create("prod-bot", "production");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::ApprovalNeeded);
    EXPECT_TRUE(store.rows.identities.empty());
    EXPECT_TRUE(delivery.delivered.empty());
    EXPECT_EQ(last_entry().action, "identity.create");
    EXPECT_EQ(last_entry().outcome, "refused");
    EXPECT_EQ(last_entry().target, "identity prod-bot");
    EXPECT_NE(refused.error().message.find("no owner key"), std::string::npos) << "and nobody could give it";
}

// A protected environment with somebody in it, as approvals will make them.
class ProtectedEnvironment : public AuthorityTest {
 protected:
    void SetUp() override {
        AuthorityTest::SetUp();
        token = token_of("codex");
        for (auto& [key, environment] : store.rows.environments)
            if (environment.name.text() == "dev") environment.protection = Protection::Protected;
    }
    void expect_gate(const Result<Done>& result) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Code::ApprovalNeeded);
        EXPECT_EQ(last_entry().outcome, "refused");
    }
    std::string token;
};

TEST_F(ProtectedEnvironment, Invariant8_IssueAndRotateNeedAnOwner) {
    expect_gate(ops().issue({*IdentityName::parse("codex")}, confirmed(), delivery));
    expect_gate(ops().rotate({"codex"}, confirmed(), delivery));
    EXPECT_EQ(store.rows.credentials.size(), 1u);
    EXPECT_TRUE(accepts(token));
}

TEST_F(ProtectedEnvironment, Invariant8_TakingAwayNeedsNobody) {
    ASSERT_TRUE(ops().pause(ByNameOrId{"codex"}, {}, confirmed("r")));
    ASSERT_TRUE(revoke("codex"));
    EXPECT_FALSE(accepts(token));
}

TEST_F(ProtectedEnvironment, Invariant8_NoWayBackFromAPause) {
    const std::string id = token.substr(9, 12);
    ASSERT_TRUE(ops().pause(ByNameOrId{"codex"}, {}, confirmed("r")));
    expect_gate(ops().resume(ByNameOrId{"codex"}, confirmed()));
    ASSERT_TRUE(ops().pause(ByNameOrId{id}, {}, confirmed("r")));
    expect_gate(ops().resume(ByNameOrId{id}, confirmed()));
    ASSERT_TRUE(ops().pause(*EnvironmentName::parse("dev"), {}, confirmed("r")));
    expect_gate(ops().resume(*EnvironmentName::parse("dev"), confirmed()));
    ASSERT_TRUE(ops().pause(*WorkspaceName::parse("default"), {}, confirmed("r")));
    expect_gate(ops().resume(*WorkspaceName::parse("default"), confirmed()));
    EXPECT_EQ(ops().pause(ByNameOrId{"codex"}, Ending::after(1s), confirmed("r")).error().code, Code::StateRefuses)
        << "nor by pausing again for a second";
}

TEST_F(Invariant8, NeitherTheFlagNorTheOwnersChangeWithoutAnOwner) {
    for (const char* name : {"dev", "production"}) {
        const auto environment = *EnvironmentName::parse(name);
        const auto flip = std::string(name) == "dev" ? Protection::Protected : Protection::Open;
        EXPECT_EQ(ops().set_protection(environment, flip, confirmed()).error().code, Code::ApprovalNeeded);
    }
    ASSERT_TRUE(ops().add_owner({"SHA256:x", "ssh-ed25519 AAAA", "me", {}}, confirmed())) << "the first is anybody's";
    const Owner second{"SHA256:y", "ssh-ed25519 BBBB", "me too", {}};
    EXPECT_EQ(ops().add_owner(second, confirmed())->progress, Progress::AwaitsApproval);
    EXPECT_EQ(store.rows.owners.size(), 1u);
}

TEST_F(Invariant8, AnActivationInAProtectedEnvironmentNeedsOneToo) {
    struct Crash {};
    std::string token;
    delivery.meanwhile = [&](std::span<const IssuedToken> tokens) {
        token = tokens.front().token.reveal_text();
        throw Crash{};
    };
    EXPECT_THROW(static_cast<void>(create("codex")), Crash);
    for (auto& [key, environment] : store.rows.environments) environment.protection = Protection::Protected;
    EXPECT_EQ(ops().activate(Secret::copy_of(bytes_of(token)), confirmed()).error().code, Code::ApprovalNeeded);
    EXPECT_FALSE(accepts(token));
}

TEST_F(Invariant9, ADryRunIsTheCommandUpToTheCommit) {
    token_of("codex");
    const std::size_t size = log_size();
    const auto shown = revoke("codex", dry());
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->progress, Progress::Shown);
    EXPECT_EQ(shown->plan.stops.size(), 1u);
    EXPECT_EQ(create("prod", "production", dry()).error().code, Code::ApprovalNeeded) << "the refusal it would meet";
    EXPECT_EQ(as(7).revoke(ByNameOrId{"codex"}, dry()).error().code, Code::PermissionDenied);
    EXPECT_EQ(create("new", "dev", dry())->progress, Progress::Shown);
    EXPECT_EQ(log_size(), size) << "nothing is written, refusals neither";
    const auto done = revoke("codex", confirmed());
    EXPECT_EQ(done->plan.action, shown->plan.action);
    EXPECT_EQ(done->plan.changes.size(), shown->plan.changes.size());
}

TEST_F(Invariant9, ADigestAppliesOnlyThePlanThatWasShown) {
    token_of("codex");
    Order order{{}, Confirmation::none(), "r"};
    const std::string digest = ops().revoke(ByNameOrId{"codex"}, order)->plan.digest();
    clock.pass(1h);
    EXPECT_EQ(ops().revoke(ByNameOrId{"codex"}, order)->plan.digest(), digest) << "time alone does not change it";
    ASSERT_TRUE(ops().record_use(ops().verify(delivery.delivered.back(), {})->verdict, "here"));
    EXPECT_EQ(ops().revoke(ByNameOrId{"codex"}, order)->plan.digest(), digest) << "nor does a use";
    ASSERT_TRUE(ops().pause(ByNameOrId{"codex"}, {}, confirmed("r")));
    order.confirmation = Confirmation::parse(digest).release();
    EXPECT_EQ(ops().revoke(ByNameOrId{"codex"}, order)->progress, Progress::Shown) << "the world has moved";
    order.confirmation = Confirmation::none();
    order.confirmation =
        Confirmation::parse(ops().revoke(ByNameOrId{"codex"}, order)->plan.digest().substr(0, 12)).release();
    EXPECT_EQ(ops().revoke(ByNameOrId{"codex"}, order)->progress, Progress::Applied);
}

TEST_F(Invariant9, TheDigestCoversWhoAsksForWhatAndWhere) {
    std::set<std::string> digests;
    const auto add = [&](const Plan& plan) { EXPECT_TRUE(digests.insert(plan.digest()).second); };
    add(create("a", "dev", dry())->plan);
    add(create("b", "dev", dry())->plan);
    add(create("a", "staging", dry())->plan);
    CreateRequest wide = request("a");
    wide.scopes = *ScopeSet::parse("card:view,card:edit,card:delete");
    add(ops().create(std::span(&wide, 1), dry(), delivery)->plan);
    wide.expires = Ending::never();
    add(ops().create(std::span(&wide, 1), dry(), delivery)->plan);
    wide.kind = MachineKind::Ci;
    add(ops().create(std::span(&wide, 1), dry(), delivery)->plan);
    wide.labels["k"] = "v";
    add(ops().create(std::span(&wide, 1), dry(), delivery)->plan);
    ASSERT_TRUE(
        ops().add_operator(*OperatorName::parse("second"), 2000, {{std::nullopt, Permission::Manage}}, confirmed()));
    add(as(2000).create(std::span(&wide, 1), dry(), delivery)->plan);
    store.rows.installation->id = "another";
    add(as(2000).create(std::span(&wide, 1), dry(), delivery)->plan);
}

TEST_F(Invariant9, WithoutConfirmationNothingHappens) {
    EXPECT_EQ(create("codex", "dev", unconfirmed())->progress, Progress::Shown);
    EXPECT_TRUE(store.rows.identities.empty());
    EXPECT_TRUE(delivery.delivered.empty());
}

TEST_F(Invariant10, WithoutManageEveryChangeIsRefusedAndRecorded) {
    token_of("codex");
    const WorkspaceName workspace = *WorkspaceName::parse("default");
    ASSERT_TRUE(ops().add_operator(*OperatorName::parse("viewer"), 2000, {{workspace, Permission::View}}, confirmed()));
    const auto environment = *EnvironmentName::parse("dev");
    const CreateRequest requests[] = {request("x")};
    const Grant grant{workspace, Permission::View};
    for (const std::uint32_t uid : {2000u, 3000u}) {
        const std::vector<std::function<Result<Done>(Authority)>> changes = {
            [&](Authority a) { return a.create(requests, confirmed(), delivery); },
            [&](Authority a) { return a.issue({*IdentityName::parse("codex")}, confirmed(), delivery); },
            [&](Authority a) { return a.rotate({"codex"}, confirmed(), delivery); },
            [&](Authority a) { return a.activate(Secret::copy_of(bytes_of(delivery.delivered.back())), confirmed()); },
            [&](Authority a) { return a.pause(ByNameOrId{"codex"}, {}, confirmed("r")); },
            [&](Authority a) { return a.pause(environment, {}, confirmed("r")); },
            [&](Authority a) { return a.resume(ByNameOrId{"codex"}, confirmed()); },
            [&](Authority a) { return a.revoke(ByNameOrId{"codex"}, confirmed("r")); },
            [&](Authority a) { return a.add_workspace(*WorkspaceName::parse("w2"), confirmed()); },
            [&](Authority a) { return a.remove_workspace(workspace, confirmed()); },
            [&](Authority a) { return a.add_environment({*EnvironmentName::parse("e2")}, confirmed()); },
            [&](Authority a) { return a.remove_environment(environment, confirmed()); },
            [&](Authority a) { return a.set_protection(environment, Protection::Protected, confirmed()); },
            [&](Authority a) { return a.add_operator(*OperatorName::parse("o2"), 9, {grant}, confirmed()); },
            [&](Authority a) { return a.remove_operator(*OperatorName::parse("ops"), confirmed()); },
            [&](Authority a) {
                return a.grant(*OperatorName::parse("viewer"), {workspace, Permission::Manage}, confirmed());
            },
            [&](Authority a) { return a.withdraw(*OperatorName::parse("viewer"), grant, confirmed()); },
            [&](Authority a) { return a.add_owner({"f", "k", "c"}, confirmed()); },
            [&](Authority a) { return a.remove_owner("f", confirmed()); },
            [&](Authority a) { return a.record_backup("/b", confirmed()); },
        };
        for (std::size_t i = 0; i < changes.size(); ++i) {
            const std::size_t size = log_size();
            const auto result = changes[i](as(uid));
            ASSERT_FALSE(result) << i;
            EXPECT_EQ(result.error().code, Code::PermissionDenied) << i << " " << result.error().message;
            EXPECT_EQ(log_size(), size + 1) << i;
            EXPECT_EQ(last_entry().outcome, "refused") << i;
        }
    }
    EXPECT_TRUE(as(2000).view_workspace({}, [](const Authority::Sight&) -> Result<void> { return {}; }))
        << "but may look";
    EXPECT_EQ(as(3000).view_workspace({}, [](const Authority::Sight&) -> Result<void> { return {}; }).error().code,
              Code::PermissionDenied);
    EXPECT_EQ(last_entry().action, "workspace.view");
    EXPECT_EQ(last_entry().outcome, "refused");
}

TEST_F(Invariant10, PermissionIsCheckedAgainInTheTransactionThatActivates) {
    ASSERT_TRUE(
        ops().add_operator(*OperatorName::parse("second"), 2000, {{std::nullopt, Permission::Manage}}, confirmed()));
    delivery.meanwhile = [&](auto) { ASSERT_TRUE(ops().remove_operator(*OperatorName::parse("second"), confirmed())); };
    const CreateRequest requests[] = {request("codex")};
    EXPECT_FALSE(as(2000).create(requests, confirmed(), delivery));
    EXPECT_FALSE(accepts(delivery.delivered.back())) << "demoted in between";
}

TEST_F(Invariant10, PermissionsEndAtTheirWorkspace) {
    ASSERT_TRUE(ops().add_workspace(*WorkspaceName::parse("other"), confirmed()));
    const WorkspaceName mine = *WorkspaceName::parse("default"), other = *WorkspaceName::parse("other");
    ASSERT_TRUE(ops().add_operator(*OperatorName::parse("local"), 2000, {{mine, Permission::Manage}}, confirmed()));
    const CreateRequest requests[] = {request("codex")};
    ASSERT_TRUE(as(2000).create(requests, {mine, Confirmation::parse("").release(), ""}, delivery));
    EXPECT_EQ(as(2000).create(requests, {other, Confirmation::parse("").release(), ""}, delivery).error().code,
              Code::PermissionDenied);
    const auto look = [&](const WorkspaceName& where) {
        return as(2000).view_workspace(where, [](const auto&) { return Result<void>(); });
    };
    EXPECT_TRUE(look(mine));
    EXPECT_EQ(look(other).error().code, Code::PermissionDenied);
    EXPECT_EQ(last_entry().action, "workspace.view");
    const std::string id = delivery.delivered.back().substr(9, 12);
    EXPECT_EQ(ops().revoke(ByNameOrId{id}, {other, Confirmation::parse("").release(), "r"}).error().code,
              Code::NotFound)
        << "a credential is looked up with its workspace";
    EXPECT_EQ(as(2000).grant(*OperatorName::parse("local"), {other, Permission::Manage}, confirmed()).error().code,
              Code::PermissionDenied);
    EXPECT_EQ(
        as(2000).grant(*OperatorName::parse("local"), {std::nullopt, Permission::Manage}, confirmed()).error().code,
        Code::PermissionDenied)
        << "nobody gives what they do not hold";
    EXPECT_EQ(as(2000)
                  .add_operator(*OperatorName::parse("friend"), 3000,
                                {{mine, Permission::View}, {other, Permission::View}}, confirmed())
                  .error()
                  .code,
              Code::PermissionDenied)
        << "nor along with what they do";
}

TEST_F(Invariant10, APersonIsOneOperator) {
    EXPECT_EQ(ops().add_operator(*OperatorName::parse("twin"), ops_uid, {}, dry()).error().code, Code::StateRefuses);
    EXPECT_EQ(ops().add_operator(*OperatorName::parse("twin"), ops_uid, {}, confirmed()).error().code,
              Code::StateRefuses);
    EXPECT_EQ(ops().add_operator(*OperatorName::parse("ops"), 3000, {}, confirmed()).error().code, Code::StateRefuses);
    EXPECT_EQ(store.rows.operators.size(), 1u);
}

TEST_F(Invariant10, SomebodyIsAlwaysLeftToManage) {
    EXPECT_EQ(ops().remove_operator(*OperatorName::parse("ops"), confirmed()).error().code, Code::StateRefuses);
    EXPECT_EQ(ops().withdraw(*OperatorName::parse("ops"), {std::nullopt, Permission::Manage}, confirmed()).error().code,
              Code::StateRefuses);
}

// What an attacker with SQL does, and what the log's verification says to it.
class TamperedLog : public AuthorityTest {
 protected:
    void SetUp() override {
        AuthorityTest::SetUp();
        token_of("codex");
        ASSERT_TRUE(verify().is_sound());
        checkpoint = audit::Checkpoint{"", verify().size, verify().root};
        ASSERT_TRUE(store.read([&](const store::Reader& reader) -> Result<void> {
            checkpoint.origin = TRY(log_origin(reader));
            return {};
        }));
        ASSERT_TRUE(revoke("codex"));
    }
    LogReport verify(const std::optional<audit::Checkpoint>& earlier = {}) {
        return store::read_from(store,
                                [&](const store::Reader& reader) {
                                    return verify_log(reader, root_key, earlier, [](std::uint64_t, std::uint64_t) {});
                                })
            .release();
    }
    void expect_found(std::uint64_t seq, const std::optional<audit::Checkpoint>& earlier = {}) {
        const LogReport report = verify(earlier);
        ASSERT_FALSE(report.is_sound());
        EXPECT_EQ(report.findings.front().seq, seq) << report.findings.front().what;
    }
    void rebuild_head() {
        store.rows.head.frontier = audit::Frontier();
        for (const auto& entry : store.rows.entries)
            store.rows.head.frontier.append(audit::leaf_hash(bytes_of(entry.bytes)));
    }
    audit::Checkpoint checkpoint;
};

TEST_F(TamperedLog, Invariant11_ASoundLogExtendsItsCheckpoint) {
    EXPECT_TRUE(verify(checkpoint).is_sound());
}

TEST_F(TamperedLog, Invariant11_ARewrittenEntryIsNamed) {
    std::string& bytes = store.rows.entries[6].bytes;
    bytes.replace(bytes.find("codex"), 5, "mallo");
    expect_found(7);
    rebuild_head();  // a careful attacker
    expect_found(7);
    store.rows.entries[6].seal = store.rows.entries[7].seal;
    expect_found(7);
}

TEST_F(TamperedLog, Invariant11_AMissingEntryIsNamed) {
    store.rows.entries.erase(store.rows.entries.begin() + 4);
    expect_found(5);
}

TEST_F(TamperedLog, Invariant11_SwappedEntriesAreNamed) {
    std::swap(store.rows.entries[3], store.rows.entries[4]);
    EXPECT_FALSE(verify().is_sound());
    std::swap(store.rows.entries[3].seq, store.rows.entries[4].seq);
    expect_found(4);
}

TEST_F(TamperedLog, Invariant11_ACutTailIsFound) {
    const auto all = store.rows.entries;
    store.rows.entries.pop_back();
    expect_found(all.size());
    rebuild_head();
    EXPECT_FALSE(verify().is_sound()) << "the shorter head has no seal";
    EXPECT_EQ(ops().add_workspace(*WorkspaceName::parse("w2"), confirmed()).error().code, Code::Corrupt)
        << "and nothing is appended to it";
}

TEST_F(TamperedLog, Invariant11_AnOlderCopyShowsAgainstACheckpoint) {
    const store::memory::Rows now = store.rows;
    ASSERT_TRUE(ops().add_workspace(*WorkspaceName::parse("w2"), confirmed()));
    const LogReport newest = verify();
    const audit::Checkpoint newer{checkpoint.origin, newest.size, newest.root};
    store.rows = now;  // yesterday's database, whole and sealed
    EXPECT_TRUE(verify().is_sound()) << "by itself it is sound";
    expect_found(now.entries.size() + 1, newer);
}

TEST_F(TamperedLog, Invariant11_AForkShowsAgainstACheckpoint) {
    audit::Checkpoint other = checkpoint;
    other.root[0] ^= 1;
    EXPECT_FALSE(verify(other).is_sound());
}

TEST_F(TamperedLog, Invariant11_NothingUnsoundIsSigned) {
    store.rows.entries[2].bytes += " ";
    const LogReport report = verify();
    EXPECT_EQ(store::read_from(store, [&](const store::Reader& r) { return sign_checkpoint(r, root_key, report); })
                  .error()
                  .code,
              Code::Corrupt);
}

TEST_F(Invariant12, TheDatabaseAloneMintsNothing) {
    const std::string token = token_of("codex");
    // The attacker knows how tokens look, and may write any row, but has no key.
    Credential forged = store.rows.credentials.begin()->second;
    const CredentialId id = *CredentialId::parse("0123456789ab");
    const Secret mine = make_token(TokenClass::Test, id, Bytes(token_entropy_bytes, 3));
    forged.id = id;
    forged.hash = verify::hash_token(Secret::copy_of(Bytes(32, 0)), mine.reveal_text());
    store.rows.credentials.emplace(id, forged);
    EXPECT_EQ(verdict(std::string(mine.reveal_text())), Reason::WrongSecret);
}

TEST_F(Invariant13, VerifyingWritesNothing) {
    const std::string token = token_of("codex");
    const std::size_t size = log_size();
    for (int i = 0; i < 10; ++i) accepts(token);
    EXPECT_EQ(log_size(), size);
    EXPECT_TRUE(store.rows.last_uses.empty());
    clock.pass(default_lifetime);
    EXPECT_FALSE(accepts(token));
    EXPECT_EQ(store.rows.credentials.size(), 1u) << "what has expired is not deleted by asking";
    ASSERT_TRUE(ops().record_use(ops().verify(token, {})->verdict, "x"));
    EXPECT_TRUE(store.rows.last_uses.empty()) << "only for accepted ones";
}

TEST_F(AuthorityTest, PausingAnIdentityAnEnvironmentOrAWorkspaceStopsWhatIsUnderIt) {
    const std::string token = token_of("codex");
    const std::pair<Target, Reason> targets[] = {{ByNameOrId{"codex"}, Reason::IdentityPaused},
                                                 {ByNameOrId{only_credential().string()}, Reason::CredentialPaused},
                                                 {*EnvironmentName::parse("dev"), Reason::EnvironmentPaused},
                                                 {*WorkspaceName::parse("default"), Reason::WorkspacePaused}};
    for (const auto& [target, reason] : targets) {
        ASSERT_TRUE(ops().pause(target, {}, confirmed("r")));
        EXPECT_EQ(verdict(token), reason);
        ASSERT_TRUE(ops().resume(target, confirmed()));
        EXPECT_EQ(verdict(token), Reason::Accepted);
        ASSERT_TRUE(ops().pause(target, Ending::after(2h), confirmed("r")));
        clock.pass(2h - 1us);
        EXPECT_EQ(verdict(token), reason);
        clock.pass(1us);
        EXPECT_EQ(verdict(token), Reason::Accepted) << "ends by itself";
    }
}

TEST_F(AuthorityTest, NothingIsIssuedUnderWhatIsPaused) {
    token_of("codex");
    for (const Target& target : {Target(ByNameOrId{"codex"}), Target(*EnvironmentName::parse("dev")),
                                 Target(*WorkspaceName::parse("default"))}) {
        ASSERT_TRUE(ops().pause(target, {}, confirmed("r")));
        EXPECT_EQ(ops().issue({*IdentityName::parse("codex")}, confirmed(), delivery).error().code, Code::StateRefuses);
        EXPECT_EQ(ops().rotate({"codex"}, confirmed(), delivery).error().code, Code::StateRefuses);
        ASSERT_TRUE(ops().resume(target, confirmed()));
    }
}

TEST_F(AuthorityTest, ManyAreCreatedInOnePlan) {
    std::vector<CreateRequest> requests;
    for (int i = 0; i < 100; ++i) requests.push_back(request(("m" + std::to_string(i)).c_str()));
    EXPECT_EQ(ops().create(requests, confirmed(), delivery)->progress, Progress::Shown);
    ASSERT_TRUE(ops().create(requests, {{}, Confirmation::parse("100").release(), ""}, delivery));
    ASSERT_EQ(delivery.delivered.size(), 100u);
    for (const std::string& token : delivery.delivered) EXPECT_TRUE(accepts(token));
    requests.push_back(request("m0"));
    EXPECT_EQ(ops().create(requests, dry(), delivery).error().code, Code::InvalidRequest) << "listed twice";
}

TEST_F(AuthorityTest, ANameLikeACredentialIdIsRefused) {
    EXPECT_EQ(create("0123456789ab").error().code, Code::InvalidRequest);
    EXPECT_TRUE(create("0123456789-ab"));
}

TEST_F(AuthorityTest, RotatingAnIdentityWithTwoCredentialsAsksWhich) {
    token_of("codex");
    ASSERT_TRUE(ops().issue({*IdentityName::parse("codex")}, confirmed(), delivery));
    const auto which = ops().rotate({"codex"}, confirmed(), delivery);
    EXPECT_EQ(which.error().code, Code::StateRefuses);
    EXPECT_NE(which.error().hint.find(delivery.delivered.back().substr(9, 12)), std::string::npos);
    EXPECT_TRUE(ops().rotate({delivery.delivered.back().substr(9, 12)}, confirmed(), delivery));
}

TEST_F(AuthorityTest, EnvironmentsAndWorkspacesEndEmpty) {
    token_of("codex");
    EXPECT_EQ(ops().remove_environment(*EnvironmentName::parse("dev"), confirmed()).error().code, Code::StateRefuses);
    EXPECT_EQ(ops().remove_workspace(*WorkspaceName::parse("default"), confirmed()).error().code, Code::StateRefuses);
    ASSERT_TRUE(revoke("codex"));
    ASSERT_TRUE(ops().remove_environment(*EnvironmentName::parse("dev"), confirmed()));
    EXPECT_EQ(create("hermes").error().code, Code::StateRefuses);
    EXPECT_EQ(ops().add_environment({*EnvironmentName::parse("dev")}, confirmed()).error().code, Code::StateRefuses);
    ASSERT_TRUE(ops().remove_workspace(*WorkspaceName::parse("default"), confirmed()));
}

TEST_F(AuthorityTest, FiltersFindWhomTheySay) {
    token_of("old");
    clock.pass(std::chrono::days(40));
    CreateRequest other = request("new", "staging");
    other.labels["team"] = "red";
    other.kind = MachineKind::Ci;
    ASSERT_TRUE(ops().create(std::span(&other, 1), confirmed(), delivery));
    ASSERT_TRUE(ops().record_use(ops().verify(delivery.delivered.back(), {})->verdict, "x"));
    const auto found = [&](const char* condition) {
        Filter filter;
        EXPECT_TRUE(filter.add(condition));
        std::string names;
        EXPECT_TRUE(ops().view_workspace({}, [&](const Authority::Sight& sight) -> Result<void> {
            return for_each_identity(
                sight.reader, sight.workspace.name, store::Listing::Complete,
                [&](const Identity& identity) -> Result<bool> {
                    if (filter.matches(TRY(view_of(sight.reader, sight.workspace, identity, sight.now)), sight.now))
                        names += identity.name.text() + " ";
                    return true;
                });
        }));
        return names;
    };
    EXPECT_EQ(found("env=staging"), "new ");
    EXPECT_EQ(found("label.team=red"), "new ");
    EXPECT_EQ(found("label.team=blue"), "");
    EXPECT_EQ(found("kind=agent"), "old ");
    EXPECT_EQ(found("expiring=60d"), "old ");
    EXPECT_EQ(found("expiring=100d"), "new old ");
    EXPECT_EQ(found("unused=30d"), "old ");
    EXPECT_EQ(found("unused=50d"), "") << "too young to be called unused";
    EXPECT_EQ(found("state=active"), "new old ");
    clock.pass(std::chrono::days(50));
    EXPECT_EQ(found("state=expired"), "old ");
    Filter filter;
    for (const char* bad : {"", "env", "env=", "colour=red", "state=dead", "label.=x", "unused=0"})
        EXPECT_EQ(filter.add(bad).error().code, Code::InvalidRequest) << bad;
}

// The memory store, of which the next change fails.
class FailsOnce final : public store::ForwardingStore {
 public:
    FailsOnce(store::Store& store, Error error) : ForwardingStore(store), error_(std::move(error)) {}
    Result<Revision> change(const store::Decide& decide) override {
        if (error_) return *std::exchange(error_, std::nullopt);
        return inner_.change(decide);
    }

 private:
    std::optional<Error> error_;
};

TEST_F(AuthorityTest, UsesThatWereWrittenAreNotWrittenAgainAfterAFailure) {
    const std::string old_token = token_of("codex");
    RotateRequest request{"codex"};
    request.old_credential = OldCredential::RetiresWhenNewIsUsed;
    ASSERT_TRUE(ops().rotate(request, confirmed(), delivery));
    const CredentialId id = read_token(delivery.delivered.back())->id;
    verify::Uses uses;
    uses.accepted[id.bits()] = {clock.now(), 3, verify::AddressText("10.0.0.7"), Reason::Accepted, true};
    FailsOnce failing(store, Error(Code::Unavailable, "the disk is full"));
    EXPECT_FALSE(write_uses(failing, uses, clock.now(), ""));
    EXPECT_EQ(store.rows.last_uses.at(id).count, 3u);
    EXPECT_TRUE(accepts(old_token)) << "its end could not be written yet";
    ASSERT_TRUE(write_uses(failing, uses, clock.now(), ""));
    EXPECT_EQ(store.rows.last_uses.at(id).count, 3u) << "counted once";
    EXPECT_FALSE(accepts(old_token)) << "and not forgotten";
}

// A database's role for verifiers lets them note uses and nothing else.
TEST_F(AuthorityTest, WhoMayOnlyNoteUsesLeavesTheEventsToOthers) {
    const std::string old_token = token_of("codex");
    RotateRequest request{"codex"};
    request.old_credential = OldCredential::RetiresWhenNewIsUsed;
    ASSERT_TRUE(ops().rotate(request, confirmed(), delivery));
    const CredentialId id = read_token(delivery.delivered.back())->id;
    verify::Uses uses;
    uses.accepted[id.bits()] = {clock.now(), 3, verify::AddressText("10.0.0.7"), Reason::Accepted, true};
    FailsOnce narrow(store, Error(Code::PermissionDenied, "no"));
    ASSERT_TRUE(note_uses(narrow, uses, clock.now()));
    EXPECT_EQ(store.rows.last_uses.at(id).count, 3u);
    EXPECT_EQ(uses.pending(), 0u);
    EXPECT_EQ(write_events_of_uses(narrow, uses.successors, clock.now(), "").error().code, Code::PermissionDenied);
    EXPECT_EQ(uses.successors, std::vector{id});
    FailsOnce narrow_again(store, Error(Code::PermissionDenied, "no"));
    EXPECT_TRUE(write_uses(narrow_again, uses, clock.now(), "")) << "its uses are written";
    EXPECT_TRUE(accepts(old_token));
    ASSERT_TRUE(write_uses(store, uses, clock.now(), ""));
    EXPECT_FALSE(accepts(old_token)) << "whoever may more has ended it";
}

// Sealed, and still of no sense: nobody's credential was issued. A finding or none, but an answer.
TEST_F(Invariant11, AnActionOnAnotherKindOfThingIsJudgedAllTheSame) {
    Evidence evidence(signatures);
    for (const char* action : {"credential.issue", "credential.resume", "identity.resume", "identity.create",
                               "environment.resume", "owner.add", "approval.redeem"}) {
        audit::Entry entry;
        entry.seq = 1;
        entry.action = action;
        entry.outcome = "done";
        entry.subject = WorkspaceRef{*WorkspaceName::parse("default")};
        EXPECT_TRUE(evidence.add(entry)) << action;
    }
}

TEST(Confirmation, ReadsWhatPeopleType) {
    EXPECT_TRUE(Confirmation::parse("")->is_given());
    EXPECT_TRUE(Confirmation::parse("12")->is_given());
    EXPECT_TRUE(Confirmation::parse("0123456789ab")->is_given()) << "twelve digits are a digest";
    for (const char* bad : {"yes", "-1", "ABCDEF012345", "0123456789abcdefg", "a", "0123456789a"})
        EXPECT_EQ(Confirmation::parse(bad).error().code, Code::InvalidRequest) << bad;
    EXPECT_FALSE(Confirmation::none().is_given());
    EXPECT_FALSE(Confirmation::dry_run().is_given());
}

}  // namespace
}  // namespace marque::authority
