// verify/facts.h: whole rows into an index, for what is read one by one.
#pragma once

#include "verify/index.h"

namespace marque::verify {

// As of Index::put.
Result<void> put_identity(Index& index, const domain::Identity& identity);
Result<void> put_credential(Index& index, const domain::Credential& credential);

}  // namespace marque::verify
