// store/maintenance.h: what an operator does to a store as a whole.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
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

    // A consistent copy at a new file, made while others go on working; `progress` hears the
    // part done, 0 to 1. Errors: StateRefuses (the file exists), Unavailable.
    virtual Result<void> backup(const std::string& to, const std::function<void(double)>& progress) = 0;

    // The backend's own check of its pages and indexes; what it finds, empty when well.
    virtual Result<std::vector<std::string>> check() = 0;
};

}  // namespace marque::store
