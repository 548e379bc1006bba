#include "test/reference/coverage.h"

namespace marque::reference {

namespace {

using enum Command::Kind;
using enum Exit;

struct Expected {
    Command::Kind kind;
    std::vector<Exit> exits;
};

// What each command can come to; superfluous approvals and workspaces that are not said are Invalid everywhere.
const std::vector<Expected>& outcomes() {
    static const std::vector<Exit> makes_tokens{
        Done, Shown, Asked, Invalid, RefusedByState, PermissionDenied, ApprovalNeeded, NotFound, Undelivered};
    static const std::vector<Exit> repeats{Done, AlreadySo, Shown, RefusedByState, PermissionDenied, NotFound};
    static const std::vector<Exit> protects{Done, AlreadySo, Asked, PermissionDenied, ApprovalNeeded, NotFound};
    static const std::vector<Expected> all{
        {Create, makes_tokens},
        {Issue, makes_tokens},
        {Rotate, makes_tokens},
        {Activate, {Done, AlreadySo, Shown, Asked, Invalid, RefusedByState, PermissionDenied, NotFound}},
        {Pause, {Done, AlreadySo, Shown, Invalid, RefusedByState, PermissionDenied, NotFound}},
        {Resume, {Done, AlreadySo, Shown, Asked, RefusedByState, PermissionDenied, ApprovalNeeded, NotFound}},
        {Revoke, {Done, AlreadySo, Shown, PermissionDenied, NotFound}},
        {WorkspaceAdd, {Done, Shown, RefusedByState, PermissionDenied}},
        {WorkspaceRemove, repeats},
        {EnvironmentAdd, {Done, Shown, Invalid, RefusedByState, PermissionDenied, NotFound}},
        {EnvironmentRemove, repeats},
        {Protect, protects},
        {Unprotect, protects},
        {OperatorAdd, {Done, Shown, RefusedByState, PermissionDenied, NotFound}},
        {OperatorRemove, repeats},
        {Grant, repeats},
        {Withdraw, repeats},
        {OwnerAdd, {Done, AlreadySo, Shown, Asked, PermissionDenied, ApprovalNeeded}},
        {OwnerRemove, {Done, Asked, RefusedByState, PermissionDenied, ApprovalNeeded, NotFound}},
        {Policy, {Done, AlreadySo, Asked, RefusedByState, PermissionDenied, ApprovalNeeded}},
        {Sign, repeats},
        {Deny, repeats},
        {WithdrawRequest, repeats},
    };
    return all;
}

// Of environments and workspaces only a pause can be met: they are revoked after everybody in them.
constexpr const char* reasons[] = {"accepted",         "malformed",
                                   "unknown",          "wrong_secret",
                                   "not_in_force",     "expired",
                                   "retired",          "credential_paused",
                                   "identity_paused",  "environment_paused",
                                   "workspace_paused", "credential_revoked",
                                   "identity_revoked", "scope_missing"};

constexpr const char* accidents[] = {"batch of uses written",   "change while a token was on its way",
                                     "clock jumped forward",    "clock set back",
                                     "delivery failed",         "died at a call of the store",
                                     "died before the commit",  "died between delivery and activation",
                                     "process restarted",       "store failed before the commit",
                                     "store failed on the way", "store failed, and was said to",
                                     "verifier could not read", "verifier died while it read",
                                     "verifier restarted"};

}  // namespace

std::vector<std::string> never_met(const Tally& tally) {
    std::vector<std::string> missing;
    const auto require = [&](const std::map<std::string, std::uint64_t>& counts, const std::string& name) {
        if (!counts.contains(name)) missing.push_back(name);
    };
    for (const auto& [kind, exits] : outcomes())
        for (const Exit exit : exits) require(tally.changes, name_of(kind) + ": " + name_of(exit));
    for (const char* reason : reasons) require(tally.verdicts, reason);
    for (const char* accident : accidents) require(tally.accidents, accident);
    return missing;
}

}  // namespace marque::reference
