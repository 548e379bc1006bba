#include "store/sql/sealed_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>

#include "base/check.h"
#include "base/overloaded.h"
#include "store/sql/rows.h"

namespace marque::store::sql {
namespace {

using namespace domain;
using Kind = SealedKind;

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
    if (row.is_null(column) || row.kind(column) == table.types[static_cast<std::size_t>(column)]) return {};
    return tampered(table.name, fmt::format("a row of {} holds a value of another kind than it can", table.name));
}

}  // namespace

void complete(SealedTable& table) {
    const std::string columns = fmt::format("{}", fmt::join(table.columns, ", "));
    const auto keys = std::span(table.columns).first(table.key_columns);
    const auto others = std::span(table.columns).subspan(table.key_columns);
    std::string where, order;
    for (const std::string& key : keys) where += (where.empty() ? " WHERE " : " AND ") + key + " = ?";
    if (!keys.empty()) order = fmt::format(" ORDER BY {}", fmt::join(keys, ", "));
    table.select_one = fmt::format("SELECT {} FROM {}{}", columns, table.name, where);
    table.scan = fmt::format("SELECT {} FROM {}", columns, table.name);
    table.select_all = table.scan + order;
    // The installation's one row is named by a column of its own.
    const bool is_only = keys.empty();
    std::string values;
    for (std::size_t i = 0; i < table.columns.size(); ++i) values += i == 0 ? "?" : ", ?";
    table.insert = fmt::format("INSERT INTO {} ({}{}) VALUES ({}{})", table.name, is_only ? "\"only\", " : "", columns,
                               is_only ? "1, " : "", values);
    table.update = fmt::format("UPDATE {} SET {} = ?{}", table.name, fmt::join(others, " = ?, "), where);
    table.erase = fmt::format("DELETE FROM {}{}", table.name, where);
}

const SealedTable& sealed_table(SealedKind kind) {
    const SealedTable& table = sealed_tables()[static_cast<std::size_t>(kind)];
    CHECK(table.kind == kind);
    return table;
}

std::string select(SealedKind kind, std::string_view rest) {
    return fmt::format("{} {}", sealed_table(kind).scan, rest);
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

Place place_of(const audit::RecordName& name) {
    return std::visit(
        Overloaded{
            [](const InstallationRef&) { return place(Kind::Installation, {}); },
            [](const WorkspaceRef& r) { return place(Kind::Workspace, {r.name.text()}); },
            [](const EnvironmentRef& r) { return place(Kind::Environment, {r.workspace.text(), r.name.text()}); },
            [](const IdentityRef& r) { return place(Kind::Identity, {r.workspace.text(), r.name.text()}); },
            [](const CredentialId& id) { return place(Kind::Credential, {id.string()}); },
            [](const OperatorRef& r) { return place(Kind::Operator, {r.name.text()}); },
            [](const audit::PermissionRef& r) {
                return place(Kind::Permission, {r.holder.text(), workspace_text(r.grant), name_of(r.grant.permission)});
            },
            [](const OwnerRef& r) { return place(Kind::Owner, {r.fingerprint}); },
            [](const ApprovalRef& r) { return place(Kind::Approval, {r.id.string()}); },
            [](const audit::SignatureRef& r) {
                return place(Kind::ApprovalSignature, {r.approval.string(), std::to_string(r.revision)});
            },
        },
        name);
}

std::optional<Place> place_of(const Subject& subject) {
    using Found = std::optional<Place>;
    const auto found = [](const audit::RecordName& name) -> Found { return place_of(name); };
    return std::visit(Overloaded{
                          [&](const InstallationRef& r) { return found(r); },
                          [](const StoreRef&) -> Found { return std::nullopt; },
                          [&](const WorkspaceRef& r) { return found(r); },
                          [&](const EnvironmentRef& r) { return found(r); },
                          [&](const IdentityRef& r) { return found(r); },
                          [&](const CredentialRef& r) { return found(r.id); },
                          [&](const OperatorRef& r) { return found(r); },
                          [&](const OwnerRef& r) { return found(r); },
                          [&](const ApprovalRef& r) { return found(r); },
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

Result<void> canonical_row(Bytes& to, const SealedTable& table, std::string_view place, const Statement& row) {
    begin_canonical(to, place);
    for (int column = 0; column < static_cast<int>(table.types.size()); ++column) {
        TRY(check_kind(table, row, column));
        if (row.is_null(column))
            append_null(to);
        else if (table.types[static_cast<std::size_t>(column)] == 'n')
            append_cell(to, 'n', row.exact_number(column));
        else
            append_cell(to, table.types[static_cast<std::size_t>(column)], row.view(column));
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
