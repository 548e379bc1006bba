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

// `back` is everybody who comes back with `subject`, in the order of their names. The digest over all of them makes an
// approval one for just those.
audit::JsonObject powers_json(const domain::Subject& subject, const std::vector<Power>& back);

}  // namespace marque::authority
