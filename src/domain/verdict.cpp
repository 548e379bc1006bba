#include "domain/verdict.h"

#include <algorithm>

#include "base/check.h"

namespace marque::domain {
namespace {

bool fits(std::string_view environment, const Demand& demand) {
    if (demand.environment && demand.environment->text() != environment) return false;
    return demand.listener_environments.empty() ||
           std::ranges::find(demand.listener_environments, environment, &EnvironmentName::text) !=
               demand.listener_environments.end();
}

}  // namespace

AncestryStates states_of(const Ancestry& s) {
    return {s.workspace.condition, s.environment.condition, s.identity.condition, term_of(s.credential)};
}

Reason judge(const AncestryStates& c, std::string_view own_environment, const ScopeSet& in_force, const Demand& demand,
             Instant now) {
    const Standing workspace = standing_at(c.workspace, now);
    const Standing environment = standing_at(c.environment, now);
    const Standing identity = standing_at(c.identity, now);
    const CredentialState credential = state_at(c.credential, now);

    if (credential == CredentialState::Revoked) return Reason::CredentialRevoked;
    if (identity == Standing::Revoked) return Reason::IdentityRevoked;
    if (environment == Standing::Revoked) return Reason::EnvironmentRevoked;
    if (workspace == Standing::Revoked) return Reason::WorkspaceRevoked;
    switch (credential) {
        case CredentialState::Pending:
        case CredentialState::Lapsed:
            return Reason::NotInForce;
        case CredentialState::Expired:
            return Reason::Expired;
        case CredentialState::Retired:
            return Reason::Retired;
        case CredentialState::Paused:
            return Reason::CredentialPaused;
        case CredentialState::Revoked:
            return Reason::CredentialRevoked;
        case CredentialState::Active:
        case CredentialState::Retiring:
            break;
    }
    if (identity == Standing::Paused) return Reason::IdentityPaused;
    if (environment == Standing::Paused) return Reason::EnvironmentPaused;
    if (workspace == Standing::Paused) return Reason::WorkspacePaused;
    if (!fits(own_environment, demand)) return Reason::EnvironmentDiffers;
    if (demand.scope && !in_force.contains(*demand.scope)) return Reason::ScopeMissing;
    return Reason::Accepted;
}

Reason judge(const Ancestry& s, const Demand& demand, Instant now) {
    return judge(states_of(s), s.environment.name.text(), scopes_in_force(s.identity, s.credential), demand, now);
}

bool is_stopped(Reason reason) {
    switch (reason) {
        case Reason::Accepted:
        case Reason::Malformed:
        case Reason::Unknown:
        case Reason::WrongSecret:
        case Reason::NotInForce:
        case Reason::EnvironmentDiffers:
        case Reason::ScopeMissing:
            return false;
        case Reason::Expired:
        case Reason::Retired:
        case Reason::CredentialPaused:
        case Reason::IdentityPaused:
        case Reason::EnvironmentPaused:
        case Reason::WorkspacePaused:
        case Reason::CredentialRevoked:
        case Reason::IdentityRevoked:
        case Reason::EnvironmentRevoked:
        case Reason::WorkspaceRevoked:
            return true;
    }
    CHECK_UNREACHABLE();
}

bool is_in_vain(Reason reason) {
    return is_stopped(reason) || reason == Reason::EnvironmentDiffers;
}

Revision stopped_since(const Ancestry& s, Reason reason) {
    switch (reason) {
        case Reason::IdentityPaused:
        case Reason::IdentityRevoked:
            return s.identity.revision;
        case Reason::EnvironmentPaused:
        case Reason::EnvironmentRevoked:
            return s.environment.revision;
        case Reason::WorkspacePaused:
        case Reason::WorkspaceRevoked:
            return s.workspace.revision;
        default:
            return s.credential.revision;
    }
}

ScopeSet scopes_in_force(const Identity& identity, const Credential& credential) {
    return credential.scopes.intersection(identity.scopes);
}

const char* name_of(Reason reason) {
    switch (reason) {
        case Reason::Accepted:
            return "accepted";
        case Reason::Malformed:
            return "malformed";
        case Reason::Unknown:
            return "unknown";
        case Reason::WrongSecret:
            return "wrong_secret";
        case Reason::NotInForce:
            return "not_in_force";
        case Reason::Expired:
            return "expired";
        case Reason::Retired:
            return "retired";
        case Reason::CredentialPaused:
            return "credential_paused";
        case Reason::IdentityPaused:
            return "identity_paused";
        case Reason::EnvironmentPaused:
            return "environment_paused";
        case Reason::WorkspacePaused:
            return "workspace_paused";
        case Reason::CredentialRevoked:
            return "credential_revoked";
        case Reason::IdentityRevoked:
            return "identity_revoked";
        case Reason::EnvironmentRevoked:
            return "environment_revoked";
        case Reason::WorkspaceRevoked:
            return "workspace_revoked";
        case Reason::EnvironmentDiffers:
            return "environment_differs";
        case Reason::ScopeMissing:
            return "scope_missing";
    }
    CHECK_UNREACHABLE();
}

}  // namespace marque::domain
