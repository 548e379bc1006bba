// store/sql/row_seals.h: whether rows are as this installation wrote them, and the newest (invariant 12).
//
//     table row_seal:  bucket, place, seal        what each row was when it was written
//     table row_tree:  node, children             the tree over the buckets (audit/row_tree.h)
//     log_head.row_root:                          its root, under the head's own seal
//
// Reading: a row's seal is computed from the row, has to be in its bucket, and the bucket's hash in the tree, up to the
// root that the head is sealed over. So neither a rewritten row is taken, nor an old one, nor one too many; and one
// that was taken away is missed. Writing: the same first, so that nothing is sealed that was not sealed before; then
// the new seals and nodes, in the transaction of the change.
//
// Of one transaction: what was checked once in its snapshot is not read again. For one thread at a time.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <unordered_map>

#include "audit/seal.h"
#include "store/sealing_key.h"
#include "store/sql/sealed_table.h"
#include "store/store.h"

namespace marque::store::sql {

class RowSeals {
 public:
    // Both outlive it. `schema` is the version of the tables. The rows of an older version can be checked all together
    // and sealed all together, and no more.
    RowSeals(Connection& connection, SealingKey& key, int schema = newest_schema)
        : connection_(connection), key_(key), tables_(sealed_tables(schema)) {}

    // That a row, just read with its table's columns, is the newest of its place. Errors of all: Tampered when not;
    // Corrupt when the log's head is not ours; those of the store.
    Result<void> check(const SealedTable& table, const Statement& row);
    // That there is no row of that name.
    Result<void> check_absent(const Place& place);
    // Reads the row of that name and checks that it is the newest one, or that it is missing if it was removed.
    Result<void> check_as_it_is(const Place& place);

    // What it takes to check rows of these buckets, in few statements: each is a message to a server. What is wrong
    // with them is said when a row is checked.
    Result<void> fetch(const std::set<audit::Bucket>& buckets);

    // Returns the record of that name as the change has made it so far; none when there is no such record. The first
    // time, the row is read and has to be as its seal says, because what is sealed next is made of it. Call it before
    // anything is written to the row.
    Result<std::optional<audit::Record>> record(const Place& place);
    // Notes what the record is after an event, or that it is removed. `place` was given to record() before.
    void put(const Place& place, std::optional<audit::Record> record);
    // Seals what was put. Returns the new root.
    Result<audit::Digest> seal();
    // Seals every row there is, whatever it says: for rows that were checked before a migration changed their columns.
    Result<audit::Digest> seal_everything();
    // Seals these rows, which are all that there are.
    struct Sealed {
        std::string place;
        audit::RowSeal seal;
    };
    Result<audit::Digest> seal_everything(const std::vector<Sealed>& rows);
    // What the head says of all rows, under this key and, computed of the same rows, under another.
    Result<std::vector<Sealed>> seals_under(SealingKey& other);

    // For reading everything: rows are taken as they come, and `finish` says whether they are, all together, what the
    // head is sealed over.
    class Whole {
     public:
        explicit Whole(RowSeals& seals) : seals_(seals) {}
        Result<void> add(const SealedTable& table, const Statement& row);
        // With the tables that nobody has added.
        Result<void> finish(std::set<SealedKind> added);

     private:
        RowSeals& seals_;
        audit::RowSet rows_;
        std::string place_;
    };

    // Checks that the rows of all tables, together, are those that the head is sealed over: none is missing, and none
    // is there twice. Errors: Corrupt, with `tampered`, which names a row; those of the store.
    Result<void> require_whole();

    // What is wrong with which rows. Errors: those of the store.
    Result<std::vector<std::string>> examine();

 private:
    struct Node {
        audit::Children children{};
        bool is_changed = false;
    };
    using Seals = std::map<std::string, audit::RowSeal>;  // of a bucket, by place

    // The installation's seal covers the seals of these, too.
    static bool is_counted(SealedKind kind);
    static std::string joined(const std::map<std::string, audit::RowSeal>& seals);

    Result<bool> is_sound();
    audit::RowSealer& sealer();
    Result<audit::RowSeal> seal_of(const SealedTable& table, std::string_view place, const Statement& row);
    audit::RowSeal seal_of(const Place& place, const audit::Record& record, std::string_view counted);
    Result<std::string> counted();
    Result<audit::Digest> root();
    using Stored = std::map<std::uint32_t, audit::Children>;  // nodes
    Result<void> check_path(audit::Bucket bucket, Stored& stored);
    Result<void> fetch_path(audit::Bucket bucket);
    Result<Seals*> seals_in(audit::Bucket bucket);
    bool take_if_right(audit::Bucket bucket, Seals seals);
    struct Current {
        std::optional<audit::Record> record;
        std::optional<audit::RowSeal> seal;
    };
    Result<Current> current(const Place& place);
    Result<Current> checked(const Place& place, const char* consequence);
    Result<void> before_writing(const Place& place);
    Result<void> write_seal(audit::Bucket bucket, const std::string& place, const std::optional<audit::RowSeal>& seal);
    Result<void> write_nodes();
    void put(audit::Bucket bucket, const audit::Digest& hash);

    Connection& connection_;
    SealingKey& key_;
    std::span<const SealedTable> tables_;
    std::optional<audit::RowSealer> sealer_;
    std::optional<audit::Digest> root_;
    std::unordered_map<std::uint32_t, Node> nodes_;  // each found under its parent
    std::unordered_map<audit::Bucket, Seals> buckets_;
    std::map<Place, std::optional<audit::Record>> written_;  // what they are to be
    std::map<std::string, audit::RowSeal>
        counted_;  // of the operators and owners, by place, when the installation is written
    Bytes canonical_;
};

// For those who look through all of them: a row's name for people, a stored seal, every row there is.
std::string named(const Place& place);
Result<audit::RowSeal> seal_from(const Bytes& bytes);
Result<void> for_each_row(Connection& connection, std::span<const SealedTable> tables,
                          const std::function<Result<void>(const SealedTable&, const Statement&)>& each);

// The seal over what is in `head`, and the root of its rows, in place of the stored ones.
Result<void> write_head_seal(Connection& connection, const StoredHead& head, const Secret& key);

}  // namespace marque::store::sql
