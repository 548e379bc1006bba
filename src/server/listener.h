// server/listener.h: sockets that are listened on, made here or handed over by systemd, and its notices.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "server/settings.h"

namespace marque::server {

enum class Transport { Unix, Tcp, Tls };

class Listener {
 public:
    Listener(Transport transport, std::unique_ptr<File> socket, std::string unlink_path)
        : transport_(transport), socket_(std::move(socket)), unlink_path_(std::move(unlink_path)) {}
    Listener(Listener&&) = default;
    Listener& operator=(Listener&&) = delete;
    ~Listener();

    int fd() const { return socket_->fd(); }
    Transport transport() const { return transport_; }
    // unix:/path, 127.0.0.1:8480, tls 127.0.0.1:8443: the port as it is, not as it was asked for.
    std::string address() const;

 private:
    Transport transport_;
    std::unique_ptr<File> socket_;
    std::string unlink_path_;  // of a unix socket that was made here
};

// Those handed over (LISTEN_FDS, sd_listen_fds(3)), then those of the settings; a unix socket that was handed over
// takes the place of unix.path. Errors: Unavailable, PermissionDenied, StateRefuses (in use, or not a socket),
// InvalidRequest (no such group, or nowhere to listen).
Result<std::vector<Listener>> open_listeners(const Settings& settings);

// sd_notify(3): a datagram to $NOTIFY_SOCKET, when there is one. Failures do not matter.
void notify_system(const std::string& state);

}  // namespace marque::server
