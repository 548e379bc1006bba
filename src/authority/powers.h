// authority/powers.h: what comes back when something in a protected environment is resumed, in the words that the
// owners sign. A plan is made with it, and the log is judged by it (evidence.h).
#pragma once

#include <vector>

#include "audit/json.h"
#include "domain/name.h"
#include "domain/scope.h"
#include "domain/subject.h"

namespace marque::authority {

// An identity that may be used again, and with which scopes.
struct Power {
    domain::IdentityName identity;
    domain::EnvironmentName environment;
    domain::ScopeSet scopes;
};

// Describes the identities in `back`, which come back with `subject`, in the order of their names. The description has
// a digest over all of them, so that an approval holds for exactly these.
audit::JsonObject powers_json(const domain::Subject& subject, const std::vector<Power>& back);

}  // namespace marque::authority
