#include "server/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "server/no_memory.h"

namespace marque::server {
namespace {

using namespace std::chrono_literals;
using crypto::Transfer;

constexpr std::size_t most_unsent = 256 * 1024;
constexpr auto sweep_interval = 250ms;
// What a refused client still sends is read and thrown away so long: closing at once would take our answer with it.
constexpr auto linger = 2s;
constexpr std::size_t most_lingered = 256 * 1024;

bool is_request_id(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
    });
}

bool is_address(std::string_view text) {
    char copy[46] = {};
    if (text.empty() || text.size() >= sizeof copy) return false;
    std::ranges::copy(text, copy);
    in6_addr address{};
    return ::inet_pton(text.find(':') == std::string_view::npos ? AF_INET : AF_INET6, copy, &address) == 1;
}

}  // namespace

struct Worker::Connection {
    std::uint64_t id = 0;
    std::unique_ptr<File> socket;
    Place place;
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
          place(std::move(accepted.place)),
          peer(accepted.peer),
          terms(*accepted.terms),
          parser({settings.header_bytes, settings.headers, body_limit}, terms.client_address) {
        if (accepted.tls) tls = std::make_unique<crypto::TlsSession>(std::move(accepted.tls), socket->fd());
    }

    Transfer receive(std::span<char> into) {
        if (tls) return tls->read(into);
        const ssize_t got = ::recv(socket->fd(), into.data(), into.size(), 0);
        if (got > 0) return {Transfer::Kind::Done, static_cast<std::size_t>(got)};
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {Transfer::Kind::WantsRead};
        return {Transfer::Kind::Closed};
    }
    Transfer send(std::string_view bytes) {
        if (tls) return tls->write(bytes);
        const ssize_t written = ::send(socket->fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (written >= 0) return {Transfer::Kind::Done, static_cast<std::size_t>(written)};
        if (errno == EAGAIN || errno == EINTR) return {Transfer::Kind::WantsWrite};
        return {Transfer::Kind::Closed};
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

Worker::Worker(Service& service)
    : service_(service),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      hasher_(service.token_key) {
    CHECK(epoll_.is_open() && wakeup_.is_open());
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = 0;
    CHECK(::epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, wakeup_.fd(), &event) == 0);
    static std::atomic<unsigned> number{0};
    id_prefix_ = fmt::format("{:x}-{:x}-", service.clock.now().time_since_epoch().count(), number++);
}

Worker::~Worker() = default;

void Worker::post(std::function<void()> task) {
    {
        const std::lock_guard lock(mutex_);
        posted_.push_back(std::move(task));
    }
    const std::uint64_t one = 1;
    CHECK(::write(wakeup_.fd(), &one, sizeof one) == sizeof one || errno == EAGAIN);
}

void Worker::run_posted() {
    std::uint64_t ignored = 0;
    if (::read(wakeup_.fd(), &ignored, sizeof ignored) < 0 && errno != EAGAIN) CHECK_UNREACHABLE();
    std::vector<std::function<void()>> tasks;
    {
        const std::lock_guard lock(mutex_);
        tasks.swap(posted_);
    }
    for (const auto& task : tasks)
        unless_no_memory(task, [&] { service_.log.say_bounded(LogLevel::Warning, "no_memory", {}); });
}

template <class Body>
void Worker::at_its_cost(Connection& connection, const Body& body) {
    unless_no_memory(body, [&] {
        close(connection);
        ::explicit_bzero(buffer_.data(), buffer_.size());
        service_.log.say_bounded(LogLevel::Warning, "no_memory", {});
    });
}

// Who can't find out whether the store has changed gives no verdict.
Result<verify::Verifier::Session> Worker::ask_for_session() {
    using Session = Result<verify::Verifier::Session>;
    return unless_no_memory([&] { return service_.verifier.session(); }, [] { return Session(no_memory()); });
}

void Worker::add(Accepted accepted) {
    // std::function wants to copy what it holds.
    auto shared = std::make_shared<Accepted>(std::move(accepted));
    post([this, shared] { open(std::move(*shared)); });
}

void Worker::drain(Time deadline) {
    post([this, deadline] {
        is_draining_ = true;
        drain_deadline_ = deadline;
        for (auto& [id, connection] : connections_)
            if (connection->in.empty() && connection->out.empty() && !connection->is_waiting) close(*connection);
    });
}

verify::Uses Worker::take_uses() {
    const std::lock_guard lock(mutex_);
    uses_pending_ = 0;
    verify::Uses taken = std::exchange(uses_, {});
    uses_.accepted.reserve(taken.accepted.size());  // about as many again
    return taken;
}

void Worker::give_back(verify::Uses uses) {
    const std::lock_guard lock(mutex_);
    uses_.add_older(std::move(uses));
    uses_pending_ = uses_.pending();
}

void Worker::run() {
    epoll_event events[256];
    now_ = std::chrono::steady_clock::now();
    next_sweep_ = now_ + sweep_interval;
    while (!is_draining_ || !connections_.empty()) {
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next_sweep_ - now_).count();
        const int count = ::epoll_wait(epoll_.fd(), events, std::size(events),
                                       static_cast<int>(ready_.empty() ? std::max<long>(wait, 0) : 0));
        CHECK(count >= 0 || errno == EINTR);
        now_ = std::chrono::steady_clock::now();
        bool has_posted = false;
        for (int i = 0; i < count; ++i) {
            if (events[i].data.u64 == 0) {
                has_posted = true;
                continue;
            }
            const auto found = connections_.find(events[i].data.u64);
            if (found == connections_.end()) continue;
            Connection& connection = *found->second;
            at_its_cost(connection, [&, happened = events[i].events] {
                if ((happened & (EPOLLERR | EPOLLHUP)) != 0 && (happened & EPOLLIN) == 0)
                    close(connection);
                else if ((happened & EPOLLOUT) != 0 || (connection.write_wants_read && (happened & EPOLLIN) != 0))
                    flush(connection);
                const std::uint32_t readable = connection.read_wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
                if (!connection.is_closed && (happened & readable) != 0) read(connection);
            });
        }
        if (has_posted) run_posted();
        if (!ready_.empty()) answer_ready();
        if (now_ >= next_sweep_) sweep();
        for (const std::uint64_t id : closed_) connections_.erase(id);
        closed_.clear();
    }
}

void Worker::open(Accepted accepted) {
    // So that closing never needs memory.
    if (closed_.capacity() <= connections_.size()) closed_.reserve(2 * connections_.size() + 16);
    auto connection = std::make_unique<Connection>(std::move(accepted), service_.settings);
    connection->id = next_id_++;
    connection->deadline = now_ + service_.settings.idle_timeout;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = connection->id;
    counters_.connections.store(connections_.size() + 1, std::memory_order_relaxed);
    if (is_draining_ || ::epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, connection->socket->fd(), &event) != 0) return;
    connections_.emplace(connection->id, std::move(connection));
}

void Worker::close(Connection& c) {
    if (c.is_closed) return;
    c.is_closed = true;
    if (c.tls) c.tls->shutdown();
    WipedString().swap(c.in);
    c.parser.forget();
    c.tls.reset();
    c.socket.reset();  // leaves the epoll set with its last descriptor
    closed_.push_back(c.id);
    c.place.give_up();
    counters_.connections.store(connections_.size() - closed_.size(), std::memory_order_relaxed);
}

void Worker::read(Connection& c) {
    do {
        const Transfer got = c.receive(buffer_);
        if (got.kind == Transfer::Kind::WantsRead) break;
        c.read_wants_write = got.kind == Transfer::Kind::WantsWrite;
        if (c.read_wants_write) break;
        if (got.kind == Transfer::Kind::Closed) {
            c.has_ended = true;
            if (c.is_lingering || (c.out.empty() && !c.is_waiting && !c.is_ready)) return close(c);
            break;  // what it has asked is answered
        }
        if (c.is_lingering) {
            c.lingered += got.bytes;
            if (c.lingered > most_lingered) return close(c);
            continue;
        }
        if (c.in.empty()) c.deadline = now_ + service_.settings.request_timeout;
        c.in.append(buffer_.data(), got.bytes);
        ::explicit_bzero(buffer_.data(), got.bytes);
        if (!c.is_ready) {
            c.is_ready = true;
            ready_.push_back(c.id);
        }
    } while (c.tls && c.tls->has_pending());
    if (!c.is_closed) update_interest(c);
}

void Worker::answer_ready() {
    const auto round = std::exchange(ready_, {});
    {
        // After the last byte of all of them was read: nothing that was committed before is missed.
        const auto session = ask_for_session();
        const Instant now = service_.clock.now();
        const std::lock_guard lock(mutex_);  // of the uses: nobody waits for it but their flush
        for (const std::uint64_t id : round) {
            Connection& connection = *connections_.at(id);
            connection.is_ready = false;
            if (!connection.is_closed)
                at_its_cost(connection, [&] { process(connection, session ? &*session : nullptr, now); });
        }
        uses_pending_.store(uses_.pending(), std::memory_order_relaxed);
    }
    const Time arrived = now_;
    for (const std::uint64_t id : round) {
        Connection& connection = *connections_.at(id);
        if (connection.is_closed) continue;
        at_its_cost(connection, [&] { flush(connection); });
        if (connection.answered > 0) {
            counters_.count_latency(std::chrono::steady_clock::now() - arrived, connection.answered);
            connection.answered = 0;
        }
    }
}

void Worker::process(Connection& c, const verify::Verifier::Session* session, Instant now) {
    std::size_t at = 0;
    bool needs_more = false;
    while (!c.is_waiting && !c.is_closing && at < c.in.size() && c.out.size() - c.sent < most_unsent) {
        const Parsed parsed = c.parser.parse(std::string_view(c.in).substr(at), c.scanned);
        if (parsed.kind == Parsed::Kind::NeedMore) {
            needs_more = true;
            break;
        }
        c.scanned = 0;
        if (parsed.kind == Parsed::Kind::Refused) {
            finish(c, refusal(parsed.status), {.route = service_.routes.size() - 1});
            at = c.in.size();
            break;
        }
        answer(c, parsed.request, session, now);
        at += parsed.consumed;
    }
    // Tokens do not stay.
    c.parser.forget();
    ::explicit_bzero(c.in.data(), at);
    c.in.erase(0, at);
    c.has_more = !needs_more && !c.is_waiting && !c.is_closing && !c.in.empty();
    if (at > 0) c.deadline = now_ + (c.in.empty() ? service_.settings.idle_timeout : service_.settings.request_timeout);
}

void Worker::answer(Connection& c, const Request& request, const verify::Verifier::Session* session, Instant now) {
    Answer answer;
    Asked asked{.route = 0, .is_head = request.method == "HEAD", .keep_alive = request.keep_alive};
    if (is_address(request.client_address)) asked.client = verify::AddressText(request.client_address);
    if (is_request_id(request.request_id)) asked.request_id = request.request_id;
    const verify::AddressText from = asked.client.text().empty() ? c.peer.address : asked.client;
    const Call call{request,
                    c.peer,
                    session,
                    hasher_,
                    now,
                    counters_,
                    uses_,
                    service_.settings.issuer,
                    from,
                    c.terms,
                    service_.settings.log_requests == "all"};
    auto revocation = dispatch(service_.routes, call, answer, asked.route);
    if (revocation)
        carry_out(c, std::move(*revocation), asked);
    else
        finish(c, answer, asked);
}

void Worker::finish(Connection& c, const Answer& answer, Asked asked) {
    std::string own_id;
    if (answer.status != 200 && asked.request_id.empty()) {
        own_id = id_prefix_ + std::to_string(++next_request_);
        asked.request_id = own_id;
    }
    const bool close_after = answer.close || !asked.keep_alive || is_draining_;
    write(c.out, answer, close_after, asked.request_id, asked.is_head);
    c.is_closing = c.is_closing || close_after;
    ++c.answered;
    counters_.count_request(asked.route, answer.status);
    log_request(answer, asked, c.peer);
}

void Worker::log_request(const Answer& answer, const Asked& asked, const Peer& peer) {
    const std::string& which = service_.settings.log_requests;
    const bool is_refused = answer.status != 200 || (answer.reason != "accepted" && !answer.reason.empty());
    if (which == "none" || (which == "refused" && !is_refused)) return;
    const LogShare share = answer.whose.empty() ? LogShare::Anyone : LogShare::Holders;
    audit::JsonObject fields{
        {"route", service_.routes[asked.route].path}, {"status", answer.status}, {"from", peer.address.text()}};
    if (!asked.client.text().empty()) fields["client"] = asked.client.text();
    if (!answer.reason.empty()) fields["reason"] = answer.reason;
    for (const auto& member : answer.whose) fields[member.key()] = member.value();
    if (!asked.request_id.empty()) fields["request"] = asked.request_id;
    service_.log.say_bounded(LogLevel::Info, "request", std::move(fields), share);
}

void Worker::carry_out(Connection& c, Revocation revocation, const Asked& asked) {
    c.is_waiting = true;
    c.deadline = now_ + service_.settings.request_timeout + 60s;  // the store's own wait is shorter
    service_.revoke(std::move(revocation),
                    [this, id = c.id, asked, request_id = std::string(asked.request_id)](Answer answer) {
                        post([this, id, asked, request_id, answer = std::move(answer)] {
                            const auto found = connections_.find(id);
                            if (found == connections_.end() || found->second->is_closed) return;
                            Connection& connection = *found->second;
                            connection.is_waiting = false;
                            connection.deadline = now_ + service_.settings.idle_timeout;
                            Asked now_answered = asked;
                            now_answered.request_id = request_id;
                            finish(connection, answer, now_answered);
                            flush(connection);
                            // What came behind it meanwhile.
                            if (!connection.is_closed && !connection.in.empty() && !connection.is_ready) {
                                connection.is_ready = true;
                                ready_.push_back(id);
                            }
                        });
                    });
}

void Worker::flush(Connection& c) {
    c.write_wants_read = false;
    bool was_taken = (c.interest & EPOLLOUT) == 0;  // nothing waited before
    while (c.sent < c.out.size()) {
        const Transfer written = c.send(std::string_view(c.out).substr(c.sent));
        if (written.kind == Transfer::Kind::Closed) return close(c);
        if (written.kind == Transfer::Kind::Done) {
            c.sent += written.bytes;
            was_taken = true;
            continue;
        }
        c.write_wants_read = written.kind == Transfer::Kind::WantsRead;
        if (was_taken) c.write_deadline = now_ + service_.settings.write_timeout;
        return update_interest(c);
    }
    c.out.clear();
    c.sent = 0;
    if (std::exchange(c.has_more, false) && !c.is_ready) {
        c.is_ready = true;
        ready_.push_back(c.id);
    }
    if (c.has_ended && !c.is_waiting && !c.is_ready) return close(c);
    if (c.is_closing && !c.is_waiting && !c.is_lingering) {
        if (c.tls) return close(c);
        ::shutdown(c.socket->fd(), SHUT_WR);
        c.is_lingering = true;
        c.deadline = now_ + linger;
    }
    update_interest(c);
}

void Worker::update_interest(Connection& c) {
    std::uint32_t wanted = 0;
    const bool has_unsent = c.sent < c.out.size();
    // A client that does not take its answers, or has sent more than it may, is not read.
    if (!c.has_ended && !c.is_waiting && !(has_unsent && c.out.size() - c.sent >= most_unsent)) wanted |= EPOLLIN;
    if ((has_unsent && !c.write_wants_read) || c.read_wants_write) wanted |= EPOLLOUT;
    if (has_unsent && c.write_wants_read) wanted |= EPOLLIN;
    if (wanted == c.interest) return;
    c.interest = wanted;
    epoll_event event{};
    event.events = wanted;
    event.data.u64 = c.id;
    if (::epoll_ctl(epoll_.fd(), EPOLL_CTL_MOD, c.socket->fd(), &event) != 0) close(c);
}

void Worker::sweep() {
    next_sweep_ = now_ + sweep_interval;
    for (auto& [id, connection] : connections_) {
        Connection& c = *connection;
        if (c.is_closed) continue;
        if (is_draining_ && now_ >= drain_deadline_) {
            close(c);
        } else if (c.sent < c.out.size() ? now_ >= c.write_deadline : now_ >= c.deadline) {
            // Somebody in the middle of a request hears why.
            if (!c.in.empty() && c.out.empty() && !c.is_lingering && !c.is_waiting && !c.is_closing) {
                at_its_cost(c, [&] {
                    finish(c, refusal(408), {.route = service_.routes.size() - 1});
                    flush(c);
                });
            } else {
                close(c);
            }
        }
    }
}

}  // namespace marque::server
