#include "store/postgres/move.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "store/append.h"
#include "store/postgres/postgres_verifiers.h"
#include "store/postgres/schema.h"
#include "store/postgres/schema_objects.h"
#include "store/sql/read_back.h"
#include "store/sql/reader.h"

namespace marque::store::postgres {
namespace {

constexpr const char* reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
constexpr const char* writing = "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE";

Result<std::unique_ptr<Connection>> connect(const std::string& conninfo) {
    auto connection = TRY(Connection::open(conninfo, {}));
    // A large store takes longer than a statement may elsewhere, and one end waits for the other; but nothing takes for
    // ever.
    TRY(connection->execute("SET statement_timeout = '6h'; SET idle_in_transaction_session_timeout = 0"));
    return connection;
}

Result<void> look_into(Connection& connection, const std::string& schema) {
    return connection.execute(fmt::format("SET search_path = {}, pg_temp", schema).c_str());
}

// What was found is durable wherever the server waits for it, and the server is still the primary.
Result<void> commit_again(Connection& connection) {
    connection.rollback();
    TRY(connection.execute("BEGIN; UPDATE schema_version SET version = version"));
    return connection.commit();
}

class PostgresSource final : public sql::Source {
 public:
    PostgresSource(std::unique_ptr<Connection> connection, SealingKey sealing_key, bool is_closed)
        : connection_(std::move(connection)),
          sealing_key_(std::move(sealing_key)),
          verifiers_([this]() -> Result<Connection*> { return connection_.get(); }),
          is_closed_(is_closed) {}

    audit::StorePlace place() const override { return {"postgresql", connection_->location()}; }
    bool is_closed() const override { return is_closed_; }

    Result<void> begin(MoveSteps::Purpose purpose) override {
        if (is_closed_) return connection_->execute(reading);
        TRY(require_may_move());
        if (purpose == MoveSteps::Purpose::Plan) {
            TRY(connection_->execute(reading));
        } else {
            TRY(connection_->execute(writing));
            // Before the first read, which takes the snapshot; in this order, as a change locks the first and then
            // writes the last.
            TRY(connection_->execute("LOCK TABLE log_head, last_use, refused_use IN EXCLUSIVE MODE"));
        }
        TRY(require_newest_schema(*connection_));
        TRY(require_own_objects(*connection_, newest_schema));
        for (const VerifierRow& row : TRY(verifiers_.all()).rows)
            if (row.terms.mode == Freshness::AckOnly)
                return Error(
                    Code::StateRefuses,
                    "verifier " + row.terms.name + " answers until it is told otherwise, and nobody could then",
                    "stop it first; if it is dead, marque verifiers --remove " + row.id);
        return {};
    }
    sql::Connection& connection() override { return *connection_; }
    SealingKey& sealing_key() override { return sealing_key_; }

    Result<void> append(const std::vector<audit::Draft>& drafts) override {
        const sql::SqlReader reader(*connection_, sealing_key_);
        written_ = TRY(sql::write_events(*connection_, reader, drafts, sealing_key_.get()));
        return {};
    }

    // Renaming the schema closes the store. A session that waits for a table lock looks the table up again when it gets
    // the lock, and a prepared statement is resolved again, so neither still uses the old tables.
    Result<void> close() override {
        if (is_closed_) return commit_again(*connection_);
        const std::string moved =
            fmt::format("marque_moved_{}", TRY(sql::SqlReader::head_of(*connection_)).frontier.size());
        TRY(connection_->execute(fmt::format("ALTER SCHEMA marque RENAME TO {}", moved).c_str()));
        TRY(connection_->commit(Connection::Commit::Announced));
        is_closed_ = true;
        return look_into(*connection_, moved);
    }
    Result<void> read_back() override {
        connection_->rollback();
        TRY(connection_->execute(reading));
        if (TRY(schema_of(*connection_)) > 0) return sql::not_closed();
        if (!written_) return {};
        return sql::read_back(sql::SqlReader(*connection_, sealing_key_), *written_, sealing_key_.get());
    }

    // No lease is given any more; those that were end by themselves, and nobody else tells when.
    Result<void> await_verifiers() override {
        Duration longest{};
        for (const VerifierRow& row : TRY(verifiers_.all()).rows)
            longest = std::max(longest, longest_in_force(row.terms.lease));
        verifiers_.pause(longest);
        return {};
    }

    Result<void> put_away() override { return {}; }

 private:
    // Seen before everything is copied, and not after.
    Result<void> require_may_move() {
        if (TRY(connection_->number("SELECT count(*) FROM pg_namespace WHERE nspname = 'marque'"
                                    " AND NOT (pg_has_role(nspowner, 'USAGE')"
                                    " AND has_database_privilege(current_database(), 'CREATE'))")) == 0)
            return {};
        return Error(Code::PermissionDenied, "the database's role may not rename the schema marque",
                     "connect as the role that made the store");
    }

    std::unique_ptr<Connection> connection_;
    SealingKey sealing_key_;
    PostgresVerifiers verifiers_;
    std::optional<sql::Written> written_;  // by `append`
    bool is_closed_;
};

class PostgresTarget final : public sql::Target {
 public:
    explicit PostgresTarget(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

    audit::StorePlace place() const override { return {"postgresql", connection_->location()}; }

    Result<State> state(const std::string& installation) override {
        if (TRY(connection_->number("SELECT CASE WHEN has_database_privilege(current_database(), 'CREATE') THEN 1"
                                    " ELSE 0 END")) == 0)
            return Error(Code::PermissionDenied, "the database's role may not make a schema there");
        if (TRY(schema_of(*connection_)) > 0) return State::Open;
        if (TRY(connection_->number("SELECT count(*) FROM pg_namespace WHERE nspname = 'marque_part'")) == 0)
            return State::Nothing;
        TRY(look_into(*connection_, "marque_part"));
        if (auto ids = connection_->prepare("SELECT id FROM installation"); ids)
            if (auto is_there = ids->step(); is_there && *is_there && ids->view(0) == installation) return State::Part;
        return Error(Code::StateRefuses, "there is a schema marque_part in the database that is no copy of this store",
                     "look whose it is, and remove it");
    }

    Result<void> begin_reading() override {
        connection_->rollback();
        TRY(look_into(*connection_, TRY(schema_of(*connection_)) > 0 ? "marque" : "marque_part"));
        TRY(connection_->execute(reading));
        if (TRY(connection_->number("SELECT version FROM schema_version")) == newest_schema) return {};
        return Error(Code::StateRefuses, "the store in the database has another schema");
    }
    sql::Connection& connection() override { return *connection_; }

    Result<void> make() override {
        TRY(connection_->execute("BEGIN"));
        TRY(lock_migrations(*connection_));
        if (TRY(schema_of(*connection_)) > 0)
            return Error(Code::StateRefuses, "there is an installation in " + connection_->location() + " already");
        TRY(connection_->execute("DROP SCHEMA IF EXISTS marque_part CASCADE; SET search_path = marque, pg_temp"));
        TRY(apply_migrations(*connection_, 0, newest_schema));
        TRY(connection_->execute("ALTER SCHEMA marque RENAME TO marque_part"));
        return look_into(*connection_, "marque_part");
    }
    Result<void> commit() override { return connection_->commit(); }
    Result<void> open() override {
        if (TRY(schema_of(*connection_)) > 0) return commit_again(*connection_);
        connection_->rollback();
        TRY(connection_->execute("BEGIN"));
        TRY(lock_migrations(*connection_));
        TRY(connection_->execute("ALTER SCHEMA marque_part RENAME TO marque"));
        return connection_->commit();
    }
    Result<void> remove() override {
        connection_->rollback();
        return connection_->execute("DROP SCHEMA IF EXISTS marque_part CASCADE");
    }

 private:
    std::unique_ptr<Connection> connection_;
};

// The newest of those that were moved away from this database and carry this installation's seal.
Result<bool> look_into_moved(Connection& connection, SealingKey& sealing_key) {
    std::vector<std::string> schemas;
    sql::Statement names =
        TRY(connection.prepare("SELECT nspname::text FROM pg_namespace WHERE nspname ~ '^marque_moved_[0-9]+$'"
                               " ORDER BY length(nspname) DESC, nspname DESC"));
    while (TRY(names.step())) schemas.push_back(names.text(0));
    for (const std::string& schema : schemas) {
        TRY(look_into(connection, schema));
        const auto head = sql::SqlReader::head_of(connection);
        if (head && head->frontier.size() > 0 && check_head(*head, sealing_key.get())) return true;
    }
    return false;
}

}  // namespace

Result<std::unique_ptr<sql::Source>> open_source(const std::string& conninfo, SealingKey sealing_key, Which which) {
    auto connection = TRY(connect(conninfo));
    const bool is_open = which == Which::OpenOrMoved && TRY(schema_of(*connection)) > 0;
    if (!is_open && !TRY(look_into_moved(*connection, sealing_key))) {
        TRY(require_newest_schema(*connection));
        return Error(Code::Unavailable, "the store that was moved is no longer in " + connection->location());
    }
    return std::unique_ptr<sql::Source>(new PostgresSource(std::move(connection), std::move(sealing_key), !is_open));
}

Result<std::unique_ptr<sql::Target>> open_target(const std::string& conninfo) {
    return std::unique_ptr<sql::Target>(new PostgresTarget(TRY(connect(conninfo))));
}

}  // namespace marque::store::postgres
