// domain/subject.h: references to the things an action is about.
#pragma once

#include <string>
#include <variant>

#include "domain/base32_id.h"
#include "domain/credential_id.h"
#include "domain/name.h"

namespace marque::domain {

struct InstallationRef {
    auto operator<=>(const InstallationRef&) const = default;
};
struct StoreRef {
    auto operator<=>(const StoreRef&) const = default;
};
struct WorkspaceRef {
    WorkspaceName name;
    auto operator<=>(const WorkspaceRef&) const = default;
};
struct EnvironmentRef {
    WorkspaceName workspace;
    EnvironmentName name;
    auto operator<=>(const EnvironmentRef&) const = default;
};
struct IdentityRef {
    WorkspaceName workspace;
    IdentityName name;
    auto operator<=>(const IdentityRef&) const = default;
};
struct CredentialRef {
    WorkspaceName workspace;
    IdentityName identity;
    CredentialId id;
    auto operator<=>(const CredentialRef&) const = default;
};
struct OperatorRef {
    OperatorName name;
    auto operator<=>(const OperatorRef&) const = default;
};
struct OwnerRef {
    std::string fingerprint;
    auto operator<=>(const OwnerRef&) const = default;
};
// Short, to be read out and typed: 40 random bits. It is a name and no secret.
struct ApprovalIdKind {
    static constexpr const char* word = "an approval";
    static constexpr std::size_t length = 8;
};
using ApprovalId = Base32Id<ApprovalIdKind>;
struct ApprovalRef {
    ApprovalId id;
    auto operator<=>(const ApprovalRef&) const = default;
};

using Subject = std::variant<InstallationRef, StoreRef, WorkspaceRef, EnvironmentRef, IdentityRef, CredentialRef,
                             OperatorRef, OwnerRef, ApprovalRef>;

// "identity", "credential", …: also the first half of an event's action.
const char* kind_of(const Subject& subject);

// "identity codex", "credential 0123456789ab of codex", "environment dev": for messages.
std::string describe(const Subject& subject);

}  // namespace marque::domain
