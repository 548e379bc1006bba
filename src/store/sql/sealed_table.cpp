#include "store/sql/sealed_table.h"

#include <fmt/format.h>

#include <bit>

#include "base/check.h"
#include "base/overloaded.h"
#include "store/sql/rows.h"

namespace marque::store::sql {
namespace {

using namespace domain;
using Kind = SealedKind;

SealedTable make(Kind kind, const char* name, const char* columns, const char* types, const char* key,
                 std::size_t key_columns, const char* where) {
    SealedTable table{kind, name, columns, types, key_columns, {}, {}};
    table.select_one = fmt::format("SELECT {} FROM {}{}", columns, name, where);
    table.select_all = fmt::format("SELECT {} FROM {}{}{}", columns, name, key_columns == 0 ? "" : " ORDER BY ", key);
    return table;
}

// Big-endian. At once, not byte by byte: a server that starts does this for every column of every row.
template <class Number>
void append_number(Bytes& to, Number number) {
    const Number swapped = std::byteswap(number);
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&swapped);
    to.insert(to.end(), bytes, bytes + sizeof swapped);
}

void append_text(Bytes& to, std::string_view text) {
    append_number(to, static_cast<std::uint32_t>(text.size()));
    to.insert(to.end(), text.begin(), text.end());
}

void begin_canonical(Bytes& to, std::string_view place) {
    static_assert(std::endian::native == std::endian::little);
    to.assign(1, 'r');
    append_text(to, place);
}

void append_null(Bytes& to) {
    to.push_back('-');
}

void append_cell(Bytes& to, char type, std::int64_t number) {
    to.push_back(static_cast<std::uint8_t>(type));
    append_number(to, static_cast<std::uint64_t>(number));
}

void append_cell(Bytes& to, char type, std::string_view text) {
    to.push_back(static_cast<std::uint8_t>(type));
    append_text(to, text);
}

Result<void> check_kind(const SealedTable& table, const Statement& row, int column) {
    if (row.is_null(column) || row.kind(column) == table.types[column]) return {};
    return tampered(table.name, fmt::format("a row of {} holds a value of another kind than it can", table.name));
}

}  // namespace

std::span<const SealedTable> sealed_tables() {
    static const SealedTable all[] = {
        make(Kind::Installation, "installation", MARQUE_INSTALLATION_COLUMNS, "tnnnn", "", 0, ""),
        make(Kind::Workspace, "workspace", MARQUE_WORKSPACE_COLUMNS, "ttnnn", "name", 1, " WHERE name = ?"),
        make(Kind::Environment, "environment", MARQUE_ENVIRONMENT_COLUMNS, "ttnntnnn", "workspace, name", 2,
             " WHERE workspace = ? AND name = ?"),
        make(Kind::Identity, "identity", MARQUE_IDENTITY_COLUMNS, "ttttttttnnn", "workspace, name", 2,
             " WHERE workspace = ? AND name = ?"),
        make(Kind::Credential, "credential", MARQUE_CREDENTIAL_COLUMNS, "tttbttnnnnttnn", "id", 1, " WHERE id = ?"),
        make(Kind::Operator, "operator", MARQUE_OPERATOR_COLUMNS, "tnnnn", "name", 1, " WHERE name = ?"),
        make(Kind::Permission, "permission", MARQUE_PERMISSION_COLUMNS, "tttn", "operator, workspace, permission", 3,
             " WHERE operator = ? AND workspace = ? AND permission = ?"),
        make(Kind::Owner, "owner", MARQUE_OWNER_COLUMNS, "ttttn", "fingerprint", 1, " WHERE fingerprint = ?"),
        make(Kind::Approval, "approval", MARQUE_APPROVAL_COLUMNS, "ttttttttnntn", "id", 1, " WHERE id = ?"),
        make(Kind::ApprovalSignature, "approval_signature", MARQUE_SIGNATURE_COLUMNS, "tnttn", "approval, revision", 2,
             " WHERE approval = ? AND revision = ?"),
    };
    return all;
}

const SealedTable& sealed_table(SealedKind kind) {
    const SealedTable& table = sealed_tables()[static_cast<std::size_t>(kind)];
    CHECK(table.kind == kind);
    return table;
}

std::string Place::text() const {
    std::string text = table->name;
    for (const std::string& key : keys) text += "/" + key;
    return text;
}

Place place(SealedKind kind, std::vector<std::string> keys) {
    const SealedTable& table = sealed_table(kind);
    CHECK(keys.size() == table.key_columns);
    return {&table, std::move(keys)};
}

Place place_of(const SealedTable& table, const Statement& row) {
    Place place{&table, {}};
    for (std::size_t i = 0; i < table.key_columns; ++i) {
        const int column = static_cast<int>(i);
        place.keys.push_back(table.types[i] == 'n' ? std::to_string(row.exact_number(column))
                                                   : std::string(row.view(column)));
    }
    return place;
}

std::optional<Place> place_of(const Subject& subject) {
    using Found = std::optional<Place>;
    return std::visit(
        Overloaded{
            [](const InstallationRef&) -> Found { return place(Kind::Installation, {}); },
            [](const StoreRef&) -> Found { return std::nullopt; },
            [](const WorkspaceRef& r) -> Found { return place(Kind::Workspace, {r.name.text()}); },
            [](const EnvironmentRef& r) -> Found {
                return place(Kind::Environment, {r.workspace.text(), r.name.text()});
            },
            [](const IdentityRef& r) -> Found { return place(Kind::Identity, {r.workspace.text(), r.name.text()}); },
            [](const CredentialRef& r) -> Found { return place(Kind::Credential, {r.id.string()}); },
            [](const OperatorRef& r) -> Found { return place(Kind::Operator, {r.name.text()}); },
            [](const OwnerRef& r) -> Found { return place(Kind::Owner, {r.fingerprint}); },
            [](const ApprovalRef& r) -> Found { return place(Kind::Approval, {r.id.string()}); },
        },
        subject);
}

void append_place(std::string& to, const SealedTable& table, const Statement& row) {
    to += table.name;
    for (std::size_t i = 0; i < table.key_columns; ++i) {
        const int column = static_cast<int>(i);
        to += '/';
        if (table.types[i] == 'n')
            to += std::to_string(row.exact_number(column));
        else
            to += row.view(column);
    }
}

Result<Row> row_of(const SealedTable& table, const Statement& row) {
    Row cells;
    for (int column = 0; table.types[column] != '\0'; ++column) {
        TRY(check_kind(table, row, column));
        if (row.is_null(column))
            cells.emplace_back();
        else if (table.types[column] == 'n')
            cells.emplace_back(row.exact_number(column));
        else
            cells.emplace_back(std::string(row.view(column)));
    }
    return cells;
}

Result<void> canonical_row(Bytes& to, const SealedTable& table, std::string_view place, const Statement& row) {
    begin_canonical(to, place);
    for (int column = 0; table.types[column] != '\0'; ++column) {
        TRY(check_kind(table, row, column));
        if (row.is_null(column))
            append_null(to);
        else if (table.types[column] == 'n')
            append_cell(to, 'n', row.exact_number(column));
        else
            append_cell(to, table.types[column], row.view(column));
    }
    return {};
}

void canonical_row(Bytes& to, const SealedTable& table, std::string_view place, const Row& row) {
    begin_canonical(to, place);
    for (std::size_t column = 0; column < row.size(); ++column)
        std::visit(Overloaded{
                       [&](std::monostate) { append_null(to); },
                       [&](std::int64_t number) { append_cell(to, 'n', number); },
                       [&](const std::string& text) { append_cell(to, table.types[column], std::string_view(text)); },
                   },
                   row[column]);
}

Error tampered(const std::string& place, const std::string& what) {
    Error error(Code::Corrupt, what + ": somebody wrote to the database", "marque audit verify names what was changed");
    error.tampered = place;
    return error;
}

std::string describe(const Place& place) {
    std::string text = place.table->kind == Kind::ApprovalSignature ? "a signature of approval" : place.table->name;
    if (!place.keys.empty())
        text += " " + place.keys[place.table->key_columns == 2 && place.table->kind != Kind::ApprovalSignature ? 1 : 0];
    if (place.table->kind == Kind::Permission) text += ", " + place.keys[2] + " in " + place.keys[1];
    return text;
}

}  // namespace marque::store::sql
