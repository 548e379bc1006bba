// store/sql/row_seals.h: checks that rows are the newest ones that this installation wrote (invariant 12).
//
//     table row_seal:  bucket, place, seal        the seal of each row, computed when the row was written
//     table row_tree:  node, children             the hash tree over the buckets (audit/row_tree.h)
//     log_head.row_root:                          the root of that tree, which the seal of the log's head covers
//
// Reading a row: its seal is computed from the row and must be in its bucket. The bucket's hash must be in the tree,
// and the tree's root must be the one in the head. This refuses a row that was changed, a row that was replaced by an
// older one, a row that was added, and a row that was removed. Writing a row: the stored row is checked first, so that
// a row that someone changed never gets a valid seal. Then the new seals and nodes are written in the change's
// transaction.
//
// An object is used in one transaction, by one thread at a time. A row that was checked is not read again.
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
    // `connection` and `key` must outlive this object. `schema` is the version of the tables. Of an older version only
    // require_whole() and seal_everything() can be used.
    RowSeals(Connection& connection, SealingKey& key, int schema = newest_schema)
        : connection_(connection), key_(key), tables_(sealed_tables(schema)) {}

    // Checks that a row, which was selected with all columns of its table, is the newest of its name. Errors of all
    // functions: Corrupt, with `tampered`, if it is not; Corrupt if the log's head is not sealed by this installation;
    // those of the store.
    Result<void> check(const SealedTable& table, const Statement& row);
    // Checks that there is no row of that name.
    Result<void> check_absent(const Place& place);
    // Reads the row of that name and checks that it is the newest one, or that it is missing if it was removed.
    Result<void> check_as_it_is(const Place& place);

    // Reads the seals and nodes that are needed to check rows of these buckets. It takes few statements, because each
    // is a message to a server. If they are wrong, the check of a row reports it.
    Result<void> fetch(const std::set<audit::Bucket>& buckets);

    // Returns the record of that name as the change has made it so far; none when there is no such record. The first
    // time, the row is read and has to be as its seal says, because what is sealed next is made of it. Call it before
    // anything is written to the row.
    Result<std::optional<audit::Record>> record(const Place& place);
    // Notes what the record is after an event, or that it is removed. `place` was given to record() before.
    void put(const Place& place, std::optional<audit::Record> record);
    // Seals what was put. Returns the new root.
    Result<audit::Digest> seal();
    // Seals every row without a check. Only for rows that were checked before a migration changed their columns.
    Result<audit::Digest> seal_everything();
    // Replaces all seals by `rows`, which must be the seals of every row.
    struct Sealed {
        std::string place;
        audit::RowSeal seal;
    };
    Result<audit::Digest> seal_everything(const std::vector<Sealed>& rows);
    // Checks all rows under this object's key, and returns their seals under the key `other`.
    Result<std::vector<Sealed>> seals_under(SealingKey& other);

    // Checks all rows while someone reads them anyway. add() is called for each row; finish() reports whether the rows
    // together are those that the head is sealed over. Until then, no row has been checked.
    class Whole {
     public:
        explicit Whole(RowSeals& seals) : seals_(seals) {}
        Result<void> add(const SealedTable& table, const Statement& row);
        // `added`: the tables whose rows were given to add(). Reads the rows of all other tables itself.
        Result<void> finish(std::set<SealedKind> added);

     private:
        RowSeals& seals_;
        audit::RowSet rows_;
        std::string place_;
    };

    // Checks that the rows of all tables, together, are those that the head is sealed over: none is missing, and none
    // is there twice. Errors: Corrupt, with `tampered`, which names a row; those of the store.
    Result<void> require_whole();

    // Returns a line for each row that is not as it was written, for doctor. Errors: those of the store.
    Result<std::vector<std::string>> examine();

 private:
    struct Node {
        audit::Children children{};
        bool is_changed = false;
    };
    using Seals = std::map<std::string, audit::RowSeal>;  // of a bucket, by place

    // Returns true if the installation's seal also covers the seals of this kind (operators and owners).
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

// These three are for code that reads all rows. named() returns a row's name for people, seal_from() decodes a stored
// seal, for_each_row() calls `each` with every row.
std::string named(const Place& place);
Result<audit::RowSeal> seal_from(const Bytes& bytes);
Result<void> for_each_row(Connection& connection, std::span<const SealedTable> tables,
                          const std::function<Result<void>(const SealedTable&, const Statement&)>& each);

// Stores the root of `head` and the seal that `key` gives `head`.
Result<void> write_head_seal(Connection& connection, const StoredHead& head, const Secret& key);

}  // namespace marque::store::sql
