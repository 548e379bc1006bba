// Settings that are taken keep to their bounds, and are what reading them again from to_toml gives.
//
// Input: of which kind it is (an odd byte: overrides, one a line; an even one: a TOML file), then its text.
#include <algorithm>
#include <string>
#include <sys/mman.h>
#include <tuple>
#include <unistd.h>

#include "base/text.h"
#include "fuzz.h"
#include "server/settings.h"

using namespace marque;
using namespace marque::server;

namespace {

auto all_of(const Settings& s) {
    return std::tie(s.issuer, s.workers, s.unix_path, s.unix_mode, s.unix_group, s.unix_client_address, s.tcp_listen,
                    s.tcp_off_loopback, s.tcp_client_address, s.tls_listen, s.tls_certificate, s.tls_key,
                    s.tls_client_ca, s.tls_client_address, s.connections, s.header_bytes, s.headers, s.request_timeout,
                    s.idle_timeout, s.write_timeout, s.shutdown_grace, s.flush_interval, s.log_level, s.log_format,
                    s.log_requests);
}

// A file in memory; each call writes it anew.
std::string file_of(std::string_view text) {
    static const int fd = ::memfd_create("settings", 0);
    CHECK(fd >= 0 && ::ftruncate(fd, 0) == 0);
    CHECK(::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return "/proc/self/fd/" + std::to_string(fd);
}

bool is_one_of(const std::string& text, std::initializer_list<std::string_view> choices) {
    return std::ranges::find(choices, text) != choices.end();
}

void check_bounds(const Settings& s) {
    CHECK(s.connections >= 1 && s.connections <= 1'000'000);
    CHECK(s.header_bytes >= 1024 && s.header_bytes <= 1024 * 1024);
    CHECK(s.headers >= 4 && s.headers <= 10'000);
    for (const Duration duration :
         {s.request_timeout, s.idle_timeout, s.write_timeout, s.shutdown_grace, s.flush_interval})
        CHECK(duration > Duration(0) && duration <= std::chrono::hours(24));
    CHECK(s.worker_count() >= 1 && s.worker_count() <= 64);
    CHECK(is_one_of(s.tcp_off_loopback, {"refused", "tokens-in-the-clear"}));
    CHECK(is_one_of(s.log_level, {"debug", "info", "warning", "error"}));
    CHECK(is_one_of(s.log_format, {"text", "json"}) && is_one_of(s.log_requests, {"none", "refused", "all"}));
}

void check_listeners(const Settings& s) {
    CHECK(!s.unix_path.empty() || !s.tcp_listen.empty() || !s.tls_listen.empty());
    CHECK(s.unix_path.empty() || (s.unix_path[0] == '/' && s.unix_path.size() <= 100));
    CHECK(s.tls_listen.empty() || (!s.tls_certificate.empty() && !s.tls_key.empty()));
    for (const auto* list : {&s.tcp_listen, &s.tls_listen}) {
        for (const std::string& text : *list) {
            const auto endpoint = parse_endpoint(text);
            CHECK(endpoint);
            // As it was written, whole: what is listened at is what was judged.
            const std::string host = endpoint->is_v6 ? "[" + endpoint->host + "]" : endpoint->host;
            CHECK(text.starts_with(host + ":"));
            CHECK(endpoint->host.find_first_not_of("0123456789abcdefABCDEF.:") == std::string::npos);
            if (list == &s.tcp_listen)
                CHECK(s.tcp_off_loopback != "refused" || endpoint->host.starts_with("127.") ||
                      (endpoint->is_v6 && endpoint->is_loopback));
        }
    }
}

void check_texts(const Settings& s) {
    const auto check_text = [](const std::string& text) { CHECK(text.find('\0') == std::string::npos); };
    for (const auto* text : {&s.issuer, &s.unix_path, &s.unix_group, &s.tls_certificate, &s.tls_key, &s.tls_client_ca,
                             &s.unix_client_address, &s.tcp_client_address, &s.tls_client_address})
        check_text(*text);
    // It goes into JSON and headers.
    CHECK(std::ranges::all_of(s.issuer, [](char c) { return c > 0x20 && c < 0x7F && c != '"'; }));
    CHECK(s.issuer.empty() || s.issuer.starts_with("http"));
}

}  // namespace

void fuzz(std::string_view input) {
    if (input.empty()) return;
    const std::string_view text = input.substr(1);
    Overrides overrides;
    std::string file;
    if (input[0] % 2 == 0)
        file = file_of(text);
    else
        for (const std::string_view line : split(text, '\n')) overrides.emplace_back(line);

    const auto settings = read_settings(file, overrides, "/store");
    if (!settings) {
        CHECK(settings.error().code == Code::InvalidRequest && !settings.error().message.empty());
        return;
    }
    check_bounds(*settings);
    check_listeners(*settings);
    check_texts(*settings);
    const std::string toml = to_toml(*settings);
    const auto again = read_settings(file_of(toml), {});
    CHECK(again && all_of(*again) == all_of(*settings));
    CHECK(to_toml(*again) == toml);
}
