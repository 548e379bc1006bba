#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/small_file.h"
#include "base/text.h"

namespace marque::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class Families {
 public:
    // A sample of the family that was begun last.
    ClientMetric& sample(std::vector<ClientMetric::Label> labels = {}) {
        ClientMetric& metric = all_.back().metric.emplace_back();
        metric.label = std::move(labels);
        return metric;
    }
    void begin(const char* name, const char* help, MetricType type) {
        all_.emplace_back();
        all_.back().name = name;
        all_.back().help = help;
        all_.back().type = type;
    }
    void counter(double value, std::vector<ClientMetric::Label> labels = {}) {
        sample(std::move(labels)).counter.value = value;
    }
    void gauge(double value, std::vector<ClientMetric::Label> labels = {}) {
        sample(std::move(labels)).gauge.value = value;
    }
    void one(const char* name, const char* help, MetricType type, double value) {
        begin(name, help, type);
        if (type == MetricType::Counter)
            counter(value);
        else
            gauge(value);
    }
    std::string text() const { return prometheus::TextSerializer().Serialize(all_); }

 private:
    std::vector<MetricFamily> all_;
};

template <class Get>
double sum(std::span<const Counters* const> counters, const Get& get) {
    double total = 0;
    for (const Counters* one : counters) total += static_cast<double>(get(*one).value());
    return total;
}

double resident_bytes() {
    const auto line = read_line("/proc/self/statm", {4096, ReadRules::Origin::Regular});
    const auto words = split(line ? std::string_view(*line) : std::string_view(), ' ');
    const double resident = words.size() < 2 ? 0 : static_cast<double>(parse_decimal(words[1]).value_or(0));
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double seconds_of(Instant instant) {
    return static_cast<double>(instant.time_since_epoch().count()) / 1e6;
}

void add_latencies(Families& families, std::span<const Counters* const> counters) {
    families.begin("marque_request_duration_seconds", "From a request's arrival to its answer's being sent",
                   MetricType::Histogram);
    ClientMetric& metric = families.sample();
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i <= latency_bounds_s.size(); ++i) {
        for (const Counters* one : counters) cumulative += one->latencies[i].value();
        ClientMetric::Bucket bucket;
        bucket.cumulative_count = cumulative;
        bucket.upper_bound =
            i < latency_bounds_s.size() ? latency_bounds_s[i] : std::numeric_limits<double>::infinity();
        metric.histogram.bucket.push_back(bucket);
    }
    metric.histogram.sample_count = cumulative;
    metric.histogram.sample_sum = sum(counters, [](const Counters& c) -> const auto& { return c.latency_ns; }) / 1e9;
}

}  // namespace

void Counters::count_request(std::size_t route, int status) {
    const auto found = std::ranges::find(statuses, status);
    if (found != statuses.end()) requests[route][static_cast<std::size_t>(found - statuses.begin())].add();
}

void Counters::count_latency(std::chrono::nanoseconds took, std::uint64_t count) {
    const double seconds = std::chrono::duration<double>(took).count();
    const auto bound = std::ranges::lower_bound(latency_bounds_s, seconds);
    latencies[static_cast<std::size_t>(bound - latency_bounds_s.begin())].add(count);
    latency_ns.add(static_cast<std::uint64_t>(took.count()) * count);
}

std::string metrics_text(std::span<const Counters* const> counters, const Gauges& g,
                         std::span<const std::string> route_names) {
    using enum MetricType;
    Families families;
    families.begin("marque_verdicts_total", "Verifications, by the operator's reason", Counter);
    for (std::size_t i = 0; i < reasons; ++i)
        families.counter(sum(counters, [&](const Counters& c) -> const auto& { return c.verdicts[i]; }),
                         {{"reason", name_of(static_cast<domain::Reason>(i))}});
    families.begin("marque_requests_total", "Requests answered", Counter);
    for (std::size_t route = 0; route < route_names.size(); ++route)
        for (std::size_t i = 0; i < statuses.size(); ++i)
            if (const double n = sum(counters, [&](const Counters& c) -> const auto& { return c.requests[route][i]; });
                n > 0)
                families.counter(n, {{"route", route_names[route]}, {"status", std::to_string(statuses[i])}});
    add_latencies(families, counters);
    double connections = 0;
    for (const Counters* one : counters) connections += static_cast<double>(one->connections.load());
    families.one("marque_revision", "Of the log that verdicts rest on", Gauge,
                 static_cast<double>(g.verifier.revision));
    families.one("marque_fresh", "1 when tokens are judged, 0 when every answer is 503", Gauge, g.verifier.is_fresh);
    if (g.verifier.lease_left) {
        families.one("marque_lease_left_seconds", "Until answers stop without another lease; below 0: since then",
                     Gauge, std::chrono::duration<double>(*g.verifier.lease_left).count());
        families.one("marque_leases_lost_total", "Leases that ended before the next was given", Counter,
                     static_cast<double>(g.verifier.leases_lost));
    }
    families.one("marque_log_verifies", "0 when the log does not continue the one that was known", Gauge,
                 g.verifier.log_verifies);
    families.one("marque_last_catch_up_timestamp_seconds", "When the index was last brought up to date", Gauge,
                 seconds_of(g.verifier.last_catch_up));
    families.one("marque_catch_ups_total", "How often the index was brought up to date", Counter,
                 static_cast<double>(g.verifier.catch_ups));
    families.one("marque_reloads_total", "How often everything was read again, because rows were written by hand",
                 Counter, static_cast<double>(g.verifier.reloads));
    families.one("marque_credentials", "In the index, ended ones included", Gauge,
                 static_cast<double>(g.verifier.credentials));
    families.one("marque_index_bytes", "Memory of the index", Gauge, static_cast<double>(g.verifier.index_bytes));
    families.one("marque_connections", "Open now", Gauge, connections);
    families.one("marque_connections_refused_total", "Closed at once: too many", Counter,
                 static_cast<double>(g.connections_refused));
    families.one("marque_uses_pending", "Credentials whose last use is not written yet", Gauge,
                 static_cast<double>(g.uses_pending));
    families.one("marque_use_flush_failures_total", "Last uses could not be written", Counter,
                 static_cast<double>(g.use_flush_failures));
    families.begin("marque_credentials_expiring", "In force now and ended within", Gauge);
    families.gauge(static_cast<double>(g.expiring_day), {{"within", "1d"}});
    families.gauge(static_cast<double>(g.expiring_week), {{"within", "7d"}});
    families.one("process_resident_memory_bytes", "Resident memory", Gauge, resident_bytes());
    families.one("process_cpu_seconds_total", "User and system time", Counter, cpu_seconds());
    families.one("process_start_time_seconds", "When the process started", Gauge, seconds_of(g.started_at));
    return families.text();
}

}  // namespace marque::server
