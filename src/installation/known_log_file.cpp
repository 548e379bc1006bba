#include "installation/known_log_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/new_file.h"
#include "base/small_file.h"
#include "base/text.h"

namespace marque::installation {

Result<std::optional<verify::KnownLog>> KnownLogFile::recall() {
    const Error malformed(Code::Corrupt, quote(path_, 200) + " does not say what was known of the log",
                          "it was written by somebody else; look at the log before you remove it");
    const auto line = read_line_if_there(path_, {512, ReadRules::Origin::Own, 022});
    if (!line) return line.error().code == Code::Corrupt ? malformed : line.error();
    if (!*line) return std::nullopt;
    const std::string& text = **line;
    const auto words = split(text, ' ');
    if (words.size() != 4) return malformed;
    const auto size = parse_decimal(words[1]);
    const auto leaf = from_hex(words[2]);
    const auto at = parse_rfc3339(words[3]);
    verify::KnownLog known{std::string(words[0]), 0, {}, {}};
    if (!size || !leaf || leaf->size() != known.leaf.size() || !at) return malformed;
    known.size = *size;
    std::ranges::copy(*leaf, known.leaf.begin());
    known.at = *at;
    return known;
}

Result<void> KnownLogFile::remember(const verify::KnownLog& known) {
    const std::string text =
        fmt::format("{} {} {} {}\n", known.installation, known.size, to_hex(known.leaf), to_rfc3339(known.at));
    return replace_file(path_, bytes_of(text), FileOwner::FolderOwner);
}

}  // namespace marque::installation
