// server/worker.h: one thread's loop over its connections.
//
//     wait ─▶ read every connection that has something ─▶ one session (verify/verifier.h) ─▶ answer all that has
//       ▲                                                                                   arrived whole
//       └────────────────── send, one write a connection ◀──────────────────────────────────────┘
//
// The session is opened after the last byte was read, so no request is answered from an index that is older than its
// arrival. All requests of a round share one session. A request costs two system calls, the read and the write. The
// loop uses level-triggered epoll(7). TLS connections differ only in how bytes are read and written. A periodic sweep
// closes connections that are too slow or idle for too long.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/secret.h"
#include "base/time.h"
#include "crypto/tls.h"
#include "server/log.h"
#include "server/routes.h"
#include "server/settings.h"

namespace marque::server {

// Shared by all workers. Everything that it refers to must outlive them.
struct Service {
    const Settings& settings;
    verify::Verifier& verifier;
    Log& log;
    const Clock& clock;
    const Secret& token_key;
    std::span<const Route> routes;
    // Carries a revocation out on another thread, then calls back there.
    std::function<void(Revocation, std::function<void(Answer)>)> revoke;
    std::atomic<std::uint64_t> connections{0};  // of all workers: counted when accepted, until closed
};

// Counts a connection in `count` as long as it lives.
class Slot {
 public:
    explicit Slot(std::atomic<std::uint64_t>& count) : count_(&count) { ++count; }
    Slot(Slot&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() { give_up(); }
    void give_up() {
        if (count_ != nullptr) --*std::exchange(count_, nullptr);
    }

 private:
    std::atomic<std::uint64_t>* count_;
};

// A connection as it was accepted.
struct Accepted {
    File socket;
    Slot slot;
    Peer peer;
    const ListenerTerms* terms;  // outlives the connection
    std::shared_ptr<const crypto::TlsContext> tls;
};

class Worker {
 public:
    explicit Worker(Service& service);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Runs the loop until the worker is drained. Call it once, as the whole work of a thread.
    void run();

    // The functions below may be called from any thread.
    void add(Accepted accepted);
    // Answers the requests that have begun, takes no new ones, and closes connections; at `deadline` closes those that
    // are left.
    void drain(std::chrono::steady_clock::time_point deadline);
    verify::Uses take_uses();
    void give_back(verify::Uses uses);
    std::size_t uses_pending() const { return uses_pending_.load(std::memory_order_relaxed); }
    const Counters& counters() const { return counters_; }

 private:
    struct Connection;
    struct Asked;
    using Time = std::chrono::steady_clock::time_point;

    void post(std::function<void()> task);
    void run_posted();
    void open(Accepted accepted);
    // Runs `body`. If memory runs out in it, closes this connection and no other.
    template <class Body>
    void at_its_cost(Connection& connection, const Body& body);
    Result<verify::Verifier::Session> ask_for_session();
    void read(Connection& connection);
    void answer_ready();
    void process(Connection& connection, const verify::Verifier::Session* session, Instant now);
    void answer(Connection& connection, const Request& request, const verify::Verifier::Session* session, Instant now);
    void finish(Connection& connection, const Answer& answer, Asked asked);
    void carry_out(Connection& connection, Revocation revocation, const Asked& asked);
    void log_request(const Answer& answer, const Asked& asked, const Peer& peer);
    void flush(Connection& connection);
    void update_interest(Connection& connection);
    void close(Connection& connection);
    void sweep();

    Service& service_;
    File epoll_, wakeup_;
    verify::TokenHasher hasher_;
    std::array<char, 16 * 1024> buffer_;  // bytes just read; shared by all connections, and wiped after each read
    Counters counters_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::uint64_t next_id_ = 1;
    std::vector<std::uint64_t> ready_, closed_;
    Time now_, next_sweep_;
    bool is_draining_ = false;
    Time drain_deadline_;
    std::string id_prefix_;
    std::uint64_t next_request_ = 0;

    std::mutex mutex_;  // guards the members below, which other threads use
    std::vector<std::function<void()>> posted_;
    verify::Uses uses_;
    std::atomic<std::size_t> uses_pending_{0};
};

}  // namespace marque::server
