// audit/seal.h: MACs over the log under a key that is not in the database (invariant 12).
//
// Whoever may write SQL can rewrite an entry, but not its seal: `audit verify` then names the
// entry. They can cut the log, but not seal a head for the shorter one.
#pragma once

#include "audit/merkle.h"
#include "base/secret.h"

namespace marque::audit {

Digest seal_of_entry(const Secret& key, std::uint64_t seq, const Digest& leaf);
Digest seal_of_head(const Secret& key, const Frontier& head);

}  // namespace marque::audit
