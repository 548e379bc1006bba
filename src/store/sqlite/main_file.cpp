#include "store/sqlite/main_file.h"

#include <fmt/format.h>

#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "store/append.h"
#include "store/sql/reader.h"
#include "store/sqlite/database.h"

namespace marque::store::sqlite {
namespace {

Error written_over(const std::string& path, const std::string& what) {
    // Not `tampered`: that is told in the log, and nothing is to be written to this file.
    return Error(Code::Corrupt, fmt::format("another file was written over the store's {}: {}", quote(path, 200), what),
                 "stop marque serve; then restore the store as docs/store.md says");
}

// Bytes 18 and 19 are 2 in WAL mode, 1 without (https://sqlite.org/fileformat.html, section 1.3.3).
constexpr std::size_t header_bytes = 100, write_version = 18, read_version = 19;
constexpr std::uint8_t with_wal = 2, without_wal = 1;

// Reads the file, or only the header of a large one, through the connection's own descriptor: closing another
// descriptor of the same file would drop this process' locks on it (POSIX).
Result<Bytes> read_file(sqlite3* handle) {
    sqlite3_file* file = nullptr;
    sqlite3_int64 size = 0;
    if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file == nullptr ||
        file->pMethods == nullptr || file->pMethods->xFileSize(file, &size) != SQLITE_OK)
        return Error(Code::Unavailable, "the store's file can't be looked at");
    constexpr sqlite3_int64 longest = 32 * 1024 * 1024;
    Bytes bytes(static_cast<std::size_t>(size <= longest ? size : sqlite3_int64{header_bytes}));
    const int read =
        bytes.empty() ? SQLITE_OK : file->pMethods->xRead(file, bytes.data(), static_cast<int>(bytes.size()), 0);
    if (read != SQLITE_OK && read != SQLITE_IOERR_SHORT_READ)
        return Error(Code::Unavailable, "the store's file can't be read");
    return bytes;
}

// Returns the log's head in the database whose bytes are given. Errors: Corrupt, Unavailable, and those of SQLite when
// the bytes are not a database.
Result<StoredHead> head_in(Bytes& bytes, const Secret& key) {
    bytes[write_version] = bytes[read_version] = without_wal;
    Database database = TRY(Database::open(":memory:"));
    const auto size = static_cast<sqlite3_int64>(bytes.size());
    if (sqlite3_deserialize(database.handle(), "main", bytes.data(), size, size, SQLITE_DESERIALIZE_READONLY) !=
        SQLITE_OK)
        return error_from(database.handle());
    const StoredHead head = TRY(sql::SqlReader::head_of(database));
    TRY(check_head(head, key));
    return head;
}

}  // namespace

Result<void> MainFile::compare(sqlite3* handle, SealingKey& key) {
    Bytes bytes = TRY(read_file(handle));
    if (bytes.size() < header_bytes) return written_over(path_, "it is cut off");
    if (bytes[write_version] != with_wal || bytes[read_version] != with_wal)
        return written_over(path_, "it is not in WAL mode, as a backup is not");
    if (bytes.size() == header_bytes) return {};
    // Read while a checkpoint writes, or after one that was killed, the pages can be of different times: SQLite calls
    // that malformed. A connection reads the newer pages from the write-ahead log, and sees real damage.
    const auto head = head_in(bytes, key.get());
    if (!head) return {};
    const std::uint64_t size = head->frontier.size();
    if (size < size_) return written_over(path_, fmt::format("its log went back, from {} entries to {}", size_, size));
    size_ = size;
    return {};
}

Result<void> MainFile::look(sqlite3* handle, SealingKey& key) {
    auto compared = compare(handle, key);
    const bool is_first = !std::exchange(is_in_doubt_, !compared.has_value());
    if (!compared && is_first) return {};
    return compared;
}

}  // namespace marque::store::sqlite
