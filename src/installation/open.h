// installation/open.h: an installation's folder, with its key (key_file.h) and the store: marque.db, or
// postgresql.conninfo, which says where the database is. For whoever verifies for long it may be opened again and
// again.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/secret.h"
#include "store/sealing_key.h"
#include "verify/remembering_store.h"
#include "verify/verifier.h"

namespace marque::installation {

std::string database_in(const std::string& folder);
std::string conninfo_file_in(const std::string& folder);

// How to connect to the store, if it is in PostgreSQL. Errors: StateRefuses (others could write it), Unavailable.
Result<std::optional<std::string>> conninfo_in(const std::string& folder);
Result<std::optional<std::string>> read_conninfo(const std::string& file);

// A folder without a store, of which marque store copy is the reason. Errors: StateRefuses, which says so.
Result<void> require_no_move(const std::string& folder);
// The name that the connection string has when its store was moved away.
std::string moved_conninfo_file_in(const std::string& folder);

// New, whole and durable, or not there.
Result<void> write_conninfo(const std::string& folder, const std::string& conninfo);

// The store, whose changes are remembered in the folder's known_log (verify/remembering_store.h); `tell` hears why one
// could not be. Errors: those of the store.
Result<std::unique_ptr<store::Store>> open_store(const std::string& folder, store::SealingKey sealing_key,
                                                 Duration longest_wait, verify::RememberingStore::Tell tell);

struct Keys {
    Secret token_key;
    Secret sealing_key;
    std::shared_ptr<const Secret> root;
};
// Errors: those of read_root_key.
Result<Keys> read_keys(const std::string& folder);

// Opens the store; it waits for another's lock for at most some seconds, because requests wait for it. A key that does
// not lie in the folder is not asked for again: `keys` are.
verify::Verifier::OpenStore opener(const std::string& folder, const Keys& keys);

}  // namespace marque::installation
