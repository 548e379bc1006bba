// store/sqlite/schema.h: the versions of the database's tables, as SQL files with an up and a down.
#pragma once

#include <span>

#include "base/result.h"
#include "store/sql/migration.h"
#include "store/sqlite/database.h"

namespace marque::store::sqlite {

using sql::Migration;
using sql::newest_schema;

// Oldest first; the schema's version is how many of them are applied.
std::span<const Migration> migrations();

// "mrq1", the application id in the file's header.
inline constexpr int application_id = 0x6d727131;

// The version in the file; 0 for an empty database. Errors: Corrupt when the file is some
// other application's database; StateRefuses when the store was moved away.
Result<int> schema_of(Database& database);

// Checks that the database has the tables, indexes and triggers that the migrations up to `version` make, each with the
// same text, and nothing else. An attacker with SQL access can add what acts or speaks for a table; the seals show what
// came of that, and this names its cause. Errors: Corrupt, with the first object that differs as `tampered`;
// Unavailable.
Result<void> require_own_objects(Database& database, int version);
// Both: nothing is read or written through an object that Marque did not make.
Result<void> require_own_schema(Database& database);

// A store that was moved away has its version negated: whoever has it open, or opens it, finds so in the transaction.
Result<bool> is_closed(Database& database);
// Inside the caller's transaction.
Result<void> close_for_good(Database& database);

// Inside the caller's transaction. Errors: Unavailable, Corrupt.
Result<void> apply_migrations(Database& database, int from, int to);

// Errors: StateRefuses when the store is of another version than this program's.
Result<void> require_newest_schema(Database& database);

}  // namespace marque::store::sqlite
