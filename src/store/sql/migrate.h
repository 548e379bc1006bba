// store/sql/migrate.h: a store from one version of the tables to another (invariant 15).
//
//     check every row under the old columns ─▶ change the tables ─▶ seal every row under the new columns
//
// A seal covers all columns of a row, so a row whose columns change needs a new one. It gets it only after the old one
// was checked in the same transaction: a migration never seals what it did not check.
#pragma once

#include <functional>
#include <optional>

#include "store/maintenance.h"
#include "store/sql/write.h"

namespace marque::store::sql {

// What a kind of database does in a migration.
struct MigrationSteps {
    // Runs the migrations' SQL between two versions.
    std::function<Result<void>(int from, int to)> change_tables;
    // Appends to the log: write_events, and what else the database keeps of a change.
    std::function<Result<Written>(const SqlReader& reader, const std::vector<audit::Draft>& drafts)> write;
};

// Brings the store from the version `from`, which it has, to `to`, inside the caller's transaction, which holds the
// lock that orders changes. `decide` sees the store in the newest version, which every migration passes through, so
// that whether somebody may do this is read from checked rows. Returns none when nothing was written to the log.
// Errors: StateRefuses for a version that this program does not know, and when the log would be lost; Corrupt, with the
// row as `tampered`, when a row is not as it was sealed; those of `decide` and of the store.
Result<std::optional<Written>> migrate(Connection& connection, SealingKey& key, int from, int to,
                                       const DecideMigration& decide, const MigrationSteps& steps);

}  // namespace marque::store::sql
