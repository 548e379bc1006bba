#include "store/postgres/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <poll.h>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "store/postgres/conninfo.h"

namespace marque::store::postgres {

namespace {

struct Clear {
    void operator()(PGresult* result) const { pq().clear(result); }
};
using Answer = std::unique_ptr<PGresult, Clear>;

// ?, ?1, ?2 as $1, $2: a bare ? is one more than the largest so far, as in SQLite. No literal of ours holds one.
std::string with_dollars(std::string_view sql) {
    std::string text;
    int largest = 0;
    for (std::size_t i = 0; i < sql.size(); ++i) {
        if (sql[i] != '?') {
            text += sql[i];
            continue;
        }
        int number = 0;
        while (i + 1 < sql.size() && sql[i + 1] >= '0' && sql[i + 1] <= '9') number = number * 10 + (sql[++i] - '0');
        if (number == 0) number = largest + 1;
        largest = std::max(largest, number);
        text += fmt::format("${}", number);
    }
    return text;
}

// PostgreSQL's codes, appendix A of its manual.
Code code_for(std::string_view state) {
    const auto is_of = [&](std::string_view of) { return state.starts_with(of); };
    if (is_of("23")) return Code::StateRefuses;
    if (state == "42501" || is_of("28")) return Code::PermissionDenied;
    if (is_of("08") || is_of("53") || is_of("57") || is_of("55") || is_of("40") || is_of("58") || state == "25006" ||
        state == "25P02" || state.empty())
        return Code::Unavailable;
    if (is_of("XX001") || is_of("XX002")) return Code::Corrupt;
    return Code::Unexpected;
}

std::string first_line(const char* text) {
    const std::string_view all = text == nullptr ? "" : text;
    std::string_view line = all.substr(0, all.find('\n'));
    constexpr std::string_view severity = "ERROR:  ";
    if (line.starts_with(severity)) line.remove_prefix(severity.size());
    return escaped(line.substr(0, 400));
}

void note_warning(void* was_warned, const PGresult* notice) {
    const char* state = pq().result_error_field(notice, PG_DIAG_SQLSTATE);
    if (state != nullptr && std::strcmp(state, "01000") == 0) *static_cast<bool*>(was_warned) = true;
}

}  // namespace

// Binary both ways but for numbers on the way in, so that text and bytes are theirs as they are.
class PgCursor final : public sql::Cursor {
 public:
    PgCursor(Connection& connection, std::string name, bool streams)
        : connection_(connection), name_(std::move(name)), streams_(streams) {}
    PgCursor(const PgCursor&) = delete;
    ~PgCursor() override {
        if (is_open_) {  // the rest of a stream that nobody wants
            const Answer last = std::move(answer_);
            while (const Answer rest{pq().get_result(raw())}) {
            }
        }
    }

    void bind(std::string_view text) override { values_.push_back({std::string(text), 0}); }
    void bind(ByteView bytes) override { values_.push_back({std::string(bytes.begin(), bytes.end()), 1}); }
    void bind(std::int64_t number) override { values_.push_back({std::to_string(number), 0}); }
    void bind_null() override { values_.push_back({std::nullopt, 0}); }

    Result<bool> step() override {
        if (!is_sent_) TRY(send());
        if (!streams_) return ++row_ < pq().rows(answer_.get());
        return next_streamed();
    }

    Result<int> run() override {
        if (!is_sent_) TRY(send());
        const char* count = pq().cmd_tuples(answer_.get());
        return *count == '\0' ? 0 : std::atoi(count);
    }

    std::string_view view(int column) const override {
        return {pq().value(answer_.get(), row_, column),
                static_cast<std::size_t>(pq().length(answer_.get(), row_, column))};
    }
    std::int64_t number(int column) const override {
        const std::string_view bytes = view(column);
        std::uint64_t value = 0;
        if (bytes.empty()) return 0;
        if ((bytes.front() & 0x80) != 0) value = ~std::uint64_t{0};  // a negative one, of 4 bytes or 8
        for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
        return static_cast<std::int64_t>(value);
    }
    Bytes bytes(int column) const override {
        const std::string_view all = view(column);
        return Bytes(all.begin(), all.end());
    }
    bool is_null(int column) const override { return pq().is_null(answer_.get(), row_, column) == 1; }
    char kind(int column) const override {
        // Of types that come with every server: pg_type.dat.
        constexpr Oid bytea = 17, int8 = 20, text = 25;
        switch (pq().type(answer_.get(), column)) {
            case text:
                return 't';
            case int8:
                return 'n';
            case bytea:
                return 'b';
            default:
                return '?';
        }
    }

 private:
    struct Value {
        std::optional<std::string> bytes;
        int format;  // 0 text, 1 binary
    };

    PGconn* raw() const { return connection_.connection_.get(); }

    Result<void> send() {
        is_sent_ = true;
        std::vector<const char*> values;
        std::vector<int> lengths, formats;
        for (const Value& value : values_) {
            values.push_back(value.bytes ? value.bytes->data() : nullptr);
            lengths.push_back(value.bytes ? static_cast<int>(value.bytes->size()) : 0);
            formats.push_back(value.format);
        }
        const int count = static_cast<int>(values.size());
        if (!streams_) {
            answer_.reset(
                pq().exec_prepared(raw(), name_.c_str(), count, values.data(), lengths.data(), formats.data(), 1));
            const ExecStatusType status = pq().result_status(answer_.get());
            if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return connection_.error_of(answer_.get());
            return {};
        }
        if (pq().send_query_prepared(raw(), name_.c_str(), count, values.data(), lengths.data(), formats.data(), 1) !=
            1)
            return connection_.error_of(nullptr);
        is_open_ = true;
        pq().set_single_row_mode(raw());
        return {};
    }

    Result<bool> next_streamed() {
        answer_.reset(pq().get_result(raw()));
        row_ = 0;
        if (pq().result_status(answer_.get()) == PGRES_SINGLE_TUPLE) return true;
        is_open_ = false;
        std::optional<Error> error;
        if (pq().result_status(answer_.get()) != PGRES_TUPLES_OK) error = connection_.error_of(answer_.get());
        while (const Answer rest{pq().get_result(raw())}) {
        }
        if (error) return *error;
        return false;
    }

    Connection& connection_;
    std::string name_;
    bool streams_;
    bool is_sent_ = false, is_open_ = false;
    std::vector<Value> values_;
    Answer answer_;
    int row_ = -1;
};

Result<std::unique_ptr<Connection>> Connection::open(const std::string& conninfo, const TimeOuts& time_outs) {
    TRY(check_conninfo(conninfo));
    // A link that is cut without a word is noticed after some seconds, not after the system's hours. What the string
    // says comes last, and so wins, but for the client's encoding.
    const char* const keywords[] = {"connect_timeout",
                                    "application_name",
                                    "keepalives_idle",
                                    "keepalives_interval",
                                    "keepalives_count",
                                    "tcp_user_timeout",
                                    "dbname",
                                    "client_encoding",
                                    nullptr};
    const char* const values[] = {"5", "marque", "2", "1", "3", "5000", conninfo.c_str(), "UTF8", nullptr};
    std::unique_ptr<Connection> connection(new Connection(pq().connect(keywords, values, 1)));
    PGconn* raw = connection->connection_.get();
    if (raw == nullptr) return Error(Code::Unavailable, "the database can't be reached: out of memory");
    if (pq().status(raw) != CONNECTION_OK)
        return Error(Code::Unavailable, "the database can't be reached: " + first_line(pq().error_message(raw)),
                     "see that it runs, and that psql gets there with the same connection string");
    pq().set_notice_receiver(raw, note_warning, &connection->was_warned_);
    const auto ms = [](Duration time) { return time / std::chrono::milliseconds(1); };
    const std::string settings = fmt::format(
        "SET search_path = marque, pg_temp; SET statement_timeout = {}; SET lock_timeout = {};"
        "SET idle_in_transaction_session_timeout = '15s'; SET client_min_messages = warning;"
        "SET standard_conforming_strings = on;"
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')",
        ms(time_outs.statement), ms(time_outs.lock));
    TRY(connection->execute(settings.c_str()));
    const auto is_standby = TRY(connection->number("SELECT CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END"));
    if (is_standby != 0)
        return Error(Code::Unavailable, "the database is a standby, which may be behind",
                     "connect to the primary: target_session_attrs=read-write");
    return connection;
}

Result<sql::Statement> Connection::prepare(const char* sql) {
    return prepare(sql, false);
}

Result<sql::Statement> Connection::prepare_streaming(const char* sql) {
    return prepare(sql, true);
}

Result<sql::Statement> Connection::prepare(const char* sql, bool streams) {
    std::string& name = statements_[sql];
    if (name.empty()) {
        std::string fresh = fmt::format("s{}", statements_.size());
        const Answer answer(pq().prepare(connection_.get(), fresh.c_str(), with_dollars(sql).c_str(), 0, nullptr));
        if (pq().result_status(answer.get()) != PGRES_COMMAND_OK) return error_of(answer.get());
        name = std::move(fresh);
    }
    return sql::Statement(std::make_unique<PgCursor>(*this, name, streams));
}

Result<void> Connection::execute(const char* sql) {
    const Answer answer(pq().exec(connection_.get(), sql));
    const ExecStatusType status = pq().result_status(answer.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return error_of(answer.get());
    return {};
}

std::string Connection::location() const {
    const PGconn* raw = connection_.get();
    const auto or_empty = [](const char* text) { return std::string(text == nullptr ? "" : text); };
    return fmt::format("{}:{}/{}", or_empty(pq().host(raw)), or_empty(pq().port(raw)), or_empty(pq().db(raw)));
}

Result<void> Connection::commit(Commit how) {
    was_warned_ = false;
    const Answer answer(
        pq().exec(connection_.get(), how == Commit::Announced ? "NOTIFY marque_change; COMMIT" : "COMMIT"));
    const Error unknown(Code::OutcomeUnknown, "the database was lost during the commit",
                        "look with marque inspect or audit list before you repeat it");
    if (pq().result_status(answer.get()) != PGRES_COMMAND_OK) {
        Error error = error_of(answer.get());
        return is_alive() && answer ? error : unknown;
    }
    if (std::strcmp(pq().cmd_status(answer.get()), "COMMIT") != 0)
        return Error(Code::Unavailable, "the database rolled the change back; nothing changed");
    if (was_warned_)
        return Error(Code::OutcomeUnknown,
                     "the change is committed, and may not have reached the standby that it was to wait for",
                     "look at the database's replication before you rely on it");
    return {};
}

Result<void> Connection::require_durable() {
    if (!std::exchange(was_warned_, false)) return {};
    return Error(Code::Unavailable, "the database stopped waiting for its standby");
}

Result<void> Connection::listen() {
    if (is_listening_) return {};
    TRY(execute("LISTEN marque_change"));
    is_listening_ = true;
    return {};
}

Result<bool> Connection::wait_for_notice(Duration longest) {
    const auto take = [this] {
        bool has_any = false;
        while (PGnotify* const notice = pq().notifies(connection_.get())) {
            has_any = true;
            pq().free(notice);
        }
        return has_any;
    };
    if (take()) return true;  // what came with the answer to something else
    pollfd descriptor{pq().socket(connection_.get()), POLLIN, 0};
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(longest).count();
    if (::poll(&descriptor, 1, static_cast<int>(ms)) <= 0) return false;
    if (pq().consume_input(connection_.get()) != 1) return error_of(nullptr);
    return take();
}

void Connection::rollback() noexcept {
    if (is_alive() && pq().transaction_status(connection_.get()) != PQTRANS_IDLE)
        const Answer answer(pq().exec(connection_.get(), "ROLLBACK"));
}

Error Connection::error_of(const PGresult* result) {
    const char* field = result == nullptr ? nullptr : pq().result_error_field(result, PG_DIAG_SQLSTATE);
    const std::string_view state = field == nullptr ? "" : field;
    is_to_be_repeated_ = state == "40001" || state == "40P01";
    const char* message = result == nullptr ? nullptr : pq().result_error_field(result, PG_DIAG_MESSAGE_PRIMARY);
    const std::string said = first_line(message != nullptr ? message : pq().error_message(connection_.get()));
    if (!is_alive()) return Error(Code::Unavailable, "the database is gone: " + said, "nothing changed; try again");
    if (state == "42P01" || state == "3F000")
        return Error(Code::Unavailable, "there is no store in the database", "make one with marque init");
    return Error(code_for(state), "the database: " + said);
}

}  // namespace marque::store::postgres
