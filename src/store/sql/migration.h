// store/sql/migration.h: a step of a schema, as SQL files with an up and a down that the build embeds; and what is said
// of versions that don't fit.
#pragma once

#include <string>

#include "base/result.h"
#include "store/sql/newest_schema.h"

namespace marque::store::sql {

// The version of the tables that this program works with, in every database: how many migrations there are.
inline constexpr int newest_schema = MARQUE_NEWEST_SCHEMA;

struct Migration {
    const char* name;  // 0001_baseline
    const char* up;
    const char* down;
    const char* objects;  // lines that store/postgres/schema_objects.h describes; empty for SQLite
};

// Errors: StateRefuses when `version` is another one.
Result<void> require_newest(int version);
// Errors: StateRefuses when a store has a version that this program does not know.
Result<void> require_known(int version);
// Errors: InvalidRequest when there is no such version.
Result<void> require_target(int version);

// Makes the error for a trigger, table or other object that is missing or differs from what the migrations make.
Error not_made_by_marque(const std::string& object);

}  // namespace marque::store::sql
