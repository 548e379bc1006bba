// installation/open.h: an installation's folder, marque.db and root.key in it, for whoever verifies for long: it may be
// opened again and again.
#pragma once

#include <string>

#include "base/secret.h"
#include "verify/verifier.h"

namespace marque::installation {

std::string database_in(const std::string& folder);
std::string key_in(const std::string& folder);

struct Keys {
    Secret token_key;
    Secret sealing_key;
};
// Errors: those of read_root_key_file.
Result<Keys> read_keys(const std::string& folder);

// Opens the store; it waits for another's lock for at most some seconds, because requests wait for it.
verify::Verifier::OpenStore opener(const std::string& folder);

}  // namespace marque::installation
