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

// The key in the file `from`, in the new file `to`, durable before this returns; one that is there already stays.
// Errors: as of read_root_key_file; StateRefuses when another key is there.
Result<void> copy_root_key(const std::string& from, const std::string& to);

// Errors: Unavailable (none there), PermissionDenied (not ours to read), StateRefuses (others may
// read it), Corrupt (not a key).
Result<Secret> read_root_key_file(const std::string& path);

}  // namespace marque
