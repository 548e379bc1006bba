#include "base/utf8.h"

namespace marque {

Utf8Decoded decode_utf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (length == 0 || lead > 0xF4 || text.size() < length) return {0, 0};
    char32_t point = lead & (0xFFu >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return {0, 0};
        point = point << 6 | (byte(i) & 0x3F);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    if (overlong || (point >= 0xD800 && point <= 0xDFFF) || point > 0x10FFFF) return {0, 0};
    return {point, length};
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = decode_utf8(text).length;
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string valid_text(std::string_view text, std::size_t limit_bytes) {
    constexpr std::string_view replacement = "\uFFFD", ellipsis = "…";
    std::string out;
    while (!text.empty()) {
        const auto [point, length] = decode_utf8(text);
        const bool is_valid = length > 0 && point != 0;
        const std::string_view next = is_valid ? text.substr(0, length) : replacement;
        if (out.size() + next.size() > limit_bytes) return out += ellipsis;
        out += next;
        text.remove_prefix(is_valid ? length : 1);
    }
    return out;
}

}  // namespace marque
