#include "cli/delivery.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

namespace marque::cli {
namespace {

constexpr std::size_t longest_input = 4096;

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

// A folder and the names of the files that are to appear in it, all or, at a failure, none.
class NewFiles {
 public:
    NewFiles(std::string folder, int fd) : folder_(std::move(folder)), fd_(fd) {}
    NewFiles(const NewFiles&) = delete;
    NewFiles& operator=(const NewFiles&) = delete;
    ~NewFiles() {
        for (const std::string& part : parts_) ::unlinkat(fd_.fd(), part.c_str(), 0);
    }

    static Result<std::unique_ptr<NewFiles>> in(const std::string& folder) {
        const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return failed("cannot open folder " + quote(folder, 200));
        return std::make_unique<NewFiles>(folder, fd);
    }

    // Under a temporary name.
    Result<void> write(const std::string& name, std::string_view text) {
        const std::string part = fmt::format(".{}.marque-{}", name, ::getpid());
        const File file(::openat(fd_.fd(), part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!file.is_open()) return failed("cannot create a file in " + quote(folder_, 200));
        parts_.push_back(part);
        names_.push_back(name);
        const std::string what = quote(folder_ + "/" + name, 200);
        TRY(write_all(file.fd(), text, what));
        TRY(write_all(file.fd(), "\n", what));
        // One file is synced by itself, many by one call for their file system.
        if (parts_.size() == 1 && ::fsync(file.fd()) != 0) return failed("cannot sync " + what);
        return {};
    }

    Result<void> publish() {
        if (parts_.size() > 1 && ::syncfs(fd_.fd()) != 0) return failed("cannot sync " + quote(folder_, 200));
        std::size_t renamed = 0;
        Result<void> result;
        for (; renamed < parts_.size() && result; ++renamed)
            if (::renameat2(fd_.fd(), parts_[renamed].c_str(), fd_.fd(), names_[renamed].c_str(), RENAME_NOREPLACE) !=
                0) {
                result = failed("cannot create " + quote(folder_ + "/" + names_[renamed], 200));
                break;
            }
        if (result && ::fsync(fd_.fd()) != 0) result = failed("cannot sync " + quote(folder_, 200));
        if (!result) {  // take back what was published: these tokens never come into force
            for (std::size_t i = 0; i < renamed; ++i) ::unlinkat(fd_.fd(), names_[i].c_str(), 0);
            return result;
        }
        parts_.clear();
        return {};
    }

 private:
    std::string folder_;
    File fd_;
    std::vector<std::string> parts_, names_;
};

Result<void> require_absent(const std::filesystem::path& path) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0)
        return Error(Code::StateRefuses, quote(path.string(), 200) + " exists; a token file is never overwritten");
    return {};
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
    return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

Result<void> require_folder(const std::filesystem::path& folder) {
    std::error_code error;
    if (std::filesystem::is_directory(folder, error)) return {};
    return Error(Code::InvalidRequest, quote(folder.string(), 200) + " is not a folder");
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

Result<void> FileDelivery::prepare(std::span<const domain::IdentityName> names) {
    if (names.size() > 1) return Error(Code::InvalidRequest, "one file takes one token", "say where with --token-dir");
    TRY(require_folder(folder_of(path_)));
    return require_absent(path_);
}

Result<void> FileDelivery::deliver(std::span<const authority::IssuedToken> tokens) {
    const std::filesystem::path path = path_;
    const auto files = TRY(NewFiles::in(folder_of(path)));
    TRY(files->write(path.filename(), tokens.front().token.reveal_text()));
    return files->publish();
}

Result<void> FolderDelivery::prepare(std::span<const domain::IdentityName> names) {
    TRY(require_folder(folder_));
    for (const domain::IdentityName& name : names) TRY(require_absent(std::filesystem::path(folder_) / name.text()));
    return {};
}

Result<void> FolderDelivery::deliver(std::span<const authority::IssuedToken> tokens) {
    const auto files = TRY(NewFiles::in(folder_));
    for (const authority::IssuedToken& issued : tokens)
        TRY(files->write(issued.credential.identity.text(), issued.token.reveal_text()));
    return files->publish();
}

Result<Secret> read_token_from_stdin() {
    const bool is_terminal = ::isatty(STDIN_FILENO) == 1;
    const QuietTerminal quiet(is_terminal);
    if (is_terminal) TRY(write_all(STDERR_FILENO, "Token (not shown): ", "the terminal"));
    Secret text(longest_input);
    std::size_t size = 0;
    while (size < longest_input) {
        const ssize_t got = ::read(STDIN_FILENO, text.writable().data() + size, longest_input - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed("cannot read standard input");
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
        if (is_terminal && text.reveal()[size - 1] == '\n') break;
    }
    if (is_terminal) TRY(write_all(STDERR_FILENO, "\n", "the terminal"));
    if (size > 0 && text.reveal()[size - 1] == '\n') --size;
    if (size > 0 && text.reveal()[size - 1] == '\r') --size;
    text.truncate(size);
    if (size == 0) return Error(Code::InvalidRequest, "there is no token on standard input");
    return text;
}

}  // namespace marque::cli
