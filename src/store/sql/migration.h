// store/sql/migration.h: a step of a schema, as SQL files with an up and a down that the build embeds; and what is said
// of versions that don't fit.
#pragma once

#include <string>

#include "base/result.h"

namespace marque::store::sql {

struct Migration {
    const char* name;  // 0001_installation
    const char* up;
    const char* down;
};

// A store of schema `version` is not worked with but by a program that writes `newest`. Errors: StateRefuses.
Result<void> require_newest(int version, int newest);

// From `from`, which a program that writes `newest` may not know, to `to`, which there may not be. Errors:
// StateRefuses, InvalidRequest.
Result<void> require_known(int from, int newest);
Result<void> require_target(int to, int newest);

// Makes the error for a trigger, table or other object that is missing or differs from what the migrations make.
Error not_made_by_marque(const std::string& object);

}  // namespace marque::store::sql
