#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/utf8.h"

namespace marque {
namespace {

// An allow-list: what is not known to be a plain visible letter or sign is escaped.
bool is_plain(char32_t point) {
    struct Range {
        char32_t first, last;
    };
    static constexpr Range plain[] = {
        {0x20, 0x7E},     {0xA1, 0xAC},     {0xAE, 0x24F},    {0x391, 0x3C9},   {0x400, 0x45F},   {0x2013, 0x2014},
        {0x2018, 0x201E}, {0x2026, 0x2026}, {0x20AC, 0x20AC}, {0x3041, 0x30FF}, {0x4E00, 0x9FFF}, {0xAC00, 0xD7A3},
    };
    return std::ranges::any_of(plain, [&](Range r) { return r.first <= point && point <= r.last; });
}

// Returns the length of a colour code, ESC [ DIGITS m, at the beginning of `text`; 0 if it does not begin with one.
std::size_t length_of_color(std::string_view text) {
    if (!text.starts_with("\x1b[")) return 0;
    const std::size_t end = text.find_first_not_of("0123456789", 2);
    return end != std::string_view::npos && end > 2 && text[end] == 'm' ? end + 1 : 0;
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto [point, length] = decode_utf8(text);
        if (length == 0) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
            text.remove_prefix(1);
            continue;
        }
        if (point == '\n')
            out += "\\n";
        else if (point == '\t')
            out += "\\t";
        else if (point == '\\')
            out += "\\\\";
        else if (is_plain(point))
            out += text.substr(0, length);
        else
            out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(point));
        text.remove_prefix(length);
    }
    return out;
}

std::string for_terminal(std::string_view text, Colors colors) {
    const auto passes = [](char32_t point) {
        return point == '\n' || point == '\t' || point == 0x2192 || is_plain(point);
    };
    std::string out;
    while (!text.empty()) {
        const auto [point, length] = decode_utf8(text);
        if (length > 0 && passes(point)) {
            out += text.substr(0, length);
        } else if (const std::size_t color = colors == Colors::Kept ? length_of_color(text) : 0; color > 0) {
            out += text.substr(0, color);
            text.remove_prefix(color);
            continue;
        } else {
            out += escaped(text.substr(0, std::max<std::size_t>(length, 1)));
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

bool is_plain_text(std::string_view text) {
    while (!text.empty()) {
        const auto [point, length] = decode_utf8(text);
        if (length == 0 || (point != '\n' && !is_plain(point))) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string quote(std::string_view text, std::size_t limit) {
    std::string shown = escaped(text.substr(0, limit));
    return fmt::format("'{}{}'", shown, text.size() > limit ? "…" : "");
}

Result<std::string> parse_free_text(std::string_view what, std::string_view text, std::size_t limit_bytes) {
    if (text.size() > limit_bytes)
        return Error(Code::InvalidRequest,
                     fmt::format("the {} has {} bytes; at most {} are kept", what, text.size(), limit_bytes));
    if (!is_utf8(text) || text.find('\0') != std::string_view::npos)
        return Error(Code::InvalidRequest, fmt::format("the {} is not valid UTF-8 text", what));
    return std::string(text);
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
    const auto distance = [&](std::string_view other) {
        std::vector<std::size_t> row(other.size() + 1);
        std::iota(row.begin(), row.end(), std::size_t{0});
        for (std::size_t i = 1; i <= word.size(); ++i) {
            std::size_t diagonal = row[0];
            row[0] = i;
            for (std::size_t j = 1; j <= other.size(); ++j) {
                const std::size_t substituted = diagonal + (word[i - 1] != other[j - 1]);
                diagonal = row[j];
                row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
            }
        }
        return row.back();
    };
    if (word.size() > 64) return {};
    std::string best;
    std::size_t best_distance = 3;
    for (const std::string& candidate : candidates)
        if (const std::size_t d = distance(candidate); d < best_distance && d < candidate.size()) {
            best = candidate;
            best_distance = d;
        }
    return best;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (std::size_t start = 0;;) {
        const std::size_t end = text.find(separator, start);
        parts.push_back(text.substr(start, end - start));
        if (end == std::string_view::npos) return parts;
        start = end + 1;
    }
}

}  // namespace marque
