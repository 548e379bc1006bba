// audit/row_tree.h: which rows there are, and in which version, as one hash.
//
// A row's seal (audit/seal.h) says that the row was once written by this installation. It does not say that it is still
// the newest: whoever can write SQL could put back an older row together with its seal, or take a row away. So all
// seals together have a hash, and the log's head is sealed over it (invariant 12):
//
//                      root                        its hash is in the head of the log
//               ┌───────┼─ … ─┐                    16 children each
//               ●       ●     ●
//             ┌─┼─┐   ┌─┼─┐                        4 levels of nodes, 65,536 buckets under them
//          bucket  bucket …                        the hash of its rows' names and seals, in an order of their own
//
// What a row is called decides its bucket. One row is checked with the seals of its bucket and four nodes; all of them
// at once with nothing but the rows. A bucket, or a subtree, without rows is 32 zero bytes, and has nothing stored.
//
// Pure values.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/digest.h"

namespace marque::audit {

using crypto::Digest;
using RowSeal = std::array<std::uint8_t, 16>;
using Bucket = std::uint16_t;

// Of a row's name, such as "identity/default/codex".
Bucket bucket_of(std::string_view place);

// SHA-256(seal ‖ name): a name is as much a part of the tree as its seal, or a row could be taken away and its seal be
// left under another name.
Digest leaf_of(std::string_view place, const RowSeal& seal);

// SHA-256(0x00 ‖ leaves, sorted).
Digest bucket_hash(std::vector<Digest> leaves);

using Children = std::array<Digest, 16>;
inline constexpr Digest nothing{};

// SHA-256(0x01 ‖ children).
Digest node_hash(const Children& children);

// The way from the root, node 0, to a bucket: each node with the number of its child that comes next, the bucket's hash
// the last.
struct Step {
    std::uint32_t node;
    std::uint32_t child;
};
std::array<Step, 4> path_to(Bucket bucket);
// Of a node that is not the root: the node above, and which of its children it is.
constexpr Step above(std::uint32_t node) {
    return {(node - 1) / 16, (node - 1) % 16};
}

// All rows there are, in any order: 34 bytes of memory each.
class RowSet {
 public:
    void add(std::string_view place, const RowSeal& seal) { rows_.push_back({bucket_of(place), leaf_of(place, seal)}); }
    // Of the buckets that have rows, in their order. Sorts what was added.
    std::vector<std::pair<Bucket, Digest>> buckets();
    Digest root();

 private:
    struct Row {
        Bucket bucket;
        Digest leaf;
        auto operator<=>(const Row&) const = default;
    };
    std::vector<Row> rows_;
};

}  // namespace marque::audit
