// store/postgres/postgres_store.h: one database for several machines.
//
//     change:  BEGIN ─▶ LOCK log_head ─▶ snapshot ─▶ decide ─▶ entries, rows, head ─▶ COMMIT ─▶ read back
//
// The lock is taken before the snapshot and held to the end, so changes follow one another and each decides on what
// the last one left; readers don't wait. A revision is the log's size, written under that lock: never a sequence,
// whose numbers become visible out of order.
//
// A verifier answers by a lease (store/verifiers.h), or asks this database before every round of answers whether
// anything was committed since (the mode `strict`): one indexed read, on a connection of its own for each thread that
// asks.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/maintenance.h"
#include "store/postgres/connection.h"
#include "store/postgres/postgres_verifiers.h"
#include "store/sealing_key.h"
#include "store/sql/reader.h"
#include "store/sql/write.h"
#include "store/store.h"

namespace marque::store::postgres {

class PostgresStore final : public Store {
 public:
    // `conninfo` is libpq's connection string. Errors: as of Connection::open; StateRefuses (another schema version),
    // Unavailable when there is no store in the database.
    static Result<std::unique_ptr<PostgresStore>> open(const std::string& conninfo, SealingKey sealing_key,
                                                       const TimeOuts& time_outs = {});
    // The tables, and nothing in them; a second call finishes what the first may have left. Errors: StateRefuses when
    // there is an installation already; Unavailable, PermissionDenied.
    static Result<void> create(const std::string& conninfo);

    Result<void> read(const std::function<Result<void>(const Reader&)>& view) override;
    Result<void> read_unchecked(const std::function<Result<void>(const Reader&)>& view) override;
    Result<domain::Revision> change(const Decide& decide) override;
    Result<void> record_uses(std::span<const Use> uses, std::span<const RefusedUse> refused) override;
    Result<void> mark() override;
    Result<bool> is_as_marked() const override;
    Result<void> examine() override;
    Verifiers* verifiers() override { return &verifiers_; }

 private:
    PostgresStore(std::string conninfo, const TimeOuts& time_outs, SealingKey sealing_key)
        : conninfo_(std::move(conninfo)),
          time_outs_(time_outs),
          sealing_key_(std::move(sealing_key)),
          verifiers_([this] { return connected(); }) {}
    // One that broke since the last call is replaced. Errors: Unavailable.
    Result<Connection*> connected();
    Result<void> read_rows(sql::SqlReader::Rows rows, const std::function<Result<void>(const Reader&)>& view);
    // A transaction has begun on it. Errors: Unavailable.
    Result<Connection*> begin(const char* how);
    template <class Body>
    auto write(const char* how, Connection::Commit announces, const Body& body)
        -> std::invoke_result_t<Body, Connection&>;
    // As require_own_objects, once in a while.
    Result<void> check_objects(Connection& connection);
    // After a commit, in a new snapshot (store/sql/read_back.h).
    Result<void> read_back(const sql::Written& written);
    // The log's head as it is now, on a connection that no other thread has.
    Result<std::string> head_now() const;

    std::string conninfo_;
    TimeOuts time_outs_;
    SealingKey sealing_key_;
    std::unique_ptr<Connection> connection_;
    PostgresVerifiers verifiers_;
    mutable std::mutex mutex_;
    mutable std::vector<std::unique_ptr<Connection>> idle_;  // to ask on; guarded by mutex_
    std::chrono::steady_clock::time_point check_objects_at_;
    std::string marked_;  // the head; empty before the first mark
};

// A handle for maintenance; opens whatever schema is there.
Result<std::unique_ptr<Maintenance>> open_maintenance(const std::string& conninfo, SealingKey sealing_key);

}  // namespace marque::store::postgres
