#include "store/sql/write.h"

#include <fmt/format.h>

#include "audit/effect.h"
#include "base/overloaded.h"
#include "store/append.h"
#include "store/sql/rows.h"

namespace marque::store::sql {
namespace {

Result<void> update_head(Connection& connection, const StoredHead& head) {
    Statement statement = TRY(
        connection.prepare("INSERT INTO log_head (\"only\", size, frontier, seal, row_root) VALUES (1, ?1, ?2, ?3, ?4)"
                           " ON CONFLICT (\"only\") DO UPDATE SET size = ?1, frontier = ?2, seal = ?3, row_root = ?4"
                           " WHERE log_head.size < ?1"));
    statement.bind(head.frontier.size()).bind(ByteView(head.frontier.bytes())).bind(ByteView(head.seal));
    statement.bind(ByteView(head.rows));
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

void bind(Statement& statement, char type, const Cell& value) {
    std::visit(Overloaded{
                   [&](std::monostate) { statement.bind_null(); },
                   [&](std::int64_t number) { statement.bind(number); },
                   [&](const std::string& text) {
                       if (type == 'b')
                           statement.bind(bytes_of(text));
                       else
                           statement.bind(std::string_view(text));
                   },
               },
               value);
}

// Writes what the record of that name is now, in place of what it was `before`.
Result<void> write_record(Connection& connection, const Place& place, bool was_there,
                          const std::optional<audit::Record>& record) {
    const SealedTable& table = *place.table;
    if (!was_there && !record) return {};
    Statement statement = TRY(connection.prepare((!was_there ? table.insert
                                                  : record   ? table.update
                                                             : table.erase)
                                                     .c_str()));
    if (record) {
        const Row row = row_of(*record);
        for (std::size_t i = was_there ? table.key_columns : 0; i < row.size(); ++i)
            bind(statement, table.types[i], row[i]);
    }
    if (was_there)
        for (const std::string& key : place.keys) statement.bind(key);
    if (TRY(statement.run()) == 1) return {};
    return tampered(place.text(), named(place) + " was read, and could not be written");
}

Result<void> apply(Connection& connection, RowSeals& seals, const audit::Effect& effect) {
    const Place place = place_of(effect.name);
    auto before = TRY(seals.record(place));
    const bool was_there = before.has_value();
    auto after = TRY(effect.apply(std::move(before)));
    TRY(write_record(connection, place, was_there, after));
    seals.put(place, std::move(after));
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

const std::string note_told = fmt::format(
    "UPDATE refused_use SET untold = CASE WHEN untold BETWEEN ?1 AND {} THEN untold - ?1 ELSE 0 END, told_at = ?2"
    " WHERE credential = ?3",
    largest_number);

// So many uses of a stopped credential have been told of now.
Result<void> write_told(Connection& connection, const audit::CredentialRefused& event) {
    Statement statement = TRY(connection.prepare(note_told.c_str()));
    statement.bind(event.count).bind(event.told_at).bind(event.credential.id.text());
    TRY(statement.run());
    return {};
}

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
    std::vector<std::vector<audit::Effect>> effects;
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        effects.push_back(audit::effects_of(drafts[i].event, appended.entries[i].seq));
        for (const audit::Effect& effect : effects.back()) written.places.insert(place_of(effect.name));
    }
    RowSeals& seals = reader.seals();
    TRY(seals.fetch(buckets_of(written.places)));
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        TRY(insert_entry(connection, appended.entries[i], drafts[i].event));
        for (const audit::Effect& effect : effects[i]) TRY(apply(connection, seals, effect));
        if (const auto* const told = std::get_if<audit::CredentialRefused>(&drafts[i].event))
            TRY(write_told(connection, *told));
    }
    StoredHead& head = written.head;
    head.frontier = std::move(appended.frontier);
    head.rows = TRY(seals.seal());
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
