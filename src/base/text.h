// base/text.h: free text from outside: what may be stored, and how it is shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace marque {

// For a terminal: letters of the common scripts and printable ASCII as they are; controls,
// invisible and direction-changing characters and broken UTF-8 as \n, \u{202e} or \x80. So no
// stored text can move a cursor, hide a word or fake a line.
std::string escaped(std::string_view text);

enum class Colors { Kept, Escaped };

// Escapes in `text` whatever a terminal would obey. Unlike escaped(), it keeps line ends, tabs, backslashes and arrows,
// so text that is already escaped does not change; colour codes stay if they are Kept.
std::string for_terminal(std::string_view text, Colors colors);

// Whether every line of `text` shows as it is: what `escaped` would leave alone but for ends of lines and backslashes.
bool is_plain_text(std::string_view text);

// `escaped`, cut to `limit` characters with an ellipsis: for echoing bad input back.
std::string quote(std::string_view text, std::size_t limit = 40);

// A reason, contact or label value: valid UTF-8, no NUL, at most `limit_bytes`.
// Errors: InvalidRequest, naming `what`.
Result<std::string> parse_free_text(std::string_view what, std::string_view text, std::size_t limit_bytes);

// The closest of `candidates` within two edits of `word`, or empty: for "did you mean".
std::string closest(std::string_view word, const std::vector<std::string>& candidates);

std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace marque
