// main/ssh_key.h: OpenSSH public keys, judged by OpenSSH: there is no parser of keys in Marque.
#pragma once

#include <string>
#include <string_view>

#include "domain/entities.h"

namespace marque {

inline constexpr const char* ssh_keygen = "/usr/bin/ssh-keygen";

// "SHA256:…", and "type base64" of a type that an owner may have: one word, or two, and nothing that an
// allowed-signers file could read as more.
bool is_base64(std::string_view text);
bool is_fingerprint(std::string_view text);
bool is_public_key(std::string_view text);

// A key's line without its comment: its first two words.
std::string_view without_comment(std::string_view line);

// The one key in `path`, an id_….pub file, or "-" for standard input: Ed25519, ECDSA, RSA of at least 3072 bits, or a
// hardware key (sk-). Runs /usr/bin/ssh-keygen -l, with an empty environment. Errors:
// InvalidRequest (not such a key), Unavailable (no ssh-keygen), and those of read_line().
Result<domain::Owner> read_ssh_public_key(const std::string& path);

}  // namespace marque
