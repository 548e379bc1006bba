#include "store/sql/rows.h"

#include "store/sql/forms.h"

namespace marque::store::sql {

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

// Converts to any type, in unevaluated code only: has_line_for_each_member() uses it to test that R has no more
// members.
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
