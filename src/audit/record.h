// audit/record.h: the records of an installation: what is kept of each thing, and the name by which it is found.
//
// A record is a row of a store, and what one seal covers. An operator's permissions and an approval's signatures are
// records of their own, so that each is written, sealed and removed by itself.
#pragma once

#include <string>
#include <variant>

#include "domain/approval.h"
#include "domain/entities.h"
#include "domain/subject.h"

namespace marque::audit {

// One permission of one operator.
struct HeldPermission {
    domain::OperatorName holder;
    domain::Grant grant;
    domain::Revision revision = 0;
};

// One signature of one approval. The revision is a part of its name, because one owner may sign again.
struct GivenSignature {
    domain::ApprovalId approval;
    domain::Revision revision = 0;
    std::string fingerprint;
    std::string text;
    Instant at;
};

// An Operator record has no `grants` and an Approval record has no `signatures`: those are records of their own.
using Record =
    std::variant<domain::Installation, domain::Workspace, domain::Environment, domain::Identity, domain::Credential,
                 domain::Operator, HeldPermission, domain::Owner, domain::Approval, GivenSignature>;

// The names of records that no subject of an event names.
struct PermissionRef {
    domain::OperatorName holder;
    domain::Grant grant;
    auto operator<=>(const PermissionRef&) const = default;
};
struct SignatureRef {
    domain::ApprovalId approval;
    domain::Revision revision = 0;
    auto operator<=>(const SignatureRef&) const = default;
};

// The alternatives stand in the order of Record's. A credential's name is its id alone.
using RecordName = std::variant<domain::InstallationRef, domain::WorkspaceRef, domain::EnvironmentRef,
                                domain::IdentityRef, domain::CredentialId, domain::OperatorRef, PermissionRef,
                                domain::OwnerRef, domain::ApprovalRef, SignatureRef>;

RecordName name_of(const Record& record);

}  // namespace marque::audit
