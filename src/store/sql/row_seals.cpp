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

bool is_counted(SealedKind kind) {
    return std::ranges::find(counted_kinds, kind) != std::end(counted_kinds);
}

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

std::string joined(const std::map<std::string, RowSeal>& seals) {
    std::string all;
    for (const auto& [place, seal] : seals) all.append(text_of(seal));
    return all;
}

ByteView bytes_of(const audit::Children& children) {
    return {children.front().data(), sizeof children};
}

}  // namespace

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

Result<void> RowSeals::before_writing(const Place& place) {
    if (written_.contains(place)) return {};
    Current found = TRY(checked(place, ", so it is not written again"));
    written_.emplace(place, std::move(found.record));
    return {};
}

Result<std::optional<audit::Record>> RowSeals::record(const Place& place) {
    // The installation's row speaks for these, and is compared with them before they change.
    if (is_counted(place.table->kind)) TRY(before_writing(sql::place(SealedKind::Installation, {})));
    TRY(before_writing(place));
    return written_.at(place);
}

void RowSeals::put(const Place& place, std::optional<audit::Record> record) {
    written_.at(place) = std::move(record);
}

Result<void> RowSeals::write_seal(Bucket bucket, const std::string& place, const std::optional<RowSeal>& seal) {
    Statement statement =
        TRY(connection_.prepare(seal ? "INSERT INTO row_seal (bucket, place, seal) VALUES (?1, ?2, ?3)"
                                       " ON CONFLICT (bucket, place) DO UPDATE SET seal = ?3"
                                     : "DELETE FROM row_seal WHERE bucket = ?1 AND place = ?2"));
    statement.bind(std::uint32_t{bucket}).bind(place);
    if (seal) statement.bind(ByteView(*seal));
    TRY(statement.run());
    return {};
}

void RowSeals::put(Bucket bucket, const audit::Digest& hash) {
    const audit::Step last = audit::path_to(bucket).back();
    Node& node = nodes_[last.node];
    node.children[last.child] = hash;
    node.is_changed = true;
}

// From the buckets up: a node's number is greater than that of the node above it.
Result<void> RowSeals::write_nodes() {
    std::set<std::uint32_t, std::greater<>> changed;
    for (const auto& [number, node] : nodes_)
        if (node.is_changed) changed.insert(number);
    while (!changed.empty()) {
        const std::uint32_t number = *changed.begin();
        changed.erase(changed.begin());
        Node& node = nodes_[number];
        node.is_changed = false;
        Statement statement =
            TRY(connection_.prepare("INSERT INTO row_tree (node, children) VALUES (?1, ?2)"
                                    " ON CONFLICT (node) DO UPDATE SET children = ?2"));
        statement.bind(number).bind(bytes_of(node.children));
        TRY(statement.run());
        const audit::Digest hash = audit::node_hash(node.children);
        if (number == 0) {
            root_ = hash;
            continue;
        }
        const auto [parent, child] = audit::above(number);
        nodes_[parent].children[child] = hash;
        changed.insert(parent);
    }
    return {};
}

Result<audit::Digest> RowSeals::seal() {
    // Those that the installation's row speaks for before that row.
    std::map<std::string, std::optional<RowSeal>> sealed;
    const Place* installation = nullptr;
    for (const auto& [place, record] : written_) {
        if (place.table->kind == SealedKind::Installation) {
            installation = &place;
            continue;
        }
        const std::string text = place.text();
        std::optional<RowSeal>& seal = sealed[text];
        if (record) seal = seal_of(place, *record, {});
        if (!is_counted(place.table->kind)) continue;
        if (seal)
            counted_[text] = *seal;
        else
            counted_.erase(text);
    }
    if (installation != nullptr)
        if (const auto& record = written_.at(*installation))
            sealed[installation->text()] = seal_of(*installation, *record, joined(counted_));
    written_.clear();
    std::set<Bucket> changed;
    for (const auto& [place, seal] : sealed) {
        const Bucket bucket = audit::bucket_of(place);
        Seals& seals = *TRY(seals_in(bucket));  // before_writing has seen it
        if (seal)
            seals[place] = *seal;
        else
            seals.erase(place);
        TRY(write_seal(bucket, place, seal));
        changed.insert(bucket);
    }
    for (const Bucket bucket : changed) {
        std::vector<audit::Digest> leaves;
        for (const auto& [place, seal] : buckets_.at(bucket)) leaves.push_back(audit::leaf_of(place, seal));
        put(bucket, audit::bucket_hash(std::move(leaves)));
    }
    TRY(write_nodes());
    return root();
}

Result<audit::Digest> RowSeals::seal_everything() {
    std::vector<Sealed> rows;
    TRY(for_each_row(connection_, tables_, [&](const SealedTable& table, const Statement& row) -> Result<void> {
        std::string place = place_of(table, row).text();
        const RowSeal seal = TRY(seal_of(table, place, row));
        rows.push_back({std::move(place), seal});
        return {};
    }));
    return seal_everything(rows);
}

Result<audit::Digest> RowSeals::seal_everything(const std::vector<Sealed>& rows) {
    buckets_.clear();
    nodes_.clear();
    for (const char* clear : {"DELETE FROM row_seal", "DELETE FROM row_tree"}) {
        Statement statement = TRY(connection_.prepare(clear));
        TRY(statement.run());
    }
    audit::RowSet set;
    for (const auto& [place, seal] : rows) {
        set.add(place, seal);
        TRY(write_seal(audit::bucket_of(place), place, seal));
    }
    root_ = audit::nothing;
    for (const auto& [bucket, hash] : set.buckets()) put(bucket, hash);
    TRY(write_nodes());
    return root();
}

// Both seals are of what one reading gave: nothing can change in between.
Result<std::vector<RowSeals::Sealed>> RowSeals::seals_under(SealingKey& other) {
    RowSeals another(connection_, other);
    audit::RowSet mine;
    std::vector<Sealed> rows;
    std::map<std::string, RowSeal> my_counted, their_counted;
    std::optional<std::pair<Place, audit::Record>> installation;
    TRY(for_each_row(connection_, tables_, [&](const SealedTable& table, const Statement& statement) -> Result<void> {
        const Place place = place_of(table, statement);
        audit::Record record = TRY(record_from(table.kind, statement));
        if (table.kind == SealedKind::Installation) {
            installation.emplace(place, std::move(record));
            return {};
        }
        const std::string text = place.text();
        const RowSeal my_seal = seal_of(place, record, {}), their_seal = another.seal_of(place, record, {});
        mine.add(text, my_seal);
        rows.push_back({text, their_seal});
        if (is_counted(table.kind)) {
            my_counted[text] = my_seal;
            their_counted[text] = their_seal;
        }
        return {};
    }));
    if (installation) {
        const auto& [place, record] = *installation;
        mine.add(place.text(), seal_of(place, record, joined(my_counted)));
        rows.push_back({place.text(), another.seal_of(place, record, joined(their_counted))});
    }
    if (mine.root() == TRY(root())) return rows;
    return tampered("store", "the rows are not those that the log's head is sealed over");
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

Result<void> write_head_seal(Connection& connection, const StoredHead& head, const Secret& key) {
    Statement statement = TRY(connection.prepare("UPDATE log_head SET seal = ?1, row_root = ?2"));
    statement.bind(ByteView(audit::seal_of_head(key, head.frontier, head.rows))).bind(ByteView(head.rows));
    TRY(statement.run());
    return {};
}

}  // namespace marque::store::sql
