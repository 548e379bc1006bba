// domain/verdict.h: the one rule of "whose token is this, and may it?".
//
// Every route asks this, through verify/index.h: the command line, HTTP and the library. There is no second idea of
// "valid" (invariant 14). Pure.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/time.h"
#include "domain/entities.h"
#include "domain/lifecycle.h"

namespace marque::domain {

// Why, for the operator. A caller is told only accepted, missing scope, or refused.
enum class Reason {
    Accepted,
    Malformed,    // not a token
    Unknown,      // no such credential
    WrongSecret,  // the credential exists, the token isn't its
    NotInForce,   // pending or lapsed
    Expired,
    Retired,
    CredentialPaused,
    IdentityPaused,
    EnvironmentPaused,
    WorkspacePaused,
    CredentialRevoked,
    IdentityRevoked,
    EnvironmentRevoked,
    WorkspaceRevoked,
    EnvironmentDiffers,  // in force, and of another environment than the one that was demanded
    ScopeMissing,
};

// A credential and everything that it stands under.
struct Ancestry {
    Workspace workspace;
    Environment environment;
    Identity identity;
    Credential credential;
};

// The caller's requirements of a token, besides that it is in force. An empty member requires nothing.
struct Demand {
    std::optional<Scope> scope;
    std::optional<EnvironmentName> environment;
    // The environments that the listener's settings demand. The token's has to be one of them, besides `environment`.
    // The list belongs to the listener, and outlives the demand.
    std::span<const EnvironmentName> listener_environments = {};
};

// The four states that decide, without the records that they are of.
struct AncestryStates {
    Condition workspace;
    Condition environment;
    Condition identity;
    CredentialTerm credential;
};
AncestryStates states_of(const Ancestry& standings);

// What is revoked, from the credential up; then what ends or stops the credential itself; then what is paused above
// it; then the environment that is demanded, and last the scope: a caller learns that a scope is missing only of a
// token that is accepted there. Says nothing about the secret: who asks has compared the hash before. `environment` is
// the name of the token's own.
Reason judge(const AncestryStates& conditions, std::string_view environment, const ScopeSet& in_force,
             const Demand& demand, Instant now);
Reason judge(const Ancestry& standings, const Demand& demand, Instant now);

// Returns true if the credential is refused by its own state, whatever is demanded: for good or for now.
bool is_stopped(Reason reason);

// Returns true if a holder of the right secret knocks in vain, which is counted: the credential is stopped, or it is
// used where another environment is demanded. A missing scope is an ordinary answer, and is not counted.
bool is_in_vain(Reason reason);

// The revision at which what `reason` names last changed: for a revocation, that of the revocation.
Revision stopped_since(const Ancestry& standings, Reason reason);

// The scopes in force: the credential's, cut to what its identity may hold.
ScopeSet scopes_in_force(const Identity& identity, const Credential& credential);

const char* name_of(Reason reason);

}  // namespace marque::domain
