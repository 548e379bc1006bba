// store/sql/sealed_table.h: the tables whose rows are sealed, what of a row its seal covers, and which rows an event
// writes.
//
// All columns are covered, and the row's name: "identity/default/codex", "permission/ana/*/workspace:manage". What
// matters in lists, that none is missing, is covered by the row of the installation: its seal goes over the operators'
// and the owners' too.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "audit/event.h"
#include "domain/entities.h"
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
    const char* columns;  // as rows.h has them
    const char* types;    // of each: t text, n number, b bytes
    const char* key;      // the columns that name a row, the first ones
    std::size_t key_columns;
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
// The row of what an entry is about; the store as a whole has none.
std::optional<Place> place_of(const domain::Subject& subject);
void append_place(std::string& to, const SealedTable& table, const Statement& row);

// What is sealed of a row, so that no other row looks the same; `to` is emptied first.
void canonical_row(Bytes& to, const SealedTable& table, std::string_view place, const Statement& row);

// The rows that applying `event` (apply.h) as entry `revision` writes or removes.
std::vector<Place> places_of(const audit::Event& event, domain::Revision revision);
// What a row is called where people read it: "identity codex".
std::string describe(const Place& place);

}  // namespace marque::store::sql
