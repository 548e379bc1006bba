#include "store/sql/row_seals.h"

#include <fmt/format.h>

#include <algorithm>

#include "audit/entry.h"
#include "base/text.h"
#include "store/append.h"
#include "store/sql/reader.h"
#include "store/sql/rows.h"

namespace marque::store::sql {
namespace {

using audit::Bucket;
using audit::RowSeal;

// The installation's row speaks for these too.
constexpr SealedKind counted_kinds[] = {SealedKind::Operator, SealedKind::Owner};

bool equal(const RowSeal& a, const RowSeal& b) {
    return a == b;  // no secret: both are of rows that whoever asks can read, and one is stored beside them
}

Result<audit::Children> children_from(const Bytes& bytes) {
    audit::Children children{};
    if (bytes.size() != sizeof children) return tampered("row_tree", "a node of the tree of seals has a wrong length");
    std::copy(bytes.begin(), bytes.end(), children.front().begin());
    return children;
}

// So many at a time: each statement is a message to a server.
constexpr std::size_t at_a_time = 32;
#define MARQUE_IN_32 "IN (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
// Fewer buckets are not worth it.
constexpr std::size_t few_buckets = 4;

template <class Each>
Result<void> for_each_of(Connection& connection, const char* sql, const std::vector<std::uint32_t>& numbers,
                         const Each& each) {
    for (std::size_t at = 0; at < numbers.size(); at += at_a_time) {
        Statement statement = TRY(connection.prepare(sql));
        // The last one stands in for those that there are not.
        for (std::size_t i = at; i < at + at_a_time; ++i) statement.bind(numbers[std::min(i, numbers.size() - 1)]);
        while (TRY(statement.step())) TRY(each(statement));
    }
    return {};
}

}  // namespace

bool RowSeals::is_counted(SealedKind kind) {
    return std::ranges::find(counted_kinds, kind) != std::end(counted_kinds);
}

std::string RowSeals::joined(const std::map<std::string, RowSeal>& seals) {
    std::string all;
    for (const auto& [place, seal] : seals) all.append(text_of(seal));
    return all;
}

std::string named(const Place& place) {
    return escaped(describe(place));
}

Result<RowSeal> seal_from(const Bytes& bytes) {
    RowSeal seal{};
    if (bytes.size() != seal.size()) return tampered("row_seal", "a stored seal has a wrong length");
    std::ranges::copy(bytes, seal.begin());
    return seal;
}

Result<void> for_each_row(Connection& connection, std::span<const SealedTable> tables,
                          const std::function<Result<void>(const SealedTable&, const Statement&)>& each) {
    for (const SealedTable& table : tables) {
        Statement statement = TRY(connection.prepare(table.select_all.c_str()));
        while (TRY(statement.step())) TRY(each(table, statement));
    }
    return {};
}

audit::RowSealer& RowSeals::sealer() {
    if (!sealer_) sealer_.emplace(key_.get());
    return *sealer_;
}

Result<RowSeal> RowSeals::seal_of(const SealedTable& table, std::string_view place, const Statement& row) {
    TRY(canonical_row(canonical_, table, place, row));
    if (table.kind != SealedKind::Installation) return sealer()(canonical_);
    Bytes whole = canonical_;
    const std::string theirs = TRY(counted());
    whole.insert(whole.end(), theirs.begin(), theirs.end());
    return sealer()(whole);
}

RowSeal RowSeals::seal_of(const Place& place, const audit::Record& record, std::string_view theirs) {
    canonical_row(canonical_, *place.table, place.text(), row_of(record));
    canonical_.insert(canonical_.end(), theirs.begin(), theirs.end());
    return sealer()(canonical_);
}

// The seals of those that the installation's row speaks for, as the database has them.
Result<std::string> RowSeals::counted() {
    std::map<std::string, RowSeal> found;
    for (const SealedKind kind : counted_kinds) {
        const SealedTable& table = tables_[static_cast<std::size_t>(kind)];
        Statement rows = TRY(connection_.prepare(table.select_all.c_str()));
        while (TRY(rows.step())) {
            const std::string place = place_of(table, rows).text();
            found.emplace(place, TRY(seal_of(table, place, rows)));
        }
    }
    counted_ = std::move(found);
    return joined(counted_);
}

// What the head of the log is sealed over; nothing while there is no entry.
Result<audit::Digest> RowSeals::root() {
    if (root_) return *root_;
    const StoredHead head = TRY(SqlReader::head_of(connection_));
    TRY(check_head(head, key_.get()));
    root_ = head.rows;
    return *root_;
}

Result<void> RowSeals::check_path(Bucket bucket, Stored& stored) {
    audit::Digest expected = TRY(root());
    for (const audit::Step& step : audit::path_to(bucket)) {
        auto found = nodes_.find(step.node);
        if (found == nodes_.end()) {
            const audit::Children& children = stored[step.node];
            if (expected != (expected == audit::nothing ? audit::nothing : audit::node_hash(children)))
                return tampered("row_tree", "the tree of seals is not the one that the log's head is sealed over");
            found = nodes_.emplace(step.node, Node{expected == audit::nothing ? audit::Children{} : children}).first;
        }
        expected = found->second.children[step.child];
    }
    return {};
}

Result<void> RowSeals::fetch_path(Bucket bucket) {
    const auto path = audit::path_to(bucket);
    if (nodes_.contains(path.back().node)) return {};
    Stored stored;
    Statement statement = TRY(connection_.prepare("SELECT node, children FROM row_tree WHERE node IN (?, ?, ?, ?)"));
    for (const audit::Step& step : path) statement.bind(step.node);
    while (TRY(statement.step())) stored.emplace(statement.count_of_32_bits(0), TRY(children_from(statement.bytes(1))));
    return check_path(bucket, stored);
}

Result<void> RowSeals::fetch(const std::set<Bucket>& buckets) {
    if (buckets.size() <= few_buckets) return {};
    std::set<std::uint32_t> nodes;
    for (const Bucket bucket : buckets)
        for (const audit::Step& step : audit::path_to(bucket))
            if (!nodes_.contains(step.node)) nodes.insert(step.node);
    Stored stored;
    TRY(for_each_of(connection_, "SELECT node, children FROM row_tree WHERE node " MARQUE_IN_32,
                    {nodes.begin(), nodes.end()}, [&](const Statement& row) -> Result<void> {
                        stored.emplace(row.count_of_32_bits(0), TRY(children_from(row.bytes(1))));
                        return {};
                    }));
    std::vector<std::uint32_t> wanted;
    for (const Bucket bucket : buckets) {
        if (buckets_.contains(bucket)) continue;
        TRY(check_path(bucket, stored));
        wanted.push_back(bucket);
    }
    std::map<std::uint32_t, Seals> found;
    TRY(for_each_of(connection_, "SELECT bucket, place, seal FROM row_seal WHERE bucket " MARQUE_IN_32, wanted,
                    [&](const Statement& row) -> Result<void> {
                        found[row.count_of_32_bits(0)].emplace(std::string(row.view(1)), TRY(seal_from(row.bytes(2))));
                        return {};
                    }));
    for (const std::uint32_t bucket : wanted) take_if_right(static_cast<Bucket>(bucket), std::move(found[bucket]));
    return {};
}

// Whether they are those that the tree has.
bool RowSeals::take_if_right(Bucket bucket, Seals seals) {
    std::vector<audit::Digest> leaves;
    for (const auto& [place, seal] : seals) leaves.push_back(audit::leaf_of(place, seal));
    const audit::Step last = audit::path_to(bucket).back();
    if (audit::bucket_hash(std::move(leaves)) != nodes_.at(last.node).children[last.child]) return false;
    buckets_.emplace(bucket, std::move(seals));
    return true;
}

// Null: they are not those that the tree has.
Result<RowSeals::Seals*> RowSeals::seals_in(Bucket bucket) {
    if (const auto found = buckets_.find(bucket); found != buckets_.end()) return &found->second;
    TRY(fetch_path(bucket));
    Seals seals;
    Statement statement = TRY(connection_.prepare("SELECT place, seal FROM row_seal WHERE bucket = ?"));
    statement.bind(std::uint32_t{bucket});
    while (TRY(statement.step())) seals.emplace(std::string(statement.view(0)), TRY(seal_from(statement.bytes(1))));
    if (!take_if_right(bucket, std::move(seals))) return nullptr;
    return &buckets_.at(bucket);
}

Result<void> RowSeals::check(const SealedTable& table, const Statement& row) {
    const Place place = place_of(table, row);
    const std::string text = place.text();
    const RowSeal seal = TRY(seal_of(table, text, row));
    const Seals* const seals = TRY(seals_in(audit::bucket_of(text)));
    if (seals == nullptr) return tampered(text, named(place) + " is not the newest that was written of it");
    const auto found = seals->find(text);
    if (found == seals->end()) return tampered(text, named(place) + " was not written by this installation");
    if (!equal(found->second, seal)) return tampered(text, named(place) + " is not as it was written");
    return {};
}

Result<void> RowSeals::check_absent(const Place& place) {
    const std::string text = place.text();
    const Seals* const seals = TRY(seals_in(audit::bucket_of(text)));
    if (seals != nullptr && !seals->contains(text)) return {};
    return tampered(text, named(place) + " was taken away");
}

Result<RowSeals::Current> RowSeals::current(const Place& place) {
    Statement statement = TRY(connection_.prepare(place.table->select_one.c_str()));
    for (const std::string& key : place.keys) statement.bind(key);
    if (!TRY(statement.step())) {
        if (place.table->kind == SealedKind::Installation) TRY(counted());
        return Current();
    }
    if (place_of(*place.table, statement) != place)
        return tampered(place.text(), named(place) + " was asked for, and another came");
    Current found;
    found.seal = TRY(seal_of(*place.table, place.text(), statement));
    found.record = TRY(record_from(place.table->kind, statement));
    return found;
}

Result<RowSeals::Current> RowSeals::checked(const Place& place, const char* consequence) {
    const std::string text = place.text();
    Current found = TRY(current(place));
    const Seals* const seals = TRY(seals_in(audit::bucket_of(text)));
    const auto sealed = seals == nullptr ? Seals::const_iterator() : seals->find(text);
    const bool is_sealed = seals != nullptr && sealed != seals->end();
    if (seals == nullptr || is_sealed != found.seal.has_value() || (is_sealed && !equal(sealed->second, *found.seal)))
        return tampered(text, named(place) + " is not as it was written" + consequence);
    return found;
}

Result<void> RowSeals::check_as_it_is(const Place& place) {
    TRY(checked(place, ""));
    return {};
}

Result<void> RowSeals::Whole::add(const SealedTable& table, const Statement& row) {
    place_.clear();
    append_place(place_, table, row);
    rows_.add(place_, TRY(seals_.seal_of(table, place_, row)));
    return {};
}

Result<void> RowSeals::Whole::finish(std::set<SealedKind> added) {
    for (const SealedTable& table : seals_.tables_) {
        if (added.contains(table.kind)) continue;
        // The installation's seal takes more statements, so its one row can't be streamed.
        const bool is_one_row = table.kind == SealedKind::Installation;
        Statement statement = TRY(is_one_row ? seals_.connection_.prepare(table.select_all.c_str())
                                             : seals_.connection_.prepare_streaming(table.select_all.c_str()));
        while (TRY(statement.step())) TRY(add(table, statement));
    }
    if (rows_.root() == TRY(seals_.root())) return {};
    return tampered("store", "the rows are not those that the log's head is sealed over");
}

}  // namespace marque::store::sql
