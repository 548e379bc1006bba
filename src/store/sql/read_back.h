// store/sql/read_back.h: whether the store holds what was committed (invariant 20).
//
//     lock ─▶ decide ─▶ entries + rows + head ─▶ durable commit ─▶ a new transaction: read back ─▶ revision
//
// A commit says that this connection's writes are durable. It does not say that they are what is there: a trigger may
// have written after them, and an attacker with SQL access may have put the old rows and the old log back in the next
// transaction. So nothing is reported as done before a snapshot that was taken after the commit shows it.
#pragma once

#include "store/read_back.h"
#include "store/sql/write.h"

namespace marque::store::sql {

enum class Extent {
    Touched,     // the rows that the events are about
    Everything,  // every row and every entry, which were all sealed again
};

// Call it in a transaction that began after the commit, with a reader of that transaction. Entries that others appended
// meanwhile are fine when each carries our seal and the head continues what was written. Errors: Corrupt, with
// `tampered`, when the change is no longer there; OutcomeUnknown when the store can't be read.
Result<void> read_back(const SqlReader& reader, const Written& written, const Secret& sealing_key,
                       Extent extent = Extent::Touched);

}  // namespace marque::store::sql
