#include "installation/open.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/keys.h"
#include "base/file.h"
#include "base/text.h"
#include "installation/key_file.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

namespace marque::installation {
namespace {

constexpr auto longest_wait_of_a_verifier = std::chrono::seconds(5);

}  // namespace

std::string database_in(const std::string& folder) {
    return folder + "/marque.db";
}

std::string key_in(const std::string& folder) {
    return folder + "/root.key";
}

std::string conninfo_file_in(const std::string& folder) {
    return folder + "/postgresql.conninfo";
}

Result<std::optional<std::string>> conninfo_in(const std::string& folder) {
    const std::string path = conninfo_file_in(folder);
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

Result<std::unique_ptr<store::Store>> open_store(const std::string& folder, store::SealingKey sealing_key,
                                                 Duration longest_wait) {
    if (const auto conninfo = TRY(conninfo_in(folder))) {
        store::postgres::TimeOuts time_outs;
        time_outs.lock = longest_wait;
        return std::unique_ptr<store::Store>(
            TRY(store::postgres::PostgresStore::open(*conninfo, std::move(sealing_key), time_outs)));
    }
    return std::unique_ptr<store::Store>(
        TRY(store::sqlite::SqliteStore::open(database_in(folder), std::move(sealing_key), longest_wait)));
}

Result<Keys> read_keys(const std::string& folder) {
    const Secret root = TRY(read_root_key_file(key_in(folder)));
    return Keys{authority::token_key(root), authority::log_seal_key(root)};
}

// The key is read again with every opening: whoever put another installation into the folder brought its key along, and
// then neither this store's seals nor its tokens are ours.
verify::Verifier::OpenStore opener(const std::string& folder) {
    return [folder]() -> Result<std::unique_ptr<store::Store>> {
        auto key = std::make_shared<Secret>(TRY(read_root_key_file(key_in(folder))));
        return open_store(folder, store::SealingKey([key] { return authority::log_seal_key(*key); }),
                          longest_wait_of_a_verifier);
    };
}

}  // namespace marque::installation
