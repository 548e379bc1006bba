// domain/span_of_time.h: durations and dates as people type them.
//
//     90d   2h30m   45s   1w2d        a duration: w d h m s, largest first, each once
//     2027-01-31                      a date: the end of that day, UTC
//     2027-01-31T12:00:00.000000Z     an instant; the fraction may be left out
//     never
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/time.h"

namespace marque::domain {

inline constexpr Duration longest_duration = std::chrono::days(36500);

// More than nothing and at most longest_duration: 0 is refused, never taken for "without end".
// Errors: InvalidRequest.
Result<Duration> parse_duration(std::string_view text);

// "90d", "2h30m": what parse_duration reads back, to the second.
std::string to_text(Duration duration);

// Which end of a day to take when a date is given without a time.
enum class DayEdge { Begin, End };

// A moment for looking back: a date (its begin or end, UTC), an instant, or a duration counted back from `now`.
// Errors: InvalidRequest.
Result<Instant> parse_moment(std::string_view text, Instant now, DayEdge edge);

// When something ends, as it was asked for: a plan shows and digests this form, which does
// not change with the clock.
class Ending {
 public:
    static Ending never() { return Ending(std::monostate{}); }
    static Ending after(Duration duration) { return Ending(duration); }
    static Ending at(Instant instant) { return Ending(instant); }
    // Errors: InvalidRequest.
    static Result<Ending> parse(std::string_view text);

    // The instant, counted from `now`; nothing for never. Errors: InvalidRequest when it is not
    // in the future.
    Result<std::optional<Instant>> resolve(Instant now) const;

    bool is_never() const { return std::holds_alternative<std::monostate>(value_); }
    // "never", "90d" or an RFC 3339 instant.
    std::string text() const;
    bool operator==(const Ending&) const = default;

 private:
    using Value = std::variant<std::monostate, Duration, Instant>;
    explicit Ending(Value value) : value_(value) {}
    Value value_;
};

}  // namespace marque::domain
