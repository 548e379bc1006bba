#include "store/sql/rows.h"

#include <algorithm>
#include <initializer_list>

#include "audit/json.h"
#include "base/text.h"

namespace marque::store::sql {
namespace {

using namespace domain;

// A parse error of something stored is not the caller's mistake.
template <class T>
Result<T> stored(Result<T> parsed) {
    if (parsed) return parsed;
    return Error(Code::Corrupt, "a stored row makes no sense: " + parsed.error().message,
                 "stop, keep a copy of the folder, and run marque doctor");
}

template <class E>
Result<E> one_of(std::string_view text, std::initializer_list<E> values) {
    for (const E value : values)
        if (text == name_of(value)) return value;
    return stored(Result<E>(Error(Code::InvalidRequest, "unknown word " + quote(text))));
}

Result<Labels> labels_from(std::string_view text) {
    const auto json = TRY(stored(audit::parse_canonical(text)));
    if (!json.is_object()) return Error(Code::Corrupt, "stored labels are not an object");
    Labels labels;
    for (const auto& member : json.get_object()) {
        const auto* value = member.value().if_string();
        if (value == nullptr) return Error(Code::Corrupt, "a stored label is not text");
        labels.emplace(member.key(), *value);
    }
    return labels;
}

Result<CredentialStanding> credential_standing_from(std::string_view text) {
    using enum CredentialStanding;
    return one_of(text, {Active, Revoked, Pending, Paused, Retiring});
}

Result<std::array<std::uint8_t, 32>> digest_from(ByteView bytes) {
    std::array<std::uint8_t, 32> digest{};
    if (bytes.size() != digest.size()) return Error(Code::Corrupt, "a stored hash has a wrong length");
    std::ranges::copy(bytes, digest.begin());
    return digest;
}

}  // namespace

Result<CredentialId> credential_id_from(const Statement& row, int column) {
    return stored(CredentialId::parse(row.view(column)));
}

Result<Condition> condition_from(const Statement& row, int first) {
    const Standing standing = TRY(one_of(row.view(first), {Standing::Active, Standing::Paused, Standing::Revoked}));
    return Condition{standing, row.maybe_instant(first + 1)};
}

RefusedUses refused_uses_from(const Statement& row, int first) {
    return {row.text(first, longest_note_bytes), row.count(first + 1), row.instant(first + 2),
            row.text(first + 3, longest_note_bytes), row.count(first + 4)};
}

Result<CredentialFacts> facts_from(const Statement& row) {
    const auto id = TRY(stored(CredentialId::parse(row.view(0))));
    const auto hash = TRY(digest_from(bytes_of(row.view(3))));
    const CredentialStanding standing = TRY(credential_standing_from(row.view(5)));
    std::optional<Instant> turns_at;
    if (standing == CredentialStanding::Pending) turns_at = row.instant(6) + delivery_window;
    if (standing == CredentialStanding::Paused) turns_at = row.maybe_instant(8);
    if (standing == CredentialStanding::Retiring) turns_at = row.maybe_instant(9);
    const bool ends_predecessor = row.view(11) == name_of(OldCredential::RetiresWhenNewIsUsed);
    return CredentialFacts{
        id, row.view(1), row.view(2), row.view(4), hash, {standing, turns_at, row.maybe_instant(7)}, ends_predecessor};
}

Result<Installation> installation_from(const Statement& row) {
    const ApprovalPolicy policy{row.count_of_32_bits(2), row.number(3) != 0};
    return Installation{row.text(0), row.instant(1), policy, row.count(4)};
}

Result<Workspace> workspace_from(const Statement& row) {
    const auto name = TRY(stored(WorkspaceName::parse(row.view(0))));
    const Condition condition = TRY(condition_from(row, 1));
    return Workspace{name, condition, row.instant(3), row.count(4)};
}

Result<Environment> environment_from(const Statement& row) {
    const auto workspace = TRY(stored(WorkspaceName::parse(row.view(0))));
    const auto name = TRY(stored(EnvironmentName::parse(row.view(1))));
    const Protection protection = row.number(2) == 0 ? Protection::Open : Protection::Protected;
    const Condition condition = TRY(condition_from(row, 4));
    return Environment{workspace, name, protection, row.maybe_duration(3), condition, row.instant(6), row.count(7)};
}

Result<Identity> identity_from(const Statement& row) {
    const auto workspace = TRY(stored(WorkspaceName::parse(row.view(0))));
    const auto name = TRY(stored(IdentityName::parse(row.view(1))));
    const auto environment = TRY(stored(EnvironmentName::parse(row.view(2))));
    const MachineKind kind = TRY(stored(parse_kind(row.view(3))));
    const ScopeSet scopes = TRY(stored(ScopeSet::parse(row.view(4))));
    const Labels labels = TRY(labels_from(row.view(6)));
    const Condition condition = TRY(condition_from(row, 7));
    return Identity{workspace,   name,   environment, kind,           scopes,
                    row.text(5), labels, condition,   row.instant(9), row.count(10)};
}

Result<std::optional<Succession>> succession_from(const Statement& row) {
    using enum OldCredential;
    if (row.is_null(10)) return std::nullopt;
    const auto replaces = TRY(stored(CredentialId::parse(row.view(10))));
    const auto old_credential = TRY(one_of(row.view(11), {RetiresAfterOverlap, RetiresWhenNewIsUsed, IsRevoked}));
    return Succession{replaces, old_credential, row.maybe_duration(12).value_or(Duration(0))};
}

Result<Credential> credential_from(const Statement& row) {
    using enum CredentialStanding;
    const auto id = TRY(stored(CredentialId::parse(row.view(0))));
    const auto workspace = TRY(stored(WorkspaceName::parse(row.view(1))));
    const auto identity = TRY(stored(IdentityName::parse(row.view(2))));
    const auto hash = TRY(digest_from(row.bytes(3)));
    const ScopeSet scopes = TRY(stored(ScopeSet::parse(row.view(4))));
    const auto standing = TRY(credential_standing_from(row.view(5)));
    const auto succession = TRY(succession_from(row));
    return Credential{id,
                      workspace,
                      identity,
                      hash,
                      scopes,
                      standing,
                      row.instant(6),
                      row.maybe_instant(7),
                      row.maybe_instant(8),
                      row.maybe_instant(9),
                      succession,
                      row.count(13)};
}

Result<Operator> operator_from(const Statement& row) {
    const auto name = TRY(stored(OperatorName::parse(row.view(0))));
    return Operator{name, row.count_of_32_bits(1), row.number(2) != 0, {}, row.instant(3), row.count(4)};
}

Result<Grant> grant_from(const Statement& row) {
    const Permission permission = TRY(stored(parse_permission(row.view(2))));
    Grant grant{std::nullopt, permission};
    if (const std::string workspace = row.text(1); workspace != "*")
        grant.workspace = TRY(stored(WorkspaceName::parse(workspace)));
    return grant;
}

Result<Owner> owner_from(const Statement& row) {
    Owner owner{row.text(0), row.text(1), row.text(2), std::nullopt, row.count(4)};
    if (!row.is_null(3)) owner.operator_name = TRY(stored(OperatorName::parse(row.view(3))));
    return owner;
}

Result<Approval> approval_from(const Statement& row) {
    using enum ApprovalStanding;
    const auto id = TRY(stored(ApprovalId::parse(row.view(0))));
    const auto about = TRY(stored(audit::parse_canonical(row.view(5))));
    if (!about.is_object()) return Error(Code::Corrupt, "an approval is about nothing");
    const Subject subject = TRY(audit::subject_from(about.get_object()));
    std::optional<WorkspaceName> workspace;
    if (!row.is_null(6)) workspace = TRY(stored(WorkspaceName::parse(row.view(6))));
    const auto requester = TRY(stored(OperatorName::parse(row.view(7))));
    const auto standing = TRY(one_of(row.view(10), {Open, Redeemed, Denied, Withdrawn}));
    return Approval{id,        row.text(1),    row.text(2),    row.text(3), row.text(4), subject,      workspace,
                    requester, row.instant(8), row.instant(9), standing,    {},          row.count(11)};
}

Result<OwnerSignature> signature_from(const Statement& row) {
    return OwnerSignature{row.text(2), row.text(3), row.instant(4), row.count(1)};
}

Result<StoredEntry> entry_from(const Statement& row) {
    const audit::Digest seal = TRY(digest_from(row.bytes(2)));
    return StoredEntry{row.count(0), std::string(row.view(1)), seal};
}

std::string labels_text(const Labels& labels) {
    audit::JsonObject object;
    for (const auto& [key, value] : labels) object[key] = value;
    return audit::canonical(object);
}

std::string workspace_text(const Grant& grant) {
    return grant.workspace ? grant.workspace->text() : "*";
}

}  // namespace marque::store::sql
