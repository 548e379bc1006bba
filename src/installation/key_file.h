// installation/key_file.h: the root key in a file of its own beside the database, 0600.
#pragma once

#include <string>

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"

namespace marque {

// A new key, durable before this returns; a key that is there already stays.
// Errors: Unavailable, PermissionDenied, Corrupt.
Result<void> ensure_root_key(const std::string& path, Random& random);

// Errors: Unavailable (none there), PermissionDenied (not ours to read), StateRefuses (others may
// read it), Corrupt (not a key).
Result<Secret> read_root_key_file(const std::string& path);

}  // namespace marque
