#include "store/sqlite/move.h"

#include <filesystem>
#include <optional>
#include <unistd.h>

#include "base/file.h"
#include "base/new_file.h"
#include "base/text.h"
#include "store/sql/reader.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/sqlite_store.h"

namespace marque::store::sqlite {
namespace {

bool exists(const std::string& path) {
    std::error_code error;
    return std::filesystem::exists(path, error);
}

class SqliteSource final : public sql::Source {
 public:
    SqliteSource(std::string path, Database database, SealingKey sealing_key, bool is_closed, bool is_put_away)
        : path_(std::move(path)),
          database_(std::move(database)),
          sealing_key_(std::move(sealing_key)),
          is_closed_(is_closed),
          is_put_away_(is_put_away) {
        database_->set_longest_step(longest_step_of_maintenance);
    }

    audit::StorePlace place() const override { return {"sqlite", path_}; }
    bool is_closed() const override { return is_closed_; }

    Result<void> begin(MoveSteps::Purpose purpose) override {
        if (is_closed_ || purpose == MoveSteps::Purpose::Plan) {
            TRY(database_->begin_read());
        } else {
            TRY(database_->begin_write());
        }
        if (is_closed_) return {};
        return require_own_schema(*database_);
    }
    sql::Connection& connection() override { return *database_; }
    SealingKey& sealing_key() override { return sealing_key_; }

    Result<void> append(const std::vector<audit::Draft>& drafts) override {
        written_ = TRY(write_events(*database_, sql::SqlReader(*database_, sealing_key_), drafts, sealing_key_.get()));
        return {};
    }

    // Whoever waits for the lock finds the version when they get it, and so does whoever reads.
    Result<void> close() override {
        if (is_closed_) return {};
        TRY(close_for_good(*database_));
        TRY(database_->commit());
        is_closed_ = true;
        return {};
    }
    Result<void> read_back() override {
        database_->rollback();
        TRY(database_->begin_read());
        if (!TRY(sqlite::is_closed(*database_))) return sql::not_closed();
        if (!written_) return {};
        return sql::read_back(sql::SqlReader(*database_, sealing_key_), *written_, sealing_key_.get());
    }
    Result<void> await_verifiers() override { return {}; }  // they look before each round of answers

    // Without its write-ahead log the file would be open again: it is emptied into the file first.
    Result<void> put_away() override {
        if (is_put_away_) return {};
        database_->rollback();
        {
            sql::Statement checkpoint = TRY(database_->prepare("PRAGMA wal_checkpoint(TRUNCATE)"));
            if (!TRY(checkpoint.step()) || checkpoint.count(0) != 0)
                return Error(Code::Unavailable, "another process reads " + quote(path_, 200));
        }
        database_.reset();
        TRY(rename_to_new(path_, moved_path(path_)));
        for (const char* beside : {"-wal", "-shm"}) ::unlink((path_ + beside).c_str());
        return {};
    }

 private:
    std::string path_;
    std::optional<Database> database_;
    SealingKey sealing_key_;
    std::optional<sql::Written> written_;  // by `append`
    bool is_closed_, is_put_away_;
};

class SqliteTarget final : public sql::Target {
 public:
    explicit SqliteTarget(std::string path) : path_(std::move(path)), part_(part_path(path_)) {}

    audit::StorePlace place() const override { return {"sqlite", path_}; }

    Result<State> state(const std::string&) override {
        return exists(path_) ? State::Open : exists(part_) ? State::Part : State::Nothing;
    }

    Result<void> begin_reading() override {
        database_.reset();
        const std::string& path = exists(path_) ? path_ : part_;
        database_.emplace(TRY(Database::open(path)));
        database_->set_longest_step(longest_step_of_maintenance);
        TRY(database_->begin_read());
        if (TRY(schema_of(*database_)) != newest_schema)
            return Error(Code::StateRefuses, quote(path, 200) + " is no whole copy");
        return require_own_objects(*database_, newest_schema);
    }
    sql::Connection& connection() override { return *database_; }

    Result<void> make() override {
        TRY(remove());
        TRY(ensure_private_file(part_));
        database_.emplace(TRY(Database::open(part_)));
        database_->set_longest_step(longest_step_of_maintenance);
        // 64 MiB: the index of credentials by identity is written in no order.
        TRY(database_->execute("PRAGMA cache_size = -65536"));
        TRY(database_->begin_write());
        return apply_migrations(*database_, 0, newest_schema);
    }
    Result<void> commit() override {
        TRY(database_->commit());
        return sync_folder_of(part_);
    }
    Result<void> open() override {
        database_.reset();
        if (exists(path_)) return {};
        return rename_to_new(part_, path_);
    }
    Result<void> remove() override {
        database_.reset();
        for (const char* beside : {"-journal", ""})
            if (::unlink((part_ + beside).c_str()) != 0 && errno != ENOENT)
                return system_error("cannot remove " + quote(part_, 200));
        return {};
    }

 private:
    std::string path_, part_;
    std::optional<Database> database_;
};

}  // namespace

std::string moved_path(const std::string& path) {
    return path + ".moved";
}

std::string part_path(const std::string& path) {
    return path + ".part";
}

Result<std::unique_ptr<sql::Source>> open_source(const std::string& path, SealingKey sealing_key) {
    const bool is_put_away = !exists(path) && exists(moved_path(path));
    if (is_put_away) {
        Database database = TRY(Database::open(moved_path(path), OpenMode::ReadOnlyImmutable));
        return std::unique_ptr<sql::Source>(
            new SqliteSource(path, std::move(database), std::move(sealing_key), true, true));
    }
    TRY(require_file(path));
    Database database = TRY(Database::open(path));
    TRY(keep_log_file(database));
    const bool was_closed = TRY(is_closed(database));
    return std::unique_ptr<sql::Source>(
        new SqliteSource(path, std::move(database), std::move(sealing_key), was_closed, false));
}

std::unique_ptr<sql::Target> make_target(const std::string& path) {
    return std::make_unique<SqliteTarget>(path);
}

}  // namespace marque::store::sqlite
