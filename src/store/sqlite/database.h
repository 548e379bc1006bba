// store/sqlite/database.h: SQLite's C interface with owners, Results and no more.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace marque::store::sqlite {

// A row or parameter list in use. Resets the prepared statement when it goes.
class Statement {
 public:
    Statement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
    Statement(Statement&& other) noexcept;
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    Statement& operator=(Statement&&) = delete;
    ~Statement();

    // Bound in order. Text and bytes are copied.
    Statement& bind(std::string_view text);
    Statement& bind(const char* text) { return bind(std::string_view(text)); }
    Statement& bind(ByteView bytes);
    Statement& bind(std::int64_t number);
    Statement& bind(std::uint64_t number) { return bind(static_cast<std::int64_t>(number)); }
    Statement& bind(std::uint32_t number) { return bind(static_cast<std::int64_t>(number)); }
    Statement& bind(int number) { return bind(static_cast<std::int64_t>(number)); }
    Statement& bind(bool flag) { return bind(static_cast<std::int64_t>(flag)); }
    Statement& bind(Instant instant) { return bind(std::int64_t{instant.time_since_epoch().count()}); }
    Statement& bind(Duration duration) { return bind(std::int64_t{duration.count()}); }
    Statement& bind_null();
    template <class T>
    Statement& bind(const std::optional<T>& value) {
        return value ? bind(*value) : bind_null();
    }

    // The next row; false after the last.
    Result<bool> step();
    // For a statement without rows: how many it changed.
    Result<int> run();

    std::string text(int column) const;
    // The same without a copy: valid until the next step.
    std::string_view view(int column) const;
    std::int64_t number(int column) const;
    Bytes bytes(int column) const;
    bool is_null(int column) const;
    Instant instant(int column) const { return Instant(Duration(number(column))); }
    std::optional<Instant> maybe_instant(int column) const;
    std::optional<Duration> maybe_duration(int column) const;

 private:
    sqlite3* db_;
    sqlite3_stmt* statement_;
    int next_parameter_ = 1;
};

enum class OpenMode { Existing, ReadOnlyImmutable };

// For a lock that another process holds.
inline constexpr Duration default_longest_wait = std::chrono::minutes(1);

class Database {
 public:
    // Errors: Unavailable, Corrupt (not a database), PermissionDenied.
    static Result<Database> open(const std::string& path, OpenMode mode = OpenMode::Existing,
                                 Duration longest_wait = default_longest_wait);

    // `sql` must outlive the database: a literal. Prepared once and kept.
    Result<Statement> prepare(const char* sql);
    // Any number of statements without parameters.
    Result<void> execute(const char* sql);
    Result<std::int64_t> number(const char* sql);

    Result<void> begin_read() { return execute("BEGIN"); }
    void rollback() noexcept;

    // Runs `body` in a write transaction: committed when it succeeds, rolled back when it fails. Errors: those of
    // `body`; OutcomeUnknown when the disk failed under the commit.
    template <class Body>
    auto write(const Body& body) -> std::invoke_result_t<Body> {
        TRY(execute("BEGIN IMMEDIATE"));
        auto result = body();
        if (!result) {
            rollback();
            return result;
        }
        TRY(commit());
        return result;
    }

    sqlite3* handle() const { return db_.get(); }

 private:
    Result<void> commit();

    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    };
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    explicit Database(sqlite3* db) : db_(db) {}

    std::unique_ptr<sqlite3, Close> db_;
    std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

// What a failed SQLite call means. The message names SQLite's reason.
Error error_from(sqlite3* db);

}  // namespace marque::store::sqlite
