// Free text from outside: what is kept is UTF-8 without NUL; what is shown moves no cursor, hides nothing, fakes no
// line and is shown the same the second time; two texts that differ are shown differently.
//
// Input: a text, and behind a byte 0xFF another.
#include <string>

#include "base/text.h"
#include "fuzz.h"

using namespace marque;

namespace {

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
        const unsigned first = byte(i);
        const std::size_t length = first < 0x80   ? 1
                                   : first < 0xC0 ? 0
                                   : first < 0xE0 ? 2
                                   : first < 0xF0 ? 3
                                   : first < 0xF8 ? 4
                                                  : 0;
        if (length == 0) return false;
        unsigned code = length == 1 ? first : first & (0x7FU >> length);
        for (std::size_t j = 1; j < length; ++j) {
            if ((byte(i + j) & 0xC0) != 0x80) return false;
            code = code << 6 | (byte(i + j) & 0x3F);
        }
        constexpr unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
        i += length;
    }
    return true;
}

bool holds(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// What a terminal or a reader must never be given: C0, DEL, C1, and what turns the direction or can't be seen.
void check_harmless(std::string_view shown) {
    CHECK(is_utf8(shown));
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const auto c = static_cast<unsigned char>(shown[i]);
        CHECK(c >= 0x20 && c != 0x7F);
        CHECK(c != 0xC2 || static_cast<unsigned char>(shown[i + 1]) >= 0xA0);
    }
    for (const char* hidden : {"\u00AD", "\u061C", "\u180E", "\u200B", "\u200D", "\u200E", "\u200F", "\u2028", "\u2029",
                               "\u202A", "\u202E", "\u2060", "\u2066", "\u2069", "\uFEFF", "\uFFF9", "\U000E0041"})
        CHECK(!holds(shown, hidden));
}

void append_utf8(std::string& out, unsigned long code) {
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    constexpr unsigned first[] = {0, 0xC0, 0xE0, 0xF0};
    out += static_cast<char>(first[more] | code >> 6 * more);
    for (int i = more; i-- > 0;) out += static_cast<char>(0x80 | (code >> 6 * i & 0x3F));
}

std::string read_back(const std::string& shown) {
    std::string text;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        if (shown[i] != '\\') {
            text += shown[i];
            continue;
        }
        const char kind = shown.at(++i);
        if (kind == 'x') {
            text += static_cast<char>(std::stoul(shown.substr(i + 1, 2), nullptr, 16));
            i += 2;
        } else if (kind == 'u') {
            append_utf8(text, std::stoul(shown.substr(i + 2), nullptr, 16));
            i = shown.find('}', i);
        } else {
            CHECK(kind == 'n' || kind == 't' || kind == '\\');
            text += kind == 'n' ? '\n' : kind == 't' ? '\t' : '\\';
        }
    }
    return text;
}

}  // namespace

void fuzz(std::string_view text) {
    const std::string shown = escaped(text);
    check_harmless(shown);
    CHECK(is_plain_text(shown) && shown.size() >= text.size());
    CHECK(read_back(shown) == text);
    if (is_plain_text(text)) CHECK(is_utf8(text) && (holds(text, "\n") || holds(text, "\\") || shown == text));

    check_harmless(quote(text));
    CHECK(quote(text, 10).size() < 200);

    const auto kept = parse_free_text("reason", text, 100);
    CHECK(kept.has_value() == (text.size() <= 100 && is_utf8(text) && text.find('\0') == std::string_view::npos));
    if (kept)
        CHECK(*kept == text);
    else
        CHECK(kept.error().code == Code::InvalidRequest);

    std::string joined;
    for (const std::string_view part : split(text, ',')) {
        CHECK(!holds(part, ","));
        joined += std::string(part) + ",";
    }
    CHECK(joined == std::string(text) + ",");
}
