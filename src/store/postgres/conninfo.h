// store/postgres/conninfo.h: what a connection string may say.
//
// A user who may run `marque init` as the store's account chooses the string, and some keywords make libpq do more than
// connect: it loads code, reads files and sends the account's saved password. So only listed keywords are allowed, and
// the message says what is wrong with another. libpq's own parser reads the string, so both of its forms, KEYWORD=VALUE
// and postgresql://…, are treated alike.
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
