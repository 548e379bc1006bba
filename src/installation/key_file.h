// installation/key_file.h: the root key, which is in none of the store's files but one of its own, if in any.
//
//     FOLDER/root.key                         0600: 64 hexadecimal characters, or 128 after a rotation, and a newline
//     FOLDER/root.key.command                 else: a program that prints the same
//     $CREDENTIALS_DIRECTORY/marque.root-key  else: systemd's, for a service
//     FOLDER/root.key.next                    0600: the next one, while a rotation is under way
#pragma once

#include <optional>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"

namespace marque {

std::string key_file_in(const std::string& folder);

struct KeySource {
    enum class Kind { File, Command, Credential };
    Kind kind = Kind::File;
    std::string path;
};
// Where the key of the installation in `folder` comes from; none: there is none.
std::optional<KeySource> key_source_of(const std::string& folder);

// Errors: Unavailable (there is none, or the command failed), PermissionDenied (not ours to read), StateRefuses (others
// may read it, or exchange the command), Corrupt (not a key).
Result<Secret> read_root_key(const std::string& folder);

// A new key in the folder's file, durable before this returns, unless there is one already, from wherever.
// Errors: Unavailable, and those of read_root_key.
Result<void> ensure_root_key(const std::string& folder, Random& random);

// The key of the installation in `from`, in the new folder `to`, durable before this returns; one that is there already
// stays. Errors: as of read_root_key; StateRefuses when another key is there.
Result<void> copy_root_key(const std::string& from, const std::string& to);

// Rotation. The next key, made and durable if there is none yet. Errors: as above; StateRefuses when the key does not
// lie in the folder, and so is not ours to exchange.
Result<Secret> next_root_key(const std::string& folder, Random& random);
// It is the key from now on, and the old one is gone. Errors: Unavailable.
Result<void> adopt_next_root_key(const std::string& folder);

}  // namespace marque
