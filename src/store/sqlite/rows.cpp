#include "store/sqlite/rows.h"

#include <algorithm>
#include <initializer_list>

#include "audit/json.h"

namespace marque::store::sqlite {
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
Result<E> one_of(const std::string& text, std::initializer_list<E> values) {
    for (const E value : values)
        if (text == name_of(value)) return value;
    return stored(Result<E>(Error(Code::InvalidRequest, "unknown word " + text)));
}

Result<Condition> condition_from(const Statement& row, int state, int paused_until) {
    return Condition{TRY(one_of(row.text(state), {Standing::Active, Standing::Paused, Standing::Revoked})),
                     row.maybe_instant(paused_until)};
}

Result<Labels> labels_from(const std::string& text) {
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

Result<std::array<std::uint8_t, 32>> digest_from(const Bytes& bytes) {
    std::array<std::uint8_t, 32> digest{};
    if (bytes.size() != digest.size()) return Error(Code::Corrupt, "a stored hash has a wrong length");
    std::ranges::copy(bytes, digest.begin());
    return digest;
}

}  // namespace

Result<Workspace> workspace_from(const Statement& row) {
    return Workspace{TRY(stored(WorkspaceName::parse(row.text(0)))), TRY(condition_from(row, 1, 2)),
                     row.instant(3), static_cast<Revision>(row.number(4))};
}

Result<Environment> environment_from(const Statement& row) {
    return Environment{TRY(stored(WorkspaceName::parse(row.text(0)))),
                       TRY(stored(EnvironmentName::parse(row.text(1)))),
                       row.number(2) == 0 ? Protection::Open : Protection::Protected,
                       row.maybe_duration(3),
                       TRY(condition_from(row, 4, 5)),
                       row.instant(6),
                       static_cast<Revision>(row.number(7))};
}

Result<Identity> identity_from(const Statement& row) {
    return Identity{TRY(stored(WorkspaceName::parse(row.text(0)))),
                    TRY(stored(IdentityName::parse(row.text(1)))),
                    TRY(stored(EnvironmentName::parse(row.text(2)))),
                    TRY(stored(parse_kind(row.text(3)))),
                    TRY(stored(ScopeSet::parse(row.text(4)))),
                    row.text(5),
                    TRY(labels_from(row.text(6))),
                    TRY(condition_from(row, 7, 8)),
                    row.instant(9),
                    static_cast<Revision>(row.number(10))};
}

Result<Credential> credential_from(const Statement& row) {
    using enum CredentialStanding;
    std::optional<Succession> succession;
    if (!row.is_null(10))
        succession = Succession{
            TRY(stored(CredentialId::parse(row.text(10)))),
            TRY(one_of(row.text(11), {OldCredential::RetiresAfterOverlap, OldCredential::RetiresWhenNewIsUsed,
                                      OldCredential::IsRevoked})),
            row.maybe_duration(12).value_or(Duration(0))};
    return Credential{TRY(stored(CredentialId::parse(row.text(0)))),
                      TRY(stored(WorkspaceName::parse(row.text(1)))),
                      TRY(stored(IdentityName::parse(row.text(2)))),
                      TRY(digest_from(row.bytes(3))),
                      TRY(stored(ScopeSet::parse(row.text(4)))),
                      TRY(one_of(row.text(5), {Pending, Active, Paused, Retiring, Revoked})),
                      row.instant(6),
                      row.maybe_instant(7),
                      row.maybe_instant(8),
                      row.maybe_instant(9),
                      succession,
                      static_cast<Revision>(row.number(13))};
}

Result<Operator> operator_from(const Statement& row) {
    return Operator{TRY(stored(OperatorName::parse(row.text(0)))),
                    static_cast<std::uint32_t>(row.number(1)),
                    row.number(2) != 0,
                    {},
                    row.instant(3),
                    static_cast<Revision>(row.number(4))};
}

Result<Grant> grant_from(const Statement& row) {
    Grant grant{std::nullopt, TRY(stored(parse_permission(row.text(1))))};
    if (const std::string workspace = row.text(0); workspace != "*")
        grant.workspace = TRY(stored(WorkspaceName::parse(workspace)));
    return grant;
}

Result<StoredEntry> entry_from(const Statement& row) {
    return StoredEntry{static_cast<std::uint64_t>(row.number(0)), row.text(1), TRY(digest_from(row.bytes(2)))};
}

std::string labels_text(const Labels& labels) {
    audit::JsonObject object;
    for (const auto& [key, value] : labels) object[key] = value;
    return audit::canonical(object);
}

std::string workspace_text(const Grant& grant) {
    return grant.workspace ? grant.workspace->text() : "*";
}

}  // namespace marque::store::sqlite
