#include "store/sql/write.h"

#include <fmt/format.h>

#include "store/append.h"
#include "store/sql/apply.h"

namespace marque::store::sql {
namespace {

Result<void> update_head(Connection& connection, const StoredHead& head) {
    Statement statement = TRY(connection.prepare(
        head.rows ? "INSERT INTO log_head (\"only\", size, frontier, seal, row_root) VALUES (1, ?1, ?2, ?3, ?4)"
                    " ON CONFLICT (\"only\") DO UPDATE SET size = ?1, frontier = ?2, seal = ?3, row_root = ?4"
                    " WHERE log_head.size < ?1"
                  : "INSERT INTO log_head (\"only\", size, frontier, seal) VALUES (1, ?1, ?2, ?3)"
                    " ON CONFLICT (\"only\") DO UPDATE SET size = ?1, frontier = ?2, seal = ?3"
                    " WHERE log_head.size < ?1"));
    statement.bind(head.frontier.size()).bind(ByteView(head.frontier.bytes())).bind(ByteView(head.seal));
    if (head.rows) statement.bind(ByteView(*head.rows));
    if (TRY(statement.run()) != 1) return Error(Code::Corrupt, "the audit log's head is ahead of its entries");
    return {};
}

Result<void> insert_entry(Connection& connection, const StoredEntry& entry, const audit::Event& event) {
    std::optional<std::string> workspace, identity;
    if (const auto about = audit::identity_of(audit::subject_of(event))) {
        workspace = about->workspace.text();
        identity = about->name.text();
    }
    Statement statement =
        TRY(connection.prepare("INSERT INTO entry (seq, bytes, seal, workspace, identity) VALUES (?, ?, ?, ?, ?)"));
    statement.bind(entry.seq).bind(entry.bytes).bind(ByteView(entry.seal)).bind(workspace).bind(identity);
    TRY(statement.run());
    return {};
}

// The tables of uses have no seals, so an attacker with SQL access may have written a count or a time there. A count
// that can't be right begins again, because the sum might not fit the column; a time beyond every calendar does not
// count as the latest.
std::string sum_of(std::string_view count, std::string_view more) {
    return fmt::format("CASE WHEN {0} BETWEEN 0 AND {1} THEN {0} ELSE 0 END + {2}", count, largest_number, more);
}
std::string is_later(std::string_view at, std::string_view than) {
    return fmt::format("{0} > {1} AND {0} <= {2}", at, than, latest_instant.time_since_epoch().count());
}

const std::string note_use = fmt::format(
    "INSERT INTO last_use (credential, at, source, count) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT (credential) DO UPDATE SET count = {sum},"
    " source = CASE WHEN {later} THEN last_use.source ELSE ?3 END, at = CASE WHEN {later} THEN last_use.at ELSE ?2 END",
    fmt::arg("sum", sum_of("last_use.count", "?4")), fmt::arg("later", is_later("last_use.at", "?2")));

const std::string note_refused_use = fmt::format(
    "INSERT INTO refused_use (credential, reason, since, at, source, count, untold) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)"
    " ON CONFLICT (credential) DO UPDATE SET count = CASE WHEN {same} THEN {count} ELSE ?6 END,"
    " untold = CASE WHEN {same} THEN {untold} ELSE ?6 END,"
    " source = CASE WHEN {later} THEN refused_use.source ELSE ?5 END,"
    " at = CASE WHEN {later} THEN refused_use.at ELSE ?4 END, reason = ?2, since = ?3",
    fmt::arg("same", "refused_use.reason = ?2 AND refused_use.since = ?3"),
    fmt::arg("count", sum_of("refused_use.count", "?6")), fmt::arg("untold", sum_of("refused_use.untold", "?6")),
    fmt::arg("later", is_later("refused_use.at", "?4")));

}  // namespace

std::set<audit::Bucket> buckets_of(const std::set<Place>& places) {
    std::set<audit::Bucket> buckets;
    for (const Place& place : places) buckets.insert(audit::bucket_of(place.text()));
    return buckets;
}

Result<Written> write_events(Connection& connection, const SqlReader& reader, const std::vector<audit::Draft>& drafts,
                             const Secret& sealing_key) {
    Appended appended = TRY(append(TRY(reader.head()), drafts, sealing_key));
    Written written;
    for (std::size_t i = 0; i < drafts.size(); ++i)
        for (Place& place : places_of(drafts[i].event, appended.entries[i].seq))
            written.places.insert(std::move(place));
    if (reader.seals() != nullptr) TRY(reader.seals()->fetch(buckets_of(written.places)));
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        const audit::Event& event = drafts[i].event;
        const domain::Revision revision = appended.entries[i].seq;
        TRY(insert_entry(connection, appended.entries[i], event));
        if (reader.seals() != nullptr) TRY(reader.seals()->before(event, revision));
        TRY(apply(connection, event, revision));
        if (reader.seals() != nullptr) reader.seals()->after(event, revision);
    }
    StoredHead& head = written.head;
    head.frontier = std::move(appended.frontier);
    if (reader.seals() != nullptr) head.rows = TRY(reader.seals()->seal());
    head.seal = audit::seal_of_head(sealing_key, head.frontier, head.rows);
    TRY(update_head(connection, head));
    written.seal = appended.entries.back().seal;
    return written;
}

Result<void> write_uses(Connection& connection, std::span<const Use> uses, std::span<const RefusedUse> refused) {
    for (const Use& use : uses) {
        Statement statement = TRY(connection.prepare(note_use.c_str()));
        statement.bind(use.credential.text()).bind(use.at).bind(use.from).bind(use.count);
        TRY(statement.run());
    }
    for (const auto& [credential, uses_] : refused) {
        Statement statement = TRY(connection.prepare(note_refused_use.c_str()));
        statement.bind(credential.text()).bind(uses_.reason).bind(uses_.since).bind(uses_.last_at);
        statement.bind(uses_.last_from).bind(uses_.count);
        TRY(statement.run());
    }
    return {};
}

}  // namespace marque::store::sql
