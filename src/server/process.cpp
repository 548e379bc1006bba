#include "server/process.h"

#include <csignal>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "base/check.h"

namespace marque::server {
namespace {

// Of descriptors, kept from connections: for a store that has to be opened again, here and by the recorder, for keys,
// certificates and names. Without them nothing could be judged.
constexpr std::uint64_t spare_descriptors = 16;

}  // namespace

Result<std::unique_ptr<File>> take_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    CHECK(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
    auto file = std::make_unique<File>(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!file->is_open()) return system_error("cannot take signals");
    return file;
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The kernel gives the lowest descriptor that is free.
std::uint64_t descriptors_for_connections() {
    rlimit limit{};
    const File next(::epoll_create1(EPOLL_CLOEXEC));
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || !next.is_open()) return 1;
    const std::uint64_t taken = static_cast<std::uint64_t>(next.fd()) + spare_descriptors;
    return limit.rlim_cur > taken ? limit.rlim_cur - taken : 1;
}

}  // namespace marque::server
