#include "store/sqlite/schema.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <string>

#include "store/maintenance.h"
#include "store/sqlite/migrations_generated.h"

namespace marque::store::sqlite {
namespace {

// The objects of a schema: the key is type and name, the value is the object's table and its SQL. Blanks in the SQL are
// reduced, because rolling a migration back leaves others than the migration did.
using Objects = std::map<std::string, std::string>;

std::string without_blanks(std::string_view sql) {
    std::string text;
    for (const char c : sql)
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            text += c;
        else if (!text.empty() && text.back() != ' ')
            text += ' ';
    for (const char* mark : {" ,", " )"})
        for (std::size_t at; (at = text.find(mark)) != std::string::npos;) text.erase(at, 1);
    return text;
}

Result<Objects> objects_in(Database& database) {
    Objects objects;
    Statement rows = TRY(database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema"));
    while (TRY(rows.step()))
        objects.emplace(rows.text(0) + " " + rows.text(1), rows.text(2) + " " + without_blanks(rows.view(3)));
    return objects;
}

// Made once in a process for each version that it meets.
Result<const Objects*> objects_of(int version) {
    static std::mutex mutex;
    static std::map<int, Objects> known;
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(version); found != known.end()) return &found->second;
    Database database = TRY(Database::open(":memory:"));
    TRY(apply_migrations(database, 0, version));
    return &known.emplace(version, TRY(objects_in(database))).first->second;
}

}  // namespace

std::span<const Migration> migrations() {
    static_assert(std::size(generated_migrations) == newest_schema);
    return generated_migrations;
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

Result<void> require_own_objects(Database& database, int version) {
    const std::pair seen(TRY(database.number("PRAGMA schema_version")), version);
    if (seen == database.known_schema) return {};
    const Objects& expected = *TRY(objects_of(version));
    const Objects found = TRY(objects_in(database));
    for (const auto& [name, text] : found)
        if (const auto own = expected.find(name); own == expected.end() || own->second != text)
            return sql::not_made_by_marque(name);
    for (const auto& [name, text] : expected)
        if (!found.contains(name)) return sql::not_made_by_marque(name);
    database.known_schema = seen;
    return {};
}

Result<void> require_own_schema(Database& database) {
    TRY(require_newest_schema(database));
    return require_own_objects(database, newest_schema);
}

Result<void> require_newest_schema(Database& database) {
    const int version = TRY(schema_of(database));
    if (version == 0)
        return Error(Code::Unavailable, "the store is empty: its creation was cut short", "run marque init again");
    return sql::require_newest(version);
}

}  // namespace marque::store::sqlite
