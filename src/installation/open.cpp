#include "installation/open.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/keys.h"
#include "base/file.h"
#include "base/text.h"
#include "installation/key_file.h"
#include "store/maintenance.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/move.h"
#include "store/sqlite/sqlite_store.h"

namespace marque::installation {
namespace {

constexpr auto longest_wait_of_a_verifier = std::chrono::seconds(5);

}  // namespace

std::string database_in(const std::string& folder) {
    return folder + "/marque.db";
}

std::string conninfo_file_in(const std::string& folder) {
    return folder + "/postgresql.conninfo";
}

std::string moved_conninfo_file_in(const std::string& folder) {
    return store::sqlite::moved_path(conninfo_file_in(folder));
}

Result<std::optional<std::string>> conninfo_in(const std::string& folder) {
    return read_conninfo(conninfo_file_in(folder));
}

Result<std::optional<std::string>> read_conninfo(const std::string& path) {
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open() && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
    struct stat info{};
    if (!file.is_open() || ::fstat(file.fd(), &info) != 0) return system_error("cannot read " + quote(path, 200));
    if ((info.st_mode & 022) != 0)
        return Error(Code::StateRefuses, quote(path, 200) + " could be written by others", "chmod 600 it");
    std::string text(4096, '\0');
    const ssize_t got = ::read(file.fd(), text.data(), text.size());
    if (got < 0) return system_error("cannot read " + quote(path, 200));
    text.resize(static_cast<std::size_t>(got));
    return text.substr(0, text.find('\n'));
}

Result<void> require_no_move(const std::string& folder) {
    const auto is_there = [](const std::string& path) { return ::access(path.c_str(), F_OK) == 0; };
    const std::string database = database_in(folder);
    if (is_there(database)) return {};
    if (is_there(store::sqlite::part_path(database))) return store::copied_in_part();
    if (is_there(store::sqlite::moved_path(database)) || is_there(moved_conninfo_file_in(folder)))
        return store::moved_away();
    return {};
}

Result<void> write_conninfo(const std::string& folder, const std::string& conninfo) {
    const std::string path = conninfo_file_in(folder), fresh = path + ".new", text = conninfo + "\n";
    {
        const File file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file.is_open() || ::write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
            ::fsync(file.fd()) != 0)
            return system_error("cannot write " + quote(fresh, 200));
    }
    if (::rename(fresh.c_str(), path.c_str()) != 0) return system_error("cannot create " + quote(path, 200));
    return sync_folder_of(path);
}

Result<std::unique_ptr<store::Store>> open_store(const std::string& folder, store::SealingKey sealing_key,
                                                 Duration longest_wait) {
    if (const auto conninfo = TRY(conninfo_in(folder))) {
        store::postgres::TimeOuts time_outs;
        time_outs.lock = longest_wait;
        return std::unique_ptr<store::Store>(
            TRY(store::postgres::PostgresStore::open(*conninfo, std::move(sealing_key), time_outs)));
    }
    TRY(require_no_move(folder));
    return std::unique_ptr<store::Store>(
        TRY(store::sqlite::SqliteStore::open(database_in(folder), std::move(sealing_key), longest_wait)));
}

Result<Keys> read_keys(const std::string& folder) {
    auto root = std::make_shared<const Secret>(TRY(read_root_key(folder)));
    return Keys{authority::token_key(*root), authority::log_seal_key(*root), std::move(root)};
}

// A key in the folder is read again with every opening: whoever put another installation there brought its key along,
// and then neither this store's seals nor its tokens are ours.
verify::Verifier::OpenStore opener(const std::string& folder, const Keys& keys) {
    return [folder, root = keys.root]() -> Result<std::unique_ptr<store::Store>> {
        const auto source = key_source_of(folder);
        auto key = root;
        if (!source || source->kind == KeySource::Kind::File)
            key = std::make_shared<const Secret>(TRY(read_root_key(folder)));
        return open_store(folder, store::SealingKey([key] { return authority::log_seal_key(*key); }),
                          longest_wait_of_a_verifier);
    };
}

}  // namespace marque::installation
