#include "audit/row_tree.h"

#include <algorithm>

namespace marque::audit {
namespace {

constexpr std::uint8_t bucket_prefix = 0, node_prefix = 1;
constexpr std::size_t all_buckets = 65536, fan_out = 16;

Digest hash_of_sorted(std::span<const Digest> leaves) {
    if (leaves.empty()) return nothing;
    // An array of arrays of bytes lies without gaps.
    const ByteView bytes{leaves.front().data(), leaves.size() * sizeof(Digest)};
    return crypto::sha256({ByteView(&bucket_prefix, 1), bytes});
}

}  // namespace

// FNV-1a, 64 bits, folded: it has to spread names and to be the same everywhere, and nothing more.
Bucket bucket_of(std::string_view place) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char byte : place) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3;
    return static_cast<Bucket>(hash ^ hash >> 16 ^ hash >> 32 ^ hash >> 48);
}

Digest leaf_of(std::string_view place, const RowSeal& seal) {
    return crypto::sha256({seal, bytes_of(place)});
}

Digest bucket_hash(std::vector<Digest> leaves) {
    std::ranges::sort(leaves);
    return hash_of_sorted(leaves);
}

Digest node_hash(const Children& children) {
    if (std::ranges::all_of(children, [](const Digest& child) { return child == nothing; })) return nothing;
    return crypto::sha256({ByteView(&node_prefix, 1), ByteView(children.front().data(), sizeof(Children))});
}

std::array<Step, 4> path_to(Bucket bucket) {
    const std::uint32_t number = bucket;
    return {Step{0, number >> 12}, Step{1 + (number >> 12), number >> 8 & 15},
            Step{17 + (number >> 8), number >> 4 & 15}, Step{273 + (number >> 4), number & 15}};
}

std::vector<std::pair<Bucket, Digest>> RowSet::buckets() {
    std::ranges::sort(rows_);
    std::vector<std::pair<Bucket, Digest>> found;
    std::vector<Digest> leaves;
    for (std::size_t at = 0; at < rows_.size();) {
        const Bucket bucket = rows_[at].bucket;
        leaves.clear();
        for (; at < rows_.size() && rows_[at].bucket == bucket; ++at) leaves.push_back(rows_[at].leaf);
        found.emplace_back(bucket, hash_of_sorted(leaves));
    }
    return found;
}

Digest RowSet::root() {
    std::vector<Digest> level(all_buckets);
    for (const auto& [bucket, hash] : buckets()) level[bucket] = hash;
    while (level.size() > 1) {
        std::vector<Digest> upper(level.size() / fan_out);
        for (std::size_t i = 0; i < upper.size(); ++i) {
            Children children;
            std::copy_n(level.begin() + static_cast<std::ptrdiff_t>(i * fan_out), fan_out, children.begin());
            upper[i] = node_hash(children);
        }
        level = std::move(upper);
    }
    return level.front();
}

}  // namespace marque::audit
