// crypto/digest.h: SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869).
//
// All of it is OpenSSL's; this folder is the only one that includes it. Functions are
// thread-safe. They fail only when OpenSSL can't allocate, which is fatal.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"

namespace marque::crypto {

using Digest = std::array<std::uint8_t, 32>;

// SHA-256 over the parts, one after the other.
Digest sha256(std::initializer_list<ByteView> parts);
inline Digest sha256(ByteView bytes) {
    return sha256({bytes});
}

Digest hmac_sha256(const Secret& key, ByteView message);

// HMAC-SHA-256 with one key, many times: what depends on the key alone is hashed once. For one thread at a time; the
// key's state lives in OpenSSL's memory, which is wiped when this goes.
class HmacSha256 {
 public:
    explicit HmacSha256(const Secret& key);
    HmacSha256(HmacSha256&&) noexcept;
    HmacSha256& operator=(HmacSha256&&) noexcept;
    ~HmacSha256();

    Digest operator()(ByteView message) {
        begin(message);
        return finish();
    }
    // begin() and then finish() do the work of operator() in two steps. begin() computes the inner hash, which takes
    // about twice as long as the outer hash that finish() computes.
    void begin(ByteView message);
    Digest finish();

 private:
    struct State;
    std::unique_ptr<State> state_;
};

// `length` bytes, at most 8160 (255 blocks).
Secret hkdf_sha256(const Secret& input, ByteView salt, std::string_view info, std::size_t length);

// Whether two digests are equal, in time that does not depend on where they differ.
bool equal(const Digest& a, const Digest& b);

}  // namespace marque::crypto
