#include "audit/seal.h"

namespace marque::audit {
namespace {

// The two kinds of message differ in their first byte, and numbers have eight.
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

Digest seal_of_head(const Secret& key, const Frontier& head) {
    return crypto::hmac_sha256(key, message('h', head.size(), head.bytes()));
}

}  // namespace marque::audit
