#include "store/sqlite/schema.h"

#include <fmt/format.h>

#include "store/maintenance.h"
#include "store/sqlite/migrations_generated.h"

namespace marque::store::sqlite {

std::span<const Migration> migrations() {
    return generated_migrations;
}

int newest_schema() {
    return static_cast<int>(migrations().size());
}

Result<int> schema_of(Database& database) {
    const auto application = TRY(database.number("PRAGMA application_id"));
    const auto version = TRY(database.number("PRAGMA user_version"));
    if (application == application_id && version < 0) return moved_away();
    if (application == application_id) return static_cast<int>(version);
    const auto tables = TRY(database.number("SELECT count(*) FROM sqlite_schema"));
    if (application == 0 && version == 0 && tables == 0) return 0;
    return Error(Code::Corrupt, "the file is a database, but not a Marque store", "check --store and MARQUE_STORE");
}

Result<bool> is_closed(Database& database) {
    return TRY(database.number("PRAGMA application_id")) == application_id &&
           TRY(database.number("PRAGMA user_version")) < 0;
}

Result<void> close_for_good(Database& database) {
    return database.execute(fmt::format("PRAGMA user_version = {}", -TRY(schema_of(database))).c_str());
}

Result<void> apply_migrations(Database& database, int from, int to) {
    for (int at = from; at < to; ++at) TRY(database.execute(migrations()[static_cast<std::size_t>(at)].up));
    for (int at = from; at > to; --at) TRY(database.execute(migrations()[static_cast<std::size_t>(at - 1)].down));
    const std::string pragmas = fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", application_id, to);
    return database.execute(pragmas.c_str());
}

Result<void> require_newest_schema(Database& database) {
    const int version = TRY(schema_of(database));
    if (version == 0)
        return Error(Code::Unavailable, "the store is empty: its creation was cut short", "run marque init again");
    return sql::require_newest(version, newest_schema());
}

}  // namespace marque::store::sqlite
