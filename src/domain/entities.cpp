#include "domain/entities.h"

#include "base/check.h"
#include "base/text.h"

namespace marque::domain {

const char* name_of(Standing standing) {
    switch (standing) {
        case Standing::Active:
            return "active";
        case Standing::Paused:
            return "paused";
        case Standing::Revoked:
            return "revoked";
    }
    CHECK_UNREACHABLE();
}

const char* name_of(MachineKind kind) {
    switch (kind) {
        case MachineKind::Agent:
            return "agent";
        case MachineKind::Service:
            return "service";
        case MachineKind::Ci:
            return "ci";
    }
    CHECK_UNREACHABLE();
}

const char* name_of(CredentialStanding standing) {
    switch (standing) {
        case CredentialStanding::Pending:
            return "pending";
        case CredentialStanding::Active:
            return "active";
        case CredentialStanding::Paused:
            return "paused";
        case CredentialStanding::Retiring:
            return "retiring";
        case CredentialStanding::Revoked:
            return "revoked";
    }
    CHECK_UNREACHABLE();
}

const char* name_of(OldCredential what) {
    switch (what) {
        case OldCredential::RetiresAfterOverlap:
            return "retires_after_overlap";
        case OldCredential::RetiresWhenNewIsUsed:
            return "retires_when_new_is_used";
        case OldCredential::IsRevoked:
            return "is_revoked";
    }
    CHECK_UNREACHABLE();
}

const char* name_of(Permission permission) {
    switch (permission) {
        case Permission::View:
            return "workspace:view";
        case Permission::Manage:
            return "workspace:manage";
    }
    CHECK_UNREACHABLE();
}

const char* name_of(Protection protection) {
    switch (protection) {
        case Protection::Open:
            return "open";
        case Protection::Protected:
            return "protected";
    }
    CHECK_UNREACHABLE();
}

Result<MachineKind> parse_kind(std::string_view text) {
    for (const MachineKind kind : {MachineKind::Agent, MachineKind::Service, MachineKind::Ci})
        if (text == name_of(kind)) return kind;
    return Error(Code::InvalidRequest, quote(text) + " is not a kind of identity", "kinds: agent, service, ci");
}

Result<Permission> parse_permission(std::string_view text) {
    for (const Permission permission : {Permission::View, Permission::Manage}) {
        const std::string_view name = name_of(permission);
        if (text == name || text == name.substr(name.find(':') + 1)) return permission;
    }
    return Error(Code::InvalidRequest, quote(text) + " is not a permission",
                 "permissions: workspace:view, workspace:manage");
}

}  // namespace marque::domain
