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

const Owner* find(std::span<const Owner> owners, const std::string& fingerprint) {
    const auto found = std::ranges::find(owners, fingerprint, &Owner::fingerprint);
    return found == owners.end() ? nullptr : &*found;
}

// Whose signature it is: an operator's, however many keys they have, or nobody's but the key's.
std::string holder_of(const Owner& owner) {
    return owner.operator_name ? "operator " + owner.operator_name->text() : owner.fingerprint;
}

}  // namespace

std::vector<Counting> counting(const Approval& approval, std::span<const Owner> owners, const ApprovalPolicy& policy) {
    std::set<std::string> counted;
    std::vector<Counting> result;
    for (const OwnerSignature& signature : approval.signatures) {
        const Owner* owner = find(owners, signature.fingerprint);
        if (owner == nullptr)
            result.push_back(Counting::KeyRemoved);
        else if (owner->operator_name == approval.requester && !policy.has_sole_owner)
            result.push_back(Counting::IsRequesters);
        else
            result.push_back(counted.insert(holder_of(*owner)).second ? Counting::Counts : Counting::HolderCounted);
    }
    return result;
}

std::size_t count_of(const std::vector<Counting>& signatures) {
    return static_cast<std::size_t>(std::ranges::count(signatures, Counting::Counts));
}

ApprovalState state_at(const Approval& approval, std::span<const Owner> owners, const ApprovalPolicy& policy,
                       Instant now) {
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
    return count_of(counting(approval, owners, policy)) >= policy.quorum ? ApprovalState::Approved
                                                                         : ApprovalState::Waiting;
}

Rule rule_for(ApprovalState state, ApprovalAction action) {
    return rules[static_cast<std::size_t>(state)][static_cast<std::size_t>(action)];
}

std::size_t holders(std::span<const Owner> owners) {
    std::set<std::string> all;
    for (const Owner& owner : owners) all.insert(holder_of(owner));
    return all.size();
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
