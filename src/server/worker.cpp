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
#include "server/connection.h"
#include "server/no_memory.h"

namespace marque::server {
namespace {

using namespace std::chrono_literals;
using crypto::Transfer;

constexpr auto sweep_interval = 250ms;
// What a refused client still sends is read and thrown away so long: closing at once would take our answer with it.
constexpr auto linger = 2s;
constexpr std::size_t most_lingered = 256 * 1024;

}  // namespace

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
    c.slot.give_up();
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
