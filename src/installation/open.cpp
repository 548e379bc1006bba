#include "installation/open.h"

#include "authority/keys.h"
#include "installation/key_file.h"
#include "store/sqlite/sqlite_store.h"

namespace marque::installation {
namespace {

constexpr auto longest_wait = std::chrono::seconds(5);

}  // namespace

std::string database_in(const std::string& folder) {
    return folder + "/marque.db";
}

std::string key_in(const std::string& folder) {
    return folder + "/root.key";
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
        return std::unique_ptr<store::Store>(TRY(store::sqlite::SqliteStore::open(
            database_in(folder), store::SealingKey([key] { return authority::log_seal_key(*key); }), longest_wait)));
    };
}

}  // namespace marque::installation
