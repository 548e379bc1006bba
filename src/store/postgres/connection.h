// store/postgres/connection.h: libpq with owners, Results and no more.
//
// The connection string is libpq's, as far as store/postgres/conninfo.h lets it; passwords come from a password file or
// PGPASSWORD. Every session has its time-outs, waits for its commits to be
// durable wherever the server is told to make them so, and is with a primary: a standby may be behind.
#pragma once

#include <libpq-fe.h>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/time.h"
#include "store/postgres/libpq.h"
#include "store/sql/statement.h"

namespace marque::store::postgres {

struct TimeOuts {
    Duration statement = std::chrono::seconds(60);
    Duration lock = std::chrono::seconds(60);
};

class Connection final : public sql::Connection {
 public:
    // Errors: InvalidRequest (the string is refused), Unavailable, PermissionDenied.
    static Result<std::unique_ptr<Connection>> open(const std::string& conninfo, const TimeOuts& time_outs);
    Connection(const Connection&) = delete;

    Result<sql::Statement> prepare(const char* sql) override;
    // The statement's rows come as they are read, not all at once; nothing else may be asked before they are.
    Result<sql::Statement> prepare_streaming(const char* sql) override;
    // Any number of statements without parameters.
    Result<void> execute(const char* sql);

    // False once the server is gone: every call fails from then on.
    bool is_alive() const { return pq().status(connection_.get()) == CONNECTION_OK; }
    // host:port/database, for people.
    std::string location() const;

    // Ends the transaction, and with `announces` tells those that listen. Errors: OutcomeUnknown when nobody can say
    // whether it did: the connection broke, or the server stopped waiting for a standby; StateRefuses, Unavailable:
    // nothing changed.
    enum class Commit { Quietly, Announced };
    Result<void> commit(Commit how = Commit::Quietly);
    // For a statement that was a transaction of its own: that its commit is as durable as it was to be. Errors:
    // Unavailable.
    Result<void> require_durable();

    // From now on, what is announced is heard here.
    Result<void> listen();
    // Waits until something was announced, or for `longest`; whether it was.
    Result<bool> wait_for_notice(Duration longest);

    // Nothing when there is no transaction, or no server.
    void rollback() noexcept;
    // No transaction is left open behind the scope, by an exception neither.
    class Rollback {
     public:
        explicit Rollback(Connection& connection) : connection_(connection) {}
        Rollback(const Rollback&) = delete;
        ~Rollback() { connection_.rollback(); }

     private:
        Connection& connection_;
    };

    // What the last failed call means, by its SQLSTATE.
    bool is_to_be_repeated() const { return is_to_be_repeated_; }

 private:
    friend class PgCursor;
    struct Finish {
        void operator()(PGconn* connection) const { pq().finish(connection); }
    };
    explicit Connection(PGconn* connection) : connection_(connection) {}
    Result<sql::Statement> prepare(const char* sql, bool streams);
    Error error_of(const PGresult* result);

    std::unique_ptr<PGconn, Finish> connection_;
    std::unordered_map<const char*, std::string> statements_;  // SQL and the name it is prepared under
    bool is_to_be_repeated_ = false;
    bool was_warned_ = false;  // of a commit that is not as durable as it was to be
    bool is_listening_ = false;
};

}  // namespace marque::store::postgres
