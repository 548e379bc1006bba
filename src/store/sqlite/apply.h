// store/sqlite/apply.h: an event's effect on the rows.
#pragma once

#include "audit/event.h"
#include "store/sqlite/database.h"

namespace marque::store::sqlite {

// Inside the caller's transaction. Every update names the states it may start from and is
// never of a whole record, so that no late writer can undo a revocation.
// Errors: StateRefuses when the row is not as the event takes it to be; Unavailable.
Result<void> apply(Database& database, const audit::Event& event, domain::Revision revision);

}  // namespace marque::store::sqlite
