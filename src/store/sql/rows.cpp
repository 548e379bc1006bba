#include "store/sql/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "audit/json.h"
#include "base/text.h"

namespace marque::store::sql {

using namespace domain;

namespace {

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

Cell cell(std::string_view text) {
    return std::string(text);
}
Cell cell(std::int64_t number) {
    return number;
}

}  // namespace

// --- forms: how a value lies in its columns

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

// Names and ids: what parses from its text.
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

// --- records

namespace {

template <class R, std::size_t I>
constexpr auto field_at = std::get<I>(Columns<R>::fields);
template <class R, std::size_t I>
using Member = typename std::remove_const_t<decltype(field_at<R, I>)>::Member;
template <class R, std::size_t I>
constexpr bool is_stored = !field_at<R, I>.names.empty();

template <class R, std::size_t I>
constexpr std::size_t width_of() {
    if constexpr (is_stored<R, I>) {
        static_assert(count_of_names(field_at<R, I>.names) == Form<Member<R, I>>::types.size());
        return Form<Member<R, I>>::types.size();
    } else {
        return 0;
    }
}

// The first column of field I.
template <class R, std::size_t I>
constexpr int start_of() {
    if constexpr (I == 0)
        return 0;
    else
        return start_of<R, I - 1>() + static_cast<int>(width_of<R, I - 1>());
}

template <class R, std::size_t I>
Result<Member<R, I>> read_field(const Statement& row) {
    if constexpr (is_stored<R, I>)
        return Form<Member<R, I>>::get(row, start_of<R, I>());
    else
        return Member<R, I>();
}

template <class R, std::size_t I>
void write_field(Row& to, const R& record) {
    if constexpr (is_stored<R, I>) Form<Member<R, I>>::put(to, record.*(field_at<R, I>.member));
}

template <class R>
constexpr auto all_fields = std::make_index_sequence<field_count<R>>();

// A value for any member.
struct Anything {
    template <class T>
    operator T() const;
};

// Whether R has a member for each line, of its type and in its order, and no other.
template <class R, std::size_t... I>
consteval bool has_line_for_each_member(std::index_sequence<I...>) {
    return requires { R{std::declval<Member<R, I>>()...}; } &&
           !requires { R{std::declval<Member<R, I>>()..., Anything()}; };
}

template <class R>
SealedTable table_of(SealedKind kind, int schema) {
    static_assert(has_line_for_each_member<R>(all_fields<R>), "the lines of Columns<R> are not R's members");
    SealedTable table{kind, Columns<R>::table, {}, {}, Columns<R>::keys, -1, {}, {}, {}, {}, {}, {}};
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        const auto add = [&](std::string_view names, int since, std::string_view types) {
            if (names.empty() || since > schema) return;
            for (const std::string_view name : split(names, ',')) {
                table.columns.emplace_back(name.substr(name.starts_with(' ') ? 1 : 0));
                if (table.columns.back() == "revision")
                    table.revision_column = static_cast<int>(table.columns.size()) - 1;
            }
            table.types += types;
        };
        (add(field_at<R, I>.names, field_at<R, I>.since,
             [] {
                 if constexpr (is_stored<R, I>)
                     return Form<Member<R, I>>::types;
                 else
                     return std::string_view();
             }()),
         ...);
    }(all_fields<R>);
    complete(table);
    return table;
}

}  // namespace

template <class R>
Result<R> record_from(const Statement& row) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) -> Result<R> {
        std::tuple values{read_field<R, I>(row)...};
        const Error* wrong = nullptr;
        ((wrong = wrong == nullptr && !std::get<I>(values) ? &std::get<I>(values).error() : wrong), ...);
        if (wrong != nullptr) return *wrong;
        return R{std::move(*std::get<I>(values))...};
    }(all_fields<R>);
}

namespace {

template <class R>
Row row_of_record(const R& record) {
    Row row;
    [&]<std::size_t... I>(std::index_sequence<I...>) { (write_field<R, I>(row, record), ...); }(all_fields<R>);
    return row;
}

template <class Variant>
struct Each;
template <class... R>
struct Each<std::variant<R...>> {
    static std::vector<SealedTable> tables(int schema) {
        int kind = 0;
        std::vector<SealedTable> all;
        (all.push_back(table_of<R>(static_cast<SealedKind>(kind++), schema)), ...);
        return all;
    }
    static Result<audit::Record> get(SealedKind kind, const Statement& row) {
        static constexpr Result<audit::Record> (*readers[])(const Statement&) = {&read<R>...};
        return readers[static_cast<std::size_t>(kind)](row);
    }

 private:
    template <class One>
    static Result<audit::Record> read(const Statement& row) {
        return audit::Record(TRY(record_from<One>(row)));
    }
};

}  // namespace

template Result<Installation> record_from<Installation>(const Statement&);
template Result<Workspace> record_from<Workspace>(const Statement&);
template Result<Environment> record_from<Environment>(const Statement&);
template Result<Identity> record_from<Identity>(const Statement&);
template Result<Credential> record_from<Credential>(const Statement&);
template Result<Operator> record_from<Operator>(const Statement&);
template Result<audit::HeldPermission> record_from<audit::HeldPermission>(const Statement&);
template Result<Owner> record_from<Owner>(const Statement&);
template Result<Approval> record_from<Approval>(const Statement&);
template Result<audit::GivenSignature> record_from<audit::GivenSignature>(const Statement&);

std::span<const SealedTable> sealed_tables(int schema) {
    static const auto all = [] {
        std::vector<std::vector<SealedTable>> versions;
        for (int version = 1; version <= newest_schema; ++version)
            versions.push_back(Each<audit::Record>::tables(version));
        return versions;
    }();
    return all.at(static_cast<std::size_t>(schema) - 1);
}

Result<audit::Record> record_from(SealedKind kind, const Statement& row) {
    return Each<audit::Record>::get(kind, row);
}

Row row_of(const audit::Record& record) {
    return std::visit([](const auto& one) { return row_of_record(one); }, record);
}

// --- what is not a record, or only a part of one

Result<Condition> condition_from(const Statement& row, int first) {
    return Form<Condition>::get(row, first);
}

RefusedUses refused_uses_from(const Statement& row, int first) {
    return {row.text(first, longest_note_bytes), row.count(first + 1), row.instant(first + 2),
            row.text(first + 3, longest_note_bytes), row.count(first + 4)};
}

Result<CredentialId> credential_id_from(const Statement& row, int column) {
    return Form<CredentialId>::get(row, column);
}

Result<CredentialFacts> facts_from(const Statement& row) {
    constexpr auto at = [](std::string_view name) consteval { return column<Credential>(name); };
    const auto id = TRY(Form<CredentialId>::get(row, at("id")));
    const auto hash = TRY(Form<TokenHash>::get(row, at("hash")));
    const auto standing = TRY(Form<CredentialStanding>::get(row, at("state")));
    std::optional<Instant> turns_at;
    if (standing == CredentialStanding::Pending) turns_at = row.instant(at("created_at")) + delivery_window;
    if (standing == CredentialStanding::Paused) turns_at = row.maybe_instant(at("paused_until"));
    if (standing == CredentialStanding::Retiring) turns_at = row.maybe_instant(at("retire_at"));
    const bool ends_predecessor = row.view(at("old_credential")) == name_of(OldCredential::RetiresWhenNewIsUsed);
    return CredentialFacts{id,
                           row.view(at("workspace")),
                           row.view(at("identity")),
                           row.view(at("scopes")),
                           hash,
                           {standing, turns_at, row.maybe_instant(at("expires_at"))},
                           ends_predecessor};
}

Result<StoredEntry> entry_from(const Statement& row) {
    const audit::Digest seal = TRY(Form<audit::Digest>::get(row, 2));
    return StoredEntry{row.count(0), std::string(row.view(1)), seal};
}

std::string workspace_text(const Grant& grant) {
    return grant.workspace ? grant.workspace->text() : "*";
}

}  // namespace marque::store::sql
