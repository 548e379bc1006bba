// store/sqlite/main_file.h: whether the database file itself, without its write-ahead log, is still the one that this
// process has open.
//
// A backup, or another older copy, that is written over the file in place changes neither its inode nor the wal-index,
// so no connection notices: pages come from the cache and from the log for as long as they are there. But only
// checkpoints write to the file, and they only move its log forward and leave its header in WAL mode; a backup's header
// names another mode. Of a file above 32 MiB only the header is read.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "store/sealing_key.h"

namespace marque::store::sqlite {

class MainFile {
 public:
    explicit MainFile(std::string path) : path_(std::move(path)) {}

    // Reads the file again, through the open connection `handle`, and compares it with the last look. Only two wrong
    // looks in a row are an error; what can't be read as a database tells nothing. Errors: Corrupt.
    Result<void> look(sqlite3* handle, SealingKey& key);
    // Returns true if the last look found something wrong, so that another look is due.
    bool is_in_doubt() const { return is_in_doubt_; }

 private:
    Result<void> compare(sqlite3* handle, SealingKey& key);

    std::string path_;
    std::uint64_t size_ = 0;  // of the log in the file, as it was last seen
    bool is_in_doubt_ = false;
};

}  // namespace marque::store::sqlite
