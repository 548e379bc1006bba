// installation/trusted_folder.h: whether the files in a store's folder are believed.
//
// An account that can write one of these files decides which tokens are accepted, or where they are looked up. So the
// folder has to belong to the caller or to root, no other account may be able to write to it, and each file has to
// belong to the folder's owner, the caller or root. Root may read the store of any account. Root then takes what that
// account wrote as data, and follows no instruction in it: a file that names a program or a server is used only if it
// belongs to the caller or to root (ReadRules::Writer).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace marque::installation {

// Checks the folder and each file in it that opening the store reads. Called at every opening, by commands, the server
// and the library. A folder or file may be missing. Errors: StateRefuses when other accounts could have written to it
// or the database has a second name; PermissionDenied when the folder belongs to another account; Corrupt when a file
// is a link, or not a regular file; Unavailable.
Result<void> require_trusted(const std::string& folder);

// Returns an error for each file in the folder that fails these checks, including files that opening does not read.
std::vector<Error> distrusted(const std::string& folder);

}  // namespace marque::installation
