// base/random.h: where unpredictable bytes come from. crypto/ has the kernel's; tests bring their own.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"

namespace marque {

class Random {
 public:
    virtual ~Random() = default;
    // Fills all of `out` or fails. Errors: Unavailable.
    virtual Result<void> fill(std::span<std::uint8_t> out) = 0;
};

}  // namespace marque
