// base/check.h: for what only a bug can cause. Compiled into every build, always fatal.
//
// What the world can cause is a Result (base/result.h).
#pragma once

namespace marque {

// Writes one line naming the place to stderr and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* what) noexcept;

}  // namespace marque

#define CHECK(condition) \
    (static_cast<bool>(condition) ? void(0) : ::marque::check_failed(__FILE__, __LINE__, #condition))
#define CHECK_UNREACHABLE() ::marque::check_failed(__FILE__, __LINE__, "unreachable")
