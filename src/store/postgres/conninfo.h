// store/postgres/conninfo.h: what a connection string may say.
//
// Whoever may run `marque init` as the store's account writes one, and libpq does more with some keywords than connect:
// it loads code, reads files and sends the account's saved password. So there is a list of what is allowed, with what
// is wrong about the rest. libpq's own parser reads the string, so its two forms, KEYWORD=VALUE and postgresql://…, are
// judged alike.
#pragma once

#include <string>

#include "base/result.h"

namespace marque::store::postgres {

// Checks a string, and that no environment variable adds to it: where the store is has to be the same for every process
// that uses it. Errors: InvalidRequest, Unavailable (libpq is not installed).
Result<void> check_conninfo(const std::string& conninfo);

// Removes the environment variables that libpq and the libraries under it would follow, but for PGPASSWORD, which leads
// nowhere. For a program's beginning, while it has one thread.
void forget_environment_of_libpq();

}  // namespace marque::store::postgres
