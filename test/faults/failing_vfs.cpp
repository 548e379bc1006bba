#include "test/faults/failing_vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "base/check.h"

namespace marque::faults {
namespace {

constexpr std::size_t sector_bytes = 512;

struct FailingFile {
    sqlite3_file base;
    FailingVfs::File* disk;  // null: a file that nobody will miss
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

FailingFile* of(sqlite3_file* file) {
    return reinterpret_cast<FailingFile*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
    return of(file)->real();
}
const sqlite3_io_methods& methods(sqlite3_file* file) {
    return *real(file)->pMethods;
}
int strike(FileCall call) {
    return FailingVfs::the().strike(call);
}

int close(sqlite3_file* file) {
    const int result = methods(file).xClose(real(file));
    file->pMethods = nullptr;
    return result;
}
int read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
    if (const int code = strike(FileCall::Read)) return code;
    return methods(file).xRead(real(file), to, size, offset);
}
int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
    const int code = strike(FileCall::Write);
    if (code != 0 && !FailingVfs::the().is_torn()) return code;
    if (code != 0) size /= 2;
    const auto* bytes = static_cast<const std::uint8_t*>(from);
    if (of(file)->disk != nullptr) of(file)->disk->pending.push_back({offset, Bytes(bytes, bytes + size)});
    const int result = methods(file).xWrite(real(file), from, size, offset);
    return code != 0 ? code : result;
}
int truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (const int code = strike(FileCall::Truncate)) return code;
    if (of(file)->disk != nullptr) of(file)->disk->pending.push_back({size, {}, true});
    return methods(file).xTruncate(real(file), size);
}

void apply(const FailingVfs::Change& change, Bytes& to) {
    const auto offset = static_cast<std::size_t>(change.offset);
    if (change.is_truncation) {
        if (to.size() > offset) to.resize(offset);
        return;
    }
    if (to.size() < offset + change.bytes.size()) to.resize(offset + change.bytes.size());
    std::ranges::copy(change.bytes, to.begin() + change.offset);
}

// In any order, and any of them: the disk had begun to write them back.
void apply_some(const FailingVfs::Change& change, Bytes& to, SeededRandom& random) {
    if (change.is_truncation) {
        if (random.below(2) == 0) apply(change, to);
        return;
    }
    const auto begin = static_cast<std::size_t>(change.offset), end = begin + change.bytes.size();
    for (std::size_t at = begin; at < end;) {
        const std::size_t next = std::min(end, (at / sector_bytes + 1) * sector_bytes);
        const auto first = change.bytes.begin() + static_cast<std::ptrdiff_t>(at - begin);
        if (random.below(2) == 0)
            apply({static_cast<std::int64_t>(at), Bytes(first, first + static_cast<std::ptrdiff_t>(next - at))}, to);
        at = next;
    }
}

int sync(sqlite3_file* file, int) {
    if (const int code = strike(FileCall::Sync)) return code;
    if (of(file)->disk == nullptr) return SQLITE_OK;
    for (const auto& change : of(file)->disk->pending) apply(change, of(file)->disk->safe);
    of(file)->disk->pending.clear();
    return SQLITE_OK;
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
    if (const int code = strike(FileCall::Size)) return code;
    return methods(file).xFileSize(real(file), size);
}
int lock(sqlite3_file* file, int level) {
    if (const int code = strike(FileCall::Lock)) return code;
    return methods(file).xLock(real(file), level);
}
int unlock(sqlite3_file* file, int level) {
    return methods(file).xUnlock(real(file), level);
}
int check_reserved_lock(sqlite3_file* file, int* is_reserved) {
    if (const int code = strike(FileCall::Lock)) return code;
    return methods(file).xCheckReservedLock(real(file), is_reserved);
}
int file_control(sqlite3_file* file, int what, void* argument) {
    return methods(file).xFileControl(real(file), what, argument);
}
int sector_size(sqlite3_file* file) {
    return methods(file).xSectorSize(real(file));
}
int device_characteristics(sqlite3_file* file) {
    return methods(file).xDeviceCharacteristics(real(file));
}
int shm_map(sqlite3_file* file, int page, int size, int is_extended, void volatile** at) {
    if (const int code = strike(FileCall::ShmMap)) {
        *at = nullptr;
        return code;
    }
    return methods(file).xShmMap(real(file), page, size, is_extended, at);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    if ((flags & SQLITE_SHM_LOCK) != 0)
        if (const int code = strike(FileCall::ShmLock)) return code;
    return methods(file).xShmLock(real(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) {
    methods(file).xShmBarrier(real(file));
}
int shm_unmap(sqlite3_file* file, int is_deleted) {
    return methods(file).xShmUnmap(real(file), is_deleted);
}

// Version 2: without files in mapped memory, which this store does not use.
constexpr sqlite3_io_methods io_methods{2,
                                        close,
                                        read,
                                        write,
                                        truncate,
                                        sync,
                                        file_size,
                                        lock,
                                        unlock,
                                        check_reserved_lock,
                                        file_control,
                                        sector_size,
                                        device_characteristics,
                                        shm_map,
                                        shm_lock,
                                        shm_barrier,
                                        shm_unmap,
                                        nullptr,
                                        nullptr};

sqlite3_vfs* unix_vfs = nullptr;

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
    file->pMethods = nullptr;
    if (const int code = strike(FileCall::Open)) return code;
    const int result = unix_vfs->xOpen(unix_vfs, name, real(file), flags, flags_out);
    if (real(file)->pMethods == nullptr) return result;
    constexpr int kept = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
    of(file)->disk = name != nullptr && (flags & kept) != 0 ? &FailingVfs::the().file(name) : nullptr;
    file->pMethods = &io_methods;
    return result;
}
int remove(sqlite3_vfs*, const char* name, int is_synced) {
    if (const int code = strike(FileCall::Delete)) return code;
    FailingVfs::the().remove(name);
    return unix_vfs->xDelete(unix_vfs, name, is_synced);
}
// Whoever waits for a lock here waits for nobody.
int sleep(sqlite3_vfs*, int microseconds) {
    return microseconds;
}

Bytes contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

const std::vector<FileFault>& file_faults() {
    using enum FileFault::Lasts;
    static const std::vector<FileFault> all{
        {"write fails", FileCall::Write, SQLITE_IOERR_WRITE},
        {"write fails from then on", FileCall::Write, SQLITE_IOERR_WRITE, ForGood},
        {"write torn", FileCall::Write, SQLITE_IOERR_WRITE, Once, true},
        {"disk full", FileCall::Write, SQLITE_FULL},
        {"disk full, write torn", FileCall::Write, SQLITE_FULL, Once, true},
        {"disk full from then on", FileCall::Write, SQLITE_FULL, ForGood},
        {"sync fails", FileCall::Sync, SQLITE_IOERR_FSYNC},
        {"sync fails from then on", FileCall::Sync, SQLITE_IOERR_FSYNC, ForGood},
        {"truncate fails", FileCall::Truncate, SQLITE_IOERR_TRUNCATE},
        {"read fails", FileCall::Read, SQLITE_IOERR_READ},
        {"read fails from then on", FileCall::Read, SQLITE_IOERR_READ, ForGood},
        {"size unknown", FileCall::Size, SQLITE_IOERR_FSTAT},
        {"lock held by another", FileCall::Lock, SQLITE_BUSY},
        {"lock held by another from then on", FileCall::Lock, SQLITE_BUSY, ForGood},
        {"lock fails", FileCall::Lock, SQLITE_IOERR_LOCK},
        {"shared memory not mapped", FileCall::ShmMap, SQLITE_IOERR_SHMMAP},
        {"shared memory's lock held by another", FileCall::ShmLock, SQLITE_BUSY},
        {"shared memory's lock held by another from then on", FileCall::ShmLock, SQLITE_BUSY, ForGood},
        {"shared memory's lock fails", FileCall::ShmLock, SQLITE_IOERR_SHMLOCK},
        {"open fails", FileCall::Open, SQLITE_CANTOPEN},
        {"open fails from then on", FileCall::Open, SQLITE_CANTOPEN, ForGood},
        {"delete fails", FileCall::Delete, SQLITE_IOERR_DELETE},
        {"power cut", FileCall::Any, SQLITE_IOERR, PowerCut},
    };
    return all;
}

FailingVfs::FailingVfs() {
    unix_vfs = sqlite3_vfs_find("unix");
    CHECK(unix_vfs != nullptr);
    static sqlite3_vfs vfs = *unix_vfs;
    vfs.zName = "failing";
    vfs.pNext = nullptr;
    vfs.szOsFile = static_cast<int>(sizeof(FailingFile)) + unix_vfs->szOsFile;
    vfs.xOpen = open;
    vfs.xDelete = faults::remove;
    vfs.xSleep = sleep;
    CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

FailingVfs& FailingVfs::the() {
    static FailingVfs vfs;
    return vfs;
}

void FailingVfs::begin(const FileFault& fault, int n) {
    fault_ = fault;
    n_ = n;
    calls_ = 0;
    has_struck_ = is_off_ = false;
}

void FailingVfs::end() {
    fault_.reset();
    is_off_ = false;
}

int FailingVfs::strike(FileCall call) {
    if (is_off_) return SQLITE_IOERR;
    if (!fault_ || (fault_->call != FileCall::Any && fault_->call != call)) return 0;
    ++calls_;
    const bool strikes = fault_->lasts == FileFault::Lasts::ForGood ? calls_ >= n_ : calls_ == n_;
    if (!strikes) return 0;
    has_struck_ = true;
    if (fault_->lasts == FileFault::Lasts::PowerCut) is_off_ = true;
    return fault_->code;
}

FailingVfs::File& FailingVfs::file(const std::string& path) {
    const auto [it, is_new] = disk_.try_emplace(path);
    if (is_new) it->second.safe = contents(path);
    return it->second;
}

void FailingVfs::come_back(Unsynced unsynced, SeededRandom& random) {
    for (auto& [path, file] : disk_) {
        for (const Change& change : file.pending) {
            if (unsynced == Unsynced::Kept) apply(change, file.safe);
            if (unsynced == Unsynced::SomePieces) apply_some(change, file.safe, random);
        }
        std::ofstream out(path, std::ios::binary | std::ios::trunc);
        out.write(reinterpret_cast<const char*>(file.safe.data()), static_cast<std::streamsize>(file.safe.size()));
        CHECK(out.flush());
        std::filesystem::remove(path + "-shm");
    }
    disk_.clear();
}

}  // namespace marque::faults
