#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace marque {

void check_failed(const char* file, int line, const char* what) noexcept {
    std::fprintf(stderr, "marque: bug at %s:%d: %s\n", file, line, what);
    std::abort();
}

}  // namespace marque
