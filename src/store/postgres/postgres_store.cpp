#include "store/postgres/postgres_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "store/append.h"
#include "store/postgres/schema.h"
#include "store/postgres/schema_objects.h"
#include "store/sql/migrate.h"
#include "store/sql/read_back.h"
#include "store/sql/reader.h"
#include "store/sql/reseal.h"

namespace marque::store::postgres {
namespace {

constexpr const char* reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
constexpr const char* writing = "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE";
constexpr const char* noting = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
constexpr int most_tries = 5;
// A change that is made while an object is there that Marque did not make is read back all the same.
constexpr auto between_checks = std::chrono::seconds(1);

// Everything that a verdict may rest on moves the head; its seal makes it this installation's.
constexpr const char* head_sql = "SELECT size, seal FROM log_head";

Result<std::string> head_of(Connection& connection) {
    sql::Statement statement = TRY(connection.prepare(head_sql));
    if (!TRY(statement.step())) return std::string("0");
    return fmt::format("{} {}", statement.exact_number(0), to_hex(statement.bytes(1)));
}

// A commit without a change, of the log as it is.
Result<Renewal> touch_head(Connection& connection) {
    sql::Statement statement = TRY(connection.prepare(
        "UPDATE log_head SET size = size RETURNING size, (SELECT seal FROM entry WHERE seq = log_head.size)"));
    Renewal found;
    if (!TRY(statement.step())) return found;
    found.revision = statement.count(0);
    const Bytes seal = statement.bytes(1);
    if (seal.size() == found.seal.size()) std::ranges::copy(seal, found.seal.begin());
    return found;
}

class PostgresMaintenance final : public Maintenance {
 public:
    PostgresMaintenance(std::unique_ptr<Connection> connection, SealingKey sealing_key)
        : connection_(std::move(connection)), sealing_key_(std::move(sealing_key)) {}

    Result<StoreStatus> status() override {
        const int schema = TRY(schema_of(*connection_));
        StoreStatus status{"postgresql", connection_->location(), schema, newest_schema, 0, {}};
        status.bytes = static_cast<std::uint64_t>(TRY(connection_->number(
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE n.nspname = 'marque' AND c.relkind = 'r'")));
        for (const sql::Migration& migration : migrations()) status.migrations.emplace_back(migration.name);
        return status;
    }

    Result<void> migrate(int to, const DecideMigration& decide) override {
        TRY(sql::require_target(to));
        TRY(connection_->execute("BEGIN"));
        const Connection::Rollback at_the_end(*connection_);
        const auto written = TRY(migrate_inside(to, decide));
        TRY(connection_->commit());
        if (!written) return {};
        return read_back(sealing_key_, *written, to);
    }

    Result<bool> reseal(SealingKey new_key, const Decide& decide) override {
        TRY(connection_->execute(writing));
        const Connection::Rollback at_the_end(*connection_);
        const auto written = TRY(reseal_inside(new_key, decide));
        TRY(connection_->commit(Connection::Commit::Announced));
        if (!written) return false;
        TRY(read_back(new_key, *written, newest_schema));
        return true;
    }

    Result<void> backup(const std::string&, const std::function<void(double)>&) override {
        return Error(Code::StateRefuses, "a database server's backups are its own",
                     "pg_dump --schema=marque, or a base backup with its log");
    }

    Result<std::vector<std::string>> check() override {
        std::vector<std::string> findings;
        const int version = TRY(schema_of(*connection_));
        if (version == 0 || version > newest_schema) return findings;
        if (auto own = require_own_objects(*connection_, version); !own) findings.push_back(own.error().message);
        return findings;
    }

 private:
    Result<void> read_back(SealingKey& key, const sql::Written& written, int schema) {
        if (auto begun = connection_->execute(reading); !begun) return not_read_back(written.revision(), begun.error());
        const Connection::Rollback at_the_end(*connection_);
        const sql::SqlReader reader(*connection_, key, sql::SqlReader::Rows::Checked, schema);
        return sql::read_back(reader, written, key.get(), sql::Extent::Everything);
    }

    // Reseals with `new_key` in the current transaction. Returns nullopt if the store was sealed with it already.
    Result<std::optional<sql::Written>> reseal_inside(SealingKey& new_key, const Decide& decide) {
        TRY(connection_->execute("LOCK TABLE log_head IN EXCLUSIVE MODE"));
        TRY(require_newest_schema(*connection_));
        TRY(require_own_objects(*connection_, newest_schema));
        if (is_sealed_by(TRY(sql::SqlReader::head_of(*connection_)), new_key.get()))
            return std::optional<sql::Written>();
        const auto drafts = TRY(decide(sql::SqlReader(*connection_, sealing_key_)));
        TRY(sql::reseal(*connection_, sealing_key_, new_key));
        return std::optional(
            TRY(sql::write_events(*connection_, sql::SqlReader(*connection_, new_key), drafts, new_key.get())));
    }

    // Migrates to schema `to` in the current transaction. Returns nullopt if `decide` gave no event to log.
    Result<std::optional<sql::Written>> migrate_inside(int to, const DecideMigration& decide) {
        TRY(lock_migrations(*connection_));
        const int from = TRY(schema_of(*connection_));
        TRY(sql::require_known(from));
        if (from > 0) TRY(require_own_objects(*connection_, from));
        if (from > 0) TRY(connection_->execute("LOCK TABLE log_head IN EXCLUSIVE MODE"));
        const sql::MigrationSteps steps{
            [&](int begin, int end) { return apply_migrations(*connection_, begin, end); },
            [&](const sql::SqlReader& reader, const std::vector<audit::Draft>& drafts) {
                return sql::write_events(*connection_, reader, drafts, sealing_key_.get());
            },
        };
        return sql::migrate(*connection_, sealing_key_, from, to, decide, steps);
    }

    std::unique_ptr<Connection> connection_;
    SealingKey sealing_key_;
};

}  // namespace

Result<std::unique_ptr<PostgresStore>> PostgresStore::open(const std::string& conninfo, SealingKey sealing_key,
                                                           const TimeOuts& time_outs) {
    std::unique_ptr<PostgresStore> store(new PostgresStore(conninfo, time_outs, std::move(sealing_key)));
    store->connection_ = TRY(Connection::open(conninfo, time_outs));
    TRY(require_newest_schema(*store->connection_));
    return store;
}

Result<void> PostgresStore::create(const std::string& conninfo) {
    const auto connection = TRY(Connection::open(conninfo, {}));
    TRY(connection->execute("BEGIN"));
    const auto create = [&]() -> Result<void> {
        TRY(lock_migrations(*connection));
        if (TRY(schema_of(*connection)) == 0) return apply_migrations(*connection, 0, newest_schema);
        TRY(require_newest_schema(*connection));
        if (TRY(connection->number("SELECT count(*) FROM installation")) > 0)
            return Error(Code::StateRefuses, "there is an installation in " + connection->location() + " already");
        return {};
    };
    auto created = create();
    if (created) return connection->commit();
    connection->rollback();
    return created;
}

Result<Connection*> PostgresStore::connected() {
    if (!connection_ || !connection_->is_alive()) {
        connection_.reset();
        connection_ = TRY(Connection::open(conninfo_, time_outs_));
    }
    return connection_.get();
}

Result<Connection*> PostgresStore::begin(const char* how) {
    Connection* connection = TRY(connected());
    auto begun = connection->execute(how);
    if (!begun) {
        if (connection->is_alive()) return std::move(begun).error();
        connection = TRY(connected());
        TRY(connection->execute(how));
    }
    return connection;
}

Result<void> PostgresStore::read(const std::function<Result<void>(const Reader&)>& view) {
    return read_rows(sql::SqlReader::Rows::Checked, view);
}

Result<void> PostgresStore::read_unchecked(const std::function<Result<void>(const Reader&)>& view) {
    return read_rows(sql::SqlReader::Rows::AsTheyLie, view);
}

Result<void> PostgresStore::read_rows(sql::SqlReader::Rows rows,
                                      const std::function<Result<void>(const Reader&)>& view) {
    Connection& connection = *TRY(begin(reading));
    const Connection::Rollback at_the_end(connection);
    if (rows == sql::SqlReader::Rows::Checked) TRY(check_objects(connection));
    return view(sql::SqlReader(connection, sealing_key_, rows));
}

// `body` is run again when the server broke it off for the sake of another; nothing of it was kept then.
template <class Body>
auto PostgresStore::write(const char* how, Connection::Commit announces, const Body& body)
    -> std::invoke_result_t<Body, Connection&> {
    for (int tries = 1;; ++tries) {
        Connection& connection = *TRY(begin(how));
        const Connection::Rollback at_the_end(connection);
        auto result = body(connection);
        if (result) {
            if (auto committed = connection.commit(announces); committed)
                return result;
            else
                result = std::move(committed).error();
        }
        const bool is_to_be_repeated = connection.is_to_be_repeated() && result.error().code == Code::Unavailable;
        if (!is_to_be_repeated || tries == most_tries) return result;
    }
}

// Also when there is nothing to change something is committed: what was found may be known to this server alone, one
// that is no primary any more, and is relied on like a change (test/model/revoke_failover.pml, M_READREPEAT).
Result<domain::Revision> PostgresStore::change(const Decide& decide) {
    std::optional<sql::Written> written;
    const auto last = TRY(write(writing, Connection::Commit::Announced, [&](Connection& connection) -> Result<Renewal> {
        written.reset();
        // Before the first read, which takes the snapshot (PostgreSQL's manual, LOCK).
        TRY(connection.execute("LOCK TABLE log_head IN EXCLUSIVE MODE"));
        TRY(check_objects(connection));
        const sql::SqlReader reader(connection, sealing_key_);
        const auto drafts = TRY(decide(reader));
        if (drafts.empty()) return touch_head(connection);
        written = TRY(sql::write_events(connection, reader, drafts, sealing_key_.get()));
        return Renewal{written->revision(), written->seal};
    }));
    verifiers_.expect(last.revision, last.seal);
    if (written) TRY(read_back(*written));
    return last.revision;
}

Result<void> PostgresStore::check_objects(Connection& connection) {
    const auto now = std::chrono::steady_clock::now();
    if (now < check_objects_at_) return {};
    if (auto own = require_own_objects(connection, newest_schema); !own) {
        // Another version has other objects, and is refused as what it is.
        TRY(require_newest_schema(connection));
        return own;
    }
    check_objects_at_ = now + between_checks;
    return {};
}

Result<void> PostgresStore::read_back(const sql::Written& written) {
    auto begun = begin(reading);
    if (!begun) return not_read_back(written.revision(), begun.error());
    const Connection::Rollback at_the_end(**begun);
    return sql::read_back(sql::SqlReader(**begun, sealing_key_), written, sealing_key_.get());
}

Result<void> PostgresStore::record_uses(std::span<const Use> uses, std::span<const RefusedUse> refused) {
    return write(noting, Connection::Commit::Quietly,
                 [&](Connection& connection) -> Result<void> { return sql::write_uses(connection, uses, refused); });
}

Result<void> PostgresStore::mark() {
    // On a fresh connection if need be: what lies there now is what is marked.
    marked_ = TRY(head_now());
    return {};
}

Result<bool> PostgresStore::is_as_marked() const {
    if (marked_.empty()) return false;
    return TRY(head_now()) == marked_;
}

Result<std::string> PostgresStore::head_now() const {
    std::unique_ptr<Connection> connection;
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            connection = std::move(idle_.back());
            idle_.pop_back();
        }
    }
    std::optional<Result<std::string>> head;
    if (connection) head = head_of(*connection);
    if (!connection || !connection->is_alive()) {
        connection = TRY(Connection::open(conninfo_, time_outs_));
        head = head_of(*connection);
    }
    if (*head) {
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(connection));
    }
    return std::move(*head);
}

Result<void> PostgresStore::examine() {
    const auto connection = TRY(Connection::open(conninfo_, time_outs_));
    TRY(require_newest_schema(*connection));
    TRY(require_own_objects(*connection, newest_schema));
    return check_head(TRY(sql::SqlReader::head_of(*connection)), sealing_key_.get());
}

Result<std::unique_ptr<Maintenance>> open_maintenance(const std::string& conninfo, SealingKey sealing_key) {
    auto connection = TRY(Connection::open(conninfo, {}));
    TRY(require_no_move(*connection));
    return std::unique_ptr<Maintenance>(new PostgresMaintenance(std::move(connection), std::move(sealing_key)));
}

}  // namespace marque::store::postgres
