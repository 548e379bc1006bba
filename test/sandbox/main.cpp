// sandbox: that the filter of main/sandbox.h is in force. Each call is made in a process of its own, which has confined
// itself first: a forbidden one has to end it, a needless one to fail, a needed one to go on working.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <asm/termbits.h>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <netdb.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "main/sandbox.h"

namespace {

constexpr int killed = -1;
constexpr int works = 0;

struct Row {
    std::string name;
    int outcome;                 // killed, works, or the errno with which it fails
    std::function<long()> call;  // negative: failed, by errno
    bool confines_itself = false;
};

template <class... Arguments>
std::function<long()> call(long number, Arguments... arguments) {
    return [=] { return ::syscall(number, arguments...); };
}

long execute() {
    char name[] = "/bin/true";
    char* const arguments[] = {name, nullptr};
    return ::execve(name, arguments, nullptr);
}

std::atomic<bool> is_confined{false};

// A thread that was there before the filter is under it too.
long execute_in_an_older_thread() {
    std::thread thread([] {
        is_confined.wait(false);
        (void)execute();
    });
    is_confined = false;
    if (!marque::confine_process()) return 0;
    is_confined = true;
    is_confined.notify_all();
    thread.join();
    return 0;
}

long map(int protection) {
    void* const pages = ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? -1 : 0;
}

long make_executable() {
    alignas(4096) static std::array<char, 4096> page;
    return ::mprotect(page.data(), page.size(), PROT_READ | PROT_EXEC);
}

long use_files() {
    char name[] = "/tmp/sandbox-XXXXXX";
    const int fd = ::mkstemp(name);
    const bool is_used = fd >= 0 && ::write(fd, "a", 1) == 1 && ::fsync(fd) == 0 && ::ftruncate(fd, 0) == 0 &&
                         ::unlink(name) == 0 && ::close(fd) == 0;
    return is_used ? 0 : -1;
}

long lock_folder() {
    const int fd = ::open("/tmp", O_RDONLY | O_DIRECTORY);
    return fd >= 0 && ::flock(fd, LOCK_SH | LOCK_NB) == 0 && ::close(fd) == 0 ? 0 : -1;
}

// Succeeds or not, as the host is; but whoever asks lives.
long resolve() {
    addrinfo* found = nullptr;
    const int failure = ::getaddrinfo("localhost", "5432", nullptr, &found);
    if (failure == 0) ::freeaddrinfo(found);
    return 0;
}

long make_thread() {
    pthread_t thread;
    const auto nothing = [](void*) -> void* { return nullptr; };
    errno = ::pthread_create(&thread, nullptr, nothing, nullptr);
    return errno == 0 ? 0 : -1;
}

#ifdef __x86_64__
// getpid, by the door of 32-bit programs.
long call_as_32_bit() {
    long result = 20;
    asm volatile("int $0x80" : "+a"(result) : : "memory");
    return result;
}
#endif

std::vector<Row> rows() {
    const rlimit limit{64, 64};
    std::vector<Row> all = {
        {"execve", killed, execute},
        {"execve in an older thread", killed, execute_in_an_older_thread, true},
        {"execveat", killed, call(SYS_execveat, -1, "", nullptr, nullptr, 0)},
        {"a process, as fork makes it", killed, [] { return long{::fork()}; }},
        {"a process, as posix_spawn makes it", killed, call(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0)},
        {"a process, by clone3", ENOSYS, call(SYS_clone3, nullptr, 0)},
        {"a thread", ENOSYS, make_thread},
        {"ptrace", killed, call(SYS_ptrace, 0, 0, 0, 0)},
        {"process_vm_readv", killed, call(SYS_process_vm_readv, ::getpid(), nullptr, 0, nullptr, 0, 0)},
        {"process_vm_writev", killed, call(SYS_process_vm_writev, ::getpid(), nullptr, 0, nullptr, 0, 0)},
        {"pidfd_getfd", killed, call(SYS_pidfd_getfd, -1, 0, 0)},
        {"setuid", killed, call(SYS_setuid, ::getuid())},
        {"setgid", killed, call(SYS_setgid, ::getgid())},
        {"setresuid", killed, call(SYS_setresuid, -1, -1, -1)},
        {"setresgid", killed, call(SYS_setresgid, -1, -1, -1)},
        {"setgroups", killed, call(SYS_setgroups, 0, nullptr)},
        {"capset", killed, call(SYS_capset, nullptr, nullptr)},
        {"unshare", killed, call(SYS_unshare, 0)},
        {"setns", killed, call(SYS_setns, -1, 0)},
        {"chroot", killed, call(SYS_chroot, "/")},
        {"mount", killed, call(SYS_mount, nullptr, nullptr, nullptr, 0, nullptr)},
        {"umount2", killed, call(SYS_umount2, nullptr, 0)},
        {"pivot_root", killed, call(SYS_pivot_root, nullptr, nullptr)},
        {"open_by_handle_at", killed, call(SYS_open_by_handle_at, -1, nullptr, 0)},
        {"bpf", killed, call(SYS_bpf, -1, nullptr, 0)},
        {"userfaultfd", killed, call(SYS_userfaultfd, -1)},
        {"perf_event_open", killed, call(SYS_perf_event_open, nullptr, 0, 0, -1, 0)},
        {"init_module", killed, call(SYS_init_module, nullptr, 0, nullptr)},
        {"finit_module", killed, call(SYS_finit_module, -1, nullptr, 0)},
        {"kexec_load", killed, call(SYS_kexec_load, 0, 0, nullptr, 0)},
        {"reboot", killed, call(SYS_reboot, 0, 0, 0, nullptr)},
        {"clock_settime", killed, call(SYS_clock_settime, 0, nullptr)},
        {"keyctl", ENOSYS, call(SYS_keyctl, 0, 0, 0, 0, 0)},
        {"io_uring_setup", ENOSYS, call(SYS_io_uring_setup, 1, nullptr)},
        {"memfd_create", ENOSYS, call(SYS_memfd_create, "a", 0)},
        {"seccomp", ENOSYS, call(SYS_seccomp, 0, 0, nullptr)},
        {"prctl", ENOSYS, [] { return long{::prctl(PR_SET_DUMPABLE, 1)}; }},
        {"kill of another", ENOSYS, [] { return long{::kill(::getppid(), 0)}; }},
        {"tgkill of another", ENOSYS, call(SYS_tgkill, ::getpid(), ::getpid(), 0)},  // the parent, as seen by the child
        {"a higher limit", ENOSYS, [=] { return long{::setrlimit(RLIMIT_NOFILE, &limit)}; }},
        {"a listener", ENOSYS, call(SYS_listen, 0, 1)},
        {"a raw packet socket", ENOSYS, [] { return long{::socket(AF_PACKET, SOCK_RAW, 0)}; }},
        {"a socket to virtual machines", ENOSYS, [] { return long{::socket(AF_VSOCK, SOCK_STREAM, 0)}; }},
        {"typing into the terminal", ENOSYS, [] { return long{::ioctl(0, TIOCSTI, "a")}; }},
        {"a link", ENOSYS, call(SYS_symlink, "a", "b")},
        {"memory to be executed", EACCES, [] { return map(PROT_READ | PROT_EXEC); }},
        {"memory made executable", EACCES, make_executable},
        {"memory", works, [] { return map(PROT_READ | PROT_WRITE); }},
        {"files", works, use_files},
        {"a folder's lock", works, lock_folder},
        {"sockets", works, [] { return long{::socket(AF_INET6, SOCK_STREAM, 0) | ::socket(AF_UNIX, SOCK_STREAM, 0)}; }},
        {"names", works, resolve},
        {"its limits", works,
         [] {
             rlimit own;
             return long{::getrlimit(RLIMIT_NOFILE, &own)};
         }},
    };
#ifdef __x86_64__
    all.push_back({"a call of 32 bits", killed, call_as_32_bit});
    all.push_back({"a call of x32", killed, call(0x40000000 | SYS_getpid)});
#endif
    return all;
}

// The errno it ended with; killed; or why neither.
std::string outcome_of(const Row& row) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (!row.confines_itself && !marque::confine_process()) ::_exit(255);
        errno = 0;
        const long result = row.call();
        ::_exit(result < 0 ? errno : 0);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) return "it could not be tried";
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGSYS ? "killed" : fmt::format("signal {}", WTERMSIG(status));
    if (WEXITSTATUS(status) == 255) return "the process could not be confined";
    return WEXITSTATUS(status) == 0 ? "works" : ::strerror(WEXITSTATUS(status));
}

std::string text_of(int outcome) {
    return outcome == killed ? "killed" : outcome == works ? "works" : ::strerror(outcome);
}

}  // namespace

int main() {
    int passed = 0, failed = 0;
    for (const Row& row : rows()) {
        const std::string wanted = text_of(row.outcome), got = outcome_of(row);
        ++(wanted == got ? passed : failed);
        fmt::print("{} {}: {}{}\n", wanted == got ? "ok" : "not ok", row.name, got,
                   wanted == got ? "" : ", not " + wanted);
    }
    fmt::print("{} passed, {} failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
