// store/sqlite/move.h: the embedded store as the old or the new one of a move (store/sql/move.h).
//
//     marque.db ──▶ closed: its version is negated, in the commit of the last event ──▶ marque.db.moved
//     marque.db.part: one transaction in one file, without a write-ahead log ──▶ marque.db
#pragma once

#include <memory>
#include <string>

#include "store/sealing_key.h"
#include "store/sql/move.h"

namespace marque::store::sqlite {

// What becomes of the name of a file when its store is moved away; and under which one a new store is written.
std::string moved_path(const std::string& path);
std::string part_path(const std::string& path);

// The store in `path`; or the one that was moved away from there. Errors: as of SqliteStore::open.
Result<std::unique_ptr<sql::Source>> open_source(const std::string& path, SealingKey sealing_key);

// A store that may come to be in `path`, whose folder need not be there yet.
std::unique_ptr<sql::Target> make_target(const std::string& path);

}  // namespace marque::store::sqlite
