// cli/small_file.h: a checkpoint, a signature: what somebody else's program wrote.
#pragma once

#include <string>

#include "base/result.h"

namespace marque::cli {

// At most 64 KiB; "-" is standard input. Errors: InvalidRequest.
Result<std::string> read_small_file(const std::string& path);

}  // namespace marque::cli
