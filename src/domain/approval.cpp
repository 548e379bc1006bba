#include "domain/approval.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/check.h"

namespace marque::domain {
namespace {

using enum Ruling;

// Rows: ApprovalState. Columns: Sign, Deny, Withdraw, Redeem.
constexpr std::array<std::array<Rule, 4>, 6> rules = {{
    // Waiting
    {{{Allowed, "it waits for signatures"},
      {Allowed, "what is open can be denied"},
      {Allowed, "what is open can be withdrawn"},
      {Refused, "not enough owners have signed it"}}},
    // Approved
    {{{Allowed, "one signature more does no harm"},
      {Allowed, "what is open can be denied"},
      {Allowed, "what is open can be withdrawn"},
      {Allowed, "enough owners have signed it"}}},
    // Expired
    {{{Refused, "its time is up"},
      {Refused, "its time is up, so it allows nothing"},
      {Refused, "its time is up, so it allows nothing"},
      {Refused, "its time is up"}}},
    // Redeemed
    {{{Refused, "it was used already, and works once"},
      {Refused, "it was used already; revoke what it allowed"},
      {Refused, "it was used already; revoke what it allowed"},
      {Refused, "it was used already, and works once"}}},
    // Denied
    {{{Refused, "it was denied"},
      {AlreadySo, "it was denied already"},
      {Refused, "it was denied"},
      {Refused, "it was denied"}}},
    // Withdrawn
    {{{Refused, "whoever asked has withdrawn it"},
      {Refused, "whoever asked has withdrawn it"},
      {AlreadySo, "it was withdrawn already"},
      {Refused, "whoever asked has withdrawn it"}}},
}};

const Owner* find(const Approvers& approvers, const std::string& fingerprint) {
    const auto found = std::ranges::find(approvers.owners, fingerprint, &Owner::fingerprint);
    return found == approvers.owners.end() ? nullptr : &*found;
}

// The person behind an operator's name.
std::string person(const OperatorName& name, const Approvers& approvers) {
    const auto uid = approvers.uids.find(name);
    return uid == approvers.uids.end() ? "operator " + name.text() : "uid " + std::to_string(uid->second);
}

// Whose signature it is: an operator's, however many keys they have, or nobody's but the key's.
std::string holder_of(const Owner& owner, const Approvers& approvers) {
    return owner.operator_name ? person(*owner.operator_name, approvers) : owner.fingerprint;
}

}  // namespace

std::vector<Counting> counting(const Approval& approval, const Approvers& approvers) {
    const std::string requester = person(approval.requester, approvers);
    std::set<std::string> counted;
    std::vector<Counting> result;
    for (const OwnerSignature& signature : approval.signatures) {
        const Owner* owner = find(approvers, signature.fingerprint);
        if (owner == nullptr || signature.revision < owner->revision)
            result.push_back(Counting::KeyRemoved);
        else if (holder_of(*owner, approvers) == requester && !approvers.policy.has_sole_owner)
            result.push_back(Counting::IsRequesters);
        else
            result.push_back(counted.insert(holder_of(*owner, approvers)).second ? Counting::Counts
                                                                                 : Counting::HolderCounted);
    }
    return result;
}

std::size_t count_of(const std::vector<Counting>& signatures) {
    return static_cast<std::size_t>(std::ranges::count(signatures, Counting::Counts));
}

std::size_t holders(const Approvers& approvers) {
    std::set<std::string> all;
    for (const Owner& owner : approvers.owners) all.insert(holder_of(owner, approvers));
    return all.size();
}

bool can_approve_for(const OperatorName& requester, const Approvers& approvers) {
    std::set<std::string> all;
    for (const Owner& owner : approvers.owners) all.insert(holder_of(owner, approvers));
    if (!approvers.policy.has_sole_owner) all.erase(person(requester, approvers));
    return all.size() >= approvers.policy.quorum;
}

ApprovalState state_at(const Approval& approval, const Approvers& approvers, Instant now) {
    switch (approval.stored) {
        case ApprovalStanding::Redeemed:
            return ApprovalState::Redeemed;
        case ApprovalStanding::Denied:
            return ApprovalState::Denied;
        case ApprovalStanding::Withdrawn:
            return ApprovalState::Withdrawn;
        case ApprovalStanding::Open:
            break;
    }
    if (now >= approval.not_after) return ApprovalState::Expired;
    return count_of(counting(approval, approvers)) >= approvers.policy.quorum ? ApprovalState::Approved
                                                                              : ApprovalState::Waiting;
}

Rule rule_for(ApprovalState state, ApprovalAction action) {
    return rules[static_cast<std::size_t>(state)][static_cast<std::size_t>(action)];
}

bool is_open(ApprovalState state) {
    return state == ApprovalState::Waiting || state == ApprovalState::Approved;
}

const char* name_of(Counting counting) {
    switch (counting) {
        case Counting::Counts:
            return "counts";
        case Counting::KeyRemoved:
            return "no longer counts: the key was removed";
        case Counting::IsRequesters:
            return "does not count: it is the requester's own";
        case Counting::HolderCounted:
            return "does not count: its owner signed with another key too";
    }
    CHECK_UNREACHABLE();
}

const char* name_of(ApprovalStanding standing) {
    switch (standing) {
        case ApprovalStanding::Open:
            return "open";
        case ApprovalStanding::Redeemed:
            return "redeemed";
        case ApprovalStanding::Denied:
            return "denied";
        case ApprovalStanding::Withdrawn:
            return "withdrawn";
    }
    CHECK_UNREACHABLE();
}

const char* name_of(ApprovalState state) {
    switch (state) {
        case ApprovalState::Waiting:
            return "waiting";
        case ApprovalState::Approved:
            return "approved";
        case ApprovalState::Expired:
            return "expired";
        case ApprovalState::Redeemed:
            return "redeemed";
        case ApprovalState::Denied:
            return "denied";
        case ApprovalState::Withdrawn:
            return "withdrawn";
    }
    CHECK_UNREACHABLE();
}

const char* name_of(ApprovalAction action) {
    switch (action) {
        case ApprovalAction::Sign:
            return "sign";
        case ApprovalAction::Deny:
            return "deny";
        case ApprovalAction::Withdraw:
            return "withdraw";
        case ApprovalAction::Redeem:
            return "redeem";
    }
    CHECK_UNREACHABLE();
}

}  // namespace marque::domain
