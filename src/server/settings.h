// server/settings.h: what `marque serve` can be told, from one TOML file and from flags. One table has every key with
// its meaning, default and bounds; a key that is not in it is an error, and so is a value that means nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace marque::server {

struct Settings {
    std::string issuer;
    std::string workers = "auto";
    std::string unix_path = "auto";  // read_settings puts a path, or nothing, in its place
    std::string unix_mode = "0660";
    std::string unix_group;
    std::string unix_client_address = "X-Real-IP";
    std::vector<std::string> unix_environments;  // names, checked; empty: any
    std::vector<std::string> tcp_listen;
    std::string tcp_off_loopback = "refused";
    std::string tcp_client_address;
    std::vector<std::string> tcp_environments;
    std::vector<std::string> tls_listen;
    std::string tls_certificate, tls_key, tls_client_ca, tls_client_address;
    std::vector<std::string> tls_environments;
    std::uint64_t connections = 10'000;
    std::uint64_t header_bytes = 16 * 1024;
    std::uint64_t headers = 100;
    Duration request_timeout = std::chrono::seconds(10);
    Duration idle_timeout = std::chrono::seconds(75);
    Duration write_timeout = std::chrono::seconds(10);
    Duration shutdown_grace = std::chrono::seconds(10);
    Duration flush_interval = std::chrono::seconds(5);
    std::string freshness_mode = "lease";
    Duration freshness_lease = std::chrono::seconds(5);
    std::string freshness_name;  // the default is the host's
    std::string log_level = "info", log_format = "text", log_requests = "refused";
    std::string seccomp = "preferred";

    // How many threads answer.
    unsigned worker_count() const;
};

// What was said beside the file: `key=value`, lists separated by commas.
using Overrides = std::vector<std::string>;

// `file` empty: the defaults. Where nothing says where to listen, it is on a unix socket in the first folder of these
// that there is: the service manager's, the user's for the session, the store's. Errors: InvalidRequest, naming the key
// and, for an unknown one, what may have been meant.
Result<Settings> read_settings(const std::string& file, const Overrides& overrides,
                               const std::string& store_folder = "");

// All settings in force as TOML, each with its meaning; read_settings reads it back.
std::string to_toml(const Settings& settings);

// host:port, [v6]:port. Errors: InvalidRequest.
struct Endpoint {
    std::string host;  // a literal address
    std::uint16_t port = 0;
    bool is_v6 = false;
    bool is_loopback = false;
};
Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace marque::server
