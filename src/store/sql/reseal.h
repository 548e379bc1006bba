// store/sql/reseal.h: an installation under another key: every entry, every row and the head, in one transaction.
//
// What is sealed anew was checked under the old key in the same transaction, all of it: what somebody wrote around the
// old seals gets no new one. Before its commit the store is wholly under the old key, after it under the new.
#pragma once

#include "store/sealing_key.h"
#include "store/sql/statement.h"

namespace marque::store::sql {

// Inside the caller's transaction, which holds the lock that orders changes. Errors: Corrupt when the log or the rows
// are not what the old key sealed; those of the store.
Result<void> reseal(Connection& connection, SealingKey& old_key, SealingKey& new_key);

}  // namespace marque::store::sql
