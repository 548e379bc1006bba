// store/sql/move.h: an installation goes from one store to another, and is never in both.
//
// Two stores that are both open would be a fork: what is revoked in the one would go on working in the other. So the
// old one is closed before the new one is opened, and only when the new one is whole, compared and durable:
//
//            lock ─▶ verify ─▶ event ─▶ copy ─▶ commit ─▶ compare, verify ─▶ close ─▶ wait ─▶ open ─▶ put away
//     old    open ──────────────────────────────────────────────────────────▶│closed, for good
//     new    nothing          a part: refused by whoever opens it ───────────────────────────▶│open
//
// The event and the closing are one commit of the old store, under a lock taken before its first row was read: nothing
// is committed there that the new one lacks. Until that commit the old store is as it was, and a part is worth nothing:
// a repeat begins anew. After it the part is what counts, neither is open, and a repeat goes on from there.
#pragma once

#include "store/maintenance.h"
#include "store/sealing_key.h"
#include "store/sql/statement.h"

namespace marque::store::sql {

// The old store. Errors of all: Unavailable, and those said.
class Source {
 public:
    virtual ~Source() = default;
    virtual audit::StorePlace place() const = 0;
    // By an earlier move, or by this.
    virtual bool is_closed() const = 0;

    // A transaction of one snapshot; for a Move of an open store also with the lock that changes and uses want. Errors:
    // StateRefuses (another schema, or something that the store can't be closed to), PermissionDenied.
    virtual Result<void> begin(MoveSteps::Purpose purpose) = 0;
    virtual Connection& connection() = 0;
    // Of the installation, and so of what its copy is read with.
    virtual SealingKey& sealing_key() = 0;
    virtual Result<void> append(const std::vector<audit::Draft>& drafts) = 0;
    // Commits. From then on every process that has it open is refused what it asks. One that was found closed is
    // committed once more: a server that is no longer the primary may be alone in knowing so. Errors: OutcomeUnknown;
    // else nothing changed.
    virtual Result<void> close() = 0;
    // After `close`, in a new snapshot: that the store is closed, and holds what `append` wrote (read_back.h). Errors:
    // Corrupt when it does not.
    virtual Result<void> read_back() = 0;
    // Returns when no process answers any more from what it had read before the closing.
    virtual Result<void> await_verifiers() = 0;
    // Files get names under which nobody looks for a store. Errors: it is closed all the same.
    virtual Result<void> put_away() = 0;
};

// The new store.
class Target {
 public:
    virtual ~Target() = default;
    virtual audit::StorePlace place() const = 0;

    // A part: what a call that was cut short left. Errors: StateRefuses (a part of another installation, or one that
    // can't be read), PermissionDenied (no store could be made there).
    enum class State { Nothing, Part, Open };
    virtual Result<State> state(const std::string& installation) = 0;
    // For reading what is there, whatever its state. Errors: Corrupt.
    virtual Result<void> begin_reading() = 0;
    virtual Connection& connection() = 0;

    // Empty tables, in place of an earlier part, in a transaction that nobody else sees.
    virtual Result<void> make() = 0;
    // Durable, and still a part.
    virtual Result<void> commit() = 0;
    // One that was found open is committed once more, as above.
    virtual Result<void> open() = 0;
    // The part. Errors: it is still there.
    virtual Result<void> remove() = 0;
};

// Makes the error for a store that was closed and, read back, is open.
Error not_closed();

// Errors: those of `steps`; StateRefuses; Corrupt when the log is not sound or what arrived is not what was sent;
// Unavailable. With all of them the old store is as it was, and the part removed, unless the old one was closed before.
// OutcomeUnknown: repeat it; at most one of the two is open.
Result<Moved> move(Source& source, Target& target, const MoveSteps& steps);

}  // namespace marque::store::sql
