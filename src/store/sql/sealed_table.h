// store/sql/sealed_table.h: the tables whose rows are sealed, and what of a row its seal covers: all its columns, and
// its name, "identity/default/codex" or "permission/ana/*/workspace:manage".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "domain/subject.h"
#include "store/sql/statement.h"

namespace marque::store::sql {

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
    const char* columns;      // as rows.h has them
    const char* types;        // of each: t text, n number, b bytes
    std::size_t key_columns;  // the first ones name a row
    // Statements are known by their address: these live for ever.
    std::string select_one, select_all;  // the latter in the order of the key
};

std::span<const SealedTable> sealed_tables();
const SealedTable& sealed_table(SealedKind kind);

// A row by its name. Keys are bound as text; the database compares them as what they are.
struct Place {
    const SealedTable* table;
    std::vector<std::string> keys;

    std::string text() const;
    auto operator<=>(const Place&) const = default;
};
Place place(SealedKind kind, std::vector<std::string> keys);
// Of a row that was selected with the table's columns.
Place place_of(const SealedTable& table, const Statement& row);
void append_place(std::string& to, const SealedTable& table, const Statement& row);
// The row of what an entry is about; the store as a whole has none.
std::optional<Place> place_of(const domain::Subject& subject);

// A row's values, as the table's columns are.
using Cell = std::variant<std::monostate, std::int64_t, std::string>;  // bytes are a string too
using Row = std::vector<Cell>;

// Errors of both: Corrupt, which is tampering, when a column holds another kind of value than the table has: what a
// condition compares would not be what is read.
Result<Row> row_of(const SealedTable& table, const Statement& row);
// What is sealed of a row, so that no other row looks the same; `to` is emptied first.
Result<void> canonical_row(Bytes& to, const SealedTable& table, std::string_view place, const Statement& row);
void canonical_row(Bytes& to, const SealedTable& table, std::string_view place, const Row& row);

// What a row is called where people read it: "identity codex".
std::string describe(const Place& place);

// That somebody wrote to `place`; `what` says how that shows.
Error tampered(const std::string& place, const std::string& what);

}  // namespace marque::store::sql
