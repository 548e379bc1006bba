// server/connection.h: a worker's connection, and the request that is being answered on it. Included only by the
// worker's own files.
#pragma once

#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "server/worker.h"

namespace marque::server {

// When so many bytes of answers are unsent, no more requests of the connection are answered until the client takes
// them.
inline constexpr std::size_t most_unsent = 256 * 1024;

struct Worker::Connection {
    std::uint64_t id = 0;
    std::unique_ptr<File> socket;
    Slot slot;
    std::unique_ptr<crypto::TlsSession> tls;
    Peer peer;
    const ListenerTerms& terms;
    Parser parser;
    WipedString in;           // what arrived and was not answered yet
    std::size_t scanned = 0;  // of its head
    std::string out;
    std::size_t sent = 0;
    Time deadline;        // of the request under way, or of waiting for the next
    Time write_deadline;  // while something is unsent: from when a byte was last taken
    std::uint32_t interest = EPOLLIN;
    std::uint64_t answered = 0;  // in this round
    std::size_t lingered = 0;
    bool is_ready = false;
    bool has_more = false;    // whole requests, put off until what is unsent is taken
    bool is_waiting = false;  // for a revocation: no more requests meanwhile
    bool is_closing = false;  // after what is to be sent
    bool is_lingering = false;
    bool is_closed = false;
    bool has_ended = false;                                   // the client sends no more
    bool write_wants_read = false, read_wants_write = false;  // TLS, in a handshake

    Connection(Accepted accepted, const Settings& settings)
        : socket(std::make_unique<File>(std::move(accepted.socket))),
          slot(std::move(accepted.slot)),
          peer(accepted.peer),
          terms(*accepted.terms),
          parser({settings.header_bytes, settings.headers, body_limit}, terms.client_address) {
        if (accepted.tls) tls = std::make_unique<crypto::TlsSession>(std::move(accepted.tls), socket->fd());
    }

    crypto::Transfer receive(std::span<char> into) {
        if (tls) return tls->read(into);
        const ssize_t got = ::recv(socket->fd(), into.data(), into.size(), 0);
        if (got > 0) return {crypto::Transfer::Kind::Done, static_cast<std::size_t>(got)};
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {crypto::Transfer::Kind::WantsRead};
        return {crypto::Transfer::Kind::Closed};
    }
    crypto::Transfer send(std::string_view bytes) {
        if (tls) return tls->write(bytes);
        const ssize_t written = ::send(socket->fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (written >= 0) return {crypto::Transfer::Kind::Done, static_cast<std::size_t>(written)};
        if (errno == EAGAIN || errno == EINTR) return {crypto::Transfer::Kind::WantsWrite};
        return {crypto::Transfer::Kind::Closed};
    }
};

// The parts of a request that its answer still needs, as views into the request's bytes.
struct Worker::Asked {
    std::size_t route;
    bool is_head = false;
    bool keep_alive = false;
    std::string_view request_id = {};
    verify::AddressText client = {};  // as the header that is trusted for it says; empty: it says none
};

}  // namespace marque::server
