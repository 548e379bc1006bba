// base/result.h: a value, or why there is none.
//
//     const Plan plan = TRY(plan_revoke(who, request));   // leaves the function with the Error, if there is one
//
// A Result that is dropped does not compile (test/must_not_compile).
#pragma once

#include <expected>
#include <utility>

#include "base/error.h"

namespace marque {

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
    using std::expected<T, Error>::expected;
    Result(Error error) : std::expected<T, Error>(std::unexpected(std::move(error))) {}

    // The value itself, moved out. Call only when there is one; TRY is the usual way.
    T release() {
        if constexpr (!std::is_void_v<T>) return std::move(**this);
    }
};

}  // namespace marque

// Not inside a braced initialiser: leaving from there, GCC 12 forgets to destroy the members made
// so far (test/architecture/tidy.py finds it).
//
// The temporary has a name of its own each time, so that one TRY may stand inside another.
#define MARQUE_JOIN_(a, b) a##b
#define MARQUE_JOIN(a, b) MARQUE_JOIN_(a, b)
#define MARQUE_TRY(name, ...)                      \
    __extension__({                                \
        auto name = (__VA_ARGS__);                 \
        if (!name) return std::move(name).error(); \
        name.release();                            \
    })
#define TRY(...) MARQUE_TRY(MARQUE_JOIN(try_result_, __COUNTER__), __VA_ARGS__)
