// store/sqlite/sqlite_store.h: the embedded store: one SQLite file, many processes, one host.
//
// Write-ahead log, synchronous=FULL: a commit that was reported is on the disk. The folder is
// 0700, the files 0600. The log file is kept between runs, so that no later commit depends on a
// new directory entry reaching the disk.
#pragma once

#include <memory>
#include <string>

#include "store/maintenance.h"
#include "store/sealing_key.h"
#include "store/sql/read_back.h"
#include "store/sql/reader.h"
#include "store/sqlite/change_watch.h"
#include "store/sqlite/database.h"
#include "store/sqlite/main_file.h"
#include "store/store.h"

namespace marque::store::sqlite {

class SqliteStore final : public Store {
 public:
    // Opens the store in `path`, the database file. `sealing_key` makes the key that seals the log, when it is first
    // needed: most commands only read. Errors: Unavailable (missing, unreadable, empty),
    // PermissionDenied, Corrupt (not a store), StateRefuses (another schema version).
    // `longest_wait`: for a lock that another process holds.
    static Result<std::unique_ptr<SqliteStore>> open(const std::string& path, SealingKey sealing_key,
                                                     Duration longest_wait = default_longest_wait);

    // Makes the database file with the newest schema and nothing in it; a second call on such a
    // file finishes what the first may have left. Errors: StateRefuses when an installation is
    // in it already; Unavailable; Corrupt.
    static Result<void> create(const std::string& path);

    Result<void> read(const std::function<Result<void>(const Reader&)>& view) override;
    Result<void> read_unchecked(const std::function<Result<void>(const Reader&)>& view) override;
    Result<domain::Revision> change(const Decide& decide) override;
    Result<void> record_uses(std::span<const Use> uses, std::span<const RefusedUse> refused) override;
    Result<void> mark() override;
    Result<bool> is_as_marked() const override;
    Result<void> examine() override;

 private:
    SqliteStore(std::string path, const FileIdentity& opened, Database database, SealingKey sealing_key)
        : path_(std::move(path)),
          opened_(opened),
          database_(std::move(database)),
          sealing_key_(std::move(sealing_key)),
          file_(path_) {}
    Result<void> read_rows(sql::SqlReader::Rows rows, const std::function<Result<void>(const Reader&)>& view);

    std::string path_;
    FileIdentity opened_;  // what lay there before it was opened
    Database database_;
    SealingKey sealing_key_;
    std::optional<ChangeWatch> watch_;  // since the first mark
    MainFile file_;
};

// What lies at `path`. Errors: Unavailable (nothing does), Corrupt (no file).
Result<FileIdentity> require_file(const std::string& path);

// Appends the drafts and applies them, inside the caller's transaction.
Result<sql::Written> write_events(Database& database, const sql::SqlReader& reader,
                                  const std::vector<audit::Draft>& drafts, const Secret& sealing_key);

// After the caller's commit, in a transaction of its own (store/sql/read_back.h).
Result<void> read_back(Database& database, SealingKey& key, const sql::Written& written, sql::Extent extent,
                       int schema = sql::newest_schema);

// A handle for maintenance; opens whatever schema is there. With a key it can record what it did.
Result<std::unique_ptr<Maintenance>> open_maintenance(const std::string& path, SealingKey sealing_key);

// A backup file, opened without locks and never written to. Errors as of open.
Result<std::unique_ptr<Store>> open_backup(const std::string& path, SealingKey sealing_key);

}  // namespace marque::store::sqlite
