// domain/approval: which signatures count, and the table of what may happen to an approval.
#include "domain/approval.h"

#include <gtest/gtest.h>

namespace marque::domain {
namespace {

using namespace std::chrono_literals;
using enum ApprovalState;
using enum ApprovalAction;
using enum Ruling;

const Instant t0(Duration(1'800'000'000'000'000));

Owner owner(const char* name, const char* operator_name = nullptr) {
    Owner owner{name, std::string("ssh-ed25519 ") + name, "", {}};
    if (operator_name != nullptr) owner.operator_name = *OperatorName::parse(operator_name);
    return owner;
}

Approval approval(std::initializer_list<const char*> signers) {
    Approval approval{
        ApprovalId::from_bits(1), "", "", "", "create", InstallationRef{}, {}, *OperatorName::parse("ops"), t0,
        t0 + approval_lifetime};
    for (const char* signer : signers) approval.signatures.push_back({signer, "", t0});
    return approval;
}

Approvers approvers(std::uint32_t quorum = 1, bool has_sole_owner = false) {
    return {{owner("a"), owner("b"), owner("bob1", "bob"), owner("bob2", "bob"), owner("own", "ops")},
            {quorum, has_sole_owner},
            {}};
}

struct Row {
    ApprovalState state;
    ApprovalAction action;
    Ruling ruling;
    const char* because;
};

const Row table[] = {
    {Waiting, Sign, Allowed, "that is what it waits for"},
    {Waiting, Deny, Allowed, "nobody has to allow it"},
    {Waiting, Withdraw, Allowed, "whoever asked may think again"},
    {Waiting, Redeem, Refused, "too few have signed"},
    {Approved, Sign, Allowed, "a key may be removed later, and then one more was needed"},
    {Approved, Deny, Allowed, "until it is used, it can be stopped"},
    {Approved, Withdraw, Allowed, "until it is used, it can be given back"},
    {Approved, Redeem, Allowed, "that is what it is for"},
    {Expired, Sign, Refused, "it allows nothing any more"},
    {Expired, Deny, Refused, "there is nothing to deny"},
    {Expired, Withdraw, Refused, "there is nothing to withdraw"},
    {Expired, Redeem, Refused, "its time is up"},
    {Redeemed, Sign, Refused, "it happened"},
    {Redeemed, Deny, Refused, "a denial that undid nothing would lie"},
    {Redeemed, Withdraw, Refused, "it happened"},
    {Redeemed, Redeem, Refused, "once is once"},
    {Denied, Sign, Refused, "a denial is final"},
    {Denied, Deny, AlreadySo, "twice is once"},
    {Denied, Withdraw, Refused, "it is over"},
    {Denied, Redeem, Refused, "a denial is final"},
    {Withdrawn, Sign, Refused, "nobody wants it any more"},
    {Withdrawn, Deny, Refused, "it is over"},
    {Withdrawn, Withdraw, AlreadySo, "twice is once"},
    {Withdrawn, Redeem, Refused, "whoever asked gave it back"},
};

TEST(Approval, WhatMayHappenToIt) {
    for (const Row& row : table)
        EXPECT_EQ(rule_for(row.state, row.action).ruling, row.ruling)
            << name_of(row.state) << " " << name_of(row.action) << ": " << row.because;
}

TEST(Approval, TheTableIsWhole) {
    EXPECT_EQ(std::size(table), 6u * 4u);
    for (const Row& row : table) {
        EXPECT_EQ(
            std::ranges::count_if(table, [&](const Row& r) { return r.state == row.state && r.action == row.action; }),
            1);
        EXPECT_STRNE(rule_for(row.state, row.action).because, "");
    }
}

TEST(Approval, ASignatureCountsOnceForItsHolder) {
    const auto count = [](std::initializer_list<const char*> signers) {
        return count_of(counting(approval(signers), approvers()));
    };
    EXPECT_EQ(count({}), 0u);
    EXPECT_EQ(count({"a", "b"}), 2u) << "keys without a name are each somebody";
    EXPECT_EQ(count({"bob1", "bob2"}), 1u) << "two keys of one operator are one";
    EXPECT_EQ(count({"a", "bob2", "bob1"}), 2u);
    EXPECT_EQ(count({"removed"}), 0u);
    EXPECT_EQ(count({"own"}), 0u) << "the requester's";
    EXPECT_EQ(count_of(counting(approval({"own"}), approvers(1, true))), 1u) << "a sole owner's";
    EXPECT_EQ(holders(approvers()), 4u);
    EXPECT_TRUE(can_approve_for(*OperatorName::parse("ops"), approvers(3)));
    EXPECT_FALSE(can_approve_for(*OperatorName::parse("ops"), approvers(4))) << "not without their own";
    EXPECT_TRUE(can_approve_for(*OperatorName::parse("guest"), approvers(4)));
    EXPECT_TRUE(can_approve_for(*OperatorName::parse("ops"), approvers(4, true)));
}

TEST(Approval, ANameIsNotAPerson) {
    Approvers all = approvers();
    all.uids = {{*OperatorName::parse("ops"), 1}, {*OperatorName::parse("bob"), 1}};
    EXPECT_EQ(count_of(counting(approval({"bob1"}), all)), 0u) << "bob has the uid of ops, who asked";
    EXPECT_EQ(holders(all), 3u);
}

TEST(Approval, ASignatureFromBeforeTheKeyWasRegisteredDoesNotCount) {
    Approvers all = approvers();
    all.owners[0].revision = 9;
    Approval asked = approval({"a"});
    EXPECT_EQ(counting(asked, all).front(), Counting::KeyRemoved);
    asked.signatures[0].revision = 10;
    EXPECT_EQ(counting(asked, all).front(), Counting::Counts);
}

TEST(Approval, ItsStateFollowsFromSignaturesOwnersAndTime) {
    const auto state = [](std::initializer_list<const char*> signers, std::uint32_t quorum, Instant now) {
        return state_at(approval(signers), approvers(quorum), now);
    };
    EXPECT_EQ(state({}, 1, t0), Waiting);
    EXPECT_EQ(state({"a"}, 1, t0), Approved);
    EXPECT_EQ(state({"a"}, 2, t0), Waiting);
    EXPECT_EQ(state({"a", "b"}, 2, t0), Approved);
    EXPECT_EQ(state({"a"}, 1, t0 + approval_lifetime - 1us), Approved);
    EXPECT_EQ(state({"a"}, 1, t0 + approval_lifetime), Expired) << "the end is no part of it";
    Approval decided = approval({"a"});
    for (const auto& [stored, expected] : {std::pair{ApprovalStanding::Redeemed, Redeemed},
                                           {ApprovalStanding::Denied, Denied},
                                           {ApprovalStanding::Withdrawn, Withdrawn}}) {
        decided.stored = stored;
        EXPECT_EQ(state_at(decided, approvers(), t0 + 2 * approval_lifetime), expected) << "whatever the time";
    }
}

}  // namespace
}  // namespace marque::domain
