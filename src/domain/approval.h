// domain/approval.h: the owners' approval of one plan, asked for by one operator.
//
//              owners sign                 the requester
//     Waiting ─────────────▶ Approved ─────────────────▶ Redeemed
//        │   (quorum of them)    │
//        └── deny, withdraw ─────┘              Waiting, Approved ┈┈▶ Expired  (at its time)
//                  ▼
//          Denied, Withdrawn
//
// Waiting, Approved and Expired are one stored standing: how many signatures count follows from the owners of the
// moment, so that a key removed since stops counting at once. Pure: `now` is an argument.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "domain/base32_id.h"
#include "domain/entities.h"
#include "domain/lifecycle.h"
#include "domain/subject.h"

namespace marque::domain {

// From asking until redeeming.
inline constexpr Duration approval_lifetime = std::chrono::hours(24);

enum class ApprovalStanding { Open, Redeemed, Denied, Withdrawn };

struct OwnerSignature {
    std::string fingerprint;  // of the owner key
    std::string text;         // an SSHSIG in its armour
    Instant at;
    Revision revision = 0;  // when it was added
};

struct Approval {
    ApprovalId id;
    std::string nonce;   // 32 hexadecimal characters
    std::string text;    // what owners sign, byte for byte (authority/approval_text.h)
    std::string plan;    // digest
    std::string action;  // as typed: "create"
    Subject about;
    std::optional<WorkspaceName> workspace;  // none: it is about the installation
    OperatorName requester;
    Instant requested_at;
    Instant not_after;
    ApprovalStanding stored = ApprovalStanding::Open;
    std::vector<OwnerSignature> signatures;  // in the order they came
    Revision revision = 0;
};

// Who approves, and how many of them it takes.
struct Approvers {
    std::vector<Owner> owners;
    ApprovalPolicy policy;
    // Of every operator there is or was: who has the uid of another is the same person under another name.
    std::map<OperatorName, std::uint32_t> uids;
};

// What becomes of a signature that was genuine when it was given.
enum class Counting { Counts, KeyRemoved, IsRequesters, HolderCounted };

// One for each of the approval's signatures. A key's signatures from before it was removed are gone with it, also when
// it comes back. Two keys of one operator count once, and the requester's own not at all, unless the installation was
// told that it has a sole owner.
std::vector<Counting> counting(const Approval& approval, const Approvers& approvers);
std::size_t count_of(const std::vector<Counting>& signatures);

// The most signatures that could count: owners without an operator's name, and operators who hold keys.
std::size_t holders(const Approvers& approvers);
// Whether there are enough of them for what `requester` asks.
bool can_approve_for(const OperatorName& requester, const Approvers& approvers);

enum class ApprovalState { Waiting, Approved, Expired, Redeemed, Denied, Withdrawn };
enum class ApprovalAction { Sign, Deny, Withdraw, Redeem };

ApprovalState state_at(const Approval& approval, const Approvers& approvers, Instant now);

// Total over its arguments, as the tables of domain/lifecycle.h are.
Rule rule_for(ApprovalState state, ApprovalAction action);

// Whether it can still be used or decided.
bool is_open(ApprovalState state);

// For people: "counts", or why it does not.
const char* name_of(Counting counting);
const char* name_of(ApprovalStanding standing);
const char* name_of(ApprovalState state);
const char* name_of(ApprovalAction action);

}  // namespace marque::domain
