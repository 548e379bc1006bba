// store/sql/write.h: what a change writes: entries, rows, head; and uses beside them.
#pragma once

#include <set>
#include <span>
#include <vector>

#include "base/secret.h"
#include "store/sql/reader.h"
#include "store/store.h"

namespace marque::store::sql {

// The result of a change: the head after it, the seal of its last entry, which no other log has in that place, and the
// rows that were written or removed. After the commit, read_back.h checks that the store holds it.
struct Written {
    StoredHead head;
    audit::Digest seal{};
    std::set<Place> places;

    domain::Revision revision() const { return head.frontier.size(); }
};

// Returns the buckets that hold the seals of these rows.
std::set<audit::Bucket> buckets_of(const std::set<Place>& places);

// Inside the caller's transaction, which holds the lock that orders changes. Errors: those of append and apply; Corrupt
// when a row that is to be written is not as it was written last.
Result<Written> write_events(Connection& connection, const SqlReader& reader, const std::vector<audit::Draft>& drafts,
                             const Secret& sealing_key);

// As Store::record_uses, inside the caller's transaction.
Result<void> write_uses(Connection& connection, std::span<const Use> uses, std::span<const RefusedUse> refused);

}  // namespace marque::store::sql
