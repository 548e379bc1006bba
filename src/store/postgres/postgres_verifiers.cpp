#include "store/postgres/postgres_verifiers.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace marque::store::postgres {
namespace {

// A row's id says whose it is: the login that made it, a colon, and 36 characters. The policies of verifier-role.sql
// let a login write no other rows. Each login may write anything into its own, so no sum is computed of what is there
// but here, where it fits.
#define MARQUE_NOW "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

Result<Freshness> mode_of(std::string_view name) {
    for (const Freshness mode : {Freshness::Lease, Freshness::AckOnly})
        if (name == name_of(mode)) return mode;
    return Error(Code::Corrupt, "a verifier's mode makes no sense");
}

audit::Digest digest_of(const Bytes& bytes) {
    audit::Digest digest{};
    if (bytes.size() == digest.size()) std::ranges::copy(bytes, digest.begin());
    return digest;
}

}  // namespace

Result<std::string> PostgresVerifiers::add(const VerifierTerms& terms) {
    Connection& connection = *TRY(connect_());
    sql::Statement statement =
        TRY(connection.prepare("INSERT INTO verifier (id, name, mode, lease_us, acknowledged, renewals, is_fenced,"
                               " since, renewed_at) VALUES (current_user || ':' || gen_random_uuid(), ?, ?, ?, 0, 0, 0,"
                               " " MARQUE_NOW ", " MARQUE_NOW ") RETURNING id"));
    statement.bind(terms.name).bind(name_of(terms.mode)).bind(terms.lease);
    const auto added = statement.step();
    if (!added && added.error().code == Code::PermissionDenied)
        return Error(
            Code::PermissionDenied,
            fmt::format("the database's role may not register a verifier of mode {} with a lease of {} ms: {}",
                        name_of(terms.mode), terms.lease / std::chrono::milliseconds(1), added.error().message),
            "see packaging/postgresql/verifier-role.sql");
    if (!TRY(added)) return Error(Code::Unavailable, "the verifier was not registered");
    TRY(connection.require_durable());
    return statement.text(0);
}

// One statement is one snapshot, and its commit is what gives the lease.
Result<std::optional<Renewal>> PostgresVerifiers::renew(const std::string& id) {
    Connection& connection = *TRY(connect_());
    sql::Statement statement =
        TRY(connection.prepare("UPDATE verifier SET renewals = renewals + 1, renewed_at = " MARQUE_NOW
                               " WHERE id = ? AND is_fenced = 0"
                               " RETURNING (SELECT size FROM log_head),"
                               " (SELECT seal FROM entry WHERE seq = (SELECT size FROM log_head))"));
    statement.bind(id);
    if (!TRY(statement.step())) return std::nullopt;
    TRY(connection.require_durable());
    return Renewal{statement.count(0), digest_of(statement.bytes(1))};
}

// Losing it costs a wait and no more, so it waits for no disk.
Result<void> PostgresVerifiers::acknowledge(const std::string& id, domain::Revision revision,
                                            const audit::Digest& seal) {
    Connection& connection = *TRY(connect_());
    sql::Statement statement =
        TRY(connection.prepare("UPDATE verifier SET acknowledged = ?1, closed = '' WHERE id = ?2"
                               " AND EXISTS (SELECT 1 FROM entry WHERE seq = ?1 AND seal = ?3)"
                               " AND set_config('synchronous_commit', 'off', true) = 'off'"));
    statement.bind(revision).bind(id).bind(ByteView(seal));
    TRY(statement.run());
    return {};
}

Result<void> PostgresVerifiers::tell_closed(const std::string& id, const std::string& why) {
    Connection& connection = *TRY(connect_());
    sql::Statement statement = TRY(connection.prepare("UPDATE verifier SET closed = ? WHERE id = ?"));
    statement.bind(why).bind(id);
    TRY(statement.run());
    return {};
}

Result<VerifierList> PostgresVerifiers::all() {
    Connection& connection = *TRY(connect_());
    sql::Statement statement = TRY(connection.prepare(
        "SELECT h.size, v.id, v.name, v.mode, v.lease_us, v.acknowledged, v.renewals, v.is_fenced, v.since, " MARQUE_NOW
        ", v.renewed_at, substr(v.closed, 1, 400), e.seal"
        " FROM log_head h LEFT JOIN verifier v ON true LEFT JOIN entry e ON e.seq = ? ORDER BY v.name, v.since, v.id"));
    statement.bind(expected_ ? expected_->revision : 0);
    VerifierList list;
    while (TRY(statement.step())) {
        list.revision = statement.count(0);
        list.has_change = !expected_ || (!statement.is_null(12) && digest_of(statement.bytes(12)) == expected_->seal);
        if (statement.is_null(1)) continue;
        VerifierRow& row = list.rows.emplace_back();
        row.id = statement.text(1);
        const Freshness mode = TRY(mode_of(statement.view(3)));
        row.terms = {statement.text(2, sql::longest_note_bytes), mode,
                     std::clamp(statement.duration(4), shortest_lease, longest_lease)};
        row.acknowledged = statement.count(5);
        row.renewals = statement.count(6);
        row.is_fenced = statement.number(7) != 0;
        row.since = statement.instant(8);
        row.silent = std::max(statement.instant(9) - statement.instant(10), Duration(0));
        row.closed = statement.text(11);
    }
    return list;
}

Result<void> PostgresVerifiers::set(const char* sql, const std::string& id) {
    Connection& connection = *TRY(connect_());
    sql::Statement statement = TRY(connection.prepare(sql));
    statement.bind(id);
    TRY(statement.run());
    return connection.require_durable();
}

Result<void> PostgresVerifiers::fence(const std::string& id) {
    return set("UPDATE verifier SET is_fenced = 1 WHERE id = ?", id);
}

Result<void> PostgresVerifiers::remove(const std::string& id) {
    return set("DELETE FROM verifier WHERE id = ?", id);
}

Result<bool> PostgresVerifiers::wait_for_change(Duration longest) {
    Connection& connection = *TRY(connect_());
    TRY(connection.listen());
    return connection.wait_for_notice(longest);
}

void PostgresVerifiers::pause(Duration time) {
    std::this_thread::sleep_for(time);
}

}  // namespace marque::store::postgres
