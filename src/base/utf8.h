// base/utf8.h: UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF.
#pragma once

#include <string>
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

// Returns `text` as valid UTF-8 without NUL, cut to `limit_bytes` with an ellipsis: for text that was stored by others
// and can't be refused any more. Each byte that is no part of a character becomes U+FFFD.
std::string valid_text(std::string_view text, std::size_t limit_bytes);

}  // namespace marque
