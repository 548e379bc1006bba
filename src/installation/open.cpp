#include "installation/open.h"

#include <unistd.h>

#include "authority/keys.h"
#include "base/bytes.h"
#include "base/new_file.h"
#include "base/small_file.h"
#include "installation/key_file.h"
#include "installation/known_log_file.h"
#include "installation/trusted_folder.h"
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

// The file names the server that gets the account's password.
Result<std::optional<std::string>> read_conninfo(const std::string& path) {
    return read_line_if_there(path, {4096, ReadRules::Origin::Own, 022, ReadRules::Writer::UsOrRoot});
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
    return replace_file(conninfo_file_in(folder), bytes_of(conninfo + "\n"), FileOwner::FolderOwner);
}

Result<std::unique_ptr<store::Store>> open_store(const std::string& folder, store::SealingKey sealing_key,
                                                 Duration longest_wait, verify::RememberingStore::Tell tell) {
    TRY(require_trusted(folder));
    const auto remembering = [&](std::unique_ptr<store::Store> store) -> std::unique_ptr<store::Store> {
        return std::make_unique<verify::RememberingStore>(std::move(store), std::make_unique<KnownLogFile>(folder),
                                                          std::move(tell));
    };
    if (const auto conninfo = TRY(conninfo_in(folder))) {
        store::postgres::TimeOuts time_outs;
        time_outs.lock = longest_wait;
        return remembering(TRY(store::postgres::PostgresStore::open(*conninfo, std::move(sealing_key), time_outs)));
    }
    TRY(require_no_move(folder));
    return remembering(
        TRY(store::sqlite::SqliteStore::open(database_in(folder), std::move(sealing_key), longest_wait)));
}

Result<Keys> read_keys(const std::string& folder) {
    auto root = std::make_shared<const Secret>(TRY(read_root_key(folder)));
    return Keys{authority::token_key(*root), authority::log_seal_key(*root), std::move(root)};
}

// A change that could not be remembered is not told: the verifier says so itself when it can't remember.
// A key in the folder is read again with every opening: whoever put another installation there brought its key along,
// and then neither this store's seals nor its tokens are ours.
verify::Verifier::OpenStore opener(const std::string& folder, const Keys& keys) {
    return [folder, root = keys.root]() -> Result<std::unique_ptr<store::Store>> {
        const auto source = key_source_of(folder);
        auto key = root;
        if (!source || source->kind == KeySource::Kind::File)
            key = std::make_shared<const Secret>(TRY(read_root_key(folder)));
        return open_store(folder, store::SealingKey([key] { return authority::log_seal_key(*key); }),
                          longest_wait_of_a_verifier, [](const std::string&) {});
    };
}

}  // namespace marque::installation
