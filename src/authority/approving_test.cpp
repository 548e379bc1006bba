// authority: the owner's gate (invariant 8), over the store in memory, with signatures in plain words. What OpenSSH
// makes of real ones is in test/cli/approval.bats.
#include "authority/approval_text.h"
#include "authority/log.h"
#include "base/text.h"
#include "store/forwarding_store.h"
#include "test/authority_fixture.h"

namespace marque::authority {
namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

class Invariant8Gate : public AuthorityTest {
 protected:
    static constexpr std::uint32_t bob_uid = 1001;

    static Owner owner(const char* name, const char* operator_name = nullptr) {
        Owner owner{std::string("SHA256:") + name, std::string("ssh-ed25519 ") + name, name, {}};
        if (operator_name != nullptr) owner.operator_name = *OperatorName::parse(operator_name);
        return owner;
    }
    // By hand, as init would have: the tests are about what comes after.
    void add(const Owner& owner) { store.rows.owners.emplace(owner.fingerprint, owner); }
    void set_quorum(std::uint32_t quorum) { store.rows.installation->policy.quorum = quorum; }

    void SetUp() override {
        AuthorityTest::SetUp();
        add(carol);
        const Grant everything{std::nullopt, Permission::Manage};
        ASSERT_TRUE(ops().add_operator(*OperatorName::parse("bob"), bob_uid, {everything}, confirmed()));
    }

    ApprovalId ask(const char* name = "prod-bot") {
        const auto asked = create(name, "production");
        EXPECT_TRUE(asked);
        EXPECT_EQ(asked->progress, Progress::AwaitsApproval);
        EXPECT_TRUE(asked->approval);
        return asked->approval->id;
    }
    const Approval& row(const ApprovalId& id) const { return store.rows.approvals.at(id); }
    Result<Done> sign(const ApprovalId& id, const Owner& owner) {
        return ops().sign_approval(id, PlainSignatures::by(owner, row(id).text), confirmed());
    }
    static Order with(const ApprovalId& id) {
        Order order = confirmed();
        order.approval = id;
        return order;
    }
    Result<Done> redeem(const ApprovalId& id, const char* name = "prod-bot") {
        return create(name, "production", with(id));
    }
    void expect_refused(const Result<Done>& result, Code code, std::string_view sentence) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, code) << result.error().message;
        EXPECT_TRUE(has(result.error().message, sentence)) << result.error().message;
        EXPECT_EQ(last_entry().outcome, "refused") << "a refusal is an event";
    }
    void expect_not_made(const char* name = "prod-bot") {
        EXPECT_FALSE(
            store.rows.identities.contains(std::pair(*WorkspaceName::parse("default"), *IdentityName::parse(name))));
        EXPECT_TRUE(delivery.delivered.empty());
    }
    LogReport report() {
        return store::read_from(store,
                                [&](const store::Reader& reader) {
                                    return verify_log(
                                        reader, root_key, {}, [](std::uint64_t, std::uint64_t) {}, &signatures);
                                })
            .release();
    }

    const Owner carol = owner("carol"), dave = owner("dave");
};

TEST_F(Invariant8Gate, AskedRefusedSignedGrantedOnce) {
    const auto asked = create("prod-bot", "production");
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->progress, Progress::AwaitsApproval);
    EXPECT_TRUE(asked->is_asked_anew);
    expect_not_made();
    const ApprovalId id = asked->approval->id;
    EXPECT_EQ(last_entry().action, "approval.request");
    EXPECT_EQ(audit::decode(store.rows.entries[log_size() - 2].bytes)->outcome, "refused");
    expect_refused(redeem(id), Code::ApprovalNeeded, "0 of 1 signatures");
    ASSERT_TRUE(sign(id, carol));
    EXPECT_EQ(last_entry().action, "approval.sign");
    const auto done = redeem(id);
    ASSERT_TRUE(done);
    EXPECT_EQ(done->progress, Progress::Applied);
    EXPECT_TRUE(accepts(delivery.delivered.back()));
    EXPECT_TRUE(delivery.delivered.back().starts_with("mrq_live_"));
    EXPECT_EQ(row(id).stored, ApprovalStanding::Redeemed);
    EXPECT_EQ(last_entry().action, "credential.activate");
    EXPECT_EQ(last_entry().body.at("approval").as_string(), id.text());
}

TEST_F(Invariant8Gate, AskingAgainIsTheSameRequest) {
    const ApprovalId id = ask();
    const auto again = create("prod-bot", "production");
    EXPECT_EQ(again->approval->id, id);
    EXPECT_FALSE(again->is_asked_anew);
    EXPECT_EQ(store.rows.approvals.size(), 1u);
    clock.pass(approval_lifetime);
    EXPECT_NE(create("prod-bot", "production")->approval->id, id) << "unless its time is up";
}

TEST_F(Invariant8Gate, NobodyIsAskedWithoutConfirmation) {
    const std::size_t before = log_size();
    EXPECT_EQ(create("prod-bot", "production", dry())->progress, Progress::AwaitsApproval);
    EXPECT_EQ(log_size(), before);
    EXPECT_EQ(create("prod-bot", "production", unconfirmed())->progress, Progress::AwaitsApproval);
    EXPECT_EQ(last_entry().outcome, "refused");
    EXPECT_TRUE(store.rows.approvals.empty());
}

TEST_F(Invariant8Gate, WithoutOwnersItIsShut) {
    store.rows.owners.clear();
    expect_refused(create("prod-bot", "production"), Code::ApprovalNeeded, "no owner key");
    EXPECT_TRUE(store.rows.approvals.empty());
}

TEST_F(Invariant8Gate, AnApprovalWorksOnce) {
    const ApprovalId first = ask();
    ASSERT_TRUE(sign(first, carol));
    ASSERT_TRUE(redeem(first));
    const IssueRequest more{*IdentityName::parse("prod-bot"), {}, {}};
    const ApprovalId id = ops().issue(more, confirmed(), delivery)->approval->id;
    ASSERT_TRUE(sign(id, carol));
    ASSERT_TRUE(ops().issue(more, with(id), delivery));
    expect_refused(ops().issue(more, with(id), delivery), Code::ApprovalNeeded, "it was used already");
    EXPECT_EQ(store.rows.credentials.size(), 2u);
}

TEST_F(Invariant8Gate, OnlyForExactlyThatPlan) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    CreateRequest wider = request("prod-bot", "production");
    wider.scopes = *ScopeSet::parse("card:view,card:edit,card:delete");
    CreateRequest longer = request("prod-bot", "production");
    longer.expires = Ending::after(89 * 24h);
    CreateRequest labelled = request("prod-bot", "production");
    labelled.labels["team"] = "b";
    for (const CreateRequest& other : {wider, longer, labelled, request("other", "production")}) {
        const CreateRequest requests[] = {other};
        expect_refused(ops().create(requests, with(id), delivery), Code::ApprovalNeeded, "is for another plan");
    }
    Order reasoned = with(id);
    reasoned.reason = "another reason";
    expect_refused(create("prod-bot", "production", reasoned), Code::ApprovalNeeded, "is for another plan");
    expect_not_made();
    EXPECT_TRUE(redeem(id)) << "and none of that used it up";
}

TEST_F(Invariant8Gate, NotWhenTheWorldHasMoved) {
    const ApprovalId first = ask();
    ASSERT_TRUE(sign(first, carol));
    ASSERT_TRUE(redeem(first));
    const IssueRequest more{*IdentityName::parse("prod-bot"), {}, {}};
    const ApprovalId id = ops().issue(more, confirmed(), delivery)->approval->id;
    ASSERT_TRUE(sign(id, carol));
    ASSERT_TRUE(ops().pause(ByNameOrId{"prod-bot"}, Ending::after(1h), confirmed("r")));
    expect_refused(ops().issue(more, with(id), delivery), Code::StateRefuses, "it is paused");
    clock.pass(2h);
    expect_refused(ops().issue(more, with(id), delivery), Code::ApprovalNeeded, "has changed since it was asked for");
}

TEST_F(Invariant8Gate, OnlyInTime) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    clock.pass(approval_lifetime);
    expect_refused(redeem(id), Code::ApprovalNeeded, "its time is up");
    expect_refused(sign(id, carol), Code::StateRefuses, "its time is up");
    expect_not_made();
}

TEST_F(Invariant8Gate, OnlyByWhoeverAsked) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    const CreateRequest requests[] = {request("prod-bot", "production")};
    expect_refused(as(bob_uid).create(requests, with(id), delivery), Code::PermissionDenied, "only they can use it");
    expect_refused(as(bob_uid).withdraw_approval(id, confirmed()), Code::PermissionDenied, "only they can withdraw it");
    expect_not_made();
}

TEST_F(Invariant8Gate, WhoeverAskedWithdrawsItWithTheViewAlone) {
    const auto dan = *OperatorName::parse("dan");
    const auto workspace = *WorkspaceName::parse("default");
    const Grant manages{workspace, Permission::Manage}, views{workspace, Permission::View};
    ASSERT_TRUE(ops().add_operator(dan, 1002, {manages, views}, confirmed()));
    const CreateRequest requests[] = {request("prod-bot", "production")};
    const auto asked = as(1002).create(requests, confirmed(), delivery);
    ASSERT_TRUE(asked && asked->approval);
    ASSERT_TRUE(ops().withdraw(dan, manages, confirmed()));
    expect_refused(as(1002).deny_approval(asked->approval->id, confirmed()), Code::PermissionDenied,
                   "does not hold workspace:manage");
    ASSERT_TRUE(as(1002).withdraw_approval(asked->approval->id, confirmed()));
    EXPECT_EQ(row(asked->approval->id).stored, ApprovalStanding::Withdrawn);
}

TEST_F(Invariant8Gate, DeniedIsForEverAndWithdrawnToo) {
    const ApprovalId denied = ask();
    ASSERT_TRUE(sign(denied, carol));
    ASSERT_TRUE(as(bob_uid).deny_approval(denied, confirmed("not this week")));
    expect_refused(redeem(denied), Code::ApprovalNeeded, "it was denied (by bob");
    EXPECT_TRUE(has(redeem(denied).error().message, "not this week"));
    expect_refused(sign(denied, carol), Code::StateRefuses, "it was denied");
    EXPECT_EQ(ops().deny_approval(denied, confirmed("r"))->progress, Progress::AlreadySo);
    const ApprovalId withdrawn = ask();
    EXPECT_NE(withdrawn, denied) << "a request is made anew";
    ASSERT_TRUE(ops().withdraw_approval(withdrawn, confirmed()));
    expect_refused(redeem(withdrawn), Code::ApprovalNeeded, "whoever asked has withdrawn it");
    expect_not_made();
}

TEST_F(Invariant8Gate, ASignatureOverAnotherTextDoesNotCount) {
    const ApprovalId mine = ask(), other = ask("other");
    const std::string signature = PlainSignatures::by(carol, row(other).text);
    expect_refused(ops().sign_approval(mine, signature, confirmed()), Code::PermissionDenied,
                   "is over the text of approval " + other.string());
    expect_refused(ops().sign_approval(mine, PlainSignatures::by(carol, "x"), confirmed()), Code::PermissionDenied,
                   "does not count");
    expect_refused(sign(mine, dave), Code::PermissionDenied, "does not count");
    EXPECT_TRUE(row(mine).signatures.empty());
}

TEST_F(Invariant8Gate, AKeyRemovedSinceNoLongerCounts) {
    const ApprovalId id = ask();
    add(dave);
    ASSERT_TRUE(sign(id, dave));
    store.rows.owners.erase(dave.fingerprint);
    expect_refused(redeem(id), Code::ApprovalNeeded, "no longer counts: the key was removed");
    ASSERT_TRUE(sign(id, carol));
    EXPECT_TRUE(redeem(id));
}

TEST_F(Invariant8Gate, NobodyApprovesWhatTheyAskedFor) {
    const Owner own = owner("mine", "ops");
    add(own);
    const ApprovalId id = ask();
    expect_refused(sign(id, own), Code::PermissionDenied, "somebody else has to approve it");
    store.rows.approvals.at(id).signatures.push_back({own.fingerprint, PlainSignatures::by(own, row(id).text), {}});
    expect_refused(redeem(id), Code::ApprovalNeeded, "it is the requester's own");
    store.rows.installation->policy.has_sole_owner = true;
    EXPECT_TRUE(redeem(id)) << "unless the installation was told that there is one person only";
}

TEST_F(Invariant8Gate, AQuorumIsOfPeople) {
    const Owner one = owner("one", "bob"), two = owner("two", "bob");
    add(one), add(two), add(dave);
    set_quorum(2);
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, one));
    EXPECT_EQ(sign(id, one)->progress, Progress::AlreadySo);
    EXPECT_EQ(row(id).signatures.size(), 1u);
    expect_refused(sign(id, two), Code::PermissionDenied, "counts once");
    expect_refused(redeem(id), Code::ApprovalNeeded, "1 of 2 signatures");
    ASSERT_TRUE(sign(id, dave));
    EXPECT_TRUE(redeem(id));
}

TEST_F(Invariant8Gate, WhatIsRewrittenInTheDatabaseIsNotWhatWasSigned) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    const Approval whole = row(id);
    const auto rewritten = [&](const auto& change, Code code) {
        Approval& approval = store.rows.approvals.at(id);
        approval = whole;
        change(approval);
        const auto refused = redeem(id);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, code) << refused.error().message;
    };
    rewritten([](Approval& a) { a.text += "\n"; }, Code::Corrupt);
    rewritten([](Approval& a) { a.nonce = std::string(32, '0'); }, Code::Corrupt);
    rewritten([](Approval& a) { a.not_after += 1h; }, Code::Corrupt);
    rewritten([](Approval& a) { a.requested_at += 1h; }, Code::Corrupt);
    rewritten([](Approval& a) { a.plan = std::string(64, '0'); }, Code::ApprovalNeeded);
    rewritten([](Approval& a) { a.signatures[0].text = "x"; }, Code::Corrupt);
    rewritten([&](Approval& a) { a.signatures[0].fingerprint = dave.fingerprint; }, Code::ApprovalNeeded);
    // One owner's signature is not another's, whoever the database says it is by.
    add(dave);
    set_quorum(2);
    rewritten(
        [&](Approval& a) {
            a.signatures.push_back(a.signatures[0]);
            a.signatures[1].fingerprint = dave.fingerprint;
        },
        Code::Corrupt);
    set_quorum(1);
    store.rows.owners.erase(dave.fingerprint);
    expect_not_made();

    // Whoever writes a plan and its text anew has one that nobody signed.
    CreateRequest wider = request("prod-bot", "production");
    wider.scopes = *ScopeSet::parse("card:delete");
    const CreateRequest requests[] = {wider};
    const auto done = ops().create(requests, dry(), delivery);
    Approval& approval = store.rows.approvals.at(id);
    approval = whole;
    approval.plan = done->plan.digest();
    approval.text = *approval_text(done->plan, approval, store.rows.operators.at(*OperatorName::parse("ops")));
    EXPECT_EQ(ops().create(requests, with(id), delivery).error().code, Code::Corrupt);
    expect_not_made();
}

TEST_F(Invariant8Gate, WhoTheOwnersAreIsForThemToSay) {
    const auto awaits = [&](const Result<Done>& done) {
        ASSERT_TRUE(done) << done.error().message;
        EXPECT_EQ(done->progress, Progress::AwaitsApproval);
    };
    awaits(ops().add_owner(dave, confirmed()));
    awaits(ops().set_protection(*EnvironmentName::parse("production"), Protection::Open, confirmed()));
    awaits(ops().set_protection(*EnvironmentName::parse("dev"), Protection::Protected, confirmed()));
    awaits(ops().set_policy({{}, true}, confirmed()));
    EXPECT_EQ(ops().set_policy({2, {}}, confirmed()).error().code, Code::StateRefuses) << "there is one owner";
    EXPECT_EQ(ops().remove_owner(carol.fingerprint, confirmed()).error().code, Code::StateRefuses) << "the last";

    const ApprovalId add_dave = ops().add_owner(dave, confirmed())->approval->id;
    ASSERT_TRUE(sign(add_dave, carol));
    ASSERT_TRUE(ops().add_owner(dave, with(add_dave)));
    const ApprovalId both = ops().set_policy({2, {}}, confirmed())->approval->id;
    ASSERT_TRUE(sign(both, dave));
    ASSERT_TRUE(ops().set_policy({2, {}}, with(both)));
    EXPECT_EQ(store.rows.installation->policy.quorum, 2u);
    EXPECT_EQ(ops().remove_owner(dave.fingerprint, confirmed()).error().code, Code::StateRefuses) << "a quorum is left";
    const ApprovalId open =
        ops().set_protection(*EnvironmentName::parse("production"), Protection::Open, confirmed())->approval->id;
    ASSERT_TRUE(sign(open, dave));
    ASSERT_TRUE(sign(open, carol));
    ASSERT_TRUE(ops().set_protection(*EnvironmentName::parse("production"), Protection::Open, with(open)));
    EXPECT_EQ(create("free", "production")->progress, Progress::Applied);
}

// What lost entries revoked works again: that is not for an operator to say.
TEST_F(Invariant8Gate, ALogThatLostEntriesIsGoneOnWithByItsOwnersAlone) {
    const std::string installation = store.rows.installation->id;
    const auto as_it_is =
        store::read_from(store, [&](const store::Reader& reader) { return verify::known_log_of(reader, log_size()); });
    EXPECT_EQ(ops().accept_log(*as_it_is, confirmed())->progress, Progress::AlreadySo);
    const verify::KnownLog lost{installation, log_size() + 5, {}, clock.now()};
    expect_refused(ops().accept_log(lost, confirmed()), Code::StateRefuses, "the clock is behind");
    clock.pass(1s);
    verify::KnownLog foreign = lost;
    foreign.installation = "somebody else's";
    expect_refused(ops().accept_log(foreign, confirmed()), Code::StateRefuses, "installation");
    const auto asked = ops().accept_log(lost, confirmed());
    ASSERT_TRUE(asked);
    ASSERT_EQ(asked->progress, Progress::AwaitsApproval);
    ASSERT_TRUE(sign(asked->approval->id, carol));
    EXPECT_EQ(ops().accept_log(lost, with(asked->approval->id))->progress, Progress::Applied);
    EXPECT_EQ(last_entry().action, audit::log_acceptance);
}

TEST_F(Invariant8Gate, AVerifierWhoseWordAloneCountsIsGivenUpByTheOwnersAlone) {
    store::VerifierRow row{"v1", {"vm", store::Freshness::AckOnly}};
    EXPECT_EQ(ops().remove_verifier(row, confirmed())->progress, Progress::AwaitsApproval);
    row.terms.mode = store::Freshness::Lease;
    EXPECT_EQ(ops().remove_verifier(row, confirmed())->progress, Progress::Applied) << "time proves it";
    store.rows.owners.clear();
    row.terms.mode = store::Freshness::AckOnly;
    EXPECT_EQ(ops().remove_verifier(row, confirmed())->progress, Progress::Applied) << "and there is nobody to ask";
}

TEST_F(Invariant8Gate, AnApprovalIsNotWastedWhereNoneIsNeeded) {
    const ApprovalId id = ask();
    EXPECT_EQ(create("codex", "dev", with(id)).error().code, Code::InvalidRequest);
    EXPECT_EQ(create("prod-bot", "production", with(ApprovalId::from_bits(7))).error().code, Code::NotFound);
}

TEST_F(Invariant8Gate, WhatWasDeliveredBeforeACrashNeedsNoSecondApproval) {
    struct Crash {};
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    std::string token;
    delivery.meanwhile = [&](std::span<const IssuedToken> tokens) {
        token = tokens.front().token.reveal_text();
        throw Crash{};
    };
    EXPECT_THROW(static_cast<void>(redeem(id)), Crash);
    EXPECT_FALSE(accepts(token));
    ASSERT_TRUE(ops().activate(Secret::copy_of(bytes_of(token)), confirmed()));
    EXPECT_TRUE(accepts(token));
}

TEST_F(Invariant8Gate, AnotherWorkspacesApprovalIsNotThere) {
    const auto other = *WorkspaceName::parse("other");
    ASSERT_TRUE(ops().add_workspace(other, confirmed()));
    Order placed = confirmed();
    placed.workspace = *WorkspaceName::parse("default");
    const ApprovalId id = create("prod-bot", "production", placed)->approval->id;
    ASSERT_TRUE(ops().add_operator(*OperatorName::parse("guest"), 1002, {{other, Permission::Manage}}, confirmed()));
    Authority guest = as(1002);
    EXPECT_EQ(guest.deny_approval(id, confirmed("r")).error().code, Code::NotFound);
    EXPECT_EQ(guest.sign_approval(id, "x", confirmed()).error().code, Code::NotFound);
}

TEST_F(Invariant8Gate, RequestsAreBounded) {
    for (std::size_t i = 0; i < most_open_approvals; ++i) ask(("bot-" + std::to_string(i)).c_str());
    expect_refused(create("one-more", "production"), Code::StateRefuses, "open requests");
    EXPECT_EQ(store.rows.approvals.size(), most_open_approvals);
}

TEST_F(Invariant8Gate, NoTextFromOutsideAddsALineOrHidesOne) {
    CreateRequest request = this->request("prod-bot", "production");
    request.contact = "bob\n- identity other\n now: not there";
    request.contact +=
        " in the middle of many words that go on and on, so that they do not fit on a line of a terminal";
    const CreateRequest requests[] = {request};
    Order order = confirmed();
    order.reason = "because\r\x1b[2Kof";
    const auto asked = ops().create(requests, order, delivery);
    ASSERT_TRUE(asked);
    EXPECT_TRUE(has(asked->approval->text, "contact: 'bob\\n- identity other\\n"));
    EXPECT_FALSE(has(asked->approval->text, "\n- identity other"));
    EXPECT_TRUE(has(asked->approval->text, "\n        | ")) << "a long value goes on where no line begins";
    EXPECT_TRUE(is_plain_text(asked->approval->text));
    for (const char* reason : {"\u202egnihtyna ekil skool", "wide  open"}) {  // right to left; up to the next line
        order.reason = reason;
        expect_refused(ops().create(requests, order, delivery), Code::StateRefuses, "a character that can't be seen");
    }
}

TEST_F(Invariant8Gate, TooLongIsNotAskedFor) {
    std::vector<CreateRequest> many;
    for (int i = 0; i < 150; ++i) many.push_back(request(("bot-" + std::to_string(i)).c_str(), "production"));
    for (CreateRequest& one : many) one.contact = std::string(200, 'x');
    Order order = confirmed();
    order.confirmation = Confirmation::parse("150").release();
    expect_refused(ops().create(many, order, delivery), Code::StateRefuses, "can be signed");
    for (int i = 150; i <= 200; ++i) many.push_back(request(("bot-" + std::to_string(i)).c_str(), "production"));
    expect_refused(ops().create(many, order, delivery), Code::StateRefuses, "can be for 200 identities at most");
}

TEST_F(Invariant8Gate, ATokenThatWasMadeBeforeItWasProtectedNeverComesIntoForce) {
    delivery.meanwhile = [&](std::span<const IssuedToken>) {
        for (auto& [key, environment] : store.rows.environments) environment.protection = Protection::Protected;
    };
    const auto late = create("codex");
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::ApprovalNeeded) << late.error().message;
    EXPECT_EQ(store.rows.credentials.begin()->second.stored, CredentialStanding::Revoked);
    EXPECT_FALSE(accepts(delivery.delivered.back()));
}

TEST_F(Invariant8Gate, AnotherNameIsNotAnotherPerson) {
    const Owner bobs = owner("bobs", "bob");
    add(bobs);
    ASSERT_TRUE(ops().remove_operator(*OperatorName::parse("bob"), confirmed()));
    const Grant everything{std::nullopt, Permission::Manage};
    ASSERT_TRUE(ops().add_operator(*OperatorName::parse("bobby"), bob_uid, {everything}, confirmed()));
    const CreateRequest requests[] = {request("prod-bot", "production")};
    const ApprovalId id = as(bob_uid).create(requests, confirmed(), delivery)->approval->id;
    EXPECT_TRUE(has(row(id).text, "asked by:      operator bobby, uid 1001, an operator since"));
    expect_refused(sign(id, bobs), Code::PermissionDenied, "somebody else has to approve it");
}

TEST_F(Invariant8Gate, WhatIsAskedForSaysWhatItDoes) {
    const auto text = [&](const Result<Done>& asked) { return asked->approval->text; };
    const std::string open =
        text(ops().set_protection(*EnvironmentName::parse("production"), Protection::Open, confirmed()));
    EXPECT_TRUE(has(open, "command:       environment unprotect"));
    EXPECT_TRUE(has(open, "effect: from now on anything comes into being there without an owner"));
    EXPECT_TRUE(has(text(ops().add_owner(dave, confirmed())), "comment: 'dave'"));
    std::vector<CreateRequest> two{request("one", "production"), request("two", "production")};
    two[1].scopes = *ScopeSet::parse("card:delete");
    Order order = confirmed();
    order.confirmation = Confirmation::parse("2").release();
    EXPECT_TRUE(
        has(text(ops().create(two, order, delivery)), "scopes of all together: card:delete card:edit card:view"));
}

TEST_F(Invariant8Gate, WhoComesBackWithAWorkspaceIsPartOfThePlan) {
    const ApprovalId first = ask();
    ASSERT_TRUE(sign(first, carol));
    ASSERT_TRUE(redeem(first));
    ASSERT_TRUE(create("codex"));
    const auto workspace = *WorkspaceName::parse("default");
    ASSERT_TRUE(ops().pause(workspace, {}, confirmed("r")));
    const ApprovalId id = ops().resume(workspace, confirmed())->approval->id;
    EXPECT_TRUE(has(row(id).text, "scopes: card:edit card:view"));
    EXPECT_TRUE(has(row(id).text, "identities: 1")) << "who lives where nothing is protected needs no owner";
    ASSERT_TRUE(sign(id, carol));
    // Another in its place, who may do the same.
    auto& identities = store.rows.identities;
    auto one = identities.extract(std::pair(workspace, *IdentityName::parse("prod-bot")));
    one.key().second = one.mapped().name = *IdentityName::parse("prod-cat");
    identities.insert(std::move(one));
    expect_refused(ops().resume(workspace, with(id)), Code::ApprovalNeeded, "is for another plan than this");
    EXPECT_TRUE(has(last_entry().body.at("change").at("message").as_string().c_str(),
                    "(workspace default: identities digest: '"));
    one = identities.extract(std::pair(workspace, *IdentityName::parse("prod-cat")));
    one.key().second = one.mapped().name = *IdentityName::parse("prod-bot");
    identities.insert(std::move(one));
    ASSERT_TRUE(revoke("prod-bot"));
    EXPECT_EQ(ops().resume(workspace, with(id)).error().code, Code::InvalidRequest) << "nobody is left behind the gate";
    ASSERT_TRUE(ops().resume(workspace, confirmed()));
}

TEST_F(Invariant8Gate, WhatTheOwnersDecidedSinceEndsWhatTheyApprovedBefore) {
    Order reasoned = confirmed();
    reasoned.reason = "another";
    const ApprovalId one = ops().add_owner(dave, confirmed())->approval->id;
    const ApprovalId two = ops().add_owner(dave, reasoned)->approval->id;
    ASSERT_TRUE(sign(one, carol));
    ASSERT_TRUE(sign(two, carol));
    ASSERT_TRUE(ops().add_owner(dave, with(one)));
    const ApprovalId removal = ops().remove_owner(dave.fingerprint, confirmed())->approval->id;
    ASSERT_TRUE(sign(removal, carol));
    ASSERT_TRUE(ops().remove_owner(dave.fingerprint, with(removal)));
    reasoned.approval = two;
    expect_refused(ops().add_owner(dave, reasoned), Code::ApprovalNeeded, "has changed since it was asked for");
}

TEST_F(Invariant8Gate, AKeyThatComesBackSignsAnew) {
    const ApprovalId id = ask();
    add(dave);
    ASSERT_TRUE(sign(id, dave));
    Owner back = dave;
    back.revision = log_size() + 1;
    store.rows.owners.insert_or_assign(back.fingerprint, back);
    expect_refused(redeem(id), Code::ApprovalNeeded, "no longer counts");
    ASSERT_TRUE(sign(id, dave));
    EXPECT_TRUE(redeem(id));
}

TEST_F(Invariant8Gate, WhoCanNotBeApprovedIsTold) {
    store.rows.owners.clear();
    add(owner("mine", "ops"));
    const auto asked = create("prod-bot", "production");
    ASSERT_FALSE(asked->plan.notes.empty());
    EXPECT_TRUE(has(asked->plan.notes.back(), "it can't be approved as things are"));
}

TEST_F(Invariant8Gate, RequestsAreBoundedInADay) {
    for (std::size_t i = 0; i < most_approvals_a_day; ++i)
        ASSERT_TRUE(ops().withdraw_approval(ask(("bot-" + std::to_string(i)).c_str()), confirmed()));
    expect_refused(create("one-more", "production"), Code::StateRefuses, "approvals in a day");
    clock.pass(25h);
    ask("one-more");
}

// Says whether a change is under way.
class LockingStore final : public store::ForwardingStore {
 public:
    using ForwardingStore::ForwardingStore;
    Result<Revision> change(const store::Decide& decide) override {
        is_locked = true;
        auto changed = inner_.change(decide);
        is_locked = false;
        return changed;
    }
    bool is_locked = false;
};

TEST_F(Invariant8Gate, OpenSshIsNotWaitedForWhileTheStoreIsLocked) {
    LockingStore locking(store);
    int asked = 0;
    signatures.when_asked = [&] {
        ++asked;
        EXPECT_FALSE(locking.is_locked);
    };
    audit::Process process;
    process.uid = ops_uid;
    Authority authority(locking, clock, random, root_key, signatures, process);
    const CreateRequest requests[] = {request("prod-bot", "production")};
    const ApprovalId id = authority.create(requests, confirmed(), delivery)->approval->id;
    ASSERT_TRUE(authority.sign_approval(id, PlainSignatures::by(carol, row(id).text), confirmed()));
    ASSERT_TRUE(authority.create(requests, with(id), delivery));
    EXPECT_EQ(asked, 2);
}

// A restored store, on a machine where the account that it belongs to has a uid that no operator has.
class Reassigning : public Invariant8Gate {
 protected:
    static constexpr std::uint32_t new_uid = 4998;
    const OperatorName ops_name = *OperatorName::parse("ops"), bob = *OperatorName::parse("bob");
    Authority restored() {
        audit::Process process;
        process.uid = new_uid;
        process.owns_store = true;
        return {store, clock, random, root_key, signatures, process};
    }
};

TEST_F(Reassigning, TheAccountThatOwnsTheStoreBecomesAnOperatorByAnOwner) {
    EXPECT_EQ(as(new_uid).reassign_operator(ops_name, new_uid, confirmed("r")).error().code, Code::PermissionDenied)
        << "only the account that owns the store's folder";
    EXPECT_EQ(restored().reassign_operator(ops_name, 5000, confirmed("r")).error().code, Code::PermissionDenied)
        << "and only for itself";
    const auto asked = restored().reassign_operator(ops_name, new_uid, confirmed("restored"));
    ASSERT_TRUE(asked) << asked.error().message;
    ASSERT_EQ(asked->progress, Progress::AwaitsApproval);
    const ApprovalId id = asked->approval->id;
    EXPECT_TRUE(has(row(id).text, "lets uid 4998 do what it says"));
    EXPECT_TRUE(has(row(id).text, "asked by:      uid 4998, which no operator has, and which is to be operator ops"));
    EXPECT_TRUE(has(row(id).text, "uid: 4998"));
    Order approved = confirmed("restored");
    approved.approval = id;
    EXPECT_EQ(restored().reassign_operator(ops_name, new_uid, approved).error().code, Code::ApprovalNeeded);
    // It can bring the signature in, as somebody who is no operator.
    ASSERT_TRUE(restored().sign_approval(id, PlainSignatures::by(carol, row(id).text), confirmed()));
    EXPECT_EQ(last_entry().actor, "uid 4998");
    const auto done = restored().reassign_operator(ops_name, new_uid, approved);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->progress, Progress::Applied);
    EXPECT_EQ(last_entry().action, "operator.reassign");
    EXPECT_TRUE(restored().pause(*WorkspaceName::parse("default"), {}, confirmed("r")));
    EXPECT_EQ(as(ops_uid).pause(*WorkspaceName::parse("default"), {}, confirmed("r")).error().code,
              Code::PermissionDenied)
        << "the uid from before is nobody's now";
}

TEST_F(Reassigning, TheKeyOfWhomItBecomesDoesNotCount) {
    add(owner("mine", "ops"));
    const ApprovalId id = restored().reassign_operator(ops_name, new_uid, confirmed("r"))->approval->id;
    const auto signed_by_itself =
        restored().sign_approval(id, PlainSignatures::by(owner("mine", "ops"), row(id).text), confirmed());
    EXPECT_EQ(signed_by_itself.error().code, Code::PermissionDenied);
}

TEST_F(Reassigning, WithoutOwnersItWantsAReason) {
    store.rows.owners.clear();
    EXPECT_EQ(restored().reassign_operator(ops_name, new_uid, confirmed()).error().code, Code::InvalidRequest);
    ASSERT_TRUE(restored().reassign_operator(ops_name, new_uid, confirmed("restored on another machine")));
    EXPECT_EQ(last_entry().reason, "restored on another machine");
    EXPECT_EQ(restored().reassign_operator(bob, 5000, confirmed())->progress, Progress::Applied)
        << "who manages the installation may, as they may add operators";
}

TEST_F(Reassigning, UntilThenTheAccountMaySeeWhatIsWrongAndNoMore) {
    const auto nothing = [](const store::Reader&, Instant) -> Result<void> { return {}; };
    EXPECT_TRUE(restored().view_unchecked(nothing));
    EXPECT_FALSE(as(new_uid).view_unchecked(nothing));
    EXPECT_FALSE(restored().view_installation([](const Authority::Overview&) -> Result<void> { return {}; }));
    const auto refused = restored().revoke(ByNameOrId{"codex"}, confirmed("r"));
    EXPECT_EQ(refused.error().code, Code::PermissionDenied);
    EXPECT_TRUE(has(refused.error().hint, "marque operator reassign NAME --user 4998"));
}

TEST_F(Reassigning, AnApprovalFromBeforeSaysWhyItIsNoneAnyMore) {
    const ApprovalId before = ask();
    ASSERT_TRUE(sign(before, carol));
    const ApprovalId id = ops().reassign_operator(ops_name, new_uid, confirmed())->approval->id;
    ASSERT_TRUE(sign(id, carol));
    ASSERT_TRUE(ops().reassign_operator(ops_name, new_uid, with(id)));
    const CreateRequest requests[] = {request("prod-bot", "production")};
    expect_refused(restored().create(requests, with(before), delivery), Code::ApprovalNeeded,
                   "was asked for when operator ops had another uid");
}

// A user namespace shows any account under any uid.
class UserNamespace : public Invariant8Gate {
 protected:
    Authority within(const char* map, std::uint32_t uid = ops_uid) {
        audit::Process process;
        process.uid = uid;
        process.uid_map = map;
        return {store, clock, random, root_key, signatures, process};
    }
};

TEST_F(UserNamespace, AUidOfOneIsNobodys) {
    const auto refused = within("1000 5 1").revoke(ByNameOrId{"codex"}, confirmed("r"));
    expect_refused(refused, Code::PermissionDenied, "uid 1000 is that of a user namespace");
    EXPECT_EQ(last_entry().actor, "uid 1000") << "and no operator's name stands in the log";
    EXPECT_FALSE(within("1000 5 1").view_installation([](const Authority::Overview&) -> Result<void> { return {}; }));
    EXPECT_EQ(as(overflow_uid).revoke(ByNameOrId{"codex"}, confirmed("r")).error().code, Code::PermissionDenied);
}

TEST_F(UserNamespace, AnInstallationThatWasMadeInOneIsUsedInOneLikeIt) {
    store.rows = {};
    const InitRequest init{*OperatorName::parse("ops"), *WorkspaceName::parse("default"), {}};
    ASSERT_TRUE(within("0 1000 1 1 100000 65536").init(init, confirmed().confirmation));
    EXPECT_TRUE(within("0 1000 1 1 100000 65536").pause(*WorkspaceName::parse("default"), {}, confirmed("r")));
    EXPECT_FALSE(within("1000 5 1").pause(*WorkspaceName::parse("default"), {}, confirmed("r")));
    store.rows = {};
    EXPECT_EQ(within("0 1000 1", overflow_uid).init(init, confirmed().confirmation).error().code,
              Code::PermissionDenied);
}

class Evidence : public Invariant8Gate {
 protected:
    // The first owner comes by the log here, so that it knows of them.
    void SetUp() override {
        AuthorityTest::SetUp();
        ASSERT_TRUE(ops().add_owner(carol, confirmed()));
    }
    // Into the log with this installation's own seal, past every check.
    void force(const audit::Event& event, const std::string& plan = "", const char* by = "ops",
               const std::optional<ApprovalId>& approval = {}) {
        ASSERT_TRUE(store.change([&](const store::Reader&) -> Result<std::vector<audit::Draft>> {
            audit::OperatorActor actor{*OperatorName::parse(by), {}};
            return std::vector<audit::Draft>{
                {event, actor, clock.now(), audit::Mode::Setup, "", plan, "forced", approval}};
        }));
    }
    void expect_finding(std::string_view words) {
        const LogReport found = report();
        ASSERT_EQ(found.findings.size(), 1u);
        EXPECT_TRUE(has(found.findings[0].what, words)) << found.findings[0].what;
    }
};

TEST_F(Evidence, Invariant11_TheLogBearsOutWhatPassedTheGate) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    ASSERT_TRUE(redeem(id));
    const ApprovalId add_dave = ops().add_owner(dave, confirmed())->approval->id;
    ASSERT_TRUE(sign(add_dave, carol));
    ASSERT_TRUE(ops().add_owner(dave, with(add_dave)));
    EXPECT_TRUE(report().is_sound()) << report().findings.front().what;
    EXPECT_EQ(report().signatures, 2u);
}

TEST_F(Evidence, Invariant11_ASignatureThatIsNoneIsFound) {
    const ApprovalId id = ask();
    force(audit::ApprovalSigned{id, row(id).plan, carol, {carol.fingerprint, "x", clock.now()}});
    expect_finding("a signature for approval " + id.string() + " is none");
}

TEST_F(Evidence, Invariant11_AUseWithoutEnoughSignaturesIsFound) {
    const ApprovalId id = ask();
    force(audit::ApprovalRedeemed{id, row(id).plan}, row(id).plan);
    expect_finding("was used while it was waiting");
}

TEST_F(Evidence, Invariant11_AUseAfterItsTimeIsFound) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    clock.pass(approval_lifetime);
    force(audit::ApprovalRedeemed{id, row(id).plan}, row(id).plan);
    expect_finding("was used while it was expired");
}

TEST_F(Evidence, Invariant11_AUseForAnotherPlanIsFound) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    force(audit::ApprovalRedeemed{id, row(id).plan}, std::string(64, '0'));
    expect_finding("was used for another plan");
}

TEST_F(Evidence, Invariant11_AUseBySomebodyElseIsFound) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    force(audit::ApprovalRedeemed{id, row(id).plan}, row(id).plan, "bob");
    expect_finding("was used by bob, and ops had asked for it");
}

TEST_F(Evidence, Invariant11_AUseCoversOneCommandAndNoOther) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    ASSERT_TRUE(redeem(id));
    force(audit::OwnerAdded{dave}, row(id).plan, "ops", id);
    expect_finding("owner.add of owner SHA256:dave is for the owners to allow");
}

TEST_F(Evidence, Invariant11_WhatPassedNoGateIsFound) {
    force(audit::OwnerAdded{dave});
    expect_finding("owner.add of owner SHA256:dave is for the owners to allow");
}

TEST_F(Evidence, Invariant11_AnIdentityThatPassedNoGateIsFound) {
    const CreateRequest wanted = request("prod-bot", "production");
    force(audit::IdentityCreated{{*WorkspaceName::parse("default"),
                                  wanted.name,
                                  wanted.environment,
                                  wanted.kind,
                                  wanted.scopes,
                                  "",
                                  {},
                                  {},
                                  clock.now()}});
    expect_finding("identity.create of identity prod-bot is for the owners to allow");
}

TEST_F(Evidence, Invariant11_ACredentialAndAReturnThatPassedNoGateAreFound) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    ASSERT_TRUE(redeem(id));
    const IdentityRef bot{*WorkspaceName::parse("default"), *IdentityName::parse("prod-bot")};
    Credential more = store.rows.credentials.begin()->second;
    more.id = CredentialId::from_bits(7);
    force(audit::CredentialIssued{more});
    expect_finding("credential.issue of credential 700000000000 of prod-bot is for the owners to allow");
    ASSERT_TRUE(ops().pause(ByNameOrId{"prod-bot"}, {}, confirmed("r")));
    force(audit::Resumed{bot, "paused"});
    EXPECT_EQ(report().findings.size(), 2u);
}

TEST_F(Evidence, Invariant11_AWorkspaceThatCameBackIsJudgedByWhoCameBackWithIt) {
    const WorkspaceName workspace = *WorkspaceName::parse("default");
    ASSERT_TRUE(ops().pause(workspace, {}, confirmed("r")));
    force(audit::Resumed{WorkspaceRef{workspace}, "paused"});
    EXPECT_TRUE(report().is_sound()) << "nobody lives behind the gate";
    for (const char* name : {"prod-bot", "prod-cat"}) {
        const ApprovalId id = ask(name);
        ASSERT_TRUE(sign(id, carol));
        ASSERT_TRUE(redeem(id, name));
    }
    ASSERT_TRUE(ops().pause(workspace, {}, confirmed("r")));
    const ApprovalId all = ops().resume(workspace, confirmed())->approval->id;
    ASSERT_TRUE(sign(all, carol));
    ASSERT_TRUE(ops().resume(workspace, with(all)));
    EXPECT_TRUE(report().is_sound()) << report().findings.front().what;
    // Whoever can write SQL takes somebody away until the owner has signed, and the workspace is back.
    ASSERT_TRUE(ops().pause(workspace, {}, confirmed("r")));
    auto& identities = store.rows.identities;
    auto one = identities.extract(std::pair(workspace, *IdentityName::parse("prod-cat")));
    const ApprovalId fewer = ops().resume(workspace, confirmed())->approval->id;
    ASSERT_TRUE(sign(fewer, carol));
    ASSERT_TRUE(ops().resume(workspace, with(fewer)));
    identities.insert(std::move(one));
    expect_finding("workspace.resume of workspace default brought back something else than the owners had signed");
}

TEST_F(Evidence, Invariant11_AWorkspaceThatCameBackPastTheGateIsFound) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    ASSERT_TRUE(redeem(id));
    const WorkspaceName workspace = *WorkspaceName::parse("default");
    ASSERT_TRUE(ops().pause(workspace, {}, confirmed("r")));
    force(audit::Resumed{WorkspaceRef{workspace}, "paused"});
    expect_finding("workspace.resume of workspace default is for the owners to allow");
}

TEST_F(Evidence, Invariant11_APauseThatWasMadeShorterIsFound) {
    const ApprovalId id = ask();
    ASSERT_TRUE(sign(id, carol));
    ASSERT_TRUE(redeem(id));
    const IdentityRef bot{*WorkspaceName::parse("default"), *IdentityName::parse("prod-bot")};
    ASSERT_TRUE(ops().pause(ByNameOrId{"prod-bot"}, {}, confirmed("r")));
    EXPECT_TRUE(report().is_sound());
    force(audit::Paused{bot, "paused", clock.now() + 1min});
    expect_finding("identity.pause of identity prod-bot is for the owners to allow");
}

// The names "default/deployer-2" and "default/10nq8bbaldm0mefc" have the same std::hash.
TEST_F(Evidence, Invariant11_AnIdentityIsJudgedByItsNameAndNotByAHash) {
    ASSERT_TRUE(create("10nq8bbaldm0mefc"));
    const ApprovalId id = ask("deployer-2");
    ASSERT_TRUE(sign(id, carol));
    ASSERT_TRUE(redeem(id, "deployer-2"));
    ASSERT_TRUE(ops().issue({*IdentityName::parse("10nq8bbaldm0mefc"), {}, {}}, confirmed(), delivery));
    EXPECT_TRUE(report().is_sound()) << report().findings.front().what;
}

TEST_F(Evidence, Invariant11_AnOpenedEnvironmentThatPassedNoGateIsFound) {
    force(audit::ProtectionChanged{{*WorkspaceName::parse("default"), *EnvironmentName::parse("production")},
                                   Protection::Open});
    expect_finding("environment.unprotect of environment production is for the owners to allow");
}

}  // namespace
}  // namespace marque::authority
