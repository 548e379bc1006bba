#include "audit/seal.h"

#include <algorithm>

namespace marque::audit {
namespace {

// The kinds of message differ in their first byte, and numbers have eight.
Bytes message(char kind, std::uint64_t number, ByteView rest) {
    Bytes bytes{static_cast<std::uint8_t>(kind)};
    for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(number >> shift));
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
}

}  // namespace

Digest seal_of_entry(const Secret& key, std::uint64_t seq, const Digest& leaf) {
    return crypto::hmac_sha256(key, message('e', seq, leaf));
}

// The size says how long the frontier is, so what follows it can't be taken for a part of it.
Digest seal_of_head(const Secret& key, const Frontier& head, const Digest& rows) {
    Bytes bytes = head.bytes();
    bytes.insert(bytes.end(), rows.begin(), rows.end());
    return crypto::hmac_sha256(key, message('h', head.size(), bytes));
}

RowSeal RowSealer::operator()(ByteView row) {
    const Digest whole = mac_(row);
    RowSeal seal;
    std::copy_n(whole.begin(), seal.size(), seal.begin());
    return seal;
}

}  // namespace marque::audit
