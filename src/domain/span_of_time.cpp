#include "domain/span_of_time.h"

#include <fmt/format.h>

#include "base/decimal.h"
#include "base/text.h"

namespace marque::domain {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::seconds;

struct Unit {
    char letter;
    seconds length;
};
constexpr Unit units[] = {{'w', days(7)}, {'d', days(1)}, {'h', 1h}, {'m', 1min}, {'s', 1s}};

Error not_a_duration(std::string_view text) {
    return Error(Code::InvalidRequest, fmt::format("{} is not a duration", quote(text)),
                 "write it like 90d, 2h30m or 45s");
}

// The first or last microsecond of the day 2027-01-31.
std::optional<Instant> edge_of_day(std::string_view text, DayEdge edge) {
    if (text.size() != 10) return std::nullopt;
    const auto midnight = parse_rfc3339(std::string(text) + "T00:00:00.000000Z");
    if (!midnight) return std::nullopt;
    return edge == DayEdge::Begin ? *midnight : *midnight + days(1) - Duration(1);
}

// Parses an instant with or without a fraction of a second.
Result<Instant> parse_instant(std::string_view text) {
    const bool is_whole = text.size() == 20 && text.ends_with('Z');
    return parse_rfc3339(is_whole ? std::string(text.substr(0, 19)) + ".000000Z" : std::string(text));
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
    if (text.empty() || text.size() > 32) return not_a_duration(text);
    const Unit* next_unit = units;
    seconds total{0};
    for (std::string_view rest = text; !rest.empty();) {
        const std::size_t digits = rest.find_first_not_of("0123456789");
        if (digits == std::string_view::npos) return not_a_duration(text);
        const auto count = parse_decimal(rest.substr(0, digits));
        while (next_unit != std::end(units) && next_unit->letter != rest[digits]) ++next_unit;
        if (!count || *count > 10'000'000'000 || next_unit == std::end(units)) return not_a_duration(text);
        if (*count > static_cast<std::uint64_t>(duration_cast<seconds>(longest_duration) / next_unit->length))
            return Error(Code::InvalidRequest, fmt::format("{} is longer than 100 years", quote(text)));
        total += static_cast<std::int64_t>(*count) * next_unit->length;
        ++next_unit;
        rest.remove_prefix(digits + 1);
    }
    if (total == 0s)
        return Error(Code::InvalidRequest, fmt::format("{} is no time at all", quote(text)),
                     "0 does not mean without end; write a duration such as 90d");
    if (total > longest_duration)
        return Error(Code::InvalidRequest, fmt::format("{} is longer than 100 years", quote(text)));
    return Duration(total);
}

std::string to_text(Duration duration) {
    auto rest = std::chrono::floor<seconds>(duration);
    std::string text;
    for (const Unit& unit : units) {
        if (unit.letter == 'w') continue;
        if (const auto count = rest / unit.length; count > 0) {
            text += fmt::format("{}{}", count, unit.letter);
            rest -= count * unit.length;
        }
    }
    return text.empty() ? "0s" : text;
}

Result<Instant> parse_moment(std::string_view text, Instant now, DayEdge edge) {
    if (const auto day = edge_of_day(text, edge)) return *day;
    if (const auto instant = parse_instant(text)) return *instant;
    if (const auto duration = parse_duration(text)) return now - *duration;
    return Error(Code::InvalidRequest, fmt::format("{} is neither a date nor a duration", quote(text)),
                 "write it like 2026-11-01, 2026-11-01T12:00:00Z or 7d");
}

Result<Ending> Ending::parse(std::string_view text) {
    if (text == "never") return never();
    if (const auto day_end = edge_of_day(text, DayEdge::End)) return at(*day_end);
    if (const auto instant = parse_instant(text)) return at(*instant);
    if (auto duration = parse_duration(text))
        return after(*duration);
    else if (text.find_first_not_of("0123456789wdhms") == std::string_view::npos)
        return std::move(duration).error();
    return Error(Code::InvalidRequest, fmt::format("{} is neither a duration nor a date", quote(text)),
                 "write it like 90d, 2h30m, 2027-01-31 or never");
}

Result<std::optional<Instant>> Ending::resolve(Instant now) const {
    if (is_never()) return std::nullopt;
    if (const auto* duration = std::get_if<Duration>(&value_)) return now + *duration;
    const Instant instant = std::get<Instant>(value_);
    if (instant <= now) return Error(Code::InvalidRequest, fmt::format("{} is in the past", to_calendar(instant)));
    if (instant - now > longest_duration)
        return Error(Code::InvalidRequest, fmt::format("{} is more than 100 years away", to_calendar(instant)));
    return instant;
}

std::string Ending::text() const {
    if (is_never()) return "never";
    if (const auto* duration = std::get_if<Duration>(&value_)) return to_text(*duration);
    return to_rfc3339(std::get<Instant>(value_));
}

}  // namespace marque::domain
