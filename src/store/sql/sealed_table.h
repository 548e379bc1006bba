// store/sql/sealed_table.h: the tables whose rows are sealed. A row's seal covers all its columns and its name, such as
// "identity/default/codex" or "permission/ana/*/workspace:manage".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "audit/record.h"
#include "store/sql/columns.h"
#include "store/sql/migration.h"
#include "store/sql/statement.h"

namespace marque::store::sql {

// In the order of audit::Record's alternatives.
enum class SealedKind {
    Installation,
    Workspace,
    Environment,
    Identity,
    Credential,
    Operator,
    Permission,
    Owner,
    Approval,
    ApprovalSignature,
};

struct SealedTable {
    SealedKind kind;
    const char* name;
    std::vector<std::string> columns;  // columns.h
    std::string types;                 // a letter for each column: t text, n number, b bytes
    std::size_t key_columns;           // so many of the first columns are the primary key
    int revision_column;               // -1: there is none
    // Prepared statements are found by the address of their text, so these texts are never freed.
    std::string select_one, select_all, scan;  // select_all is in the order of the key, scan in any
    std::string insert, update, erase;         // update: all columns but the key, then the key
};
// Fills in the statements.
void complete(SealedTable& table);

// Returns the tables with the columns that they have in a schema's version, 1 to newest_schema. They live for ever.
std::span<const SealedTable> sealed_tables(int schema = newest_schema);
const SealedTable& sealed_table(SealedKind kind);

// The kind of the record type R, an alternative of audit::Record.
template <class R>
consteval SealedKind kind_of() {
    return []<class... Records>(std::type_identity<std::variant<Records...>>) {
        int kind = 0;
        static_cast<void>((... || (std::is_same_v<R, Records> || (++kind, false))));
        static_assert((std::is_same_v<R, Records> || ...));
        return static_cast<SealedKind>(kind);
    }(std::type_identity<audit::Record>());
}

// "SELECT all of the table's columns FROM it", and `rest` behind it. Keep the text in a static variable: prepared
// statements are known by its address.
std::string select(SealedKind kind, std::string_view rest);

// The name of a row: its table and the values of its key. Keys are bound as text, and the database converts them.
struct Place {
    const SealedTable* table;
    std::vector<std::string> keys;

    std::string text() const;
    auto operator<=>(const Place&) const = default;
};
Place place(SealedKind kind, std::vector<std::string> keys);
// Returns the name of a row that was selected with all columns of its table.
Place place_of(const SealedTable& table, const Statement& row);
void append_place(std::string& to, const SealedTable& table, const Statement& row);
// Returns the name of the row that an entry is about; nullopt if it is about the store as a whole.
std::optional<Place> place_of(const domain::Subject& subject);
Place place_of(const audit::RecordName& name);

// Returns the record in a row of `kind` that was selected with all of its columns. Errors: Corrupt (rows.h).
Result<audit::Record> record_from(SealedKind kind, const Statement& row);

// Replaces `to` by the bytes that a row's seal is computed over; different rows have different bytes. Errors: Corrupt,
// with `tampered`, if a column holds another type of value than the table declares, because SQL would then compare
// another value than Marque reads.
Result<void> canonical_row(Bytes& to, const SealedTable& table, std::string_view place, const Statement& row);
void canonical_row(Bytes& to, const SealedTable& table, std::string_view place, const Row& row);

// Returns a row's name as people read it: "identity codex".
std::string describe(const Place& place);

// Makes the error for a row that someone else than Marque changed. `what` says how that was seen.
Error tampered(const std::string& place, const std::string& what);

}  // namespace marque::store::sql
