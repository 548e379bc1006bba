// base/time.h: instants and durations, in microseconds, UTC.
//
// The pure core takes `now` as an argument; only main/ makes a clock that asks the machine.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace marque {

using Duration = std::chrono::microseconds;
using Instant = std::chrono::sys_time<Duration>;

class Clock {
 public:
    virtual ~Clock() = default;
    // Wall-clock time. Thread-safe.
    virtual Instant now() const = 0;
    // Since the machine started, the time it was suspended included; never set and never stepped, so that a lease can
    // be measured with it. Thread-safe.
    virtual Duration since_boot() const = 0;
};

// RFC 3339, section 5.6, always in UTC with six digits: 2026-11-23T20:43:00.000000Z.
std::string to_rfc3339(Instant instant);

// Reads exactly what to_rfc3339 writes. Errors: InvalidRequest.
Result<Instant> parse_rfc3339(std::string_view text);

// 2026-11-23 20:43:00 UTC, for people.
std::string to_calendar(Instant instant);

}  // namespace marque
