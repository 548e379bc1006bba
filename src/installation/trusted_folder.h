// installation/trusted_folder.h: whether the files in a store's folder are believed.
//
// Whoever can write to one of them decides what tokens are accepted, or where they are looked for. So the folder has to
// belong to the calling account, which no other may let write to it, and each file to the folder's owner, the caller or
// root. Root may look at every account's store. It then believes what the account wrote as data, but takes no
// instruction from it: a file that names a program or a server is used only if it is the caller's own or root's
// (ReadRules::Writer).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace marque::installation {

// Checks the folder and each file in it that opening the store reads. Called at every opening, by commands, the server
// and the library. A folder or file that is not there is no error. Errors: StateRefuses (others could have written it,
// or the database has a second name), PermissionDenied (it is another account's), Corrupt (a link, or not a file),
// Unavailable.
Result<void> require_trusted(const std::string& folder);

// What is wrong with any file in the folder that the program ever reads.
std::vector<Error> distrusted(const std::string& folder);

}  // namespace marque::installation
