#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

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

namespace {

bool is_absolute = false;

// The first `width` code points of `text`, the last of them … if there are more. Colours end where they would.
std::string cut(const std::string& text, std::size_t width) {
    if (width_of(text) <= width) return text;
    std::string out;
    std::size_t shown = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\x1b') {
            const std::size_t end = std::min(text.find('m', i), text.size() - 1);
            out += text.substr(i, end + 1 - i);
            i = end;
            continue;
        }
        const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
        if (begins && ++shown == width) out += "…";
        if (shown < width) out += text[i];
    }
    return out;
}

// Makes the widest column narrower until all fit into `width`; below `narrowest` none is cut.
void fit(std::vector<std::size_t>& widths, std::size_t width) {
    constexpr std::size_t narrowest = 8;
    const auto sum = [&] {
        std::size_t total = 2 * (widths.size() - 1);
        for (const std::size_t one : widths) total += one;
        return total;
    };
    for (std::size_t total = sum(); total > width; total = sum()) {
        auto& widest = *std::ranges::max_element(widths);
        if (widest <= narrowest) return;
        --widest;
    }
}

struct Step {
    std::chrono::seconds length;
    const char* word;
    const char* letter;
};
constexpr Step steps[] = {{std::chrono::days(365), "year", "y"},
                          {std::chrono::days(1), "day", "d"},
                          {std::chrono::hours(1), "hour", "h"},
                          {std::chrono::minutes(1), "minute", "m"},
                          {std::chrono::seconds(1), "second", "s"}};

// "in " and " ago" around what `amount` makes of a count of a step.
template <class Amount>
std::string distance_in_words(Instant instant, Instant now, const Amount& amount) {
    using namespace std::chrono;
    if (is_absolute) return to_calendar(instant);
    const bool is_past = instant <= now;
    const auto distance = is_past ? now - instant : instant - now;
    if (is_past && distance < seconds(5)) return "just now";
    for (const Step& step : steps) {
        if (distance < step.length || (step.length == days(365) && distance < 2 * step.length)) continue;
        // Past time is counted in whole units, and future time is rounded: 90d are "in 90 days".
        const auto count = is_past ? distance / step.length : (distance + step.length / 2) / step.length;
        return is_past ? amount(count, step) + " ago" : "in " + amount(count, step);
    }
    return "now";
}

}  // namespace

void show_absolute_times() {
    is_absolute = true;
}

std::string Paint::wrap(const char* code, std::string_view text) const {
    return is_on_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

std::string Paint::state(std::string_view word) const {
    if (word == "active" || word == "accepted") return good(word);
    if (word == "paused" || word == "retiring" || word == "pending" || word == "no live credential")
        return warning(word);
    if (word == "revoked" || word == "refused" || word == "failed") return bad(word);
    if (word == "expired" || word == "retired" || word == "lapsed") return dim(word);
    return std::string(word);
}

std::string Table::text(const Paint& paint, std::size_t width) const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    if (width > 0) fit(widths, width);
    std::string out;
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string cell = cut(row[i], widths[i]);
            out += &row == &rows_.front() ? paint.dim(cell) : cell;
            if (i + 1 < row.size()) out.append(widths[i] - width_of(cell) + 2, ' ');
        }
        out += '\n';
    }
    return out;
}

std::string in_words(Instant instant, Instant now) {
    return distance_in_words(instant, now, [](auto count, const Step& step) {
        return fmt::format("{} {}{}", count, step.word, count == 1 ? "" : "s");
    });
}

std::string in_few_words(Instant instant, Instant now) {
    return distance_in_words(instant, now,
                             [](auto count, const Step& step) { return fmt::format("{}{}", count, step.letter); });
}

std::string when(const std::optional<Instant>& instant, Instant now, std::string_view none) {
    if (!instant) return std::string(none);
    if (is_absolute) return to_calendar(*instant);
    return fmt::format("{} ({})", in_words(*instant, now), to_calendar(*instant));
}

}  // namespace marque::cli
