#include "base/check.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace marque {

void check_failed(const char* file, int line, const char* what) noexcept {
    // Not to stdio's stream, which the program keeps from its libraries (main/machine.cpp).
    ::dprintf(STDERR_FILENO, "marque: bug at %s:%d: %s\n", file, line, what);
    std::abort();
}

}  // namespace marque
