#include "installation/known_log_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/file.h"
#include "base/text.h"

namespace marque::installation {

Result<std::optional<verify::KnownLog>> KnownLogFile::recall() {
    const File file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.is_open() && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
    if (!file.is_open()) return system_error("cannot read " + quote(path_, 200));
    std::string text(512, '\0');
    const ssize_t got = ::read(file.fd(), text.data(), text.size());
    if (got < 0) return system_error("cannot read " + quote(path_, 200));
    text.resize(static_cast<std::size_t>(got));
    const Error malformed(Code::Corrupt, quote(path_, 200) + " does not say what was known of the log",
                          "it was written by somebody else; look at the log before you remove it");
    if (!text.ends_with('\n')) return malformed;
    text.pop_back();
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
    const std::string fresh = fmt::format("{}.{}", path_, ::getpid());
    const std::string text =
        fmt::format("{} {} {} {}\n", known.installation, known.size, to_hex(known.leaf), to_rfc3339(known.at));
    {
        const File file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file.is_open() || ::write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
            auto error = system_error("cannot write " + quote(fresh, 200));
            ::unlink(fresh.c_str());
            return error;
        }
    }
    if (::rename(fresh.c_str(), path_.c_str()) != 0) return system_error("cannot create " + quote(path_, 200));
    return {};
}

}  // namespace marque::installation
