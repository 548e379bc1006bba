// test/fixed.h: what tests that compute verdicts share: a moment, a clock that stands at it, keys by number.
#pragma once

#include <cstdint>

#include "base/secret.h"
#include "base/time.h"

namespace marque {

inline const Instant t0(Duration(1'800'000'000'000'000));

class FixedClock final : public Clock {
 public:
    Instant now() const override { return t0; }
    Duration since_boot() const override { return {}; }
};

inline Secret key(std::uint8_t fill) {
    return Secret::copy_of(Bytes(32, fill));
}

}  // namespace marque
