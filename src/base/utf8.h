// base/utf8.h: UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF.
#pragma once

#include <string_view>

namespace marque {

struct Utf8Decoded {
    char32_t point;      // meaningless when length is 0
    std::size_t length;  // 0: not valid UTF-8 here
};

// Decodes the first code point of `text`, which is not empty.
Utf8Decoded decode_utf8(std::string_view text);

// Returns true if `text` is valid UTF-8.
bool is_utf8(std::string_view text);

}  // namespace marque
