// domain/entities.h: what an installation consists of. Plain values, as they are stored.
//
//     workspace ─┬─ environment (protected or not)
//                └─ identity ── in one environment
//                      └─ credential, credential, …
//
// Names are the keys: none is ever used twice, so they need no ids beside them.
// `revision` is the size of the audit log when the row was last written; the entry of that
// number tells who wrote it and why.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "domain/credential_id.h"
#include "domain/name.h"
#include "domain/scope.h"

namespace marque::domain {

using Revision = std::uint64_t;

// What it takes to approve something.
struct ApprovalPolicy {
    std::uint32_t quorum = 1;     // owners who have to sign; never 0
    bool has_sole_owner = false;  // said in words: one person asks and approves
    bool operator==(const ApprovalPolicy&) const = default;
};

struct Installation {
    std::string id;  // 26 characters of base 32
    Instant created_at;
    ApprovalPolicy policy;
    Revision owners_revision = 0;  // when the policy, or who the owners are, was last changed
};

// The stored condition of a workspace, an environment or an identity.
enum class Standing { Active, Paused, Revoked };

struct Condition {
    Standing stored = Standing::Active;
    std::optional<Instant> paused_until;  // only when paused, and then maybe none: until resumed
    bool operator==(const Condition&) const = default;
};

struct Workspace {
    WorkspaceName name;
    Condition condition;
    Instant created_at;
    Revision revision = 0;
};

enum class Protection { Open, Protected };

struct Environment {
    WorkspaceName workspace;
    EnvironmentName name;
    Protection protection;
    std::optional<Duration> max_lifetime;  // of credentials; none: no limit
    Condition condition;
    Instant created_at;
    Revision revision = 0;
};

enum class MachineKind { Agent, Service, Ci };
using Labels = std::map<std::string, std::string>;

struct Identity {
    WorkspaceName workspace;
    IdentityName name;
    EnvironmentName environment;
    MachineKind kind;
    ScopeSet scopes;  // what its credentials may hold at most
    std::string contact;
    Labels labels;
    Condition condition;
    Instant created_at;
    Revision revision = 0;
    std::string description = {};  // what it is for
};

// As stored; domain/lifecycle.h says what it amounts to at a given moment.
enum class CredentialStanding { Pending, Active, Paused, Retiring, Revoked };

// HMAC-SHA-256 of the token's text.
using TokenHash = std::array<std::uint8_t, 32>;

// What becomes of the credential that this one replaces, once this one is in force.
enum class OldCredential { RetiresAfterOverlap, RetiresWhenNewIsUsed, IsRevoked };

struct Succession {
    CredentialId replaces;
    OldCredential old_credential;
    Duration overlap;  // at most so long do both work; 0 with IsRevoked
    bool operator==(const Succession&) const = default;
};

struct Credential {
    CredentialId id;
    WorkspaceName workspace;
    IdentityName identity;
    TokenHash hash;
    ScopeSet scopes;
    CredentialStanding stored;
    Instant created_at;
    std::optional<Instant> expires_at;    // none: never
    std::optional<Instant> paused_until;  // as in Condition
    std::optional<Instant> retire_at;     // when retiring
    std::optional<Succession> succession;
    Revision revision = 0;
};

enum class Permission { View, Manage };

// A permission in one workspace, or in all of them, present and future, and over the
// installation itself (operators, workspaces, the store).
struct Grant {
    std::optional<WorkspaceName> workspace;  // none: all
    Permission permission;
    auto operator<=>(const Grant&) const = default;
};

struct Operator {
    OperatorName name;
    std::uint32_t uid;
    bool is_removed = false;
    std::vector<Grant> grants;  // sorted
    Instant created_at;
    Revision revision = 0;
};

// A registered owner key: the line of an OpenSSH .pub file.
struct Owner {
    std::string fingerprint;  // SHA256:…, as ssh-keygen -l prints it
    std::string public_key;   // "type base64", without the comment
    std::string comment;
    std::optional<OperatorName> operator_name;  // whose key it is, if an operator's
    Revision revision = 0;
};

// When a credential was last accepted. Telemetry, not state: outside the log, forward only.
struct LastUse {
    Instant at;
    std::string from;
    std::uint64_t count = 0;
};

// How often a credential that is stopped was presented all the same, with the right secret, since it is so.
struct RefusedUses {
    std::string reason;  // such as credential_revoked
    Revision since = 0;  // of what stopped it
    Instant last_at;
    std::string last_from;
    std::uint64_t count = 0;
};

const char* name_of(Standing standing);
const char* name_of(MachineKind kind);
const char* name_of(CredentialStanding standing);
const char* name_of(OldCredential what);
const char* name_of(Permission permission);  // "workspace:view", "workspace:manage"
const char* name_of(Protection protection);

// The inverses. Errors: InvalidRequest.
Result<MachineKind> parse_kind(std::string_view text);
Result<Permission> parse_permission(std::string_view text);  // also without "workspace:"

}  // namespace marque::domain
