// audit/event.h: everything that can happen to an installation, as one variant.
//
// An event is the change itself: a store takes events and nothing else (store/store.h), writes
// each into the log and applies it to its rows in the same transaction. So there is no way to
// change a row without an event (invariant 1). A new event is a struct here; the compiler then
// lists every place to extend: its entry in the log, and `apply` in each store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "audit/json.h"
#include "domain/approval.h"
#include "domain/entities.h"
#include "domain/subject.h"

namespace marque::audit {

struct InstallationCreated {
    domain::Installation installation;
};
struct WorkspaceAdded {
    domain::Workspace workspace;
};
struct EnvironmentAdded {
    domain::Environment environment;
};
struct IdentityCreated {
    domain::Identity identity;
};
// The credential is pending. Its hash goes into the row and never into the log.
struct CredentialIssued {
    domain::Credential credential;
};
struct CredentialActivated {
    domain::CredentialRef credential;
};
// It works until `at` and no longer.
struct CredentialRetiring {
    domain::CredentialRef credential;
    Instant at;
    domain::CredentialId successor;
};
// The token could not be handed over; the pending credential is revoked.
struct CredentialUndelivered {
    domain::CredentialRef credential;
    std::string why;
};
// Workspace, environment, identity or credential; `before` is the state it was in.
struct Paused {
    domain::Subject subject;
    std::string before;
    std::optional<Instant> until;
};
struct Resumed {
    domain::Subject subject;
    std::string before;
};
struct Revoked {
    domain::Subject subject;
    std::string before;
};
struct OperatorAdded {
    domain::Operator operator_;
};
struct OperatorRemoved {
    domain::OperatorName name;
};
// The operator's account has another uid from now on: on another machine, or for another login.
struct OperatorReassigned {
    domain::OperatorName name;
    std::uint32_t before, after;
};
struct PermissionGranted {
    domain::OperatorName name;
    domain::Grant grant;
};
struct PermissionWithdrawn {
    domain::OperatorName name;
    domain::Grant grant;
};
struct OwnerAdded {
    domain::Owner owner;
};
struct OwnerRemoved {
    domain::Owner owner;
};
struct ApprovalPolicyChanged {
    domain::ApprovalPolicy before, after;
};
struct ProtectionChanged {
    domain::EnvironmentRef environment;
    domain::Protection after;
};
struct ApprovalRequested {
    domain::Approval approval;
};
// The log keeps the key and the signature themselves: with the text of the request they prove what was signed.
struct ApprovalSigned {
    domain::ApprovalId id;
    std::string plan;  // its digest, here and below
    domain::Owner owner;
    domain::OwnerSignature signature;
};
struct ApprovalDenied {
    domain::ApprovalId id;
    std::string plan;
};
struct ApprovalWithdrawn {
    domain::ApprovalId id;
    std::string plan;
};
// In the same commit as what it allows.
struct ApprovalRedeemed {
    domain::ApprovalId id;
    std::string plan;
};
// Credentials that were stopped are still presented, with the right secret: `count` times since the last such event,
// at most one a minute for each. Written by the running system.
struct CredentialRefused {
    domain::CredentialRef credential;
    std::string reason;  // such as credential_revoked
    std::uint64_t count = 0;
    Instant last_at;
    std::string last_from;
    Instant told_at;  // when this event is made: the next one is a minute away
};
struct StoreMigrated {
    int from;
    int to;  // smaller than `from`: a rollback
};
struct StoreBackedUp {
    std::string path;
};
// Where a store is, for people: "sqlite" and the file, "postgresql" and host:port/database.
struct StorePlace {
    std::string backend;
    std::string location;
};
// The last entry at the old place, and there in the copy too: from then on the store is at the new one alone.
struct StoreCopied {
    StorePlace from, to;
};
// Everything that is sealed is sealed under another key from this entry on. The keys themselves are told by the public
// ones that checkpoints are signed with.
struct KeyRotated {
    std::string before, after;
};
// The log is to be gone on with, though one machine knew more of it, or another: a restored backup, or a database that
// came back without what it had acknowledged. Changes no row.
struct LogAccepted {
    std::uint64_t known_size;
    std::string known_entry;  // the leaf hash of the last entry that was known, hexadecimal
};
// A verifier that says nothing any more is declared dead: changes wait for it no longer.
struct VerifierRemoved {
    std::string id, name, mode;
};
// Somebody asked for `action` and was told no. Changes no row.
struct Refused {
    std::string action;
    domain::Subject subject;
    Error error;
};

using Event =
    std::variant<InstallationCreated, WorkspaceAdded, EnvironmentAdded, IdentityCreated, CredentialIssued,
                 CredentialActivated, CredentialRetiring, CredentialUndelivered, Paused, Resumed, Revoked,
                 OperatorAdded, OperatorRemoved, OperatorReassigned, PermissionGranted, PermissionWithdrawn, OwnerAdded,
                 OwnerRemoved, ApprovalPolicyChanged, ProtectionChanged, ApprovalRequested, ApprovalSigned,
                 ApprovalDenied, ApprovalWithdrawn, ApprovalRedeemed, CredentialRefused, StoreMigrated, StoreBackedUp,
                 StoreCopied, KeyRotated, LogAccepted, VerifierRemoved, Refused>;

// Actions that are looked for in the log.
inline constexpr const char* log_acceptance = "store.accept";
inline constexpr const char* verifier_removal = "verifier.remove";
inline constexpr const char* operator_reassignment = "operator.reassign";

// All that action_of() says, and what occurs as a refusal only; docs/commands.md explains each.
inline constexpr std::string_view known_actions[] = {
    "approval.deny",         "approval.redeem",     "approval.request",    "approval.sign",      "approval.view",
    "approval.withdraw",     "credential.activate", "credential.deliver",  "credential.issue",   "credential.pause",
    "credential.refuse",     "credential.resume",   "credential.retire",   "credential.revoke",  "credential.rotate",
    "environment.add",       "environment.pause",   "environment.protect", "environment.resume", "environment.revoke",
    "environment.unprotect", "identity.create",     "identity.pause",      "identity.resume",    "identity.revoke",
    "installation.create",   "installation.view",   "operator.add",        "operator.grant",     "operator.reassign",
    "operator.remove",       "operator.withdraw",   "owner.add",           "owner.policy",       "owner.remove",
    "store.accept",          "store.backup",        "store.copy",          "store.migrate",      "store.read",
    "store.rollback",        "store.rotate_key",    "verifier.remove",     "workspace.add",      "workspace.pause",
    "workspace.resume",      "workspace.revoke",    "workspace.view",
};

enum class Outcome { Done, Refused, Failed };

// `kind.verb`, such as identity.create; docs/commands.md lists them all.
std::string action_of(const Event& event);
domain::Subject subject_of(const Event& event);
Outcome outcome_of(const Event& event);

// {"before": …, "after": …}, or what was refused, why and how often. Never a token, never a hash.
JsonObject change_of(const Event& event);

// As an entry tells of them; a plan does in the same words.
JsonObject to_json(const domain::Identity& identity);
JsonObject to_json(const domain::Grant& grant);
JsonObject to_json(const domain::Owner& owner);
JsonObject to_json(const domain::ApprovalPolicy& policy);
JsonObject to_json(const StorePlace& place);

// Returns true if the value under `key` in such an object is text that somebody wrote. It is to be quoted, so that it
// is seen where it begins and ends.
bool is_free_text(std::string_view key);

// The subject's place in the log: {"kind", and "workspace", "name" or "id" as it has them}.
JsonObject to_json(const domain::Subject& subject);
// The inverse. Errors: Corrupt.
Result<domain::Subject> subject_from(const JsonObject& object);

const char* name_of(Outcome outcome);

}  // namespace marque::audit
