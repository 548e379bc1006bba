// server/metrics.h: counters of one worker, written by it alone and read by whoever is scraped; and the text of all.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "domain/verdict.h"
#include "verify/verifier.h"

namespace marque::server {

inline constexpr std::size_t reasons = static_cast<std::size_t>(domain::Reason::ScopeMissing) + 1;
inline constexpr std::array statuses = {200, 400, 401, 403, 404, 405, 408, 413, 415, 417, 431, 500, 503, 505};
inline constexpr std::array<double, 12> latency_bounds_s = {0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005,
                                                            0.001,   0.0025,   0.01,    0.1,    1,       10};

// One writer, so an increment needs no locked instruction.
class Counter {
 public:
    void add(std::uint64_t n = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
    std::atomic<std::uint64_t> value_{0};
};

struct Counters {
    static constexpr std::size_t most_routes = 16;
    std::array<Counter, reasons> verdicts;
    std::array<std::array<Counter, statuses.size()>, most_routes> requests;
    std::array<Counter, latency_bounds_s.size() + 1> latencies;
    Counter latency_ns;
    std::atomic<std::uint64_t> connections{0};

    void count_request(std::size_t route, int status);
    void count_latency(std::chrono::nanoseconds took, std::uint64_t requests);
};

struct Gauges {
    verify::VerifierStatus verifier;
    std::uint64_t connections_refused = 0, uses_pending = 0, use_flush_failures = 0;
    std::uint64_t expiring_day = 0, expiring_week = 0;
    Instant started_at;
};

// Prometheus' text format, version 0.0.4. `route_names` in the order in which Counters counts them.
std::string metrics_text(std::span<const Counters* const> counters, const Gauges& gauges,
                         std::span<const std::string> route_names);

}  // namespace marque::server
