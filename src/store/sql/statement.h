// store/sql/statement.h: a database that speaks SQL, as far as stores need one.
//
// Rows, reading and applying events are the same text for every such database (the other files here); a backend brings
// the connection, its transactions, and what differs: locks, migrations, what a failed commit means. The SQL is what
// SQLite and PostgreSQL both understand, with parameters written ?, ?1, ?2.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/utf8.h"

namespace marque::store::sql {

// Numbers of a row are cut to this size, which every reader of JSON can hold, and the audit log too.
inline constexpr std::int64_t largest_number = (std::int64_t{1} << 53) - 1;
// Texts of a row are cut to this length. An entry of the log is shorter.
inline constexpr std::size_t longest_text_bytes = 256 * 1024;
// Texts that no seal covers, such as an address or a reason, are cut to this length.
inline constexpr std::size_t longest_note_bytes = 200;
// The first and the last instant that to_rfc3339 can write; a difference between two of them fits a Duration.
inline constexpr Instant earliest_instant = std::chrono::sys_days(std::chrono::year(0) / 1 / 1);
inline constexpr Instant latest_instant = std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1) - Duration(1);
// More than any time that an operator can ask for.
inline constexpr Duration longest_duration = std::chrono::years(10'000);

// One run of a prepared statement, by its backend. Ends with the object.
class Cursor {
 public:
    virtual ~Cursor() = default;
    // Bound in order. Text and bytes are copied. What can't be bound makes the next step fail.
    virtual void bind(std::string_view text) = 0;
    virtual void bind(ByteView bytes) = 0;
    virtual void bind(std::int64_t number) = 0;
    virtual void bind_null() = 0;
    // The next row; false after the last.
    virtual Result<bool> step() = 0;
    // For a statement without rows: how many it changed.
    virtual Result<int> run() = 0;
    // Valid until the next step.
    virtual std::string_view view(int column) const = 0;
    virtual std::int64_t number(int column) const = 0;
    virtual Bytes bytes(int column) const = 0;
    virtual bool is_null(int column) const = 0;
    // t text, n number, b bytes, as it is stored, or of another kind: ?
    virtual char kind(int column) const = 0;
};

// An attacker with SQL access can put anything into a column: numbers of any size and sign, text in place of a number,
// bytes that are not text. So values are cut here to what the rest of the program can compute with, print and log. Only
// exact_number(), view() and bytes() return what is stored, for seals, copies and parsers.
class Statement {
 public:
    explicit Statement(std::unique_ptr<Cursor> cursor) : cursor_(std::move(cursor)) {}

    Statement& bind(std::string_view text) { return cursor_->bind(text), *this; }
    Statement& bind(const char* text) { return bind(std::string_view(text)); }
    Statement& bind(ByteView bytes) { return cursor_->bind(bytes), *this; }
    Statement& bind(std::int64_t number) { return cursor_->bind(number), *this; }
    Statement& bind(std::uint64_t number) { return bind(static_cast<std::int64_t>(number)); }
    Statement& bind(std::uint32_t number) { return bind(static_cast<std::int64_t>(number)); }
    Statement& bind(int number) { return bind(static_cast<std::int64_t>(number)); }
    Statement& bind(bool flag) { return bind(static_cast<std::int64_t>(flag)); }
    Statement& bind(Instant instant) { return bind(std::int64_t{instant.time_since_epoch().count()}); }
    Statement& bind(Duration duration) { return bind(std::int64_t{duration.count()}); }
    Statement& bind_null() { return cursor_->bind_null(), *this; }
    template <class T>
    Statement& bind(const std::optional<T>& value) {
        return value ? bind(*value) : bind_null();
    }

    Result<bool> step() { return cursor_->step(); }
    Result<int> run() { return cursor_->run(); }

    std::string_view view(int column) const { return cursor_->view(column); }
    std::int64_t exact_number(int column) const { return cursor_->number(column); }
    Bytes bytes(int column) const { return cursor_->bytes(column); }
    bool is_null(int column) const { return cursor_->is_null(column); }
    char kind(int column) const { return cursor_->kind(column); }

    // Valid UTF-8 without NUL (base/utf8.h).
    std::string text(int column, std::size_t limit_bytes = longest_text_bytes) const {
        return valid_text(view(column), limit_bytes);
    }
    std::int64_t number(int column) const { return std::clamp(exact_number(column), -largest_number, largest_number); }
    // From 0 on.
    std::uint64_t count(int column) const {
        return static_cast<std::uint64_t>(std::max(number(column), std::int64_t{0}));
    }
    std::uint32_t count_of_32_bits(int column) const {
        return static_cast<std::uint32_t>(std::min(count(column), std::uint64_t{UINT32_MAX}));
    }
    // One that can be written.
    Instant instant(int column) const {
        return std::clamp(Instant(Duration(exact_number(column))), earliest_instant, latest_instant);
    }
    // None that is negative.
    Duration duration(int column) const {
        return std::clamp(Duration(exact_number(column)), Duration(0), longest_duration);
    }
    std::optional<Instant> maybe_instant(int column) const {
        if (is_null(column)) return std::nullopt;
        return instant(column);
    }
    std::optional<Duration> maybe_duration(int column) const {
        if (is_null(column)) return std::nullopt;
        return duration(column);
    }

 private:
    std::unique_ptr<Cursor> cursor_;
};

// For one thread at a time.
class Connection {
 public:
    virtual ~Connection() = default;
    // `sql` must outlive the connection: a literal. Prepared once and kept. Errors: Unavailable, Corrupt.
    virtual Result<Statement> prepare(const char* sql) = 0;
    // The same for many rows, which come as they are read; nothing else may be asked before they are.
    virtual Result<Statement> prepare_streaming(const char* sql) { return prepare(sql); }

    // The first column of the first row, cut as Statement::number does. Errors: Corrupt when there is no row.
    Result<std::int64_t> number(const char* sql) {
        Statement statement = TRY(prepare(sql));
        if (!TRY(statement.step())) return Error(Code::Corrupt, "the store lacks an expected row");
        return statement.number(0);
    }
};

}  // namespace marque::store::sql
