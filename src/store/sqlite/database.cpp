#include "store/sqlite/database.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <time.h>

#include "base/check.h"
#include "base/file.h"
#include "base/text.h"

namespace marque::store::sqlite {
namespace {

constexpr int retry_ms = 2;

// The limit of one value, and of a row: sixteen times the largest entry that the log may have.
constexpr int longest_value_bytes = 4 * 1024 * 1024;
// The limit of all memory that SQLite allocates in this process, including caches and sorting.
constexpr std::int64_t most_memory_bytes = std::int64_t{1} << 30;
// No row of a table of ours is smaller.
constexpr std::int64_t smallest_row_bytes = 8;
// Between two looks at how many rows the file has room for.
constexpr std::uint64_t rows_between_looks = 1 << 16;

// Another process is writing. Short waits: a writer holds the lock for about one fsync. `most_tries` is a number.
int wait_for_lock(void* most_tries, int tries) {
    if (tries > static_cast<int>(reinterpret_cast<std::intptr_t>(most_tries))) return 0;
    const timespec pause{0, retry_ms * 1'000'000L};
    ::nanosleep(&pause, nullptr);
    return 1;
}

Code code_for(int result) {
    switch (result & 0xFF) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_ERROR:  // SQL of ours that does not fit the tables: they are not ours
            return Code::Corrupt;
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return Code::PermissionDenied;
        case SQLITE_CONSTRAINT:
            return Code::StateRefuses;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_NOMEM:
        case SQLITE_READONLY:
        case SQLITE_IOERR:
        case SQLITE_FULL:
        case SQLITE_CANTOPEN:
            return Code::Unavailable;
        default:
            return Code::Unexpected;
    }
}

const char* advice_for(int result) {
    switch (result & 0xFF) {
        case SQLITE_FULL:
            return "free some space on the store's disk and try again";
        case SQLITE_READONLY:
            return "the store's folder and files must be writable, for reading too";
        case SQLITE_BUSY:
            return "another process holds the store; see who with fuser";
        case SQLITE_CORRUPT:
        case SQLITE_ERROR:
            return "stop, keep a copy of the folder, and run marque doctor";
        case SQLITE_NOTADB:
            return "this is not a Marque store; check --store and MARQUE_STORE";
        default:
            return "";
    }
}

Error not_a_table_of_ours(const char* how_it_shows) {
    return Error(Code::Corrupt, fmt::format("the store: {}: somebody wrote to the database", how_it_shows),
                 "stop, keep a copy of the folder, and run marque doctor");
}

// How many rows a table in this file can have.
Result<std::uint64_t> most_rows(sqlite3* db) {
    std::int64_t bytes = 1;
    for (const char* pragma : {"PRAGMA page_count", "PRAGMA page_size"}) {
        sqlite3_stmt* statement = nullptr;
        const bool is_there = sqlite3_prepare_v2(db, pragma, -1, &statement, nullptr) == SQLITE_OK &&
                              sqlite3_step(statement) == SQLITE_ROW;
        if (is_there) bytes *= sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        if (!is_there) return error_from(db);
    }
    return static_cast<std::uint64_t>(bytes / smallest_row_bytes);
}

}  // namespace

Error error_from(sqlite3* db) {
    const int result = sqlite3_extended_errcode(db);
    const int system = sqlite3_system_errno(db);
    const bool tells_cause = (result & 0xFF) == SQLITE_IOERR || (result & 0xFF) == SQLITE_CANTOPEN;
    const std::string cause = tells_cause && system != 0 ? fmt::format(" ({})", std::strerror(system)) : "";
    if ((result & 0xFF) == SQLITE_CANTOPEN && system == EACCES)
        return Error(Code::PermissionDenied, "the store's files may not be opened" + cause);
    if ((result & 0xFF) == SQLITE_INTERRUPT) return not_a_table_of_ours("a statement did not end in its time");
    if ((result & 0xFF) == SQLITE_TOOBIG) return not_a_table_of_ours("a value is larger than any can be");
    if (result == SQLITE_CONSTRAINT_DATATYPE) return not_a_table_of_ours("a number does not fit its column");
    return Error(code_for(result), fmt::format("the store: {}{}", sqlite3_errmsg(db), cause), advice_for(result));
}

Result<void> keep_log_file(Database& database) {
    int persist = 1;
    sqlite3_file_control(database.handle(), nullptr, SQLITE_FCNTL_PERSIST_WAL, &persist);
    return database.execute("PRAGMA journal_size_limit = 0");
}

namespace {

// Over a prepared statement that the database keeps.
class SqliteCursor final : public sql::Cursor {
 public:
    SqliteCursor(sqlite3* db, sqlite3_stmt* statement, StepClock& clock)
        : db_(db), statement_(statement), clock_(clock) {}
    SqliteCursor(const SqliteCursor&) = delete;
    ~SqliteCursor() override {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }

    void bind(std::string_view text) override {
        note(sqlite3_bind_text64(statement_, next_parameter_++, text.empty() ? "" : text.data(), text.size(),
                                 SQLITE_TRANSIENT, SQLITE_UTF8));
    }
    void bind(ByteView bytes) override {
        static constexpr std::uint8_t nothing[1] = {};
        note(sqlite3_bind_blob64(statement_, next_parameter_++, bytes.empty() ? nothing : bytes.data(), bytes.size(),
                                 SQLITE_TRANSIENT));
    }
    void bind(std::int64_t number) override { note(sqlite3_bind_int64(statement_, next_parameter_++, number)); }
    void bind_null() override { note(sqlite3_bind_null(statement_, next_parameter_++)); }

    Result<bool> step() override {
        if (not_bound_) return *not_bound_;
        clock_.begin();
        switch (sqlite3_step(statement_)) {
            case SQLITE_ROW:
                if (++rows_ % rows_between_looks == 0 && rows_ > TRY(most_rows(db_)))
                    return not_a_table_of_ours("a table gives more rows than the file has room for");
                return true;
            case SQLITE_DONE:
                return false;
            default:
                return error_from(db_);
        }
    }
    Result<int> run() override {
        TRY(step());
        return sqlite3_changes(db_);
    }

    std::string_view view(int column) const override {
        // Bytes asked for as text become text, and then `kind` would say so.
        const bool is_blob = sqlite3_column_type(statement_, column) == SQLITE_BLOB;
        const auto* text = is_blob ? static_cast<const char*>(sqlite3_column_blob(statement_, column))
                                   : reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
        if (text == nullptr) return {};
        return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
    }
    std::int64_t number(int column) const override { return sqlite3_column_int64(statement_, column); }
    Bytes bytes(int column) const override {
        const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
        return data == nullptr ? Bytes() : Bytes(data, data + size);
    }
    bool is_null(int column) const override { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
    char kind(int column) const override {
        switch (sqlite3_column_type(statement_, column)) {
            case SQLITE_TEXT:
                return 't';
            case SQLITE_INTEGER:
                return 'n';
            case SQLITE_BLOB:
                return 'b';
            default:
                return '?';
        }
    }

 private:
    // Out of memory, or a value too large: nothing that is stored, or fits where it was stored, is a fault of ours.
    void note(int result) {
        CHECK(result != SQLITE_RANGE && result != SQLITE_MISUSE);
        if (result != SQLITE_OK && !not_bound_) not_bound_ = error_from(db_);
    }

    sqlite3* db_;
    sqlite3_stmt* statement_;
    StepClock& clock_;
    int next_parameter_ = 1;
    std::uint64_t rows_ = 0;
    std::optional<Error> not_bound_;
};

}  // namespace

Result<Database> Database::open(const std::string& path, OpenMode mode, Duration longest_wait) {
    sqlite3* handle = nullptr;
    const bool is_immutable = mode == OpenMode::ReadOnlyImmutable;
    std::string name = path;
    if (is_immutable) {
        name = "file:";
        for (const char c : path)
            name += c == '?' || c == '#' || c == '%' ? fmt::format("%{:02x}", c) : std::string(1, c);
        name += "?immutable=1";
    }
    // One thread at a time has a connection (store/store.h), so SQLite need not see to that for every column.
    const int flags =
        SQLITE_OPEN_NOMUTEX | (is_immutable ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE);
    const int result = sqlite3_open_v2(name.c_str(), &handle, flags, nullptr);
    if (handle == nullptr) return Error(Code::Unavailable, "the store can't be opened: out of memory");
    Database database(handle);
    sqlite3_extended_result_codes(handle, 1);
    if (result != SQLITE_OK) return error_from(handle);
    database.wait_for_locks(longest_wait);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, longest_value_bytes);
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_hard_heap_limit64(most_memory_bytes);
    // What is stored is not trusted to call functions, and indexes are checked as they are read.
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
    TRY(
        database.execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA "
                         "temp_store = MEMORY"));
    return database;
}

void Database::wait_for_locks(Duration longest) {
    const auto most_tries = longest / std::chrono::milliseconds(retry_ms);
    sqlite3_busy_handler(db_.get(), wait_for_lock, reinterpret_cast<void*>(static_cast<std::intptr_t>(most_tries)));
}

Result<Statement> Database::prepare(const char* sql) {
    auto& statement = statements_[sql];
    if (!statement) {
        sqlite3_stmt* prepared = nullptr;
        clock_->begin();
        if (sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr) != SQLITE_OK)
            return error_from(db_.get());
        statement.reset(prepared);
    }
    return Statement(std::make_unique<SqliteCursor>(db_.get(), statement.get(), *clock_));
}

Result<void> Database::execute(const char* sql) {
    clock_->begin();
    if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error_from(db_.get());
    return {};
}

Result<void> Database::commit() {
    auto result = execute("COMMIT");
    if (result) return {};
    // A frame of the commit may have reached the disk before the failure, and a later recovery
    // of the write-ahead log would find it: so nobody can say that nothing happened.
    const bool is_disk_failure = (sqlite3_extended_errcode(db_.get()) & 0xFF) == SQLITE_IOERR;
    rollback();
    Error error = std::move(result).error();
    if (is_disk_failure) {
        error.code = Code::OutcomeUnknown;
        error.hint = "the disk failed during the commit: look with marque inspect or audit list before you repeat it";
    }
    return error;
}

void Database::rollback() noexcept {
    if (sqlite3_get_autocommit(db_.get()) == 0) sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace marque::store::sqlite
