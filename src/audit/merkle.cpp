#include "audit/merkle.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace marque::audit {
namespace {

constexpr std::uint8_t leaf_prefix = 0x00;
constexpr std::uint8_t node_prefix = 0x01;

// k of RFC 6962: the largest power of two smaller than n, for n > 1.
std::uint64_t split_point(std::uint64_t n) {
    return std::bit_floor(n - 1);
}

// SUBPROOF of RFC 6962, section 2.1.2; `is_whole` is its b: the old root is known already.
void add_subproof(Proof& proof, std::uint64_t old_size, std::span<const Digest> leaves, bool is_whole) {
    if (old_size == leaves.size()) {
        if (!is_whole) proof.push_back(root_of(leaves));
        return;
    }
    const std::uint64_t k = split_point(leaves.size());
    if (old_size <= k) {
        add_subproof(proof, old_size, leaves.first(k), is_whole);
        proof.push_back(root_of(leaves.subspan(k)));
    } else {
        add_subproof(proof, old_size - k, leaves.subspan(k), false);
        proof.push_back(root_of(leaves.first(k)));
    }
}

}  // namespace

Digest leaf_hash(ByteView entry) {
    return crypto::sha256({ByteView(&leaf_prefix, 1), entry});
}

Digest node_hash(const Digest& left, const Digest& right) {
    return crypto::sha256({ByteView(&node_prefix, 1), left, right});
}

void Frontier::append(const Digest& leaf) {
    peaks_.push_back(leaf);
    for (std::uint64_t merges = size_; (merges & 1) != 0; merges >>= 1) {
        const Digest right = peaks_.back();
        peaks_.pop_back();
        peaks_.back() = node_hash(peaks_.back(), right);
    }
    ++size_;
}

Digest Frontier::root() const {
    if (peaks_.empty()) return crypto::sha256(ByteView{});
    Digest root = peaks_.back();
    for (auto peak = std::next(peaks_.rbegin()); peak != peaks_.rend(); ++peak) root = node_hash(*peak, root);
    return root;
}

Bytes Frontier::bytes() const {
    Bytes bytes;
    for (const Digest& peak : peaks_) bytes.insert(bytes.end(), peak.begin(), peak.end());
    return bytes;
}

Result<Frontier> Frontier::parse(std::uint64_t size, ByteView bytes) {
    constexpr std::size_t width = std::tuple_size_v<Digest>;
    if (bytes.size() != width * static_cast<std::size_t>(std::popcount(size)))
        return Error(Code::Corrupt, "the audit log's head does not fit its size");
    Frontier frontier;
    frontier.size_ = size;
    for (std::size_t at = 0; at < bytes.size(); at += width) {
        Digest& peak = frontier.peaks_.emplace_back();
        std::ranges::copy(bytes.subspan(at, width), peak.begin());
    }
    return frontier;
}

Digest root_of(std::span<const Digest> leaves) {
    Frontier frontier;
    for (const Digest& leaf : leaves) frontier.append(leaf);
    return frontier.root();
}

Proof inclusion_proof(std::uint64_t index, std::span<const Digest> leaves) {
    CHECK(index < leaves.size());
    if (leaves.size() == 1) return {};
    const std::uint64_t k = split_point(leaves.size());
    const bool is_left = index < k;
    Proof proof = is_left ? inclusion_proof(index, leaves.first(k)) : inclusion_proof(index - k, leaves.subspan(k));
    proof.push_back(root_of(is_left ? leaves.subspan(k) : leaves.first(k)));
    return proof;
}

Proof consistency_proof(std::uint64_t old_size, std::span<const Digest> leaves) {
    CHECK(old_size > 0 && old_size <= leaves.size());
    Proof proof;
    add_subproof(proof, old_size, leaves, true);
    return proof;
}

bool is_included(const Digest& leaf, std::uint64_t index, std::uint64_t size, const Proof& proof, const Digest& root) {
    if (index >= size) return false;
    std::uint64_t fn = index, sn = size - 1;
    Digest r = leaf;
    for (const Digest& p : proof) {
        if (sn == 0) return false;
        if ((fn & 1) != 0 || fn == sn) {
            r = node_hash(p, r);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            r = node_hash(r, p);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && r == root;
}

bool is_consistent(std::uint64_t old_size, const Digest& old_root, std::uint64_t new_size, const Digest& new_root,
                   const Proof& proof) {
    if (old_size == 0 || old_size > new_size) return false;
    if (old_size == new_size) return proof.empty() && old_root == new_root;
    Proof path = proof;
    if (std::has_single_bit(old_size)) path.insert(path.begin(), old_root);
    if (path.empty()) return false;
    std::uint64_t fn = old_size - 1, sn = new_size - 1;
    while ((fn & 1) != 0) {
        fn >>= 1;
        sn >>= 1;
    }
    Digest fr = path[0], sr = path[0];
    for (auto c = std::next(path.begin()); c != path.end(); ++c) {
        if (sn == 0) return false;
        if ((fn & 1) != 0 || fn == sn) {
            fr = node_hash(*c, fr);
            sr = node_hash(*c, sr);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            sr = node_hash(sr, *c);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && fr == old_root && sr == new_root;
}

}  // namespace marque::audit
