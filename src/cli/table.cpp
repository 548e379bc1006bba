#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace marque::cli {

// Code points outside escape sequences; good enough for the scripts that text.h lets through.
std::size_t width_of(std::string_view text) {
    std::size_t width = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\x1b') {
            i = std::min(text.find('m', i), text.size());
            continue;
        }
        if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) ++width;
    }
    return width;
}

std::string Paint::wrap(const char* code, std::string_view text) const {
    return is_on_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

std::string Paint::state(std::string_view word) const {
    if (word == "active" || word == "accepted") return good(word);
    if (word == "paused" || word == "retiring" || word == "pending") return warning(word);
    if (word == "revoked" || word == "refused" || word == "failed") return bad(word);
    if (word == "expired" || word == "retired" || word == "lapsed") return dim(word);
    return std::string(word);
}

std::string Table::text(const Paint& paint) const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    std::string out;
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            out += &row == &rows_.front() ? paint.dim(row[i]) : row[i];
            if (i + 1 < row.size()) out.append(widths[i] - width_of(row[i]) + 2, ' ');
        }
        out += '\n';
    }
    return out;
}

std::string in_words(Instant instant, Instant now) {
    using namespace std::chrono;
    const bool is_past = instant <= now;
    const auto distance = is_past ? now - instant : instant - now;
    struct Step {
        seconds length;
        const char* word;
    };
    if (is_past && distance < seconds(5)) return "just now";
    static constexpr Step steps[] = {
        {days(365), "year"}, {days(1), "day"}, {hours(1), "hour"}, {minutes(1), "minute"}, {seconds(1), "second"}};
    for (const auto& [length, word] : steps) {
        if (distance < length || (length == days(365) && distance < 2 * length)) continue;
        // What is past is counted in whole units; what is to come to the nearest: 90d are "in 90 days".
        const auto count = is_past ? distance / length : (distance + length / 2) / length;
        const std::string amount = fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
        return is_past ? amount + " ago" : "in " + amount;
    }
    return "now";
}

std::string when(const std::optional<Instant>& instant, Instant now, std::string_view none) {
    if (!instant) return std::string(none);
    return fmt::format("{} ({})", in_words(*instant, now), to_calendar(*instant));
}

}  // namespace marque::cli
