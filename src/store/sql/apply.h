// store/sql/apply.h: an event's effect on the rows.
#pragma once

#include "audit/event.h"
#include "store/sql/statement.h"

namespace marque::store::sql {

// Inside the caller's transaction. Every update names the states it may start from and is
// never of a whole record, so that no late writer can undo a revocation.
// Errors: StateRefuses when the row is not as the event takes it to be; Unavailable.
Result<void> apply(Connection& connection, const audit::Event& event, domain::Revision revision);

}  // namespace marque::store::sql
