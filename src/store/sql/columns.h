// store/sql/columns.h: the columns of each record, described once.
//
// The statements, reading, writing, copying between stores, and what a seal covers all follow from the descriptions at
// the end of this file. To add a column: add the member to the record, a line here in the place of the member, and a
// migration (docs/contributing.md). A member without a line does not compile; a line for another member fails
// rows_test.cpp.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "audit/record.h"
#include "store/sql/statement.h"

namespace marque::store::sql {

// A row's values in the order of the table's columns. Bytes are a string too; the table says which.
using Cell = std::variant<std::monostate, std::int64_t, std::string>;
using Row = std::vector<Cell>;

// How a value of type T lies in one or more columns (forms.h). `types` has a letter for each: t text, n number, b
// bytes.
template <class T>
struct Form;

// One or more columns that hold one member. `names` are separated by ", ".
template <class R, class M>
struct Field {
    using Member = M;
    std::string_view names;
    M R::* member;
    int since;  // the version of the schema that added them
};
template <class R, class M>
constexpr Field<R, M> field(std::string_view names, M R::* member, int since = 1) {
    return {names, member, since};
}

// A member that is stored elsewhere.
template <class R, class M>
constexpr Field<R, M> not_stored(M R::* member) {
    return {"", member, 1};
}

template <class R>
struct Columns;

template <>
struct Columns<domain::Installation> {
    using R = domain::Installation;
    static constexpr const char* table = "installation";
    static constexpr std::size_t keys = 0;
    static constexpr auto fields =
        std::tuple{field("id", &R::id), field("created_at", &R::created_at),
                   field("quorum, has_sole_owner", &R::policy), field("owners_revision", &R::owners_revision)};
};

template <>
struct Columns<domain::Workspace> {
    using R = domain::Workspace;
    static constexpr const char* table = "workspace";
    static constexpr std::size_t keys = 1;
    static constexpr auto fields = std::tuple{field("name", &R::name), field("state, paused_until", &R::condition),
                                              field("created_at", &R::created_at), field("revision", &R::revision)};
};

template <>
struct Columns<domain::Environment> {
    using R = domain::Environment;
    static constexpr const char* table = "environment";
    static constexpr std::size_t keys = 2;
    static constexpr auto fields = std::tuple{field("workspace", &R::workspace),
                                              field("name", &R::name),
                                              field("is_protected", &R::protection),
                                              field("max_lifetime_us", &R::max_lifetime),
                                              field("state, paused_until", &R::condition),
                                              field("created_at", &R::created_at),
                                              field("revision", &R::revision)};
};

template <>
struct Columns<domain::Identity> {
    using R = domain::Identity;
    static constexpr const char* table = "identity";
    static constexpr std::size_t keys = 2;
    static constexpr auto fields = std::tuple{field("workspace", &R::workspace),
                                              field("name", &R::name),
                                              field("environment", &R::environment),
                                              field("kind", &R::kind),
                                              field("scopes", &R::scopes),
                                              field("contact", &R::contact),
                                              field("labels", &R::labels),
                                              field("state, paused_until", &R::condition),
                                              field("created_at", &R::created_at),
                                              field("revision", &R::revision),
                                              field("description", &R::description, 2)};
};

template <>
struct Columns<domain::Credential> {
    using R = domain::Credential;
    static constexpr const char* table = "credential";
    static constexpr std::size_t keys = 1;
    static constexpr auto fields = std::tuple{field("id", &R::id),
                                              field("workspace", &R::workspace),
                                              field("identity", &R::identity),
                                              field("hash", &R::hash),
                                              field("scopes", &R::scopes),
                                              field("state", &R::stored),
                                              field("created_at", &R::created_at),
                                              field("expires_at", &R::expires_at),
                                              field("paused_until", &R::paused_until),
                                              field("retire_at", &R::retire_at),
                                              field("replaces, old_credential, overlap_us", &R::succession),
                                              field("revision", &R::revision)};
};

template <>
struct Columns<domain::Operator> {
    using R = domain::Operator;
    static constexpr const char* table = "operator";
    static constexpr std::size_t keys = 1;
    static constexpr auto fields = std::tuple{field("name", &R::name),
                                              field("uid", &R::uid),
                                              field("is_removed", &R::is_removed),
                                              not_stored(&R::grants),
                                              field("created_at", &R::created_at),
                                              field("revision", &R::revision)};
};

template <>
struct Columns<audit::HeldPermission> {
    using R = audit::HeldPermission;
    static constexpr const char* table = "permission";
    static constexpr std::size_t keys = 3;
    static constexpr auto fields = std::tuple{field("operator", &R::holder), field("workspace, permission", &R::grant),
                                              field("revision", &R::revision)};
};

template <>
struct Columns<domain::Owner> {
    using R = domain::Owner;
    static constexpr const char* table = "owner";
    static constexpr std::size_t keys = 1;
    static constexpr auto fields = std::tuple{field("fingerprint", &R::fingerprint),
                                              field("public_key", &R::public_key), field("comment", &R::comment),
                                              field("operator", &R::operator_name), field("revision", &R::revision)};
};

template <>
struct Columns<domain::Approval> {
    using R = domain::Approval;
    static constexpr const char* table = "approval";
    static constexpr std::size_t keys = 1;
    static constexpr auto fields = std::tuple{field("id", &R::id),
                                              field("nonce", &R::nonce),
                                              field("text", &R::text),
                                              field("plan", &R::plan),
                                              field("action", &R::action),
                                              field("about", &R::about),
                                              field("workspace", &R::workspace),
                                              field("requester", &R::requester),
                                              field("requested_at", &R::requested_at),
                                              field("not_after", &R::not_after),
                                              field("state", &R::stored),
                                              not_stored(&R::signatures),
                                              field("revision", &R::revision)};
};

template <>
struct Columns<audit::GivenSignature> {
    using R = audit::GivenSignature;
    static constexpr const char* table = "approval_signature";
    static constexpr std::size_t keys = 2;
    static constexpr auto fields =
        std::tuple{field("approval", &R::approval), field("revision", &R::revision),
                   field("fingerprint", &R::fingerprint), field("signature", &R::text), field("at", &R::at)};
};

// --- what follows from them

template <class R>
inline constexpr std::size_t field_count = std::tuple_size_v<std::remove_const_t<decltype(Columns<R>::fields)>>;

constexpr std::size_t count_of_names(std::string_view names) {
    if (names.empty()) return 0;
    std::size_t count = 1;
    for (const char c : names) count += c == ',';
    return count;
}

// Returns the position of the column `name` among the columns of R. A name that R does not have does not compile.
template <class R>
consteval int column(std::string_view name) {
    int at = 0, found = -1;
    std::apply(
        [&](const auto&... fields) {
            const auto look = [&](std::string_view names) {
                while (!names.empty()) {
                    const std::size_t end = std::min(names.find(", "), names.size());
                    if (names.substr(0, end) == name) found = at;
                    names.remove_prefix(std::min(names.size(), end + 2));
                    ++at;
                }
            };
            (look(fields.names), ...);
        },
        Columns<R>::fields);
    if (found < 0) throw "there is no such column";
    return found;
}

}  // namespace marque::store::sql
