#include "store/sql/sealed_table.h"

#include <bit>
#include <fmt/format.h>

#include "base/check.h"
#include "base/overloaded.h"
#include "store/sql/rows.h"

namespace marque::store::sql {
namespace {

using namespace domain;
using Kind = SealedKind;

SealedTable make(Kind kind, const char* name, const char* columns, const char* types, const char* key,
                 std::size_t key_columns, const char* where) {
    SealedTable table{kind, name, columns, types, key, key_columns, {}, {}};
    table.select_one = fmt::format("SELECT {} FROM {}{}", columns, name, where);
    table.select_all = fmt::format("SELECT {} FROM {}{}{}", columns, name, key_columns == 0 ? "" : " ORDER BY ", key);
    return table;
}

Place place_of_subject(const Subject& subject) {
    const auto place = place_of(subject);
    CHECK(place.has_value());
    return *place;
}

Place place_of(const OperatorName& name, const domain::Grant& grant) {
    return place(Kind::Permission, {name.text(), workspace_text(grant), name_of(grant.permission)});
}

Place installation() {
    return place(Kind::Installation, {});
}

std::vector<Place> with_grants(const domain::Operator& one) {
    std::vector<Place> places{installation(), place(Kind::Operator, {one.name.text()})};
    for (const domain::Grant& grant : one.grants) places.push_back(place_of(one.name, grant));
    return places;
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
        place.keys.push_back(table.types[i] == 'n' ? std::to_string(row.number(column)) : row.text(column));
    }
    return place;
}

std::optional<Place> place_of(const Subject& subject) {
    using Found = std::optional<Place>;
    return std::visit(
        Overloaded{
            [](const InstallationRef&) -> Found { return installation(); },
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
            to += std::to_string(row.number(column));
        else
            to += row.view(column);
    }
}

void canonical_row(Bytes& to, const SealedTable& table, std::string_view place, const Statement& row) {
    static_assert(std::endian::native == std::endian::little);
    to.assign(1, 'r');
    append_text(to, place);
    for (int column = 0; table.types[column] != '\0'; ++column) {
        if (row.is_null(column)) {
            to.push_back('-');
            continue;
        }
        const char type = table.types[column];
        to.push_back(static_cast<std::uint8_t>(type));
        if (type == 'n')
            append_number(to, static_cast<std::uint64_t>(row.number(column)));
        else
            append_text(to, row.view(column));
    }
}

std::vector<Place> places_of(const audit::Event& event, Revision revision) {
    const auto of_credential = [](const CredentialRef& ref) { return std::vector{place_of_subject(ref)}; };
    const auto of_approval = [](const ApprovalId& id) { return place(Kind::Approval, {id.string()}); };
    const auto of_owner = [](const domain::Owner& owner) {
        return std::vector{installation(), place(Kind::Owner, {owner.fingerprint})};
    };
    return std::visit(
        Overloaded{
            [](const audit::InstallationCreated&) { return std::vector{installation()}; },
            [](const audit::WorkspaceAdded& e) {
                return std::vector{place_of_subject(WorkspaceRef{e.workspace.name})};
            },
            [](const audit::EnvironmentAdded& e) {
                return std::vector{place_of_subject(EnvironmentRef{e.environment.workspace, e.environment.name})};
            },
            [](const audit::IdentityCreated& e) {
                return std::vector{place_of_subject(IdentityRef{e.identity.workspace, e.identity.name})};
            },
            [](const audit::CredentialIssued& e) {
                return std::vector{place(Kind::Credential, {e.credential.id.string()})};
            },
            [&](const audit::CredentialActivated& e) { return of_credential(e.credential); },
            [&](const audit::CredentialRetiring& e) { return of_credential(e.credential); },
            [&](const audit::CredentialUndelivered& e) { return of_credential(e.credential); },
            [](const audit::Paused& e) { return std::vector{place_of_subject(e.subject)}; },
            [](const audit::Resumed& e) { return std::vector{place_of_subject(e.subject)}; },
            [](const audit::Revoked& e) { return std::vector{place_of_subject(e.subject)}; },
            [](const audit::OperatorAdded& e) { return with_grants(e.operator_); },
            [](const audit::OperatorRemoved& e) {
                return std::vector{installation(), place(Kind::Operator, {e.name.text()})};
            },
            [](const audit::PermissionGranted& e) {
                return std::vector{installation(), place(Kind::Operator, {e.name.text()}), place_of(e.name, e.grant)};
            },
            [](const audit::PermissionWithdrawn& e) {
                return std::vector{installation(), place(Kind::Operator, {e.name.text()}), place_of(e.name, e.grant)};
            },
            [&](const audit::OwnerAdded& e) { return of_owner(e.owner); },
            [&](const audit::OwnerRemoved& e) { return of_owner(e.owner); },
            [](const audit::ApprovalPolicyChanged&) { return std::vector{installation()}; },
            [](const audit::ProtectionChanged& e) { return std::vector{place_of_subject(e.environment)}; },
            [&](const audit::ApprovalRequested& e) { return std::vector{of_approval(e.approval.id)}; },
            [&](const audit::ApprovalSigned& e) {
                return std::vector{of_approval(e.id),
                                   place(Kind::ApprovalSignature, {e.id.string(), std::to_string(revision)})};
            },
            [&](const audit::ApprovalDenied& e) { return std::vector{of_approval(e.id)}; },
            [&](const audit::ApprovalWithdrawn& e) { return std::vector{of_approval(e.id)}; },
            [&](const audit::ApprovalRedeemed& e) { return std::vector{of_approval(e.id)}; },
            [](const audit::CredentialRefused&) { return std::vector<Place>(); },
            [](const audit::StoreMigrated&) { return std::vector<Place>(); },
            [](const audit::StoreBackedUp&) { return std::vector<Place>(); },
            [](const audit::StoreCopied&) { return std::vector<Place>(); },
            [](const audit::KeyRotated&) { return std::vector<Place>(); },
            [](const audit::LogAccepted&) { return std::vector<Place>(); },
            [](const audit::VerifierRemoved&) { return std::vector<Place>(); },
            [](const audit::Refused&) { return std::vector<Place>(); },
        },
        event);
}

std::string describe(const Place& place) {
    std::string text = place.table->kind == Kind::ApprovalSignature ? "a signature of approval" : place.table->name;
    if (!place.keys.empty())
        text += " " + place.keys[place.table->key_columns == 2 && place.table->kind != Kind::ApprovalSignature ? 1 : 0];
    if (place.table->kind == Kind::Permission) text += ", " + place.keys[2] + " in " + place.keys[1];
    return text;
}

}  // namespace marque::store::sql
