#include "server/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <iterator>
#include <set>
#include <thread>
#include <toml++/toml.h>
#include <variant>

#include "base/decimal.h"
#include "base/text.h"
#include "domain/span_of_time.h"
#include "store/verifiers.h"

namespace marque::server {
namespace {

using Field = std::variant<std::string Settings::*, std::vector<std::string> Settings::*, std::uint64_t Settings::*,
                           Duration Settings::*>;

struct Key {
    const char* name;
    Field field;
    const char* meaning;
    std::vector<std::string> choices = {};
    std::uint64_t least = 1, most = 1'000'000;
};

const std::vector<Key>& keys() {
    static const std::vector<Key> all = {
        {"issuer", &Settings::issuer, "RFC 8414 issuer, a URL; without it there is no metadata document"},
        {"workers", &Settings::workers, "threads that answer: auto (one a processor), or 1 to 64"},
        {"unix.path", &Settings::unix_path, "unix socket; empty: none"},
        {"unix.mode", &Settings::unix_mode, "its mode, octal"},
        {"unix.group", &Settings::unix_group, "the group it is given to; empty: left as it is"},
        {"unix.client_address", &Settings::unix_client_address,
         "header in which the proxy tells the client's address; empty: none is trusted"},
        {"tcp.listen", &Settings::tcp_listen, "ADDRESS:PORT in the clear; port 0: any"},
        {"tcp.off_loopback",
         &Settings::tcp_off_loopback,
         "addresses that others can reach",
         {"refused", "tokens-in-the-clear"}},
        {"tcp.client_address", &Settings::tcp_client_address, "as of unix.client_address"},
        {"tls.listen", &Settings::tls_listen, "ADDRESS:PORT with TLS"},
        {"tls.certificate", &Settings::tls_certificate, "PEM file, the chain; read again on SIGHUP"},
        {"tls.key", &Settings::tls_key, "PEM file"},
        {"tls.client_ca", &Settings::tls_client_ca, "PEM file; clients then have to present a certificate by it"},
        {"tls.client_address", &Settings::tls_client_address, "as of unix.client_address"},
        {"limits.connections", &Settings::connections, "at once, of all listeners", {}, 1, 1'000'000},
        {"limits.header_bytes", &Settings::header_bytes, "of a request", {}, 1024, 1024 * 1024},
        {"limits.headers", &Settings::headers, "of a request", {}, 4, 10'000},
        {"limits.request_timeout", &Settings::request_timeout, "from a request's first byte to its last"},
        {"limits.idle_timeout", &Settings::idle_timeout, "between requests"},
        {"limits.write_timeout", &Settings::write_timeout, "for a client to take its answers"},
        {"limits.shutdown_grace", &Settings::shutdown_grace, "for requests under way when asked to stop"},
        {"uses.flush_interval", &Settings::flush_interval, "how often last uses are written; a crash loses so much"},
        {"freshness.mode",
         &Settings::freshness_mode,
         "with PostgreSQL: answer by a lease, ask before each round of answers, or let changes wait for this "
         "verifier's "
         "word alone",
         {"lease", "strict", "ack-only"}},
        {"freshness.lease", &Settings::freshness_lease,
         "how long answers go on without the database, and how long a change may have to wait; 1s to 1m"},
        {"freshness.name", &Settings::freshness_name,
         "what receipts and marque verifiers call this one; empty: the host"},
        {"log.level", &Settings::log_level, "", {"debug", "info", "warning", "error"}},
        {"log.format", &Settings::log_format, "", {"text", "json"}},
        {"log.requests", &Settings::log_requests, "which requests are logged", {"none", "refused", "all"}},
        {"hardening.seccomp",
         &Settings::seccomp,
         "the kernel's filter of system calls; required: without it, no start",
         {"preferred", "required", "off"}},
    };
    return all;
}

Error wrong(const Key& key, const std::string& what) {
    return Error(Code::InvalidRequest, fmt::format("{} {}", key.name, what),
                 *key.meaning == '\0' ? "" : fmt::format("{}: {}", key.name, key.meaning));
}

Result<const Key*> find_key(std::string_view name) {
    for (const Key& key : keys())
        if (name == key.name) return &key;
    std::vector<std::string> names;
    for (const Key& key : keys()) names.emplace_back(key.name);
    // Written without its table, or with another, a key is near to none: then its last part tells what was meant.
    std::string best = closest(name, names);
    const std::string_view last = name.substr(name.rfind('.') + 1);
    for (const std::string& known : names)
        if (best.empty() && known.substr(known.rfind('.') + 1) == last) best = known;
    return Error(Code::InvalidRequest, quote(name) + " is no setting",
                 best.empty() ? "marque serve --check-config shows them all" : "did you mean " + best + "?");
}

// What comes from a flag is no more than what a file can say.
Result<void> check_text(const Key& key, const std::string& text) {
    if (!parse_free_text(key.name, text, text.size())) return wrong(key, "is not UTF-8, or holds a NUL");
    return {};
}

Result<void> set(Settings& settings, const Key& key, const std::string& text) {
    TRY(check_text(key, text));
    if (const auto* field = std::get_if<std::string Settings::*>(&key.field)) {
        if (!key.choices.empty() && std::ranges::find(key.choices, text) == key.choices.end())
            return wrong(key, fmt::format("can't be {}: it is one of {}", quote(text), fmt::join(key.choices, ", ")));
        settings.*(*field) = text;
    } else if (const auto* field_ = std::get_if<std::uint64_t Settings::*>(&key.field)) {
        const auto number = parse_decimal(text);
        if (!number || *number < key.least || *number > key.most)
            return wrong(key, fmt::format("can't be {}: it is {} to {}", quote(text), key.least, key.most));
        settings.*(*field_) = *number;
    } else if (const auto* duration_field = std::get_if<Duration Settings::*>(&key.field)) {
        const auto duration = domain::parse_duration(text);
        if (!duration) return wrong(key, "can't be " + quote(text) + ": it is a duration, such as 10s or 2m");
        if (*duration > std::chrono::hours(24)) return wrong(key, "can't be longer than a day");
        settings.*(*duration_field) = *duration;
    } else {
        auto& list = settings.*std::get<std::vector<std::string> Settings::*>(key.field);
        list.clear();
        if (text.empty()) return {};
        for (const std::string_view part : split(text, ',')) list.emplace_back(part);
    }
    return {};
}

Result<void> set(Settings& settings, const Key& key, const toml::node& node) {
    if (const auto* text = node.as_string()) {
        if (std::holds_alternative<std::vector<std::string> Settings::*>(key.field))
            return wrong(key, "is a list: write [\"…\"]");
        if (std::holds_alternative<std::uint64_t Settings::*>(key.field)) return wrong(key, "is a number");
        return set(settings, key, text->get());
    }
    if (const auto* number = node.as_integer()) {
        if (!std::holds_alternative<std::uint64_t Settings::*>(key.field) && std::string_view(key.name) != "workers")
            return wrong(key, "is no number");
        return set(settings, key, std::to_string(number->get()));
    }
    const auto* array = node.as_array();
    if (array == nullptr || !std::holds_alternative<std::vector<std::string> Settings::*>(key.field))
        return wrong(key, "has a value of another kind");
    auto& list = settings.*std::get<std::vector<std::string> Settings::*>(key.field);
    list.clear();
    for (const toml::node& element : *array) {
        if (element.as_string() == nullptr) return wrong(key, "is a list of texts");
        TRY(check_text(key, element.as_string()->get()));
        list.push_back(element.as_string()->get());
    }
    return {};
}

Result<void> read_table(Settings& settings, const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
        const std::string path = prefix + std::string(name.str());
        if (const auto* inner = node.as_table(); inner != nullptr && prefix.empty()) {
            const bool is_known = std::ranges::any_of(
                keys(), [&](const Key& key) { return std::string_view(key.name).starts_with(path + "."); });
            if (!is_known) {
                const std::string best =
                    closest(path, {"tls", "tcp", "unix", "limits", "uses", "freshness", "log", "hardening"});
                return Error(
                    Code::InvalidRequest, "[" + path + "] is no table of settings",
                    best.empty() ? "marque serve --check-config shows them all" : "did you mean [" + best + "]?");
            }
            TRY(read_table(settings, *inner, path + "."));
            continue;
        }
        const Key* key = TRY(find_key(path));
        TRY(set(settings, *key, node));
    }
    return {};
}

bool is_https_or_http_url(const std::string& text) {
    const std::size_t scheme = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : 0;
    return scheme != 0 && text.size() > scheme && text[scheme] != '/' && text.size() < 256 && text.back() != '/' &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F && c != '?' && c != '#' && c != '"'; });
}

Result<void> check(const Settings& settings) {
    const auto refuse = [](const std::string& what, const std::string& hint = "") {
        return Error(Code::InvalidRequest, what, hint);
    };
    if (!settings.issuer.empty() && !is_https_or_http_url(settings.issuer))
        return refuse("issuer " + quote(settings.issuer) + " is not a URL such as https://marque.example.org");
    if (settings.workers != "auto") {
        const auto number = parse_decimal(settings.workers);
        if (!number || *number < 1 || *number > 64)
            return refuse("workers can't be " + quote(settings.workers) + ": it is auto, or 1 to 64");
    }
    const std::string& mode = settings.unix_mode;
    if (mode.size() != 4 || mode[0] != '0' || mode.find_first_not_of("01234567") != std::string::npos)
        return refuse("unix.mode can't be " + quote(mode) + ": it is four octal digits, such as 0660");
    if (settings.unix_path.size() > 100) return refuse("unix.path is longer than a socket's may be");
    if (!settings.unix_path.empty() && settings.unix_path[0] != '/')
        return refuse("unix.path " + quote(settings.unix_path) + " is not absolute");
    if (!settings.unix_group.empty() && ::getgrnam(settings.unix_group.c_str()) == nullptr)
        return refuse("there is no group " + quote(settings.unix_group) + " (unix.group)");
    for (const auto& [key, name] :
         {std::pair("unix", settings.unix_client_address), std::pair("tcp", settings.tcp_client_address),
          std::pair("tls", settings.tls_client_address)})
        if (!std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; }))
            return refuse(std::string(key) + ".client_address " + quote(name) + " is no header's name");
    const char* const handed_over = std::getenv("LISTEN_FDS");
    if (settings.unix_path.empty() && settings.tcp_listen.empty() && settings.tls_listen.empty() &&
        handed_over == nullptr)
        return refuse("there is nowhere to listen", "set unix.path, tcp.listen or tls.listen");
    for (const std::string& text : settings.tcp_listen) {
        const Endpoint endpoint = TRY(parse_endpoint(text));
        if (!endpoint.is_loopback && settings.tcp_off_loopback == "refused")
            return refuse(
                "tcp.listen " + quote(text) + " can be reached by others, and tokens would travel in the clear",
                "use tls.listen, or say tcp.off_loopback = \"tokens-in-the-clear\"");
    }
    if (settings.freshness_lease < store::shortest_lease || settings.freshness_lease > store::longest_lease)
        return refuse("freshness.lease is 1s to 1m");
    if (settings.freshness_name.size() > 200) return refuse("freshness.name is longer than 200 bytes");
    for (const std::string& text : settings.tls_listen) TRY(parse_endpoint(text));
    if (!settings.tls_listen.empty() && (settings.tls_certificate.empty() || settings.tls_key.empty()))
        return refuse("tls.listen needs tls.certificate and tls.key");
    return {};
}

std::string default_unix_path() {
    for (const char* variable : {"RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"})
        if (const char* folder = std::getenv(variable); folder != nullptr && *folder == '/')
            return std::string(folder) + "/marque.sock";
    return "/run/marque/marque.sock";
}

std::string value_of(const Settings& settings, const Key& key) {
    const auto quoted = [](const std::string& text) {
        std::string out = "\"";
        for (const char c : text)
            if (c == '"' || c == '\\')
                out += std::string("\\") + c;
            else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
                out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
            else
                out += c;
        return out + "\"";
    };
    if (const auto* text = std::get_if<std::string Settings::*>(&key.field)) return quoted(settings.*(*text));
    if (const auto* number = std::get_if<std::uint64_t Settings::*>(&key.field))
        return std::to_string(settings.*(*number));
    if (const auto* duration = std::get_if<Duration Settings::*>(&key.field))
        return quoted(domain::to_text(settings.*(*duration)));
    std::string list;
    for (const std::string& one : settings.*std::get<std::vector<std::string> Settings::*>(key.field))
        list += (list.empty() ? "" : ", ") + quoted(one);
    return "[" + list + "]";
}

}  // namespace

unsigned Settings::worker_count() const {
    if (const auto number = parse_decimal(workers)) return static_cast<unsigned>(*number);
    return std::clamp(std::thread::hardware_concurrency(), 1U, 64U);
}

Result<Settings> read_settings(const std::string& file, const Overrides& overrides) {
    Settings settings;
    settings.unix_path = default_unix_path();
    if (!file.empty()) {
        std::error_code ignored;
        std::ifstream stream(file, std::ios::binary);
        if (std::filesystem::is_directory(file, ignored)) stream.setstate(std::ios::failbit);
        std::string text;
        if (stream) text.assign(std::istreambuf_iterator<char>(stream), {});
        if (!stream || stream.bad())
            return Error(Code::InvalidRequest, "cannot read the settings in " + quote(file, 200));
        try {
            const toml::table table = toml::parse(text);
            TRY(read_table(settings, table, ""));
        } catch (const toml::parse_error& error) {
            return Error(Code::InvalidRequest,
                         fmt::format("{}, line {}: {}", quote(file, 200), error.source().begin.line,
                                     escaped(std::string(error.description()))));
        }
    }
    std::set<const Key*> given;
    for (const std::string& override_ : overrides) {
        const std::size_t equals = override_.find('=');
        if (equals == std::string::npos)
            return Error(Code::InvalidRequest, quote(override_) + " is no setting: write KEY=VALUE");
        const Key* key = TRY(find_key(std::string_view(override_).substr(0, equals)));
        if (!given.insert(key).second)
            return Error(Code::InvalidRequest, std::string(key->name) + " is given twice on the command line",
                         "give it once: it is not clear which one holds");
        TRY(set(settings, *key, override_.substr(equals + 1)));
    }
    TRY(check(settings));
    return settings;
}

std::string to_toml(const Settings& settings) {
    std::string text, table;
    for (const Key& key : keys()) {
        const std::string_view name = key.name;
        const std::size_t dot = name.find('.');
        if (dot != std::string_view::npos && name.substr(0, dot) != table) {
            table = name.substr(0, dot);
            text += fmt::format("\n[{}]\n", table);
        }
        std::string meaning = key.meaning;
        if (!key.choices.empty())
            meaning += fmt::format("{}{}", meaning.empty() ? "" : ": ", fmt::join(key.choices, ", "));
        text += fmt::format("{} = {}  # {}\n", name.substr(dot == std::string_view::npos ? 0 : dot + 1),
                            value_of(settings, key), meaning);
    }
    return text;
}

Result<Endpoint> parse_endpoint(std::string_view text) {
    const Error error(Code::InvalidRequest, quote(text) + " is not an address and a port",
                      "write 127.0.0.1:8480 or [::1]:8480");
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return error;
    const auto port = parse_decimal(text.substr(colon + 1));
    std::string host(text.substr(0, colon));
    if (!port || *port > 65535) return error;
    Endpoint endpoint{host, static_cast<std::uint16_t>(*port), false, false};
    in_addr v4{};
    if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) {
        endpoint.is_loopback = host.starts_with("127.");
        return endpoint;
    }
    in6_addr v6{};
    if (host.size() < 2 || host.front() != '[' || host.back() != ']') return error;
    endpoint.host = host.substr(1, host.size() - 2);
    endpoint.is_v6 = true;
    if (::inet_pton(AF_INET6, endpoint.host.c_str(), &v6) != 1) return error;
    endpoint.is_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
    return endpoint;
}

}  // namespace marque::server
