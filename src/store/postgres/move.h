// store/postgres/move.h: a store in a database as the old or the new one of a move (store/sql/move.h). What files are
// to SQLite, schemas are here:
//
//     marque ──▶ marque_moved_97, in the commit of the last event, 97: whoever asks for marque finds nothing
//     marque_part: one transaction ──▶ marque
#pragma once

#include <memory>
#include <string>

#include "store/sealing_key.h"
#include "store/sql/move.h"

namespace marque::store::postgres {

// Which of a database's stores: the one that is open, or the newest that was moved away and carries our seal.
enum class Which { OpenOrMoved, Moved };

// Errors: as of PostgresStore::open.
Result<std::unique_ptr<sql::Source>> open_source(const std::string& conninfo, SealingKey sealing_key, Which which);

// Errors: as of Connection::open.
Result<std::unique_ptr<sql::Target>> open_target(const std::string& conninfo);

}  // namespace marque::store::postgres
