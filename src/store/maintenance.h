// store/maintenance.h: what an operator does to a store as a whole.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/sealing_key.h"
#include "store/store.h"

namespace marque::store {

struct StoreStatus {
    std::string backend;  // "sqlite"
    std::string location;
    int schema = 0;            // 0: nothing in it yet
    int supported_schema = 0;  // what this program writes
    std::uint64_t bytes = 0;
    std::vector<std::string> migrations;  // names, oldest first; the first `schema` are applied
};

// The event of a migration, made and permitted inside the migration's own transaction.
using DecideMigration = std::function<Result<std::vector<audit::Draft>>(const Reader&, int from, int to)>;

class Maintenance {
 public:
    virtual ~Maintenance() = default;

    virtual Result<StoreStatus> status() = 0;

    // Brings the schema to `to`, a step at a time, all or nothing. Errors: InvalidRequest (no
    // such version); StateRefuses when the log would be lost; Unavailable; those of `decide`.
    virtual Result<void> migrate(int to, const DecideMigration& decide) = 0;

    // Everything under another sealing key, all or nothing (store/sql/reseal.h); `decide` brings the event of it, or
    // why not, and its entry is the first under the new key. False: it was under that key already. Errors: those of
    // `decide`; Corrupt when something is not what the old key sealed; OutcomeUnknown, Unavailable.
    virtual Result<bool> reseal(SealingKey new_key, const Decide& decide) = 0;

    // A consistent copy at a new file, made while others go on working; `progress` hears the
    // part done, 0 to 1. Errors: StateRefuses (the file exists), Unavailable.
    virtual Result<void> backup(const std::string& to, const std::function<void(double)>& progress) = 0;

    // The backend's own check of its pages and indexes; what it finds, empty when well.
    virtual Result<std::vector<std::string>> check() = 0;
};

// What is said of the old and of the new place of a store that is moved.
inline Error moved_away() {
    return Error(Code::StateRefuses, "the store was moved elsewhere, and is closed here",
                 "use the folder that marque store copy made of it");
}
inline Error copied_in_part() {
    return Error(Code::StateRefuses, "a store is being copied to here, or that was cut short",
                 "repeat the marque store copy that does it");
}

// What a move (store/sql/move.h) asks of whoever wants it, in this order.
struct MoveSteps {
    // Whether it is only to be planned: then nobody is kept from writing, and `decide` lets nothing through.
    enum class Purpose { Plan, Move };
    Purpose purpose = Purpose::Plan;
    // Reads a log through. Of the old store before anything is written, of the new one when it is.
    std::function<Result<void>(const Reader&, const std::string& location)> verify;
    // Whether it may be; and the event. In the old store's transaction.
    std::function<Result<std::vector<audit::Draft>>(const Reader&, const audit::StorePlace& from,
                                                    const audit::StorePlace& to)>
        decide;
    std::function<void(double)> copying, checking;  // hear the part done, 0 to 1
};

struct Moved {
    audit::StorePlace from, to;
    domain::Revision revision = 0;  // of both, when the old one was closed
    // It was there and open already: an earlier call had done it.
    bool was_there = false;
    // Why the old store, though closed, has its files where they were; empty: they are put away.
    std::string not_put_away;
};

}  // namespace marque::store
