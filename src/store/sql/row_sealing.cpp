// What a change seals, and the tree that it writes. Checking is in row_seals.cpp.
#include <algorithm>

#include "store/append.h"
#include "store/sql/row_seals.h"
#include "store/sql/rows.h"

namespace marque::store::sql {
namespace {

using audit::Bucket;
using audit::RowSeal;

ByteView bytes_of(const audit::Children& children) {
    return {children.front().data(), sizeof children};
}

}  // namespace

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

Result<void> write_head_seal(Connection& connection, const StoredHead& head, const Secret& key) {
    Statement statement = TRY(connection.prepare("UPDATE log_head SET seal = ?1, row_root = ?2"));
    statement.bind(ByteView(audit::seal_of_head(key, head.frontier, head.rows))).bind(ByteView(head.rows));
    TRY(statement.run());
    return {};
}

}  // namespace marque::store::sql
