// installation/machine_clock.h: the machine's wall clock, for the program and for the library.
#pragma once

#include <time.h>

#include "base/time.h"

namespace marque::installation {

class MachineClock : public Clock {
 public:
    Instant now() const override {
        timespec time{};
        ::clock_gettime(CLOCK_REALTIME, &time);
        return Instant(std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_nsec / 1000));
    }
    // CLOCK_MONOTONIC would stand still while the machine is suspended, and a lease with it.
    Duration since_boot() const override {
        timespec time{};
        ::clock_gettime(CLOCK_BOOTTIME, &time);
        return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_nsec / 1000);
    }
};

}  // namespace marque::installation
