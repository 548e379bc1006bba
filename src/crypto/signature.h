// crypto/signature.h: Ed25519, RFC 8032 (pure, no context).
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/secret.h"

namespace marque::crypto {

using PublicKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

// Keeps the seed, not an OpenSSL object: signing is rare (a checkpoint), and a Secret is wiped.
class SigningKey {
 public:
    // `seed` has 32 bytes (RFC 8032, section 5.1.5: the private key).
    explicit SigningKey(Secret seed);

    const PublicKey& public_key() const { return public_key_; }
    Signature sign(ByteView message) const;

 private:
    Secret seed_;
    PublicKey public_key_;
};

// Whether `signature` is the key's over `message`. A malformed key or signature is simply not valid.
bool is_valid_signature(const PublicKey& key, ByteView message, ByteView signature);

}  // namespace marque::crypto
