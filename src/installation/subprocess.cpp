#include "installation/subprocess.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

namespace marque {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::size_t most_output = 64 * 1024, buffer_size = 4096;

class Pipe {
 public:
    static Result<Pipe> make() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("cannot make a pipe");
        return Pipe(ends[0], ends[1]);
    }
    Pipe(Pipe&& other) noexcept : ends_{std::exchange(other.ends_[0], -1), std::exchange(other.ends_[1], -1)} {}
    Pipe(const Pipe&) = delete;
    ~Pipe() { close(0), close(1); }
    int reader() const { return ends_[0]; }
    int writer() const { return ends_[1]; }
    void close(int end) {
        if (ends_[end] >= 0) ::close(std::exchange(ends_[end], -1));
    }

 private:
    Pipe(int reader, int writer) : ends_{reader, writer} {}
    int ends_[2];
};

// Makes a file without a name, for kernels and sandboxes that have no files in memory. A child inherits it.
int nameless_file() {
    char path[] = "/tmp/marque-XXXXXX";
    const int fd = ::mkostemp(path, 0);
    if (fd >= 0) ::unlink(path);
    return fd;
}

// Its content under a path that only a process with the descriptor has.
Result<int> memory_file(const std::string& content) {
    constexpr unsigned no_exec = 0x0008;  // MFD_NOEXEC_SEAL, which vm.memfd_noexec may demand and Linux 6.2 refuses
    int fd = ::memfd_create("marque", no_exec);  // inherited: the child opens it by its number
    if (fd < 0) fd = ::memfd_create("marque", 0);
    if (fd < 0) fd = nameless_file();
    if (fd < 0) return system_error("cannot make a file in memory");
    for (std::string_view rest = content; !rest.empty();) {
        const ssize_t written = ::write(fd, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            ::close(fd);
            return system_error("cannot write a file in memory");
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    return fd;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

// The child's conversation: its input goes in, its output comes out, until it ends, closes both or the time is up. A
// child of its own that it leaves behind may hold the pipes open, and is not waited for.
class Talk {
 public:
    Talk(const Subprocess& what, pid_t child, Pipe& input, Pipe& output, Pipe& errors)
        : ended_(static_cast<int>(::syscall(SYS_pidfd_open, child, 0))),
          rest_(what.input),
          input_(input),
          output_(output),
          errors_(errors) {
        ::fcntl(input_.writer(), F_SETFL, O_NONBLOCK);
    }

    // False: out of time.
    bool run(Ended& ended, steady::time_point end) {
        while (output_.reader() >= 0 || errors_.reader() >= 0) {
            if (rest_.empty()) input_.close(1);
            pollfd waiting[] = {{output_.reader(), POLLIN, 0},
                                {errors_.reader(), POLLIN, 0},
                                {input_.writer(), POLLOUT, 0},
                                {ended_.fd(), POLLIN, 0}};
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - steady::now()).count();
            if (left <= 0) return false;
            if (::poll(waiting, 4, static_cast<int>(std::min<long>(left, 1000))) < 0) continue;
            if (waiting[0].revents != 0) take(output_, ended.output);
            if (waiting[1].revents != 0) take(errors_, ended.errors);
            if (waiting[2].revents != 0) give();
            // The child has ended. Its output is read, but not that of processes it left running: they may never end.
            const bool is_read = waiting[0].revents == 0 && waiting[1].revents == 0;
            if (waiting[3].revents != 0 && (is_read || ++looks_at_the_rest_ > 2 * most_output / buffer_size))
                return true;
        }
        return true;
    }

 private:
    void take(Pipe& from, std::string& into) {
        char buffer[buffer_size];
        const ssize_t got = ::read(from.reader(), buffer, sizeof buffer);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
        if (got <= 0) return from.close(0);
        into.append(buffer, std::min(static_cast<std::size_t>(got), most_output - into.size()));
    }
    void give() {
        const ssize_t written = ::write(input_.writer(), rest_.data(), rest_.size());
        if (written < 0 && (errno == EINTR || errno == EAGAIN)) return;
        if (written <= 0)
            rest_ = {};  // it does not want it
        else
            rest_.remove_prefix(static_cast<std::size_t>(written));
    }

    std::size_t looks_at_the_rest_ = 0;
    const File ended_;  // readable when the child has ended
    std::string_view rest_;
    Pipe &input_, &output_, &errors_;
};

// Whether it ended in time.
bool wait_for(pid_t child, int& status, steady::time_point end) {
    for (;;) {
        const pid_t ended = ::waitpid(child, &status, WNOHANG);
        if (ended == child) return true;
        if (ended < 0 && errno != EINTR) return true;
        if (steady::now() >= end) return false;
        ::poll(nullptr, 0, 5);
    }
}

}  // namespace

Result<Ended> run(const Subprocess& what) {
    Pipe input = TRY(Pipe::make()), output = TRY(Pipe::make()), errors = TRY(Pipe::make());
    std::vector<std::unique_ptr<File>> files;
    std::vector<std::string> words{what.program.substr(what.program.rfind('/') + 1)};
    words.insert(words.end(), what.arguments.begin(), what.arguments.end());
    for (const std::string& content : what.files) {
        files.push_back(std::make_unique<File>(TRY(memory_file(content))));
        std::ranges::replace(words, fmt::format("%{}", files.size() - 1),
                             fmt::format("/proc/self/fd/{}", files.back()->fd()));
    }
    std::vector<std::string> environment = what.environment;

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input.reader(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output.writer(), STDOUT_FILENO);
    // A person who is asked for something has to see the question.
    if (!what.is_interactive) ::posix_spawn_file_actions_adddup2(&actions, errors.writer(), STDERR_FILENO);
    if (!what.folder.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, what.folder.c_str());
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    for (const int ignored : {SIGPIPE, SIGXFSZ}) sigaddset(&defaults, ignored);
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(
        &attributes, static_cast<short>(POSIX_SPAWN_SETSIGDEF | (what.is_interactive ? 0 : POSIX_SPAWN_SETPGROUP)));
    pid_t child = 0;
    const int failure = ::posix_spawn(&child, what.program.c_str(), &actions, &attributes, pointers(words).data(),
                                      pointers(environment).data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (failure != 0)
        return Error(Code::Unavailable, fmt::format("cannot run {}: {}", what.program, std::strerror(failure)));

    input.close(0), output.close(1), errors.close(1);
    Ended ended;
    const auto end = steady::now() + what.longest;
    int status = 0;
    if (!Talk(what, child, input, output, errors).run(ended, end) || !wait_for(child, status, end)) {
        ended.is_out_of_time = true;
        ::kill(what.is_interactive ? child : -child, SIGKILL);
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    }
    ended.status = !ended.is_out_of_time && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ended;
}

}  // namespace marque
