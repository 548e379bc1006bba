#include "store/postgres/schema.h"

#include <climits>
#include <fmt/format.h>

#include <set>
#include <string>

#include "base/text.h"
#include "store/maintenance.h"
#include "store/postgres/migrations_generated.h"
#include "store/postgres/schema_objects.h"

namespace marque::store::postgres {

std::span<const sql::Migration> migrations() {
    static_assert(std::size(generated_migrations) == newest_schema);
    return generated_migrations;
}

Result<int> schema_of(Connection& connection) {
    if (TRY(connection.number("SELECT count(*) FROM pg_tables"
                              " WHERE schemaname = 'marque' AND tablename = 'schema_version'")) == 0)
        return 0;
    const auto version = TRY(connection.number("SELECT version FROM marque.schema_version"));
    if (version >= 0 && version <= INT_MAX) return static_cast<int>(version);
    return Error(Code::Corrupt, fmt::format("the store says that it has schema {}", version),
                 "stop, and see who wrote to the database");
}

Result<void> lock_migrations(Connection& connection) {
    return connection.execute("SELECT pg_advisory_xact_lock(7886448)");  // "mrq" and a number: nobody else's, we hope
}

Result<void> apply_migrations(Connection& connection, int from, int to) {
    if (from == 0)
        TRY(
            connection.execute("CREATE SCHEMA IF NOT EXISTS marque;"
                               "CREATE TABLE IF NOT EXISTS marque.schema_version (version bigint NOT NULL);"
                               "DELETE FROM marque.schema_version; INSERT INTO marque.schema_version VALUES (0)"));
    for (int at = from; at < to; ++at) TRY(connection.execute(migrations()[static_cast<std::size_t>(at)].up));
    for (int at = from; at > to; --at) TRY(connection.execute(migrations()[static_cast<std::size_t>(at - 1)].down));
    return connection.execute(fmt::format("UPDATE marque.schema_version SET version = {}", to).c_str());
}

Result<void> require_newest_schema(Connection& connection) {
    const int version = TRY(schema_of(connection));
    if (version > 0) return sql::require_newest(version);
    TRY(require_no_move(connection));
    return Error(Code::Unavailable, "there is no store in the database", "make one with marque init");
}

// The kind and the name are a line's first two words; the rest says what the object is.
Result<void> require_own_objects(Connection& connection, int version) {
    std::set<std::string_view> expected;
    for (int at = 0; at < version; ++at)
        for (const std::string_view line : split(migrations()[static_cast<std::size_t>(at)].objects, '\n'))
            if (!line.empty()) expected.insert(line);
    sql::Statement lines = TRY(connection.prepare(objects_sql));
    std::set<std::string> foreign;
    while (TRY(lines.step()))
        if (expected.erase(lines.view(0)) == 0) foreign.insert(lines.text(0));
    const auto name_in = [](std::string_view line) {
        const auto words = split(line, ' ');
        return words.size() < 2 ? std::string(line) : fmt::format("{} {}", words[0], words[1]);
    };
    // A trigger is named before its function, and a table before its columns.
    for (const char* kind : {"trigger", "view", "rule", "policy", "child", "table", ""})
        for (const std::string& line : foreign)
            if (line.starts_with(kind)) return sql::not_made_by_marque(name_in(line));
    if (!expected.empty()) return sql::not_made_by_marque(name_in(*expected.begin()));
    return {};
}

Result<void> require_no_move(Connection& connection) {
    if (TRY(schema_of(connection)) > 0) return {};
    if (TRY(connection.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'marque_part'")) > 0)
        return copied_in_part();
    if (TRY(connection.number("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^marque_moved_[0-9]+$'")) > 0)
        return moved_away();
    return {};
}

}  // namespace marque::store::postgres
