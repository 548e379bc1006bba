// audit/merkle.h: the Merkle tree of RFC 6962, section 2.1 (and RFC 9162, section 2.1).
//
// A log is appended to with nothing but its frontier: the roots of the perfect subtrees that
// make up its size, largest first, one for each 1 bit. Eleven entries:
//
//              ┌───────8───────┐   ┌2┐  1
//              0 1 2 3 4 5 6 7 8   9 10 11  …
//
// Proofs are made from all leaves: whoever wants one reads the log, and so finds it whole.
//
// Pure values; no thread safety beyond that.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/digest.h"

namespace marque::audit {

using crypto::Digest;
using Proof = std::vector<Digest>;

Digest leaf_hash(ByteView entry);                           // SHA-256(0x00 ‖ entry)
Digest node_hash(const Digest& left, const Digest& right);  // SHA-256(0x01 ‖ left ‖ right)

class Frontier {
 public:
    Frontier() = default;  // the empty log

    void append(const Digest& leaf);
    std::uint64_t size() const { return size_; }
    Digest root() const;

    // The subtree roots, 32 bytes each.
    Bytes bytes() const;
    // Errors: Corrupt when the number of roots does not fit the size.
    static Result<Frontier> parse(std::uint64_t size, ByteView bytes);

    bool operator==(const Frontier&) const = default;

 private:
    std::uint64_t size_ = 0;
    std::vector<Digest> peaks_;
};

// The root over the leaf hashes: MTH of RFC 6962.
Digest root_of(std::span<const Digest> leaves);

// PATH of RFC 6962 for the leaf at `index`, counted from 0; index < leaves.size().
Proof inclusion_proof(std::uint64_t index, std::span<const Digest> leaves);

// PROOF of RFC 6962 that the first `old_size` leaves are a prefix; 0 < old_size <= leaves.size().
Proof consistency_proof(std::uint64_t old_size, std::span<const Digest> leaves);

// RFC 9162, sections 2.1.3.2 and 2.1.4.2. Never fails in another way than by answering false.
bool is_included(const Digest& leaf, std::uint64_t index, std::uint64_t size, const Proof& proof, const Digest& root);
bool is_consistent(std::uint64_t old_size, const Digest& old_root, std::uint64_t new_size, const Digest& new_root,
                   const Proof& proof);

}  // namespace marque::audit
