// authority/runtime.h: what the running system writes by itself: who was seen, who knocks in vain, what a use ends, and
// what a holder gives up. Nobody's permission is asked: an accepted use is its own, and whoever holds a secret may end
// it. Events carry the mode `runtime`, and the identity as the actor.
//
// Errors of all: those of the store. Verification waits for none of this (invariant 13).
#pragma once

#include <string_view>

#include "base/secret.h"
#include "store/store.h"
#include "verify/uses.h"

namespace marque::authority {

// At most one event a credential in this time, for the uses that were refused since the last.
inline constexpr Duration refusal_event_interval = std::chrono::minutes(1);

// Writes `uses` down, some at a time, and takes out what is written, also when it fails on the way. Those whose use
// ends something are then among its successors.
Result<void> note_uses(store::Store& store, verify::Uses& uses, Instant now);

// The events that follow: ends what a rotation kept until one of `successors` was used, and takes those out; and tells
// of refused uses, whoever noted them, as they are due: at most one event a credential and refusal_event_interval.
// Errors, besides: PermissionDenied when this process may note uses in the store and change nothing else.
Result<void> write_events_of_uses(store::Store& store, std::vector<domain::CredentialId>& successors, Instant now,
                                  const std::string& request);

// Both. Who may only note uses leaves the events to those who may more.
Result<void> write_uses(store::Store& store, verify::Uses& uses, Instant now, const std::string& request);

// The entry of a store that can't be answered from because somebody wrote to it: `error` is what the verifier found.
Result<void> tell_tampering(store::Store& store, const Error& error, const audit::Process& process, Instant now,
                            const std::string& request);

struct HolderRevocation {
    enum class Kind { Revoked, NotOne, AnothersToken };
    Kind kind = Kind::NotOne;
    domain::Revision revision = 0;  // it holds wherever verdicts rest on this one or a later
};

// Revokes the credential whose token this is (RFC 7009), whatever state it is in; a repeat succeeds. `client`: the
// identity that authenticated itself, if any did; then the token has to be one of its own. NotOne: no such token.
Result<HolderRevocation> revoke_by_holder(store::Store& store, const Secret& token_key, std::string_view token,
                                          const std::optional<domain::IdentityRef>& client, Instant now,
                                          const std::string& request);

}  // namespace marque::authority
