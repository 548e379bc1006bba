// verify/known_log.h: what is remembered of the log beyond the life of a process, so that a store that comes back with
// less than was known is refused after a restart too.
//
// One entry is enough: the last. A log that has the same entry in the same place, sealed, is the one that was known or
// continues it; a database that lost commits, or an older copy, is too short or has another there. An owner can accept
// such a log all the same: by an event in it that is younger than all that was known, so that an older copy with an
// older acceptance in it opens nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "audit/merkle.h"
#include "base/time.h"
#include "store/store.h"

namespace marque::verify {

struct KnownLog {
    std::string installation;
    domain::Revision size = 0;
    audit::Digest leaf{};  // the hash of the last entry
    Instant at;            // of the last entry

    bool operator==(const KnownLog&) const = default;
};

// Keeps what is known of the log. Verifiers and commands of one machine share it; advance() writes it.
class Memory {
 public:
    virtual ~Memory() = default;
    // Keeps other processes from writing while it lives.
    class Hold {
     public:
        virtual ~Hold() = default;
    };
    // Errors: Unavailable.
    virtual Result<std::unique_ptr<Hold>> hold() { return std::make_unique<Hold>(); }
    // Returns nothing for a folder in which no change was made and no server has run. Errors: Unavailable, Corrupt.
    virtual Result<std::optional<KnownLog>> recall() = 0;
    virtual Result<void> remember(const KnownLog& known) = 0;
};

// The log as `reader` sees it. Errors: those of the store; Unavailable when there is no entry.
Result<KnownLog> known_log_of(const store::Reader& reader, domain::Revision size);

// Whether `reader`'s log continues `known`. Errors: Corrupt, and says how not; those of the store.
Result<void> require_continues(const store::Reader& reader, const KnownLog& known);
// Like require_continues(), but compares only entries: for a store with an older schema, whose installation can't be
// read.
Result<void> require_log_continues(const store::Reader& reader, const KnownLog& known);

// Remembers `known`, unless as much of that installation's log is remembered already: two processes at once never lose
// what the faster one knew. `given_up`: a log that owners have accepted another in place of (store accept), and that is
// no reason to keep it. The caller knows that `known` continues what it recalled before. Errors: those of the memory.
Result<void> advance(Memory& memory, const KnownLog& known, const std::optional<KnownLog>& given_up = {});

// What every refusal of another log hints at.
Error not_the_log_that_was(const std::string& what);

}  // namespace marque::verify
