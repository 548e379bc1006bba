// audit/seal.h: MACs under a key that is not in the database (invariant 12).
//
// Whoever may write SQL can rewrite an entry, but not its seal: `audit verify` then names the entry. They can cut the
// log, but not seal a head for the shorter one. They can rewrite a row, but not its seal; and put an older row back,
// with the seal that it had, but not seal a head over it (audit/row_tree.h).
#pragma once

#include <optional>

#include "audit/merkle.h"
#include "audit/row_tree.h"
#include "base/secret.h"

namespace marque::audit {

Digest seal_of_entry(const Secret& key, std::uint64_t seq, const Digest& leaf);
// `rows` is the hash over all rows (audit/row_tree.h).
Digest seal_of_head(const Secret& key, const Frontier& head, const Digest& rows);

// For one thread at a time.
class RowSealer {
 public:
    explicit RowSealer(const Secret& key) : mac_(key) {}
    // The first 16 bytes of an HMAC. `row`: its name and all that it says, so that no other row looks the same.
    RowSeal operator()(ByteView row);

 private:
    crypto::HmacSha256 mac_;
};

}  // namespace marque::audit
