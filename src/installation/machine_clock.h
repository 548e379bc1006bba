// installation/machine_clock.h: the machine's wall clock, for the program and for the library.
#pragma once

#include <time.h>

#include "base/time.h"

namespace marque::installation {

class MachineClock final : public Clock {
 public:
    Instant now() const override {
        timespec time{};
        ::clock_gettime(CLOCK_REALTIME, &time);
        return Instant(std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_nsec / 1000));
    }
};

}  // namespace marque::installation
