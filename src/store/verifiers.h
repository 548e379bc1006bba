// store/verifiers.h: the processes that answer from a memory of the store without asking it each time, as the store
// knows them; and the arithmetic of their leases.
//
//     a verifier   add ─▶ renew ─▶ (read, publish) ─▶ acknowledge ─▶ renew … ─▶ remove
//     a change     commit ─▶ all ─▶ has each acknowledged it, or has its lease run out? (authority/barrier.h)
//
// A row is one process: a verifier that starts anew is another row, so that nobody waits for the wrong one's lease.
// Only time makes a row go that its verifier left behind: fence, wait out its lease, remove.
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
    Lease,    // answers until its lease ends; a change waits for its word, or for the end of its lease
    Strict,   // asks the store before each round of answers; nobody waits for it, and it has no row
    AckOnly,  // as Lease, but a change waits for its word alone: where a machine can stand still and its clocks too
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

// A verifier's clock may lose one part in a hundred of the time that a change's clock counts, and no more.
inline constexpr int drift_part = 100;
inline constexpr Duration lease_margin = std::chrono::milliseconds(50);
// So long after a commit no lease is in force that was asked for before it.
constexpr Duration longest_in_force(Duration lease) {
    return lease + lease / drift_part + lease_margin;
}

struct VerifierRow {
    std::string id;
    VerifierTerms terms;
    domain::Revision acknowledged = 0;  // what its answers rest on, or an older one
    std::uint64_t renewals = 0;
    bool is_fenced = false;
    std::string closed;  // why it answers nobody; empty: it answers
    Instant since;       // by the store's clock, for people
    Duration silent{};   // the same
};

struct VerifierList {
    domain::Revision revision = 0;  // of the store, in the same snapshot
    // Whether the log has the last change that was made, or found made, through this handle: after a failover it may be
    // another log, and then the rows say nothing about that change.
    bool has_change = true;
    std::vector<VerifierRow> rows;
};

// The log as it was when a lease was given: its size, and its last entry's seal, which no other log has in that place.
struct Renewal {
    domain::Revision revision = 0;
    audit::Digest seal{};
    bool operator==(const Renewal&) const = default;
};

// Every call is one transaction on the primary. For one thread at a time, the store's. Errors of all: Unavailable.
class Verifiers {
 public:
    virtual ~Verifiers() = default;

    // A new row; its id. Durable before this returns.
    virtual Result<std::string> add(const VerifierTerms& terms) = 0;
    // A lease is a commit and no look: a server that is no longer the primary can't give one. None: the row is gone or
    // fenced, and its verifier has to begin anew under another.
    virtual Result<std::optional<Renewal>> renew(const std::string& id) = 0;
    // That every answer from now on rests on `revision` or a later one, of the log that has `seal` on its entry of that
    // number: where the log has another, nothing is acknowledged.
    virtual Result<void> acknowledge(const std::string& id, domain::Revision revision, const audit::Digest& seal) = 0;
    // Why it answers nobody, for people; empty: it does. Nobody relies on it.
    virtual Result<void> tell_closed(const std::string& id, const std::string& why) = 0;
    virtual Result<VerifierList> all() = 0;
    // No renewal any more.
    virtual Result<void> fence(const std::string& id) = 0;
    // To be called by the verifier itself when it answers no more, or when it is fenced and its lease is waited out.
    virtual Result<void> remove(const std::string& id) = 0;
    // Until a change was committed, or for `longest`. A hint: what it misses is found by renewing. True: it was told.
    virtual Result<bool> wait_for_change(Duration longest) = 0;
    // Lets time pass.
    virtual void pause(Duration time) = 0;
};

}  // namespace marque::store
