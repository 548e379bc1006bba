// store/sqlite/move.h: the SQLite store as the source or the target of a move (store/sql/move.h).
//
//     source: marque.db ──▶ closed ──▶ marque.db.moved
//     target: marque.db.part ──▶ marque.db
//
// Closing the source negates its schema version, in the transaction that appends the move's event. The target is
// written to marque.db.part in one transaction without a write-ahead log, so that one rename puts it in place.
#pragma once

#include <memory>
#include <string>

#include "store/sealing_key.h"
#include "store/sql/move.h"

namespace marque::store::sqlite {

// The name that a store's file gets when the store is moved away, and the name under which a new store is written.
std::string moved_path(const std::string& path);
std::string part_path(const std::string& path);

// Opens the store in `path`, or the one that was moved away from there. Errors: those of SqliteStore::open.
Result<std::unique_ptr<sql::Source>> open_source(const std::string& path, SealingKey sealing_key);

// Makes the target of a move, a store in `path`. The folder need not exist yet.
std::unique_ptr<sql::Target> make_target(const std::string& path);

}  // namespace marque::store::sqlite
