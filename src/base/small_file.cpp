#include "base/small_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"

namespace marque {
namespace {

using Origin = ReadRules::Origin;

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::string_view blanks = " \t\r\n";

Code code_for(Origin origin) {
    return origin == Origin::Named ? Code::InvalidRequest : Code::Corrupt;
}

// Why `name` can't be read, from errno. A name that leads to no file gets `code`; a disk that fails does not.
Error cannot_read(const std::string& name, Code code) {
    const int cause = errno;
    Error error = system_error("cannot read " + name);
    for (const int of_the_name : {ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, ENXIO})
        if (cause == of_the_name) error.code = code;
    return error;
}

// A file that is open, or standard input, which is not closed.
class Input {
 public:
    Input(std::string name, const ReadRules& rules) : Input(std::move(name), rules, File(-1), 0) {}
    Input(std::string name, const ReadRules& rules, File file, std::size_t size_bytes)
        : name_(std::move(name)), rules_(rules), file_(std::move(file)), size_bytes_(size_bytes) {}

    const std::string& name() const { return name_; }
    Code code() const { return code_for(rules_.origin); }
    std::size_t limit_bytes() const { return rules_.limit_bytes; }
    // How long the file said it is; a pipe says 0.
    std::size_t size_bytes() const { return size_bytes_; }

    // Reads until `into` is full or the input ends; returns how many bytes were read.
    Result<std::size_t> fill(std::span<std::uint8_t> into) const {
        std::size_t size = 0;
        while (size < into.size()) {
            const ssize_t got = ::read(fd(), into.data() + size, into.size() - size);
            if (got == 0) break;
            if (got > 0) {
                size += static_cast<std::size_t>(got);
            } else if (errno == EAGAIN) {  // a pipe that another process made non-blocking
                pollfd waiting{fd(), POLLIN, 0};
                ::poll(&waiting, 1, -1);
            } else if (errno != EINTR) {
                return cannot_read(name_, code());
            }
        }
        return size;
    }

 private:
    int fd() const { return file_.is_open() ? file_.fd() : STDIN_FILENO; }

    std::string name_;
    ReadRules rules_;
    File file_;
    std::size_t size_bytes_;
};

Result<void> check_trust(const std::string& name, const struct stat& info, const ReadRules& rules) {
    const mode_t mode = info.st_mode & 07777;
    if ((mode & rules.forbidden & 055) != 0)
        return Error(Code::StateRefuses, fmt::format("{} can be used by others (mode {:04o})", name, mode),
                     "chmod 600 it, and think about who may have read it");
    if ((mode & rules.forbidden) != 0)
        return Error(Code::StateRefuses,
                     fmt::format("{} could be written by others (mode {:04o}), so it is not used", name, mode),
                     "chmod 600 it, and look at what is in it");
    if (rules.writer == ReadRules::Writer::UsOrRoot && info.st_uid != ::geteuid() && info.st_uid != 0)
        return Error(
            Code::StateRefuses,
            fmt::format("{} could be written by others, so it is not used: it belongs to uid {}", name, info.st_uid),
            fmt::format("run marque as that account: sudo -u '#{}' marque …", info.st_uid));
    return {};
}

// Opens the file. Returns nothing if it does not exist.
Result<std::optional<Input>> open_input(const std::string& path, const ReadRules& rules) {
    const bool is_named = rules.origin == Origin::Named, is_own = rules.origin == Origin::Own;
    if (path == "-" && is_named) return std::optional<Input>(std::in_place, "standard input", rules);
    const std::string name = quote(path, 200);
    // Opening a pipe waits for its writer, which only a person can want.
    const int flags = (is_named ? 0 : O_NONBLOCK) | (is_own ? O_NOFOLLOW : 0);
    File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | flags));
    struct stat info{};
    if (!file.is_open() && (errno == ENOENT || (errno == ENOTDIR && is_own))) return std::nullopt;
    if (!file.is_open() && errno == ELOOP && is_own)
        return Error(Code::Corrupt, name + " is a symbolic link, which is not followed", "put the file itself there");
    if (!file.is_open() || ::fstat(file.fd(), &info) != 0) return cannot_read(name, code_for(rules.origin));
    if (!is_named && !S_ISREG(info.st_mode)) return Error(Code::Corrupt, name + " is not a regular file");
    TRY(check_trust(name, info, rules));
    const auto size_bytes = S_ISREG(info.st_mode) ? static_cast<std::size_t>(info.st_size) : 0;
    return std::optional<Input>(std::in_place, name, rules, std::move(file), size_bytes);
}

Error too_long(const Input& input) {
    return Error(input.code(),
                 fmt::format("{} is too large: at most {} bytes are read", input.name(), input.limit_bytes()));
}

Result<std::string> read_all(const Input& input) {
    // In pieces that grow, so that a device without end costs no more than the limit.
    constexpr std::size_t first_bytes = 16 * 1024;
    std::string text;
    for (std::size_t size = 0;;) {
        const std::size_t next = std::max({first_bytes, 2 * size, input.size_bytes() + 1});
        text.resize(std::min(next, input.limit_bytes() + 1));
        size += TRY(input.fill({reinterpret_cast<std::uint8_t*>(text.data()) + size, text.size() - size}));
        if (size > input.limit_bytes()) return too_long(input);
        if (size < text.size()) {
            text.resize(size);
            return text;
        }
    }
}

Result<Secret> read_all_secret(const Input& input) {
    // As long as the file says it is, because memory that can be locked is scarce.
    const std::size_t most = input.limit_bytes() + 1;
    Secret bytes(input.size_bytes() == 0 ? most : std::min(input.size_bytes() + 1, most));
    std::size_t size = TRY(input.fill(bytes.writable()));
    if (size == bytes.size() && size < most) {  // it has grown since
        Secret longer(most);
        std::ranges::copy(bytes.reveal(), longer.writable().begin());
        size += TRY(input.fill(longer.writable().subspan(size)));
        bytes = std::move(longer);
    }
    if (size == most) return too_long(input);
    bytes.truncate(size);
    return bytes;
}

Error wrong_at(const std::string& name, std::size_t line, const char* what, Code code) {
    return Error(code, fmt::format("{}, line {}: {}", name, line, what));
}

// The text behind a byte order mark, if it is UTF-8 without a NUL.
Result<std::string_view> checked_text(std::string_view text, const std::string& name, Code code) {
    if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
        return Error(code, name + " is UTF-16, as some editors and shells write it", "save it as UTF-8");
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    std::size_t line = 1;
    for (std::string_view rest = text; !rest.empty(); ++line) {
        const std::string_view one = rest.substr(0, rest.find('\n'));
        if (one.find('\0') != std::string_view::npos) return wrong_at(name, line, "there is a NUL byte in it", code);
        if (!is_utf8(one)) return wrong_at(name, line, "it is not valid UTF-8", code);
        rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    }
    return text;
}

std::string_view without_blanks_at_end(std::string_view text) {
    return text.substr(0, text.find_last_not_of(blanks) + 1);
}

Result<std::string> lines_of(std::string_view raw, const std::string& name, Code code) {
    const std::string_view text = without_blanks_at_end(TRY(checked_text(raw, name, code)));
    std::string lines;
    if (text.empty()) return lines;
    for (const std::string_view line : split(text, '\n')) {
        lines += without_blanks_at_end(line);
        lines += '\n';
    }
    return lines;
}

Result<std::string> line_of(std::string_view raw, const std::string& name, Code code) {
    return std::string(TRY(only_line(raw, name, code)));
}

using Form = Result<std::string> (*)(std::string_view, const std::string&, Code);

Result<std::optional<std::string>> read_as(Form form, const std::string& path, const ReadRules& rules) {
    const auto input = TRY(open_input(path, rules));
    if (!input) return std::nullopt;
    return TRY(form(TRY(read_all(*input)), input->name(), input->code()));
}

Error not_there(const std::string& path) {
    errno = ENOENT;
    return cannot_read(quote(path, 200), Code::InvalidRequest);
}

}  // namespace

Result<std::string_view> only_line(std::string_view text, const std::string& name, Code code) {
    text = without_blanks_at_end(TRY(checked_text(text, name, code)));
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return Error(code, name + " is empty");
    const std::string_view rest = text.substr(begin);
    const std::string_view line = without_blanks_at_end(rest.substr(0, rest.find_first_of("\r\n")));
    if (line.size() == rest.size()) return line;
    const std::size_t next = begin + rest.find_first_not_of(blanks, line.size());
    const auto number = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(next), '\n');
    return Error(code, fmt::format("{}, line {}: more follows, and one line is expected", name, number));
}

Result<std::optional<std::string>> read_text_if_there(const std::string& path, const ReadRules& rules) {
    return read_as(lines_of, path, rules);
}

Result<std::optional<std::string>> read_line_if_there(const std::string& path, const ReadRules& rules) {
    return read_as(line_of, path, rules);
}

Result<std::string> read_text(const std::string& path, const ReadRules& rules) {
    auto text = TRY(read_text_if_there(path, rules));
    if (!text) return not_there(path);
    return *std::move(text);
}

Result<std::string> read_line(const std::string& path, const ReadRules& rules) {
    auto line = TRY(read_line_if_there(path, rules));
    if (!line) return not_there(path);
    return *std::move(line);
}

Result<Secret> read_secret(const std::string& path, const ReadRules& rules) {
    const auto input = TRY(open_input(path, rules));
    if (!input) return not_there(path);
    return read_all_secret(*input);
}

Result<Secret> read_secret_line(const std::string& path, const ReadRules& rules) {
    const Secret text = TRY(read_secret(path, rules));
    const std::string name = path == "-" ? "standard input" : quote(path, 200);
    return Secret::copy_of(bytes_of(TRY(only_line(text.reveal_text(), name, code_for(rules.origin)))));
}

Result<Secret> read_secret_from_terminal(std::size_t limit_bytes) {
    const Input input("standard input", {});
    Secret text(limit_bytes);
    for (std::size_t size = 0; size < limit_bytes; ++size) {
        if (TRY(input.fill(text.writable().subspan(size, 1))) == 1 && text.reveal()[size] != '\n') continue;
        text.truncate(size);
        break;
    }
    return text;
}

}  // namespace marque
