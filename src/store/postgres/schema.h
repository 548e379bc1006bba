// store/postgres/schema.h: the versions of the tables in the schema `marque`.
#pragma once

#include <span>

#include "store/postgres/connection.h"
#include "store/sql/migration.h"

namespace marque::store::postgres {

using sql::newest_schema;

// Oldest first; the schema's version is how many of them are applied.
std::span<const sql::Migration> migrations();

// 0 when there is nothing of ours in the database. Errors: Unavailable.
Result<int> schema_of(Connection& connection);

// Inside the caller's transaction. Waits for whoever else migrates, and holds them off until it ends.
Result<void> lock_migrations(Connection& connection);
Result<void> apply_migrations(Connection& connection, int from, int to);

// Errors: StateRefuses when there is no store because it was moved away, or is being copied to there.
Result<void> require_no_move(Connection& connection);

// Errors: StateRefuses when the store is of another version than this program's; Unavailable when there is none.
Result<void> require_newest_schema(Connection& connection);

}  // namespace marque::store::postgres
