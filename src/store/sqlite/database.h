// store/sqlite/database.h: SQLite's C interface with owners, Results and no more.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "base/result.h"
#include "base/time.h"
#include "store/sql/statement.h"
#include "store/sqlite/step_clock.h"

namespace marque::store::sqlite {

using sql::Statement;

enum class OpenMode { Existing, ReadOnlyImmutable };

// For a lock that another process holds.
inline constexpr Duration default_longest_wait = std::chrono::minutes(1);

class Database final : public sql::Connection {
 public:
    // Errors: Unavailable, Corrupt (not a database), PermissionDenied.
    static Result<Database> open(const std::string& path, OpenMode mode = OpenMode::Existing,
                                 Duration longest_wait = default_longest_wait);

    // Sets the limit for every statement from now on (step_clock.h).
    void set_longest_step(const LongestStep& longest) { clock_->set_longest(longest); }

    // A step is Corrupt when it takes too long, when it gives a value larger than any of ours, and when its statement
    // has given more rows than the file has room for.
    Result<Statement> prepare(const char* sql) override;
    // Any number of statements without parameters.
    Result<void> execute(const char* sql);

    // Sets how long statements wait, from now on, for a lock that another process holds.
    void wait_for_locks(Duration longest);

    Result<void> begin_read() { return execute("BEGIN"); }
    // With the write lock, for which it waits.
    Result<void> begin_write() { return execute("BEGIN IMMEDIATE"); }
    // Errors: OutcomeUnknown when the disk failed under it; else nothing changed, and the transaction is over.
    Result<void> commit();
    // Nothing when there is no transaction.
    void rollback() noexcept;

    // Runs `body` in a write transaction: committed when it succeeds, rolled back when it fails. Errors: those of
    // `body`; OutcomeUnknown when the disk failed under the commit.
    template <class Body>
    auto write(const Body& body) -> std::invoke_result_t<Body> {
        TRY(begin_write());
        const Rollback at_the_end(*this);
        auto result = body();
        if (!result) return result;
        TRY(commit());
        return result;
    }

    // No transaction is left open behind the scope, by an exception neither.
    class Rollback {
     public:
        explicit Rollback(Database& database) : database_(database) {}
        Rollback(const Rollback&) = delete;
        ~Rollback() { database_.rollback(); }

     private:
        Database& database_;
    };

    sqlite3* handle() const { return db_.get(); }

    // The schema's cookie and version for which require_own_objects has found all well: a process that changes the
    // schema changes the cookie, or no other process would see what it changed.
    std::pair<std::int64_t, int> known_schema{-1, -1};

 private:
    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    };
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    explicit Database(sqlite3* db) : db_(db) { clock_->watch(db); }

    std::unique_ptr<StepClock> clock_ = std::make_unique<StepClock>();  // SQLite has its address
    std::unique_ptr<sqlite3, Close> db_;
    std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

// The write-ahead log's file is kept, but emptied when the last process leaves: or the next one would read it through
// again.
Result<void> keep_log_file(Database& database);

// What a failed SQLite call means. The message names SQLite's reason.
Error error_from(sqlite3* db);

}  // namespace marque::store::sqlite
