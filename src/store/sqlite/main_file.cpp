#include "store/sqlite/main_file.h"

#include <fmt/format.h>

#include <array>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include "base/file.h"
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

// Bytes 18 and 19 are 2 in WAL mode (https://sqlite.org/fileformat.html, section 1.3.3).
Result<bool> is_in_wal_mode(const std::string& path) {
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<std::uint8_t, 20> header{};
    if (!file.is_open() || ::pread(file.fd(), header.data(), header.size(), 0) < 0)
        return system_error("cannot read " + quote(path, 200));
    return header[18] == 2 && header[19] == 2;
}

}  // namespace

Result<void> MainFile::compare(SealingKey& key) {
    if (!TRY(is_in_wal_mode(path_))) return written_over(path_, "it is not in WAL mode, as a backup is not");
    const auto head_in_file = [&]() -> Result<StoredHead> {
        Database database = TRY(Database::open(path_, OpenMode::ReadOnlyImmutable));
        const StoredHead head = TRY(sql::SqlReader::head_of(database));
        TRY(check_head(head, key.get()));
        return head;
    };
    const auto head = head_in_file();
    if (!head && !was_read_) return {};
    if (!head) return written_over(path_, head.error().message);
    const std::uint64_t size = head->frontier.size();
    if (size < size_) return written_over(path_, fmt::format("its log went back, from {} entries to {}", size_, size));
    size_ = size;
    was_read_ = true;
    return {};
}

Result<void> MainFile::look(SealingKey& key) {
    auto compared = compare(key);
    const bool is_first = !std::exchange(is_in_doubt_, !compared.has_value());
    if (!compared && is_first) return {};
    return compared;
}

}  // namespace marque::store::sqlite
