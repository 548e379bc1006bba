// cli/run.h: the whole command line.
#pragma once

#include <iosfwd>

#include "cli/system.h"

namespace marque::cli {

// Parses and runs; the process's exit code. Never throws.
int run(int argc, const char* const* argv, System& system) noexcept;

}  // namespace marque::cli
