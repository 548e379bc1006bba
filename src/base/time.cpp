#include "base/time.h"

#include <fmt/format.h>

#include "base/decimal.h"

namespace marque {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hh_mm_ss;
using std::chrono::year_month_day;

struct Parts {
    year_month_day date;
    hh_mm_ss<Duration> time;
};

Parts split(Instant instant) {
    const auto day = floor<days>(instant);
    return {year_month_day{day}, hh_mm_ss<Duration>{instant - day}};
}

}  // namespace

std::string to_rfc3339(Instant instant) {
    const auto [date, time] = split(instant);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                       time.minutes().count(), time.seconds().count(), time.subseconds().count());
}

std::string to_calendar(Instant instant) {
    const auto [date, time] = split(instant);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                       time.minutes().count(), time.seconds().count());
}

Result<Instant> parse_rfc3339(std::string_view text) {
    const auto number = [&](size_t at, size_t length) {
        return at + length <= text.size() ? parse_decimal(text.substr(at, length)) : std::nullopt;
    };
    const auto y = number(0, 4), mo = number(5, 2), d = number(8, 2), h = number(11, 2), mi = number(14, 2),
               s = number(17, 2), us = number(20, 6);
    if (y && mo && d && h && mi && s && us && *h < 24 && *mi < 60 && *s < 60) {
        const year_month_day date{std::chrono::year(static_cast<int>(*y)),
                                  std::chrono::month(static_cast<unsigned>(*mo)),
                                  std::chrono::day(static_cast<unsigned>(*d))};
        if (date.ok()) {
            const Instant instant = std::chrono::sys_days(date) + std::chrono::hours(*h) + std::chrono::minutes(*mi) +
                                    std::chrono::seconds(*s) + Duration(*us);
            if (to_rfc3339(instant) == text) return instant;
        }
    }
    return Error(Code::InvalidRequest, "not a time in the form 2026-11-23T20:43:00.000000Z");
}

}  // namespace marque
