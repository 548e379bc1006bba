#include "domain/name.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace marque::domain {

bool is_name(std::string_view text) {
    const auto is_alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    return !text.empty() && text.size() <= 63 && is_alphanumeric(text[0]) &&
           std::ranges::all_of(text, [&](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

Result<std::string> parse_name(std::string_view what, std::string_view text) {
    if (is_name(text)) return std::string(text);
    return Error(
        Code::InvalidRequest,
        fmt::format("{} is not a name for {} {}", quote(text), what.find_first_of("aeiou") == 0 ? "an" : "a", what),
        "names are 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit");
}

}  // namespace marque::domain
