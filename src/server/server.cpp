#include "server/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <latch>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <thread>

#include "base/check.h"
#include "server/listener.h"
#include "server/no_memory.h"
#include "server/process.h"
#include "server/recorder.h"
#include "server/worker.h"

namespace marque::server {
namespace {

using namespace std::chrono_literals;
using Time = std::chrono::steady_clock::time_point;

constexpr auto look_interval = 250ms;
constexpr Duration longest_rest = 250ms;  // of whatever keeps verdicts coming
// When no descriptor is left: a level-triggered listener would be asked again at once.
constexpr auto rest_after_failure = 100ms;

LogLevel level_of(const std::string& name) {
    if (name == "debug") return LogLevel::Debug;
    if (name == "warning") return LogLevel::Warning;
    return name == "error" ? LogLevel::Error : LogLevel::Info;
}

Peer peer_of(const sockaddr_storage& address) {
    char text[INET6_ADDRSTRLEN] = {};
    if (address.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
        ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
        return {verify::AddressText(text), ntohl(v4.sin_addr.s_addr) >> 24 == 127, false};
    }
    if (address.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
        ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
        return {verify::AddressText(text), IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) != 0, false};
    }
    return {verify::AddressText("unix socket"), true, true};
}

store::VerifierTerms terms_of(const Settings& settings) {
    store::VerifierTerms terms{settings.freshness_name, store::Freshness::Lease, settings.freshness_lease};
    if (settings.freshness_mode == name_of(store::Freshness::Strict)) terms.mode = store::Freshness::Strict;
    if (settings.freshness_mode == name_of(store::Freshness::AckOnly)) terms.mode = store::Freshness::AckOnly;
    utsname host{};
    if (terms.name.empty()) terms.name = ::uname(&host) == 0 ? host.nodename : "verifier";
    return terms;
}

// Returns a listener's terms. `environments` are valid names: they were checked when the settings were read.
ListenerTerms listener_terms(const std::string& client_address, const std::vector<std::string>& environments) {
    ListenerTerms terms{client_address, {}};
    for (const std::string& name : environments) terms.environments.push_back(*domain::EnvironmentName::parse(name));
    return terms;
}

class Server {
 public:
    Server(const Settings& settings, Installation installation, const Clock& clock)
        : settings_(settings),
          clock_(clock),
          started_at_(clock.now()),
          terms_{{Transport::Unix, listener_terms(settings.unix_client_address, settings.unix_environments)},
                 {Transport::Tcp, listener_terms(settings.tcp_client_address, settings.tcp_environments)},
                 {Transport::Tls, listener_terms(settings.tls_client_address, settings.tls_environments)}},
          open_store_(std::move(installation.open_store)),
          confine_(std::move(installation.confine)),
          token_key_(std::move(installation.token_key)),
          process_(std::move(installation.process)),
          log_(level_of(settings.log_level), settings.log_format == "json" ? LogFormat::Json : LogFormat::Text, clock),
          verifier_(
              open_store_, std::move(installation.sealing_key), clock, [this](const verify::Notice& n) { hear(n); },
              terms_of(settings), installation.memory),
          routes_(routes([this] { return metrics(); })),
          service_{settings_,
                   verifier_,
                   log_,
                   clock,
                   token_key_,
                   routes_,
                   [this](Revocation revocation, std::function<void(Answer)> done) {
                       recorder_->revoke(std::move(revocation), std::move(done));
                   }},
          epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

    // One that did not get so far as to serve leaves no row behind that others wait for.
    ~Server() { verifier_.leave(); }

    Result<void> run();

 private:
    void hear(const verify::Notice& notice);
    std::string metrics();
    Result<void> load_tls();
    Result<void> confine();
    void bound_connections();
    void notice_unlocked_secrets();
    void watch(int fd);
    void accept_from(const Listener& listener);
    void accept_later(const Error& why);
    void keep();
    void rest_without_memory();
    void handle_signals(int fd);
    void loop(int signal_fd);
    void stop();

    const Settings& settings_;
    const Clock& clock_;
    const Instant started_at_;
    const std::map<Transport, ListenerTerms> terms_;
    const verify::Verifier::OpenStore open_store_;
    const std::function<Result<void>()> confine_;
    const Secret token_key_;
    const audit::Process process_;
    Log log_;
    verify::Verifier verifier_;
    std::span<const Route> routes_;
    Service service_;
    File epoll_;
    std::vector<Listener> listeners_;
    std::shared_ptr<const crypto::TlsContext> tls_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::thread> threads_;
    std::jthread keeper_;
    std::unique_ptr<Recorder> recorder_;
    std::mutex recorder_mutex_;  // of its end
    std::atomic<std::uint64_t> connections_refused_{0};
    std::size_t next_worker_ = 0;
    std::uint64_t most_connections_ = 0;
    bool is_stopping_ = false, has_ready_been_said_ = false, has_unlocked_been_said_ = false;
    Time accept_again_{};
};

void Server::hear(const verify::Notice& notice) {
    using enum verify::Notice::Kind;
    if (notice.kind == Fresh && !has_ready_been_said_) return;
    const char* const event = notice.kind == NotFresh   ? "not_fresh"
                              : notice.kind == Fresh    ? "fresh"
                              : notice.kind == Reloaded ? "reloaded"
                              : notice.kind == Accepted ? "log_accepted"
                                                        : "log_not_remembered";
    audit::JsonObject fields{{"revision", notice.revision}};
    if (!notice.what.empty()) fields["reason"] = notice.what;
    log_.say(notice.kind == Fresh ? LogLevel::Info : LogLevel::Warning, event, std::move(fields));
    if (notice.tampered.empty() || !has_ready_been_said_) return;
    Error error(Code::Corrupt, notice.what);
    error.tampered = notice.tampered;
    const std::lock_guard lock(recorder_mutex_);
    if (recorder_) recorder_->tell_tampering(std::move(error));
}

std::string Server::metrics() {
    std::vector<const Counters*> counters;
    Gauges gauges;
    for (const auto& worker : workers_) {
        counters.push_back(&worker->counters());
        gauges.uses_pending += worker->uses_pending();
    }
    gauges.verifier = verifier_.status();
    gauges.connections_refused = connections_refused_;
    gauges.use_flush_failures = recorder_->flush_failures();
    gauges.expiring_day = recorder_->expiring_day();
    gauges.expiring_week = recorder_->expiring_week();
    gauges.started_at = started_at_;
    std::vector<std::string> names;
    for (const Route& route : routes_) names.push_back(route.path);
    return metrics_text(counters, gauges, names);
}

Result<void> Server::load_tls() {
    if (settings_.tls_listen.empty()) return {};
    tls_ = TRY(crypto::TlsContext::load({settings_.tls_certificate, settings_.tls_key, settings_.tls_client_ca}));
    return {};
}

Result<void> Server::confine() {
    const bool is_wanted = settings_.seccomp != "off";
    const Result<void> confined = is_wanted ? confine_() : Error(Code::Unavailable, "hardening.seccomp is off");
    if (confined) return {};
    if (settings_.seccomp == "required") return confined;
    log_.say(LogLevel::Warning, "not_confined", {{"reason", confined.error().message}});
    return {};
}

void Server::bound_connections() {
    const std::uint64_t most = descriptors_for_connections();
    most_connections_ = std::min(settings_.connections, most);
    if (most < settings_.connections)
        log_.say(LogLevel::Warning, "few_descriptors",
                 {{"reason", "RLIMIT_NOFILE is too small for limits.connections"}, {"connections", most}});
}

void Server::notice_unlocked_secrets() {
    if (Secret::are_all_locked() || std::exchange(has_unlocked_been_said_, true)) return;
    log_.say(LogLevel::Warning, "secrets_not_locked",
             {{"reason", "RLIMIT_MEMLOCK is too small for the keys' memory: it may be swapped"}});
}

void Server::watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    CHECK(::epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, fd, &event) == 0);
}

Result<void> Server::run() {
    raise_descriptor_limit();
    const auto signals = TRY(take_signals());
    TRY(load_tls());
    TRY(verifier_.keep());  // loads everything
    const verify::VerifierStatus status = verifier_.status();
    listeners_ = TRY(open_listeners(settings_));
    for (unsigned i = 0; i < settings_.worker_count(); ++i) workers_.push_back(std::make_unique<Worker>(service_));
    std::vector<Worker*> workers;
    for (const auto& worker : workers_) workers.push_back(worker.get());
    recorder_ = std::make_unique<Recorder>(
        Recorder::Needs{open_store_, token_key_, clock_, log_, settings_.flush_interval, workers, verifier_, process_});
    for (const auto& worker : workers_) threads_.emplace_back([&worker = *worker] { worker.run(); });
    // A turn before anybody is answered: memory of its own, which glibc gives a thread with its first piece, is not to
    // be had when others have taken all.
    std::latch kept(1);
    keeper_ = std::jthread([this, &kept](const std::stop_token& stop) {
        keep();
        kept.count_down();
        while (!stop.stop_requested()) {
            unless_no_memory([&] { verifier_.rest(longest_rest); }, [&] { rest_without_memory(); });
            keep();
        }
    });
    kept.wait();
    bound_connections();
    notice_unlocked_secrets();
    if (auto confined = confine(); !confined) {
        stop();
        return confined;
    }
    for (const Listener& listener : listeners_) {
        watch(listener.fd());
        log_.say(LogLevel::Info, "listening", {{"address", listener.address()}});
    }
    watch(signals->fd());
    log_.say(LogLevel::Info, "ready",
             {{"revision", status.revision}, {"credentials", status.credentials}, {"workers", workers_.size()}});
    has_ready_been_said_ = true;
    notify_system("READY=1");
    loop(signals->fd());
    stop();
    return {};
}

void Server::loop(int signal_fd) {
    epoll_event events[64];
    Time next_look = std::chrono::steady_clock::now() + look_interval;
    while (!is_stopping_) {
        const auto now = std::chrono::steady_clock::now();
        if (now >= next_look) {
            unless_no_memory([&] { verifier_.notice_end_of_lease(); }, [] {});
            notice_unlocked_secrets();
            next_look = now + look_interval;
        }
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next_look - now).count();
        const int count =
            ::epoll_wait(epoll_.fd(), events, std::size(events), static_cast<int>(std::max<long>(wait, 0)));
        for (int i = 0; i < count; ++i) {
            if (events[i].data.fd == signal_fd) {
                handle_signals(signal_fd);
                continue;
            }
            for (const Listener& listener : listeners_)
                if (listener.fd() == events[i].data.fd)
                    unless_no_memory([&] { accept_from(listener); }, [&] { accept_later(no_memory()); });
        }
        if (std::chrono::steady_clock::now() < accept_again_) std::this_thread::sleep_until(accept_again_);
    }
}

void Server::accept_from(const Listener& listener) {
    for (int tries = 0; tries < 64; ++tries) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        File socket(
            ::accept4(listener.fd(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket.is_open()) {
            if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
            return accept_later(system_error("a connection"));
        }
        if (service_.connections >= most_connections_) {
            ++connections_refused_;
            log_.say_bounded(LogLevel::Warning, "too_many_connections", {{"limit", most_connections_}});
            continue;  // closes it
        }
        const Transport transport = listener.transport();
        if (transport != Transport::Unix) {
            const int on = 1;
            ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        }
        workers_[next_worker_++ % workers_.size()]->add({std::move(socket), Slot(service_.connections),
                                                         peer_of(address), &terms_.at(transport),
                                                         transport == Transport::Tls ? tls_ : nullptr});
    }
}

void Server::accept_later(const Error& why) {
    accept_again_ = std::chrono::steady_clock::now() + rest_after_failure;
    unless_no_memory([&] { log_.say_bounded(LogLevel::Warning, "cannot_accept", {{"reason", why.message}}); }, [] {});
}

void Server::keep() {
    unless_no_memory(
        [&] {
            (void)verifier_.keep(); /* a failure is told */
        },
        [&] { rest_without_memory(); });
}

void Server::rest_without_memory() {
    log_.say_bounded(LogLevel::Warning, "no_memory", {});
    std::this_thread::sleep_for(rest_after_failure);
}

void Server::handle_signals(int fd) {
    signalfd_siginfo info{};
    while (::read(fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGHUP) {
            is_stopping_ = true;
            continue;
        }
        notify_system("RELOADING=1");
        const auto loaded = unless_no_memory([&] { return load_tls(); }, [] { return Result<void>(no_memory()); });
        if (!loaded)
            log_.say(LogLevel::Error, "tls_not_reloaded", {{"reason", loaded.error().message}});
        else
            log_.say(LogLevel::Info, "reloaded_tls");
        notify_system("READY=1");
    }
}

void Server::stop() {
    log_.say(LogLevel::Info, "stopping");
    notify_system("STOPPING=1");
    for (const Listener& listener : listeners_) ::epoll_ctl(epoll_.fd(), EPOLL_CTL_DEL, listener.fd(), nullptr);
    listeners_.clear();
    const Time deadline = std::chrono::steady_clock::now() + settings_.shutdown_grace;
    for (const auto& worker : workers_) worker->drain(deadline);
    for (std::thread& thread : threads_) thread.join();
    std::unique_ptr<Recorder> recorder;
    {
        const std::lock_guard lock(recorder_mutex_);  // the keeper may still hear of something
        recorder = std::move(recorder_);
    }
    recorder.reset();  // writes what is left
    keeper_.request_stop();
    keeper_.join();
    log_.say(LogLevel::Info, "stopped");
}

}  // namespace

Result<void> check_files(const Settings& settings) {
    if (settings.tls_listen.empty()) return {};
    TRY(crypto::TlsContext::load({settings.tls_certificate, settings.tls_key, settings.tls_client_ca}));
    return {};
}

Result<void> serve(const Settings& settings, Installation installation, const Clock& clock) {
    Server server(settings, std::move(installation), clock);
    return server.run();
}

}  // namespace marque::server
