// test/faults/failing_vfs.h: SQLite's files, whose n-th call fails, and whose power can go.
//
// It stands over SQLite's own "unix" and is the default from the first use on. Besides doing what it is asked it keeps,
// for each file, what a disk is sure to have: what was written is there at once, and is safe only when it was synced.
//
//     write ─▶ pending ─▶ sync ─▶ safe            after a power cut: what is safe, and of what is pending
//                                                 nothing, all, or some of its pieces of a sector each
//
// Real syncs are not made: this disk is a model. For one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "test/faults/installation.h"

namespace marque::faults {

enum class FileCall { Open, Delete, Read, Write, Truncate, Sync, Size, Lock, ShmMap, ShmLock, Any };

struct FileFault {
    enum class Lasts { Once, ForGood, PowerCut };
    const char* name;
    FileCall call;
    int code = 0;  // SQLite's
    Lasts lasts = Lasts::Once;
    bool is_torn = false;  // half of what was to be written is
};
// Every one there is.
const std::vector<FileFault>& file_faults();

// What a cut leaves of what was not synced.
enum class Unsynced { Lost, SomePieces, Kept };

class FailingVfs {
 public:
    static FailingVfs& the();

    // The n-th call of the fault's kind, from now on, is struck by it.
    void begin(const FileFault& fault, int n);
    // Nothing fails any more.
    void end();
    bool has_struck() const { return has_struck_; }
    // Every call fails from now on, but for those that only let go.
    void cut_power() { is_off_ = true; }
    // The files become what the disk has of them; they are closed by now. `random` chooses the pieces.
    void come_back(Unsynced unsynced, SeededRandom& random);
    // The files are what they are, and safe.
    void forget() { disk_.clear(); }

    // For the C functions. 0, or the code that the call is to fail with.
    int strike(FileCall call);
    bool is_torn() const { return fault_ && fault_->is_torn; }

    struct Change {
        std::int64_t offset;  // a truncation's: the new size
        Bytes bytes;
        bool is_truncation = false;
    };
    struct File {
        Bytes safe;
        std::vector<Change> pending;
    };
    File& file(const std::string& path);
    void remove(const std::string& path) { disk_.erase(path); }

 private:
    FailingVfs();

    std::optional<FileFault> fault_;
    int n_ = 0, calls_ = 0;
    bool has_struck_ = false, is_off_ = false;
    std::map<std::string, File> disk_;
};

}  // namespace marque::faults
