#include "store/sqlite/change_watch.h"

#include <atomic>
#include <filesystem>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "store/sqlite/database.h"

namespace marque::store::sqlite {
namespace {

constexpr int wal_index_region_bytes = 32 * 1024;
// Time stamps are of the kernel's tick, at most 10 ms; five of them.
constexpr std::int64_t settling_ns = 50'000'000;

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

bool is_same_time(const timespec& a, const timespec& b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool is_same(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino && is_same_time(a.st_mtim, b.st_mtim) &&
           is_same_time(a.st_ctim, b.st_ctim);
}

Result<struct stat> stat_of(const std::string& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) return info;
    Error error = system_error("the store's " + quote(path, 200) + " can't be looked at");
    error.code = Code::Unavailable;
    return error;
}

}  // namespace

ChangeWatch::ChangeWatch(std::string path, const std::uint64_t* shared)
    : path_(std::move(path)),
      folder_(std::filesystem::path(path_).parent_path()),
      wal_(path_ + "-wal"),
      shm_(path_ + "-shm"),
      shared_(shared) {
    if (folder_.empty()) folder_ = ".";
}

Result<ChangeWatch> ChangeWatch::open(const std::string& path, sqlite3* database, const FileIdentity& opened) {
    sqlite3_file* file = nullptr;
    void volatile* region = nullptr;
    if (sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file == nullptr ||
        file->pMethods == nullptr || file->pMethods->iVersion < 2 ||
        file->pMethods->xShmMap(file, 0, wal_index_region_bytes, 0, &region) != SQLITE_OK || region == nullptr)
        return Error(Code::Unavailable, "the store's wal-index is not to be had");
    ChangeWatch watch(path, static_cast<const std::uint64_t*>(const_cast<void*>(region)));
    const auto identity_of = [](const std::string& name) -> Result<FileIdentity> {
        const auto info = TRY(stat_of(name));
        return FileIdentity{info.st_dev, info.st_ino};
    };
    watch.database_file_ = opened;
    if (TRY(identity_of(watch.path_)) != opened)
        return Error(Code::Unavailable, "the store's " + quote(path, 200) + " was replaced while it was opened");
    watch.wal_file_ = TRY(identity_of(watch.wal_));
    watch.shm_file_ = TRY(identity_of(watch.shm_));
    return watch;
}

ChangeWatch::Header ChangeWatch::read_header() const {
    Header header;
    // What is read after this, in the database, is not older than the header.
    for (std::size_t i = 0; i < header.size(); ++i)
        header[i] = std::atomic_ref(const_cast<std::uint64_t&>(shared_[i])).load(std::memory_order_acquire);
    return header;
}

Result<void> ChangeWatch::mark() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    folder_stat_ = TRY(stat_of(folder_));
    const std::int64_t age_ns = nanoseconds(now) - nanoseconds(folder_stat_.st_ctim);
    is_settled_ = age_ns > settling_ns || age_ns < -settling_ns;  // far in the future: the clock was set back
    for (const auto& [name, identity] :
         {std::pair(&path_, &database_file_), std::pair(&wal_, &wal_file_), std::pair(&shm_, &shm_file_)}) {
        const auto info = TRY(stat_of(*name));
        if (FileIdentity{info.st_dev, info.st_ino} != *identity)
            return Error(Code::Unavailable, "the store's " + quote(*name, 200) + " was replaced");
    }
    header_ = read_header();
    return {};
}

Result<bool> ChangeWatch::is_as_marked() const {
    struct stat folder{};
    if (::stat(folder_.c_str(), &folder) != 0) return stat_of(folder_).error();
    return is_settled_ && is_same(folder, folder_stat_) && read_header() == header_;
}

Result<bool> ChangeWatch::is_file_as_examined() {
    const auto info = TRY(stat_of(path_));
    if ((info.st_mode & S_IWUSR) == 0 || ::access(path_.c_str(), W_OK) != 0)
        return Error(Code::Unavailable, "the store's " + quote(path_, 200) + " has become read-only",
                     "nothing could be revoked in it: make it writable for its owner");
    const bool is_as_before = is_same(info, examined_) && info.st_size == examined_.st_size;
    examined_ = info;
    return is_as_before;
}

}  // namespace marque::store::sqlite
