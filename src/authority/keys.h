// authority/keys.h: the keys of an installation, all derived from one root key (HKDF, RFC 5869).
//
// The root key is not in the database: whoever has only that can neither check a guess at a
// token nor seal a log entry or a row.
//
// A root key can be exchanged for another. What was sealed is sealed anew then; but tokens are stored as hashes alone,
// so their key can only be carried along: behind the new root, 64 bytes together.
#pragma once

#include "base/secret.h"
#include "crypto/signature.h"

namespace marque::authority {

inline constexpr std::size_t root_key_bytes = 32;
inline constexpr std::size_t rotated_root_key_bytes = 64;

// The new root key of an installation that has `root`, with `random_root` as the root: root_key_bytes.
Secret rotated_root_key(const Secret& root, const Secret& random_root);

Secret token_key(const Secret& root);     // hashes tokens
Secret log_seal_key(const Secret& root);  // seals the audit log and the rows
crypto::SigningKey checkpoint_key(const Secret& root);

}  // namespace marque::authority
