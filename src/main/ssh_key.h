// main/ssh_key.h: OpenSSH public keys, judged by OpenSSH: there is no parser of keys in Marque.
#pragma once

#include <string>

#include "domain/entities.h"

namespace marque {

// The one key in `path`, an id_….pub file: Ed25519, ECDSA, RSA of at least 3072 bits, or a
// hardware key (sk-). Runs /usr/bin/ssh-keygen -l, with an empty environment. Errors:
// InvalidRequest (not such a key), Unavailable (no ssh-keygen).
Result<domain::Owner> read_ssh_public_key(const std::string& path);

}  // namespace marque
