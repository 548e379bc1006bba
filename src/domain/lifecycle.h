// domain/lifecycle.h: what may happen to whom, and what follows from time alone.
//
//     identity, environment, workspace          credential
//
//            pause                               activate          rotate
//     Active ◀────▶ Paused              Pending ─────────▶ Active ────────▶ Retiring ─ ─ ▶ Retired
//       │   resume    │                    ┊           pause ◀▶ resume          (at its time)
//       └── revoke ───┘                    ▼               Paused
//              ▼                        Lapsed
//           Revoked                 (not delivered in time)     any ─ revoke ─▶ Revoked
//
// Lapsed, Expired and Retired are never stored: they are what the stored row amounts to at
// the moment of asking, so nothing has to run for them to hold.
//
// Pure: no clock, no storage, no log. `now` is always an argument.
#pragma once

#include "base/time.h"
#include "domain/entities.h"

namespace marque::domain {

// A pending credential that was not activated this long after its creation never will be.
inline constexpr Duration delivery_window = std::chrono::minutes(10);

enum class CredentialState { Pending, Lapsed, Active, Paused, Retiring, Retired, Expired, Revoked };
enum class CredentialAction { Activate, Pause, Resume, Rotate, Revoke };
enum class StandingAction { Pause, Resume, Revoke, IssueUnder };

// AlreadySo: the request asks for what is the case; it succeeds and changes nothing.
enum class Ruling { Allowed, AlreadySo, Refused };

struct Rule {
    Ruling ruling;
    const char* because;
};

// What decides a credential's state: its row's standing and the two moments that time alone can bring.
struct CredentialTerm {
    CredentialStanding stored;
    std::optional<Instant> turns_at;  // pending: lapses; paused: resumes; retiring: retires
    std::optional<Instant> expires_at;
};
CredentialTerm term_of(const Credential& credential);

CredentialState state_at(const CredentialTerm& term, Instant now);
inline CredentialState state_at(const Credential& credential, Instant now) {
    return state_at(term_of(credential), now);
}
Standing standing_at(const Condition& condition, Instant now);

// Say what an action on something in that state does, and why. There is a rule for every state with every action
// (Lifecycle.CredentialTableIsComplete, Lifecycle.StandingTableIsComplete).
Rule rule_for(CredentialState state, CredentialAction action);
Rule rule_for(Standing standing, StandingAction action);

// Whether a credential in this state is accepted as far as it alone decides.
bool is_usable(CredentialState state);

// Whether it can still become usable or is: neither ended by time nor revoked.
bool is_live(CredentialState state);

// How a second pause combines with one in force. A pause may be lengthened; to shorten it
// would be to resume, which is another permission in a protected environment.
// nothing: no change. Errors: StateRefuses when `wanted` ends earlier.
Result<bool> lengthens_pause(const std::optional<Instant>& in_force, const std::optional<Instant>& wanted);

const char* name_of(CredentialState state);
const char* name_of(CredentialAction action);
const char* name_of(StandingAction action);

}  // namespace marque::domain
