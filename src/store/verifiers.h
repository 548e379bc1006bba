// store/verifiers.h: the store's list of the verifiers that answer from an index without asking the store each time,
// and the arithmetic of their leases.
//
//     a verifier   add ─▶ renew ─▶ (read, publish) ─▶ acknowledge ─▶ renew … ─▶ remove
//     a change     commit ─▶ all ─▶ has each acknowledged it, or has its lease run out? (authority/barrier.h)
//
// A row stands for one process. A verifier that is started again gets another row, so that no change waits for the
// wrong lease. The row of a process that died is removed in three steps: fence it, wait until its lease has ended,
// remove it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/merkle.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/entities.h"

namespace marque::store {

enum class Freshness {
    Lease,    // answers until its lease ends; a change waits for its acknowledgement or for the end of its lease
    Strict,   // asks the store before each round of answers; no change waits for it, and it has no row
    AckOnly,  // like Lease, but a change waits for the acknowledgement only: for machines whose clocks may stand still
};
constexpr const char* name_of(Freshness mode) {
    return mode == Freshness::Lease ? "lease" : mode == Freshness::Strict ? "strict" : "ack-only";
}

struct VerifierTerms {
    std::string name;  // for people
    Freshness mode = Freshness::Lease;
    Duration lease = std::chrono::seconds(5);
};
inline constexpr Duration shortest_lease = std::chrono::seconds(1), longest_lease = std::chrono::minutes(1);

// The clock of a verifier may run at most one part in a hundred slower than the clock of the command that changes.
inline constexpr int drift_part = 100;
inline constexpr Duration lease_margin = std::chrono::milliseconds(50);
// This long after a commit, every lease that was requested before the commit has ended.
constexpr Duration longest_in_force(Duration lease) {
    return lease + lease / drift_part + lease_margin;
}

struct VerifierRow {
    std::string id;
    VerifierTerms terms;
    domain::Revision acknowledged = 0;  // its answers rest on this revision or a later one
    std::uint64_t renewals = 0;
    bool is_fenced = false;
    std::string closed;  // the reason why it gives no verdicts; empty: it does
    Instant since;       // when the row was added, by the store's clock; for people
    Duration silent{};   // since its last renewal, by the store's clock; for people
};

struct VerifierList {
    domain::Revision revision = 0;  // of the store, in the same snapshot
    // True if the log contains the last change that was made, or found made, through this Store object. After a
    // failover it may be another log, and then the rows say nothing about that change.
    bool has_change = true;
    std::vector<VerifierRow> rows;
};

// The state of the log when a lease was given: its size, and the seal of its last entry. Another log has another seal
// at that position.
struct Renewal {
    domain::Revision revision = 0;
    audit::Digest seal{};
    bool operator==(const Renewal&) const = default;
};

// Each call is one transaction on the primary. Used by one thread at a time, the one that uses the Store. Errors of all
// calls: Unavailable.
class Verifiers {
 public:
    virtual ~Verifiers() = default;

    // Adds a row and returns its id. The row is durable when this returns.
    virtual Result<std::string> add(const VerifierTerms& terms) = 0;
    // Renews the lease. This is a commit, because a server that is no longer the primary can't commit. Returns nullopt
    // if the row is gone or fenced: then the verifier must add another row.
    virtual Result<std::optional<Renewal>> renew(const std::string& id) = 0;
    // Acknowledges that every answer from now on rests on `revision` or a later one. Does nothing if the entry
    // `revision` of the store's log does not have `seal`, because then the verifier has read another log.
    virtual Result<void> acknowledge(const std::string& id, domain::Revision revision, const audit::Digest& seal) = 0;
    // Stores why the verifier gives no verdicts; empty: it does. Only shown to people.
    virtual Result<void> tell_closed(const std::string& id, const std::string& why) = 0;
    virtual Result<VerifierList> all() = 0;
    // Refuses all further renewals of this row.
    virtual Result<void> fence(const std::string& id) = 0;
    // Removes the row. Call it for the own row when no more verdicts are given, or for a fenced row whose lease has
    // ended.
    virtual Result<void> remove(const std::string& id) = 0;
    // Waits until a change is notified, at most for `longest`; returns true if one was. A notification may be lost:
    // then the next renewal finds the change.
    virtual Result<bool> wait_for_change(Duration longest) = 0;
    // Sleeps; in the simulator, advances its clock.
    virtual void pause(Duration time) = 0;
};

}  // namespace marque::store
