// verify/known_log.h: remembers the last known entry of the log in a file, so that a store that went back in time is
// refused after a restart, too.
//
// The last entry is enough. A log that has the same sealed entry at the same position is the known log or continues it.
// A database that lost commits, or an older copy, is shorter or has another entry there. Owners can accept such a log
// with `marque store accept`. Its event must be newer than every known entry, so that an older copy that contains an
// older acceptance is still refused.
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

// Reads the last of the first `size` entries. Errors: those of the store; Unavailable if there is no entry.
Result<KnownLog> known_log_of(const store::Reader& reader, domain::Revision size);

// Checks that `reader`'s log continues `known`. Errors: Corrupt, which says how it differs; those of the store.
Result<void> require_continues(const store::Reader& reader, const KnownLog& known);
// Like require_continues(), but compares only entries: for a store with an older schema, whose installation can't be
// read.
Result<void> require_log_continues(const store::Reader& reader, const KnownLog& known);

// Remembers `known`, unless an entry of the same installation that is at least as new is remembered already, so that of
// two processes the slower one does not overwrite the newer entry. `given_up` is a log that owners replaced with store
// accept: it is overwritten. The caller must have checked that `known` continues the log that it recalled before.
// Errors: those of the memory.
Result<void> advance(Memory& memory, const KnownLog& known, const std::optional<KnownLog>& given_up = {});

// Makes the error for a log that does not continue the known one, with the hint that all of these have.
Error not_the_log_that_was(const std::string& what);

}  // namespace marque::verify
