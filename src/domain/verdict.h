// domain/verdict.h: the one rule of "whose token is this, and may it?".
//
// Every route asks this, through verify/index.h: the command line, HTTP and the library. There is no second idea of
// "valid" (invariant 14). Pure.
#pragma once

#include <optional>

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
    ScopeMissing,
};

// Everything a credential stands under.
struct Standings {
    Workspace workspace;
    Environment environment;
    Identity identity;
    Credential credential;
};

// What is demanded beside being valid; none: nothing.
using Demand = std::optional<Scope>;

// The four states that decide.
struct Conditions {
    Condition workspace;
    Condition environment;
    Condition identity;
    Term credential;
};
Conditions conditions_of(const Standings& standings);

// What is revoked, from the credential up; then what ends or stops the credential itself; then what is paused above
// it; and then the demand against the scopes in force. Says nothing about the secret: who asks has compared the hash
// before.
Reason judge(const Conditions& conditions, const ScopeSet& in_force, const Demand& demand, Instant now);
Reason judge(const Standings& standings, const Demand& demand, Instant now);

// Whether a holder of the right secret is refused for good or for now: what counts as knocking in vain.
bool is_stopped(Reason reason);

// The revision at which what `reason` names last changed: for a revocation, that of the revocation.
Revision stopped_since(const Standings& standings, Reason reason);

// The scopes in force: the credential's, cut to what its identity may hold.
ScopeSet scopes_in_force(const Identity& identity, const Credential& credential);

const char* name_of(Reason reason);

}  // namespace marque::domain
