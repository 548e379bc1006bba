// authority/keys.h: the keys of an installation, all derived from one root key (HKDF, RFC 5869).
//
// The root key is not in the database: whoever has only that can neither check a guess at a
// token nor seal a log entry.
#pragma once

#include "base/secret.h"
#include "crypto/signature.h"

namespace marque::authority {

inline constexpr std::size_t root_key_bytes = 32;

Secret token_key(const Secret& root);     // hashes tokens
Secret log_seal_key(const Secret& root);  // seals the audit log
crypto::SigningKey checkpoint_key(const Secret& root);

}  // namespace marque::authority
