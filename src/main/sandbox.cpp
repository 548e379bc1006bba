#include "main/sandbox.h"

#include <fmt/format.h>

#include <array>
#include <asm/termbits.h>
#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

namespace marque {
namespace {

// By what they are for. A name that the processor's kernel hasn't is passed over by libseccomp.
constexpr int needed[] = {
    // Descriptors, whatever is behind them.
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(write), SCMP_SYS(writev),
    SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(lseek), SCMP_SYS(_llseek), SCMP_SYS(close), SCMP_SYS(fcntl),
    SCMP_SYS(fcntl64), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(_newselect), SCMP_SYS(pselect6),
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
    // Files: the store, opened again when it was replaced; root.key and certificates read again; known_log; what
    // resolves names and finds libpq's passwords.
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(stat),
    SCMP_SYS(stat64), SCMP_SYS(lstat), SCMP_SYS(lstat64), SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(newfstatat),
    SCMP_SYS(fstatat64), SCMP_SYS(statx), SCMP_SYS(fstatfs), SCMP_SYS(fstatfs64), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
    SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64),
    SCMP_SYS(fallocate), SCMP_SYS(flock), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(fchmod), SCMP_SYS(fchown),
    SCMP_SYS(fchown32),
    // Connections: accepted ones, and those to PostgreSQL, to name servers and to the service manager. Nothing new is
    // listened on.
    SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg),
    SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(shutdown),
    // Memory; mmap and mprotect are below.
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(munlock),
    SCMP_SYS(membarrier),
    // Threads, signals to itself, time, chance.
    SCMP_SYS(futex), SCMP_SYS(futex_time64), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigreturn),
    SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_gettime64), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_nanosleep_time64),
    SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
    // Who and where it is.
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(getuid32), SCMP_SYS(geteuid),
    SCMP_SYS(geteuid32), SCMP_SYS(getgid), SCMP_SYS(getgid32), SCMP_SYS(getegid), SCMP_SYS(getegid32),
    SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(uname)};

constexpr int deadly[] = {
    // A program, or a process.
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
    // Another process' memory, descriptors and life.
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp),
    // Another user, or another view of the system.
    SCMP_SYS(setuid), SCMP_SYS(setuid32), SCMP_SYS(setgid), SCMP_SYS(setgid32), SCMP_SYS(setreuid),
    SCMP_SYS(setreuid32), SCMP_SYS(setregid), SCMP_SYS(setregid32), SCMP_SYS(setresuid), SCMP_SYS(setresuid32),
    SCMP_SYS(setresgid), SCMP_SYS(setresgid32), SCMP_SYS(setfsuid), SCMP_SYS(setfsuid32), SCMP_SYS(setfsgid),
    SCMP_SYS(setfsgid32), SCMP_SYS(setgroups), SCMP_SYS(setgroups32), SCMP_SYS(capset), SCMP_SYS(unshare),
    SCMP_SYS(setns), SCMP_SYS(chroot), SCMP_SYS(pivot_root), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(move_mount),
    SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsmount), SCMP_SYS(open_by_handle_at),
    // The kernel.
    SCMP_SYS(bpf), SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon),
    SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(sethostname), SCMP_SYS(setdomainname)};

struct Release {
    void operator()(void* filter) const { seccomp_release(filter); }
};

// The first rule that could not be made is what counts; the rest is not tried.
class Filter {
 public:
    Filter() : filter_(seccomp_init(SCMP_ACT_ERRNO(ENOSYS))) {
        if (!filter_) failure_ = -ENOMEM;
        set(SCMP_FLTATR_CTL_TSYNC, 1);
        set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree, not a list
        // Calls of another processor's kind would go around the rules.
        set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    }

    void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> arguments = {}) {
        if (failure_ == 0)
            failure_ = seccomp_rule_add_array(filter_.get(), action, call, static_cast<unsigned>(arguments.size()),
                                              arguments.size() == 0 ? nullptr : arguments.begin());
    }
    // Zero, or an errno.
    int load() { return failure_ == 0 ? -seccomp_load(filter_.get()) : -failure_; }

 private:
    void set(scmp_filter_attr attribute, std::uint32_t value) {
        if (failure_ == 0) failure_ = seccomp_attr_set(filter_.get(), attribute, value);
    }

    std::unique_ptr<void, Release> filter_;
    int failure_ = 0;
};

scmp_arg_cmp is(unsigned argument, std::uint64_t value) {
    return {argument, SCMP_CMP_EQ, value, 0};
}
// None of `bits`.
scmp_arg_cmp lacks(unsigned argument, std::uint64_t bits) {
    return {argument, SCMP_CMP_MASKED_EQ, bits, 0};
}
scmp_arg_cmp has(unsigned argument, std::uint64_t bits) {
    return {argument, SCMP_CMP_MASKED_EQ, bits, bits};
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

void allow_some(Filter& filter) {
    for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)}) {
        filter.add(SCMP_ACT_ALLOW, call, {lacks(2, PROT_EXEC)});
        filter.add(SCMP_ACT_ERRNO(EACCES), call, {has(2, PROT_EXEC)});
    }
    // Netlink is how the C library asks which addresses this host has, to put a name's in order.
    for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK})
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(socket), {is(0, static_cast<std::uint64_t>(family))});
    for (const unsigned long request : {static_cast<unsigned long>(TCGETS), static_cast<unsigned long>(FIONREAD),
                                        static_cast<unsigned long>(SIOCGIFINDEX)})
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(ioctl), {is(1, request)});
    // To end by a CHECK, and so that no limit is raised again.
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(tgkill), {is(0, static_cast<std::uint64_t>(::getpid()))});
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), {is(0, 0), is(2, 0)});
    // A thread could be made only for others than the server; a process would be a way out.
    filter.add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), {lacks(0, CLONE_THREAD)});
}

}  // namespace

Result<void> give_up_privileges() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("cannot give up privileges");
    return {};
}

Result<void> confine_process() {
    if (is_sanitized)
        return Error(Code::Unavailable, "this build is watched by a sanitizer, which starts programs of its own");
    Filter filter;
    for (const int call : needed) filter.add(SCMP_ACT_ALLOW, call);
    for (const int call : deadly) filter.add(SCMP_ACT_KILL_PROCESS, call);
    allow_some(filter);
    errno = filter.load();
    if (errno != 0) return system_error("the kernel takes no filter of system calls");
    return {};
}

}  // namespace marque
