#include "store/sqlite/sqlite_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/new_file.h"
#include "base/text.h"
#include "store/append.h"
#include "store/sql/migrate.h"
#include "store/sql/reader.h"
#include "store/sql/reseal.h"
#include "store/sql/write.h"
#include "store/sqlite/schema.h"

namespace marque::store::sqlite {

Result<FileIdentity> require_file(const std::string& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return Error(Code::Unavailable, "there is no store at " + quote(path, 200),
                         "make one with marque init, or say where it is with --store or MARQUE_STORE");
        return system_error("cannot open the store at " + quote(path, 200));
    }
    if (!S_ISREG(info.st_mode)) return Error(Code::Corrupt, quote(path, 200) + " is not a file");
    return FileIdentity{info.st_dev, info.st_ino};
}

namespace {

Result<std::int64_t> count_row_writes(Database& database) {
    return database.number("SELECT count FROM row_write");
}

// Repairs the count of row writes if it is missing or near the largest number: an attacker with SQL access can set it,
// and then every change would fail in the triggers that add to it. Verifiers read everything again after that, as after
// any write that is not in the log.
Result<void> mend_row_writes(Database& database) {
    Statement statement =
        TRY(database.prepare("UPDATE row_write SET count = 1, by_event = 0 WHERE count IS NULL OR by_event IS NULL OR"
                             " count NOT BETWEEN 0 AND ?1 OR by_event NOT BETWEEN 0 AND ?1"));
    statement.bind(sql::largest_number / 2);
    TRY(statement.run());
    return {};
}

Result<void> account_for(Database& database, std::int64_t writes) {
    if (writes == 0) return {};
    Statement statement = TRY(database.prepare("UPDATE row_write SET by_event = by_event + ?"));
    statement.bind(writes);
    TRY(statement.run());
    return {};
}

class ReadOnlyStore final : public Store {
 public:
    ReadOnlyStore(Database database, SealingKey sealing_key)
        : database_(std::move(database)), sealing_key_(std::move(sealing_key)) {}

    Result<void> read(const std::function<Result<void>(const Reader&)>& view) override {
        TRY(require_own_objects(database_, newest_schema));
        return view(sql::SqlReader(database_, sealing_key_));
    }
    Result<void> read_unchecked(const std::function<Result<void>(const Reader&)>& view) override {
        return view(sql::SqlReader(database_, sealing_key_, sql::SqlReader::Rows::AsTheyLie));
    }
    Result<domain::Revision> change(const Decide&) override {
        return Error(Code::StateRefuses, "a backup is not changed");
    }
    Result<void> record_uses(std::span<const Use>, std::span<const RefusedUse>) override {
        return Error(Code::StateRefuses, "a backup is not changed");
    }
    Result<void> mark() override { return Error(Code::StateRefuses, "a backup is not verified against"); }
    Result<bool> is_as_marked() const override { return false; }
    Result<void> examine() override { return {}; }

 private:
    Database database_;
    SealingKey sealing_key_;
};

class SqliteMaintenance final : public Maintenance {
 public:
    SqliteMaintenance(std::string path, Database database, SealingKey sealing_key)
        : path_(std::move(path)), database_(std::move(database)), sealing_key_(std::move(sealing_key)) {}

    Result<StoreStatus> status() override {
        const int schema = TRY(schema_of(database_));
        StoreStatus status{"sqlite", path_, schema, newest_schema, 0, {}};
        std::error_code ignored;
        status.bytes = std::filesystem::file_size(path_, ignored);
        for (const Migration& migration : migrations()) status.migrations.emplace_back(migration.name);
        return status;
    }

    Result<void> migrate(int to, const DecideMigration& decide) override {
        TRY(sql::require_target(to));
        const auto written = TRY(database_.write([&] { return migrate_inside(to, decide); }));
        if (!written) return {};
        return read_back(database_, sealing_key_, *written, sql::Extent::Everything, to);
    }

    Result<bool> reseal(SealingKey new_key, const Decide& decide) override {
        const auto written = TRY(database_.write([&]() -> Result<std::optional<sql::Written>> {
            TRY(require_own_schema(database_));
            if (is_sealed_by(TRY(sql::SqlReader::head_of(database_)), new_key.get()))
                return std::optional<sql::Written>();
            const auto drafts = TRY(decide(sql::SqlReader(database_, sealing_key_)));
            const auto writes_before = TRY(count_row_writes(database_));
            TRY(sql::reseal(database_, sealing_key_, new_key));
            TRY(account_for(database_, TRY(count_row_writes(database_)) - writes_before));
            return std::optional(
                TRY(write_events(database_, sql::SqlReader(database_, new_key), drafts, new_key.get())));
        }));
        if (!written) return false;
        TRY(read_back(database_, new_key, *written, sql::Extent::Everything));
        return true;
    }

    Result<void> backup(const std::string& to, const std::function<void(double)>& progress) override;

    Result<std::vector<std::string>> check() override {
        std::vector<std::string> findings;
        for (const char* pragma : {"PRAGMA integrity_check", "PRAGMA foreign_key_check"}) {
            Statement statement = TRY(database_.prepare(pragma));
            while (TRY(statement.step()))
                if (const std::string finding = statement.text(0); finding != "ok") findings.push_back(finding);
        }
        if (const int version = TRY(schema_of(database_)); version <= newest_schema)
            if (auto own = require_own_objects(database_, version); !own && !own.error().tampered.empty())
                findings.push_back(own.error().message);
        return findings;
    }

 private:
    // None: nothing was written to the log.
    Result<std::optional<sql::Written>> migrate_inside(int to, const DecideMigration& decide) {
        const int from = TRY(schema_of(database_));
        TRY(sql::require_known(from));
        TRY(require_own_objects(database_, from));
        const sql::MigrationSteps steps{
            [&](int begin, int end) { return apply_migrations(database_, begin, end); },
            [&](const sql::SqlReader& reader, const std::vector<audit::Draft>& drafts) {
                return write_events(database_, reader, drafts, sealing_key_.get());
            },
        };
        return sql::migrate(database_, sealing_key_, from, to, decide, steps);
    }

    std::string path_;
    Database database_;
    SealingKey sealing_key_;
};

Result<void> copy_pages(sqlite3* from, sqlite3* to, const std::function<void(double)>& progress) {
    struct Finish {
        void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
    };
    const std::unique_ptr<sqlite3_backup, Finish> backup{sqlite3_backup_init(to, "main", from, "main")};
    if (!backup) return error_from(to);
    for (;;) {
        const int result = sqlite3_backup_step(backup.get(), 4096);
        if (const int total = sqlite3_backup_pagecount(backup.get()); total > 0)
            progress(1.0 - static_cast<double>(sqlite3_backup_remaining(backup.get())) / total);
        if (result == SQLITE_DONE) return {};
        if (result == SQLITE_BUSY || result == SQLITE_LOCKED)
            sqlite3_sleep(5);
        else if (result != SQLITE_OK)
            return error_from(to);
    }
}

// Written under another name, synced, and only then given its own: a backup that is there is whole.
Result<void> SqliteMaintenance::backup(const std::string& to, const std::function<void(double)>& progress) {
    TRY(require_absent(to, "backups are never overwritten"));
    if (const int version = TRY(schema_of(database_)); version <= newest_schema)
        TRY(require_own_objects(database_, version));
    NewFiles files = TRY(NewFiles::in(folder_of(to), FileOwner::Caller));
    const std::string part = TRY(files.reserve(std::filesystem::path(to).filename()));
    const auto copy = [&]() -> Result<void> {
        Database target = TRY(Database::open(part));
        // One file, no write-ahead log beside it: a backup can be copied and read as it is.
        TRY(target.execute("PRAGMA journal_mode = DELETE"));
        TRY(copy_pages(database_.handle(), target.handle(), progress));
        return target.execute("PRAGMA journal_mode = DELETE");
    };
    auto copied = copy();
    for (const char* beside : {"-journal", "-wal", "-shm"}) ::unlink((part + beside).c_str());
    if (!copied) return copied;
    return files.publish();
}

}  // namespace

Result<sql::Written> write_events(Database& database, const sql::SqlReader& reader,
                                  const std::vector<audit::Draft>& drafts, const Secret& sealing_key) {
    TRY(mend_row_writes(database));
    const auto writes_before = TRY(count_row_writes(database));
    auto written = TRY(sql::write_events(database, reader, drafts, sealing_key));
    TRY(account_for(database, TRY(count_row_writes(database)) - writes_before));
    return written;
}

Result<void> read_back(Database& database, SealingKey& key, const sql::Written& written, sql::Extent extent,
                       int schema) {
    if (auto begun = database.begin_read(); !begun) return not_read_back(written.revision(), begun.error());
    const Database::Rollback at_the_end(database);
    const sql::SqlReader reader(database, key, sql::SqlReader::Rows::Checked, schema);
    return sql::read_back(reader, written, key.get(), extent);
}

namespace {

// Puts a restored backup into WAL mode. A store in use is in WAL mode already. So if another process has this file
// open, a backup was copied over a live store, and there is no point in waiting long for that process.
Result<void> use_wal(Database& database, Duration longest_wait) {
    constexpr Duration wait_for_others = std::chrono::milliseconds(500);
    {
        Statement mode = TRY(database.prepare("PRAGMA journal_mode"));
        if (TRY(mode.step()) && mode.view(0) == "wal") return {};
    }
    database.wait_for_locks(std::min(longest_wait, wait_for_others));
    auto changed = database.execute("PRAGMA journal_mode = WAL");
    database.wait_for_locks(longest_wait);
    if (changed || changed.error().code != Code::Unavailable) return changed;
    return Error(Code::Unavailable,
                 "the store's file is a backup that was copied over it while other processes have it open (" +
                     changed.error().message + ")",
                 "stop marque serve and see who else has it open with fuser; then restore the store as docs/store.md "
                 "says");
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path, SealingKey sealing_key,
                                                       Duration longest_wait) {
    const FileIdentity opened = TRY(require_file(path));
    Database database = TRY(Database::open(path, OpenMode::Existing, longest_wait));
    TRY(require_newest_schema(database));
    TRY(keep_log_file(database));
    TRY(use_wal(database, longest_wait));  // a restored backup has none
    return std::unique_ptr<SqliteStore>(new SqliteStore(path, opened, std::move(database), std::move(sealing_key)));
}

Result<void> SqliteStore::create(const std::string& path) {
    TRY(ensure_private_file(path));
    {
        Database database = TRY(Database::open(path));
        const int version = TRY(schema_of(database));
        if (version > 0) {
            TRY(require_newest_schema(database));
            if (TRY(database.number("SELECT count(*) FROM installation")) > 0)
                return Error(Code::StateRefuses, "there is an installation at " + quote(path, 200) + " already");
        } else {
            TRY(keep_log_file(database));
            TRY(database.execute("PRAGMA journal_mode = WAL"));
            TRY(database.write([&] { return apply_migrations(database, 0, newest_schema); }));
        }
    }
    return sync_folder_of(path);
}

Result<void> SqliteStore::read(const std::function<Result<void>(const Reader&)>& view) {
    return read_rows(sql::SqlReader::Rows::Checked, view);
}

Result<void> SqliteStore::read_unchecked(const std::function<Result<void>(const Reader&)>& view) {
    return read_rows(sql::SqlReader::Rows::AsTheyLie, view);
}

Result<void> SqliteStore::read_rows(sql::SqlReader::Rows rows, const std::function<Result<void>(const Reader&)>& view) {
    TRY(database_.begin_read());
    const Database::Rollback at_the_end(database_);
    TRY(require_newest_schema(database_));
    if (rows == sql::SqlReader::Rows::Checked) TRY(require_own_objects(database_, newest_schema));
    return view(sql::SqlReader(database_, sealing_key_, rows));
}

Result<domain::Revision> SqliteStore::change(const Decide& decide) {
    std::optional<sql::Written> written;
    const auto revision = TRY(database_.write([&]() -> Result<domain::Revision> {
        TRY(require_own_schema(database_));
        const sql::SqlReader reader(database_, sealing_key_);
        const auto drafts = TRY(decide(reader));
        if (drafts.empty()) return TRY(reader.head()).frontier.size();
        written = TRY(write_events(database_, reader, drafts, sealing_key_.get()));
        return written->revision();
    }));
    if (written) TRY(read_back(database_, sealing_key_, *written, sql::Extent::Touched));
    return revision;
}

Result<void> SqliteStore::record_uses(std::span<const Use> uses, std::span<const RefusedUse> refused) {
    return database_.write([&]() -> Result<void> {
        TRY(require_own_schema(database_));
        return sql::write_uses(database_, uses, refused);
    });
}

Result<void> SqliteStore::mark() {
    if (!watch_) {
        // Opening maps the wal-index; only then is there something to watch.
        TRY(database_.begin_read());
        const auto read = database_.number("SELECT count(*) FROM log_head");
        database_.rollback();
        TRY(std::move(read));
        watch_.emplace(TRY(ChangeWatch::open(path_, database_.handle(), opened_)));
    }
    return watch_->mark();
}

Result<bool> SqliteStore::is_as_marked() const {
    if (!watch_) return false;
    return watch_->is_as_marked();
}

// A file that changed without a commit was changed by a checkpoint, or holds garbage, or is an older copy. A second
// connection reads its pages from the disk, where this one would find them in its cache.
Result<void> SqliteStore::examine() {
    if (!watch_) return {};
    if (TRY(watch_->is_file_as_examined()) && !file_.is_in_doubt()) return {};
    TRY(file_.look(database_.handle(), sealing_key_));
    Database database = TRY(Database::open(path_));
    TRY(require_own_schema(database));
    TRY(check_head(TRY(sql::SqlReader::head_of(database)), sealing_key_.get()));
    // Read through when that is a moment's work; of a larger file, what is broken shows when it is read.
    constexpr std::int64_t read_through_bytes = 32 * 1024 * 1024;
    const auto pages = TRY(database.number("PRAGMA page_count"));
    const auto page_bytes = TRY(database.number("PRAGMA page_size"));
    if (pages * page_bytes > read_through_bytes) return {};
    Statement check = TRY(database.prepare("PRAGMA quick_check(1)"));
    if (TRY(check.step()) && check.view(0) != "ok")
        return Error(Code::Corrupt, "the store is damaged: " + quote(check.text(0), 200),
                     "stop, keep a copy of the folder, and run marque doctor");
    return {};
}

Result<std::unique_ptr<Maintenance>> open_maintenance(const std::string& path, SealingKey sealing_key) {
    TRY(require_file(path));
    Database database = TRY(Database::open(path));
    database.set_longest_step(longest_step_of_maintenance);
    TRY(schema_of(database));
    TRY(keep_log_file(database));
    return std::unique_ptr<Maintenance>(new SqliteMaintenance(path, std::move(database), std::move(sealing_key)));
}

Result<std::unique_ptr<Store>> open_backup(const std::string& path, SealingKey sealing_key) {
    TRY(require_file(path));
    Database database = TRY(Database::open(path, OpenMode::ReadOnlyImmutable));
    TRY(require_newest_schema(database));
    return std::unique_ptr<Store>(new ReadOnlyStore(std::move(database), std::move(sealing_key)));
}

}  // namespace marque::store::sqlite
