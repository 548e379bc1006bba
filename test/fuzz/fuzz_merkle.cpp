// The tree against RFC 6962 as it is written down: recursive, and over the entries themselves. Root, frontier, and both
// kinds of proof are the same for every list of entries; a proof that was changed, or is asked about another place,
// size or root, proves nothing.
//
// Input: a byte for the entries (how many, up to 64), two that pick a leaf and an older size, three that pick what is
// changed in a proof; the entries are cut from the rest.
#include <algorithm>
#include <bit>
#include <vector>

#include "audit/merkle.h"
#include "crypto/digest.h"
#include "fuzz.h"

using namespace marque;
using namespace marque::audit;

namespace {

using Entries = std::span<const Bytes>;

Digest hash(std::uint8_t prefix, ByteView a, ByteView b = {}) {
    Bytes all{prefix};
    all.insert(all.end(), a.begin(), a.end());
    all.insert(all.end(), b.begin(), b.end());
    return crypto::sha256(all);
}

// "the largest power of two smaller than n", counted.
std::size_t k_of(std::size_t n) {
    std::size_t k = 1;
    while (2 * k < n) k *= 2;
    return k;
}

// MTH, section 2.1.
Digest naive_root(Entries d) {
    if (d.empty()) return crypto::sha256(ByteView{});
    if (d.size() == 1) return hash(0x00, d[0]);
    const std::size_t k = k_of(d.size());
    return hash(0x01, naive_root(d.first(k)), naive_root(d.subspan(k)));
}

// PATH, section 2.1.1.
Proof naive_path(std::size_t m, Entries d) {
    if (d.size() == 1) return {};
    const std::size_t k = k_of(d.size());
    Proof path = m < k ? naive_path(m, d.first(k)) : naive_path(m - k, d.subspan(k));
    path.push_back(m < k ? naive_root(d.subspan(k)) : naive_root(d.first(k)));
    return path;
}

// SUBPROOF, section 2.1.2.
Proof naive_subproof(std::size_t m, Entries d, bool b) {
    if (m == d.size()) return b ? Proof{} : Proof{naive_root(d)};
    const std::size_t k = k_of(d.size());
    Proof proof = m <= k ? naive_subproof(m, d.first(k), b) : naive_subproof(m - k, d.subspan(k), false);
    proof.push_back(m <= k ? naive_root(d.subspan(k)) : naive_root(d.first(k)));
    return proof;
}

std::vector<Bytes> cut(std::string_view text, std::size_t count) {
    std::vector<Bytes> entries;
    for (std::size_t i = 0; i < count; ++i) {
        // Every entry another, whatever the text has left.
        const std::size_t length =
            text.empty() ? 0 : std::min<std::size_t>(text.size(), static_cast<unsigned char>(text[0]) % 8);
        const ByteView part = bytes_of(text.substr(0, length));
        Bytes& entry = entries.emplace_back(part.begin(), part.end());
        entry.push_back(static_cast<std::uint8_t>(i));
        text.remove_prefix(length);
    }
    return entries;
}

// The frontier's own bytes, made from the naive roots of the perfect subtrees.
Bytes naive_frontier(Entries d) {
    Bytes bytes;
    while (!d.empty()) {
        const std::size_t perfect = std::bit_floor(d.size());
        const Digest root = naive_root(d.first(perfect));
        bytes.insert(bytes.end(), root.begin(), root.end());
        d = d.subspan(perfect);
    }
    return bytes;
}

// One of: a bit of a hash, a hash too many or too few, two hashes swapped. False when that leaves it as it was.
bool change(Proof& proof, unsigned char how, unsigned char where, unsigned char bit) {
    const Proof before = proof;
    const std::size_t at = proof.empty() ? 0 : where % proof.size();
    switch (how % 4) {
        case 0:
            if (!proof.empty()) proof[at][bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
            break;
        case 1:
            proof.insert(proof.begin() + static_cast<std::ptrdiff_t>(at), proof.empty() ? Digest{} : proof[at]);
            break;
        case 2:
            if (!proof.empty()) proof.erase(proof.begin() + static_cast<std::ptrdiff_t>(at));
            break;
        case 3:
            if (proof.size() > 1) std::swap(proof[at], proof[(at + 1) % proof.size()]);
            break;
    }
    return proof != before;
}

}  // namespace

void fuzz(std::string_view input) {
    if (input.size() < 6) return;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
    const std::vector<Bytes> entries = cut(input.substr(6), byte(0) % 65);
    const std::size_t size = entries.size();

    std::vector<Digest> leaves;
    Frontier frontier;
    for (const Bytes& entry : entries) {
        leaves.push_back(leaf_hash(entry));
        CHECK(leaves.back() == hash(0x00, entry));
        frontier.append(leaves.back());
    }
    const Digest root = naive_root(entries);
    CHECK(root_of(leaves) == root && frontier.root() == root && frontier.size() == size);
    CHECK(frontier.bytes() == naive_frontier(entries));
    const auto again = Frontier::parse(size, frontier.bytes());
    CHECK(again && *again == frontier);
    if (size == 0) return;

    const std::size_t index = byte(1) % size, old_size = 1 + byte(2) % size;
    const Digest old_root = naive_root(Entries(entries).first(old_size));

    Proof path = inclusion_proof(index, leaves);
    CHECK(path == naive_path(index, entries));
    CHECK(is_included(leaves[index], index, size, path, root));
    for (const std::size_t other : {index + 1, byte(4) % (size + 1), size})
        CHECK(other == index || !is_included(leaves[index], other, size, path, root));
    CHECK(old_root == root || !is_included(leaves[index], index, size, path, old_root));
    if (change(path, byte(3), byte(4), byte(5))) CHECK(!is_included(leaves[index], index, size, path, root));

    Proof proof = consistency_proof(old_size, leaves);
    CHECK(proof == naive_subproof(old_size, entries, true));
    CHECK(is_consistent(old_size, old_root, size, root, proof));
    CHECK(!is_consistent(0, old_root, size, root, proof) && !is_consistent(size + 1, old_root, size, root, proof));
    if (old_size < size) {
        CHECK(!is_consistent(old_size, root, size, root, proof) &&
              !is_consistent(old_size, old_root, size, old_root, proof));
    }
    if (change(proof, byte(3), byte(4), byte(5))) CHECK(!is_consistent(old_size, old_root, size, root, proof));
}
