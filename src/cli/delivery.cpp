#include "cli/delivery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/small_file.h"
#include "base/text.h"

namespace marque::cli {
namespace {

constexpr std::size_t longest_input = 4096;
constexpr std::string_view never_overwritten = "a token file is never overwritten";

Error failed(const std::string& what) {
    return Error(Code::Unavailable, fmt::format("{}: {}", what, std::strerror(errno)));
}

Result<void> write_all(int fd, std::string_view text, const std::string& what) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return failed("cannot write to " + what);
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

class QuietTerminal {
 public:
    explicit QuietTerminal(bool is_terminal) : is_on_(is_terminal && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
        if (!is_on_) return;
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    QuietTerminal(const QuietTerminal&) = delete;
    QuietTerminal& operator=(const QuietTerminal&) = delete;
    ~QuietTerminal() {
        if (is_on_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    }

 private:
    termios before_{};
    bool is_on_;
};

// Cuts `end` off both ends of `text`, as people quote a token in a shell, a file or a mail.
bool remove_around(std::string_view& text, std::string_view begin, std::string_view end) {
    if (text.size() < begin.size() + end.size() || !text.starts_with(begin) || !text.ends_with(end)) return false;
    text.remove_prefix(begin.size());
    text.remove_suffix(end.size());
    return true;
}

bool remove_bearer(std::string_view& text) {
    constexpr std::string_view word = "bearer ";
    if (text.size() < word.size()) return false;
    for (std::size_t i = 0; i < word.size(); ++i)
        if ((text[i] == '\t' ? ' ' : text[i] | 0x20) != word[i]) return false;
    text.remove_prefix(word.size());
    return true;
}

// The one token in what was typed, pasted or piped. Errors: InvalidRequest, without a part of the text.
Result<std::string_view> token_in(std::string_view text) {
    const std::string name = "standard input";
    const Error none(Code::InvalidRequest, "there is no token on standard input");
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return none;
    std::string_view token = TRY(only_line(text, name, Code::InvalidRequest));
    const auto trim = [&] {
        const std::size_t begin = std::min(token.find_first_not_of(" \t"), token.size());
        token.remove_prefix(begin);
        token = token.substr(0, token.find_last_not_of(" \t") + 1);
    };
    while (remove_around(token, "\"", "\"") || remove_around(token, "'", "'") || remove_around(token, "`", "`") ||
           remove_around(token, "“", "”") || remove_around(token, "‘", "’") || remove_bearer(token))
        trim();
    if (token.empty()) return none;
    if (token.find_first_of(" \t") != std::string_view::npos)
        return Error(Code::InvalidRequest, "there is more than one word on standard input, and one token is expected");
    return token;
}

}  // namespace

Result<void> StdoutDelivery::prepare(std::span<const domain::IdentityName> names) {
    if (names.size() > 1)
        return Error(Code::InvalidRequest, "many tokens don't go to standard output", "say where with --token-dir");
    // A closed one was replaced by something that can only be read (main/machine.h).
    const int flags = ::fcntl(STDOUT_FILENO, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
        return Error(Code::InvalidRequest, "standard output is closed, and the token would go there",
                     "or say where with --token-file");
    return {};
}

Result<void> StdoutDelivery::deliver(std::span<const authority::IssuedToken> tokens) {
    const authority::IssuedToken& issued = tokens.front();
    std::string before, after = "\n";
    if (is_json_) {
        const domain::CredentialRef& ref = issued.credential;
        before = fmt::format(R"({{"credential":"{}","identity":"{}","schema":"marque/1","token":")", ref.id.text(),
                             ref.identity.text());
        after = fmt::format("\",\"workspace\":\"{}\"}}\n", ref.workspace.text());
    }
    TRY(write_all(STDOUT_FILENO, before, "standard output"));
    TRY(write_all(STDOUT_FILENO, issued.token.reveal_text(), "standard output"));
    TRY(write_all(STDOUT_FILENO, after, "standard output"));
    struct stat info{};
    if (::fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode) && ::fsync(STDOUT_FILENO) != 0)
        return failed("cannot sync standard output");
    return {};
}

Result<void> NewFileDelivery::begin(const std::string& folder, std::size_t count) {
    auto files = NewFiles::in(folder, FileOwner::Caller);
    auto tried = files ? files->try_out(count) : Result<void>(files.error());
    if (!tried) {
        Error error = std::move(tried).error();
        if (error.code == Code::PermissionDenied)
            error.hint =
                "the account that runs marque writes it; without --token-file the token goes to standard output";
        return error;
    }
    files_.emplace(files.release());
    return {};
}

Result<void> NewFileDelivery::write(const std::string& name, const authority::IssuedToken& issued) {
    Secret line(issued.token.size() + 1);
    std::ranges::copy(issued.token.reveal(), line.writable().begin());
    line.writable()[issued.token.size()] = '\n';
    return files_->write(name, line.reveal());
}

Result<void> FileDelivery::prepare(std::span<const domain::IdentityName> names) {
    if (names.size() > 1) return Error(Code::InvalidRequest, "one file takes one token", "say where with --token-dir");
    TRY(begin(folder_of(path_), 1));
    return require_absent(path_, never_overwritten);
}

Result<void> FileDelivery::deliver(std::span<const authority::IssuedToken> tokens) {
    TRY(write(std::filesystem::path(path_).filename(), tokens.front()));
    return publish();
}

Result<void> FolderDelivery::prepare(std::span<const domain::IdentityName> names) {
    TRY(begin(folder_, names.size()));
    for (const domain::IdentityName& name : names)
        TRY(require_absent(std::filesystem::path(folder_) / name.text(), never_overwritten));
    return {};
}

Result<void> FolderDelivery::deliver(std::span<const authority::IssuedToken> tokens) {
    for (const authority::IssuedToken& issued : tokens) TRY(write(issued.credential.identity.text(), issued));
    return publish();
}

bool names_standard_output(const std::string& path) {
    return path == "-" || path == "/dev/stdout" || path == "/dev/fd/1" || path == "/proc/self/fd/1";
}

Result<Secret> read_token_from_stdin() {
    const bool is_terminal = ::isatty(STDIN_FILENO) == 1;
    Secret text;
    {
        const QuietTerminal quiet(is_terminal);
        if (is_terminal) TRY(write_all(STDERR_FILENO, "Token (not shown): ", "the terminal"));
        text = TRY(is_terminal ? read_secret_from_terminal(longest_input) : read_secret("-", {longest_input}));
        if (is_terminal) TRY(write_all(STDERR_FILENO, "\n", "the terminal"));
    }
    const std::string_view token = TRY(token_in(text.reveal_text()));
    return Secret::copy_of(bytes_of(token));
}

}  // namespace marque::cli
