// base/random.h: where unpredictable bytes come from. crypto/ has the kernel's; tests bring their own.
#pragma once

#include <array>
#include <bit>
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

// For ids: what they hold of it is theirs to say. Errors: Unavailable.
inline Result<std::uint64_t> random_bits(Random& random) {
    std::array<std::uint8_t, sizeof(std::uint64_t)> bytes{};
    TRY(random.fill(bytes));
    return std::bit_cast<std::uint64_t>(bytes);
}

}  // namespace marque
