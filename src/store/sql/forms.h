// store/sql/forms.h: how a value of each type lies in one or more columns. For rows.cpp alone, which makes of them what
// columns.h describes: `types` has a letter for each column, `get` reads them from a row and `put` appends them to one.
// What does not parse is Corrupt.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "audit/json.h"
#include "base/text.h"
#include "store/sql/columns.h"
#include "store/sql/rows.h"

namespace marque::store::sql {

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

inline Cell cell(std::string_view text) {
    return std::string(text);
}
inline Cell cell(std::int64_t number) {
    return number;
}

template <>
struct Form<std::string> {
    static constexpr std::string_view types = "t";
    static Result<std::string> get(const Statement& row, int at) { return row.text(at); }
    static void put(Row& to, const std::string& text) { to.push_back(cell(text)); }
};

// Numbers that a program counts with: a revision, a uid, a flag.
template <>
struct Form<std::uint64_t> {
    static constexpr std::string_view types = "n";
    static Result<std::uint64_t> get(const Statement& row, int at) { return row.count(at); }
    static void put(Row& to, std::uint64_t number) { to.push_back(cell(static_cast<std::int64_t>(number))); }
};
template <>
struct Form<std::uint32_t> {
    static constexpr std::string_view types = "n";
    static Result<std::uint32_t> get(const Statement& row, int at) { return row.count_of_32_bits(at); }
    static void put(Row& to, std::uint32_t number) { to.push_back(cell(number)); }
};
template <>
struct Form<bool> {
    static constexpr std::string_view types = "n";
    static Result<bool> get(const Statement& row, int at) { return row.number(at) != 0; }
    static void put(Row& to, bool flag) { to.push_back(cell(flag ? 1 : 0)); }
};

template <>
struct Form<Instant> {
    static constexpr std::string_view types = "n";
    static Result<Instant> get(const Statement& row, int at) { return row.instant(at); }
    static void put(Row& to, Instant instant) { to.push_back(cell(instant.time_since_epoch().count())); }
};

template <>
struct Form<Duration> {
    static constexpr std::string_view types = "n";
    static Result<Duration> get(const Statement& row, int at) { return row.maybe_duration(at).value_or(Duration(0)); }
    static void put(Row& to, Duration duration) { to.push_back(cell(duration.count())); }
};

// Reads a text column with T::parse() and writes it with T::text(). Used for names, ids and scope sets.
template <class T>
struct ParsedForm {
    static constexpr std::string_view types = "t";
    static Result<T> get(const Statement& row, int at) { return stored(T::parse(row.view(at))); }
    static void put(Row& to, const T& value) { to.push_back(cell(value.text())); }
};
template <class Kind>
struct Form<Name<Kind>> : ParsedForm<Name<Kind>> {};
template <class Kind>
struct Form<Base32Id<Kind>> : ParsedForm<Base32Id<Kind>> {};
template <>
struct Form<CredentialId> : ParsedForm<CredentialId> {};
template <>
struct Form<ScopeSet> : ParsedForm<ScopeSet> {};

// No value is NULL.
template <class T>
struct Form<std::optional<T>> {
    static constexpr std::string_view types = Form<T>::types;
    static Result<std::optional<T>> get(const Statement& row, int at) {
        if (row.is_null(at)) return std::optional<T>();
        return std::optional<T>(TRY(Form<T>::get(row, at)));
    }
    static void put(Row& to, const std::optional<T>& value) {
        if (value)
            Form<T>::put(to, *value);
        else
            to.resize(to.size() + types.size());
    }
};

// Words.
template <class E, E... values>
struct WordForm {
    static constexpr std::string_view types = "t";
    static Result<E> get(const Statement& row, int at) { return one_of(row.view(at), {values...}); }
    static void put(Row& to, E value) { to.push_back(cell(name_of(value))); }
};
template <>
struct Form<Standing> : WordForm<Standing, Standing::Active, Standing::Paused, Standing::Revoked> {};
template <>
struct Form<MachineKind> : WordForm<MachineKind, MachineKind::Agent, MachineKind::Service, MachineKind::Ci> {};
template <>
struct Form<CredentialStanding>
    : WordForm<CredentialStanding, CredentialStanding::Active, CredentialStanding::Revoked, CredentialStanding::Pending,
               CredentialStanding::Paused, CredentialStanding::Retiring> {};
template <>
struct Form<OldCredential> : WordForm<OldCredential, OldCredential::RetiresAfterOverlap,
                                      OldCredential::RetiresWhenNewIsUsed, OldCredential::IsRevoked> {};
template <>
struct Form<Permission> : WordForm<Permission, Permission::View, Permission::Manage> {};
template <>
struct Form<ApprovalStanding> : WordForm<ApprovalStanding, ApprovalStanding::Open, ApprovalStanding::Redeemed,
                                         ApprovalStanding::Denied, ApprovalStanding::Withdrawn> {};

template <>
struct Form<Protection> {
    static constexpr std::string_view types = "n";
    static Result<Protection> get(const Statement& row, int at) {
        return row.number(at) == 0 ? Protection::Open : Protection::Protected;
    }
    static void put(Row& to, Protection value) { to.push_back(cell(value == Protection::Protected ? 1 : 0)); }
};

template <>
struct Form<TokenHash> {
    static constexpr std::string_view types = "b";
    static Result<TokenHash> get(const Statement& row, int at) {
        const auto bytes = bytes_of(row.view(at));
        TokenHash hash{};
        if (bytes.size() != hash.size()) return Error(Code::Corrupt, "a stored hash has a wrong length");
        std::ranges::copy(bytes, hash.begin());
        return hash;
    }
    static void put(Row& to, const TokenHash& hash) { to.push_back(cell(text_of(hash))); }
};

// Two forms, one behind the other.
template <class A, class B>
inline constexpr auto types_of_both = [] {
    std::array<char, Form<A>::types.size() + Form<B>::types.size()> types{};
    std::ranges::copy(Form<B>::types, std::ranges::copy(Form<A>::types, types.begin()).out);
    return types;
}();
template <class A, class B>
struct Both {
    static constexpr std::string_view types{types_of_both<A, B>.data(), types_of_both<A, B>.size()};
    static constexpr int second = static_cast<int>(Form<A>::types.size());
    static void write_both(Row& to, const A& a, const B& b) {
        Form<A>::put(to, a);
        Form<B>::put(to, b);
    }
};

template <>
struct Form<Condition> : Both<Standing, std::optional<Instant>> {
    static Result<Condition> get(const Statement& row, int at) {
        const Standing standing = TRY(Form<Standing>::get(row, at));
        return Condition{standing, row.maybe_instant(at + second)};
    }
    static void put(Row& to, const Condition& c) { write_both(to, c.stored, c.paused_until); }
};

template <>
struct Form<ApprovalPolicy> : Both<std::uint32_t, bool> {
    static Result<ApprovalPolicy> get(const Statement& row, int at) {
        const auto quorum = TRY(Form<std::uint32_t>::get(row, at));
        return ApprovalPolicy{quorum, row.number(at + second) != 0};
    }
    static void put(Row& to, const ApprovalPolicy& p) { write_both(to, p.quorum, p.has_sole_owner); }
};

template <>
struct Form<Succession> {
    static constexpr std::string_view types = "ttn";
    static Result<Succession> get(const Statement& row, int at) {
        const auto replaces = TRY(Form<CredentialId>::get(row, at));
        const auto old_credential = TRY(Form<OldCredential>::get(row, at + 1));
        const auto overlap = TRY(Form<Duration>::get(row, at + 2));
        return Succession{replaces, old_credential, overlap};
    }
    static void put(Row& to, const Succession& s) {
        Form<CredentialId>::put(to, s.replaces);
        Form<OldCredential>::put(to, s.old_credential);
        Form<Duration>::put(to, s.overlap);
    }
};

// All workspaces are "*".
template <>
struct Form<Grant> {
    static constexpr std::string_view types = "tt";
    static Result<Grant> get(const Statement& row, int at) {
        const auto permission = TRY(Form<Permission>::get(row, at + 1));
        Grant grant{std::nullopt, permission};
        if (row.view(at) != "*") grant.workspace = TRY(Form<WorkspaceName>::get(row, at));
        return grant;
    }
    static void put(Row& to, const Grant& grant) {
        to.push_back(cell(workspace_text(grant)));
        Form<Permission>::put(to, grant.permission);
    }
};

// The last two are canonical JSON.
template <>
struct Form<Labels> {
    static constexpr std::string_view types = "t";
    static Result<Labels> get(const Statement& row, int at) {
        const auto json = TRY(stored(audit::parse_canonical(row.view(at))));
        if (!json.is_object()) return Error(Code::Corrupt, "stored labels are not an object");
        Labels labels;
        for (const auto& member : json.get_object()) {
            const auto* value = member.value().if_string();
            if (value == nullptr) return Error(Code::Corrupt, "a stored label is not text");
            labels.emplace(member.key(), *value);
        }
        return labels;
    }
    static void put(Row& to, const Labels& labels) {
        audit::JsonObject object;
        for (const auto& [key, value] : labels) object[key] = value;
        to.push_back(cell(audit::canonical(object)));
    }
};
template <>
struct Form<Subject> {
    static constexpr std::string_view types = "t";
    static Result<Subject> get(const Statement& row, int at) {
        const auto json = TRY(stored(audit::parse_canonical(row.view(at))));
        if (!json.is_object()) return Error(Code::Corrupt, "an approval is about nothing");
        return audit::subject_from(json.get_object());
    }
    static void put(Row& to, const Subject& subject) { to.push_back(cell(audit::canonical(audit::to_json(subject)))); }
};

}  // namespace marque::store::sql
