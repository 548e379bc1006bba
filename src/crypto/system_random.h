// crypto/system_random.h: the kernel's random bytes, getrandom(2). No pool in this process:
// a cloned virtual machine must not repeat a token.
#pragma once

#include "base/random.h"

namespace marque::crypto {

class SystemRandom final : public Random {
 public:
    // Thread-safe. Errors: Unavailable.
    Result<void> fill(std::span<std::uint8_t> out) override;
};

}  // namespace marque::crypto
