// store/sql/migration.h: a step of a schema: SQL files with an up and a down, embedded by the build.
#pragma once

namespace marque::store::sql {

struct Migration {
    const char* name;  // 0001_installation
    const char* up;
    const char* down;
};

}  // namespace marque::store::sql
