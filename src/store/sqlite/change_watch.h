// store/sqlite/change_watch.h: whether anybody has committed, for the price of a comparison and one stat(2).
//
// In WAL mode the first 48 bytes of the shared wal-index are what SQLite itself compares to learn whether its cache is
// stale (https://sqlite.org/walformat.html, section 2.1): every commit of every process writes them, before it returns.
// They lie in memory that this process has mapped already. `PRAGMA data_version` tells the same for two locks, which
// cost more than all else that answering a request takes.
//
//     mark:  look at the files, copy the 48 bytes;   then read, in a transaction begun after that
//     is_as_marked:  are they the same?              and is the folder still the one that was opened
//
// A file that is renamed, removed or put in its place changes the folder, so one stat of it finds a store that was
// replaced or lost its wal-index, which no comparison within the old one could. A folder changed within the last
// moments does not count as known: its time stamp could hide a second change.
#pragma once

#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <string>
#include <sys/stat.h>

#include "base/result.h"

namespace marque::store::sqlite {

struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const FileIdentity&) const = default;
};

class ChangeWatch {
 public:
    // `database` is open, in WAL mode, has been read from, and outlives this. `opened`: the file that lay at `path`
    // before it was opened; what lies there now has to be the same, or another might be watched than is read.
    // Errors: Unavailable.
    static Result<ChangeWatch> open(const std::string& path, sqlite3* database, const FileIdentity& opened);

    // Errors: Unavailable when the files at the path are no longer those that were opened.
    Result<void> mark();
    // Safe beside other calls of itself. Errors: Unavailable when the folder can't be looked at.
    Result<bool> is_as_marked() const;
    // Whether the database file is, by its size and times, as the last call found it; a checkpoint changes it too.
    // Touches nothing that is_as_marked reads. Errors: Unavailable when it is gone or has become read-only.
    Result<bool> is_file_as_examined();

 private:
    using Header = std::array<std::uint64_t, 6>;
    ChangeWatch(std::string path, const std::uint64_t* shared);
    Header read_header() const;

    std::string path_, folder_, wal_, shm_;
    const std::uint64_t* shared_;  // of the connection's own wal-index
    FileIdentity database_file_, wal_file_, shm_file_;
    Header header_{};
    struct stat folder_stat_{};
    struct stat examined_{};
    bool is_settled_ = false;  // the folder's time stamp is old enough to show the next change
};

}  // namespace marque::store::sqlite
