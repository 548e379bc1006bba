#include "store/sql/reseal.h"

#include "store/append.h"
#include "store/sql/reader.h"

namespace marque::store::sql {
namespace {

constexpr std::size_t entries_at_a_time = 1000;

// They are what the old key sealed when they add up to the head, whose seal was looked at.
Result<void> reseal_entries(Connection& connection, const SqlReader& reader, const audit::Frontier& head,
                            const Secret& new_key) {
    audit::Frontier frontier;
    while (frontier.size() < head.size()) {
        const auto entries = TRY(reader.entries(frontier.size(), entries_at_a_time));
        if (entries.empty()) break;
        for (const StoredEntry& entry : entries) {
            const audit::Digest leaf = audit::leaf_hash(bytes_of(entry.bytes));
            frontier.append(leaf);
            Statement statement = TRY(connection.prepare("UPDATE entry SET seal = ? WHERE seq = ?"));
            statement.bind(ByteView(audit::seal_of_entry(new_key, entry.seq, leaf))).bind(entry.seq);
            TRY(statement.run());
        }
    }
    if (frontier == head) return {};
    return Error(Code::Corrupt, "the entries do not add up to the log's head", "run marque audit verify");
}

}  // namespace

Result<void> reseal(Connection& connection, SealingKey& old_key, SealingKey& new_key) {
    StoredHead head = TRY(SqlReader::head_of(connection));
    TRY(check_head(head, old_key.get()));
    if (head.frontier.size() == 0)
        return Error(Code::Corrupt, "there is no log, and so nothing that could be sealed", "run marque audit verify");
    const SqlReader reader(connection, old_key);
    const auto rows = TRY(reader.seals().seals_under(new_key));
    TRY(reseal_entries(connection, reader, head.frontier, new_key.get()));
    head.rows = TRY(RowSeals(connection, new_key).seal_everything(rows));
    return write_head_seal(connection, head, new_key.get());
}

}  // namespace marque::store::sql
