#include "server/listener.h"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/text.h"

namespace marque::server {
namespace {

constexpr int backlog = 1024;
constexpr int first_handed_over = 3;

Result<sockaddr_un> unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error(Code::InvalidRequest, quote(path, 200) + " is longer than a socket's path may be");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

std::unique_ptr<File> new_socket(int family) {
    return std::make_unique<File>(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// What a process that is gone has left may be taken away; what somebody listens on, or is no socket, may not.
Result<void> clear_path(const std::string& path, const sockaddr_un& address) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0) return {};
    if (!S_ISSOCK(info.st_mode))
        return Error(Code::StateRefuses, quote(path, 200) + " is there and is no socket",
                     "take it away, or set unix.path to another place");
    const auto probe = new_socket(AF_UNIX);
    if (::connect(probe->fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
        errno != ECONNREFUSED)
        return Error(Code::StateRefuses, "somebody listens on " + quote(path, 200) + " already");
    if (::unlink(path.c_str()) != 0) return system_error("cannot take away the old " + quote(path, 200));
    return {};
}

Error with_hint(Error error, std::string hint) {
    error.hint = std::move(hint);
    return error;
}

Result<Listener> listen_unix(const Settings& settings) {
    const std::string& path = settings.unix_path;
    const sockaddr_un address = TRY(unix_address(path));
    gid_t group = static_cast<gid_t>(-1);
    if (!settings.unix_group.empty()) {
        const struct group* entry = ::getgrnam(settings.unix_group.c_str());
        if (entry == nullptr)
            return Error(Code::InvalidRequest, "there is no group " + quote(settings.unix_group) + " (unix.group)");
        group = entry->gr_gid;
    }
    TRY(clear_path(path, address));
    auto socket = new_socket(AF_UNIX);
    // The process' umask leaves it to its owner alone until mode and group are set.
    if (!socket->is_open() || ::bind(socket->fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return with_hint(system_error("cannot listen on " + quote(path, 200)),
                         "choose another place: marque serve --unix PATH, or --tcp 127.0.0.1:8480");
    Listener listener(Transport::Unix, std::move(socket), path);
    const auto mode = static_cast<mode_t>(std::strtoul(settings.unix_mode.c_str(), nullptr, 8));
    if ((group != static_cast<gid_t>(-1) && ::chown(path.c_str(), static_cast<uid_t>(-1), group) != 0) ||
        ::chmod(path.c_str(), mode) != 0 || ::listen(listener.fd(), backlog) != 0)
        return system_error("cannot set up " + quote(path, 200));
    return listener;
}

Result<Listener> listen_ip(const std::string& text, Transport transport) {
    const Endpoint endpoint = TRY(parse_endpoint(text));
    sockaddr_storage storage{};
    socklen_t length = 0;
    if (endpoint.is_v6) {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(endpoint.port);
        ::inet_pton(AF_INET6, endpoint.host.c_str(), &v6->sin6_addr);
        length = sizeof *v6;
    } else {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
        v4->sin_family = AF_INET;
        v4->sin_port = htons(endpoint.port);
        ::inet_pton(AF_INET, endpoint.host.c_str(), &v4->sin_addr);
        length = sizeof *v4;
    }
    auto socket = new_socket(storage.ss_family);
    const int on = 1;
    if (!socket->is_open() || ::setsockopt(socket->fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (endpoint.is_v6 && ::setsockopt(socket->fd(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        ::bind(socket->fd(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 ||
        ::listen(socket->fd(), backlog) != 0)
        return with_hint(system_error("cannot listen on " + quote(text)),
                         "choose another address or port: marque serve --tcp 127.0.0.1:0 takes any that is free");
    return Listener(transport, std::move(socket), "");
}

std::vector<Listener> handed_over() {
    std::vector<Listener> listeners;
    const char* pid = std::getenv("LISTEN_PID");
    const char* fds = std::getenv("LISTEN_FDS");
    const auto count = fds == nullptr ? std::nullopt : parse_decimal(fds);
    if (pid == nullptr || parse_decimal(pid) != static_cast<std::uint64_t>(::getpid()) || !count || *count > 64)
        return listeners;
    for (int fd = first_handed_over; fd < first_handed_over + static_cast<int>(*count); ++fd) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        auto socket = std::make_unique<File>(fd);
        if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) continue;
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
        ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
        listeners.emplace_back(address.ss_family == AF_UNIX ? Transport::Unix : Transport::Tcp, std::move(socket), "");
    }
    return listeners;
}

bool is_loopback(const std::string& address) {
    const auto endpoint = parse_endpoint(address);
    return endpoint && endpoint->is_loopback;
}

}  // namespace

Listener::~Listener() {
    if (!unlink_path_.empty()) ::unlink(unlink_path_.c_str());
}

std::string Listener::address() const {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    ::getsockname(fd(), reinterpret_cast<sockaddr*>(&storage), &length);
    if (storage.ss_family == AF_UNIX) {
        const auto* local = reinterpret_cast<const sockaddr_un*>(&storage);
        return "unix:" + std::string(local->sun_path, ::strnlen(local->sun_path, sizeof local->sun_path));
    }
    char text[INET6_ADDRSTRLEN] = {};
    const char* const tls = transport_ == Transport::Tls ? "tls " : "";
    if (storage.ss_family == AF_INET6) {
        const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
        ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        return fmt::format("{}[{}]:{}", tls, text, ntohs(v6->sin6_port));
    }
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return fmt::format("{}{}:{}", tls, text, ntohs(v4->sin_port));
}

Result<std::vector<Listener>> open_listeners(const Settings& settings) {
    std::vector<Listener> listeners = handed_over();
    bool has_unix = false;
    for (const Listener& listener : listeners) {
        if (listener.transport() == Transport::Unix)
            has_unix = true;
        else if (settings.tcp_off_loopback == "refused" && !is_loopback(listener.address()))
            return Error(Code::InvalidRequest, "a socket was handed over that others can reach in the clear",
                         "say tcp.off_loopback = \"tokens-in-the-clear\" if that is meant");
    }
    if (!settings.unix_path.empty() && !has_unix) listeners.push_back(TRY(listen_unix(settings)));
    for (const std::string& text : settings.tcp_listen) listeners.push_back(TRY(listen_ip(text, Transport::Tcp)));
    for (const std::string& text : settings.tls_listen) listeners.push_back(TRY(listen_ip(text, Transport::Tls)));
    if (listeners.empty())
        return Error(Code::InvalidRequest, "there is nowhere to listen",
                     "choose a place: marque serve --unix PATH, or --tcp 127.0.0.1:8480");
    return listeners;
}

void notify_system(const std::string& state) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || (*path != '/' && *path != '@')) return;
    const auto address = unix_address(path);
    if (!address) return;
    sockaddr_un to = *address;
    if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
    const File socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (socket.is_open())
        (void)::sendto(socket.fd(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to),
                       length);
}

}  // namespace marque::server
