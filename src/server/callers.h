// server/callers.h: who calls, and whether the route lets them.
#pragma once

#include "server/routes.h"

namespace marque::server {

// Returns the verdict on the caller's own token: given as a bearer, or as the secret of Basic (RFC 7617). None as of
// Call::verify.
std::optional<verify::Verdict> authenticate(const Call& call, domain::Demand demand, Answer& answer);

// Answers 401 to a client that is not authenticated (RFC 6749, section 5.2).
void unknown_client(Answer& answer, domain::Reason reason);

// Returns true if the caller may call the route, and sets `call.caller` where the route wants to know. If not, the
// answer is written.
bool is_admitted(const Route& route, Call& call, Answer& answer);

}  // namespace marque::server
