// Bytes give the same request, or the same refusal, however they were cut up on their way; a request keeps to its
// limits, holds nothing that ends a line, is framed as RFC 9112 says, and parses to itself when it is written out
// again.
//
// Input: limits (head, fields, body), two steps in which the bytes arrive, the bytes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "fuzz.h"
#include "server/request.h"

using namespace marque::server;
using Kind = Parsed::Kind;

namespace {

constexpr std::string_view client_address = "X-Real-IP";

auto all_of(const Request& r) {
    return std::tie(r.method, r.path, r.query, r.host, r.authorization, r.content_type, r.client_address, r.request_id,
                    r.body, r.has_body, r.keep_alive);
}

bool is_same(const Parsed& a, const Parsed& b) {
    if (a.kind != b.kind || a.status != b.status || a.consumed != b.consumed) return false;
    return a.kind != Kind::Complete || all_of(a.request) == all_of(b.request);
}

// A tab is the one control character that a field may have within.
bool is_one_line(std::string_view text) {
    return std::ranges::all_of(text, [](unsigned char c) { return (c >= 0x20 || c == '\t') && c != 0x7F; });
}

bool is_visible(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

// A chunked body, read as strictly as it can be: no extensions, no trailers. Its bytes, and how many it took.
std::optional<std::pair<std::string, std::size_t>> read_chunks(std::string_view bytes) {
    std::string body;
    for (std::size_t at = 0;;) {
        const std::size_t end = bytes.find("\r\n", at);
        const std::size_t digits = bytes.find_first_not_of("0123456789abcdefABCDEF", at);
        if (end == std::string_view::npos || digits != end || end == at) return std::nullopt;
        const std::size_t size = std::stoul(std::string(bytes.substr(at, end - at)), nullptr, 16);
        at = end + 2;
        if (size > bytes.size() - at || bytes.substr(at + size, 2) != "\r\n") return std::nullopt;
        body += bytes.substr(at, size);
        at += size + 2;
        if (size == 0) return std::pair(body, at);
    }
}

// Every value that the head has under `name`, without the blanks around it.
std::vector<std::string_view> values_of(std::string_view head, std::string_view name) {
    std::vector<std::string_view> values;
    for (std::size_t at = head.find('\n') + 1; at < head.size(); at = head.find('\n', at) + 1) {
        const std::string_view line = head.substr(at, head.find('\r', at) - at);
        const std::size_t colon = line.find(':');
        const auto is_alike = [](char a, char b) { return std::tolower(a) == std::tolower(b); };
        if (colon == std::string_view::npos || !std::ranges::equal(line.substr(0, colon), name, is_alike)) continue;
        const std::size_t begin = std::min(line.find_first_not_of(" \t", colon + 1), line.size());
        values.push_back(line.substr(begin, line.find_last_not_of(" \t") + 1 - begin));
    }
    return values;
}

// What it says is what the head says, and the head says it once.
void check_head(const Request& r, std::string_view head) {
    const std::string target = r.query ? fmt::format("{}?{}", r.path, *r.query) : std::string(r.path);
    CHECK(head.starts_with(fmt::format("{} {} HTTP/1.", r.method, target)));
    const auto hosts = values_of(head, "host"), authorizations = values_of(head, "authorization");
    CHECK(hosts.size() <= 1 && r.host == (hosts.empty() ? std::string_view() : hosts[0]));
    CHECK(hosts.size() == 1 || !head.starts_with(fmt::format("{} {} HTTP/1.1", r.method, target)));
    CHECK(authorizations.size() == (r.authorization ? 1 : 0) &&
          (!r.authorization || authorizations[0] == *r.authorization));
    CHECK(values_of(head, "content-length").size() + values_of(head, "transfer-encoding").size() <= 1);
    const auto addresses = values_of(head, client_address);
    CHECK(r.client_address.empty() || std::ranges::find(addresses, r.client_address) != addresses.end());
    CHECK(addresses.size() != 1 || r.client_address == addresses[0]);
}

void check_request(const Parsed& parsed, std::string_view bytes, const HttpLimits& limits) {
    const Request& r = parsed.request;
    CHECK(parsed.consumed > 0 && parsed.consumed <= bytes.size());
    const std::size_t head = bytes.find("\r\n\r\n") + 4;
    CHECK(head <= limits.head_bytes && head <= parsed.consumed);
    std::size_t lines = 0;
    for (const char c : bytes.substr(0, head)) lines += c == '\n' ? 1 : 0;
    CHECK(lines - 2 <= limits.fields);
    check_head(r, bytes.substr(0, head));
    CHECK(r.body.size() <= limits.body_bytes && (r.has_body || r.body.empty()));

    CHECK(!r.method.empty() && is_visible(r.method));
    CHECK(r.path.starts_with('/') && is_visible(r.path) && r.path.find_first_of("?#") == std::string_view::npos);
    if (r.query) CHECK(is_visible(*r.query) && r.query->find('#') == std::string_view::npos);
    for (const std::string_view field :
         {r.host, r.authorization.value_or(""), r.content_type, r.client_address, r.request_id})
        CHECK(is_one_line(field));

    const std::string_view behind = bytes.substr(head, parsed.consumed - head);
    if (behind != r.body) {
        const auto chunks = read_chunks(behind);
        CHECK(chunks && chunks->first == r.body && chunks->second == behind.size());
    }
}

std::string written(const Request& r, bool is_chunked) {
    std::string text = fmt::format("{} {}", r.method, r.path);
    if (r.query) text += fmt::format("?{}", *r.query);
    text += fmt::format(" HTTP/1.1\r\nHost: {}\r\n", r.host);
    if (r.authorization) text += fmt::format("Authorization: {}\r\n", *r.authorization);
    if (!r.content_type.empty()) text += fmt::format("Content-Type: {}\r\n", r.content_type);
    if (!r.client_address.empty()) text += fmt::format("{}: {}\r\n", client_address, r.client_address);
    if (!r.request_id.empty()) text += fmt::format("X-Request-Id: {}\r\n", r.request_id);
    if (!r.keep_alive) text += "Connection: close\r\n";
    if (is_chunked)
        return text + fmt::format("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n", r.body.size(), r.body);
    return text + fmt::format("Content-Length: {}\r\n\r\n{}", r.body.size(), r.body);
}

void check_written(const Request& request) {
    for (const bool is_chunked : {false, true}) {
        if (is_chunked && request.body.empty()) continue;  // a chunk of size 0 is the last one
        const std::string text = written(request, is_chunked);
        Parser parser({}, client_address);
        std::size_t scanned = 0;
        Parsed again = parser.parse(text, scanned);
        CHECK(again.kind == Kind::Complete && again.consumed == text.size());
        CHECK(again.request.has_body == !request.body.empty());
        again.request.has_body = request.has_body;  // no chunks are a body too
        CHECK(all_of(again.request) == all_of(request));
    }
}

// What `bytes` parse to when they come at once; having come in steps, they parse to the same.
Parsed check_cuts(Parser& parser, Parser& growing, const HttpLimits& limits, std::string_view bytes,
                  const std::array<std::size_t, 2>& steps) {
    std::size_t scanned = 0, ignored = 0;
    const Parsed whole = parser.parse(bytes, ignored);
    for (std::size_t size = 0, turn = 0;; size = std::min(bytes.size(), size + steps[turn++ % 2])) {
        // In room of its own size, so that reading behind it is seen.
        const std::vector<char> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        const Parsed parsed = growing.parse({part.data(), size}, scanned);
        Parser fresh(limits, client_address);
        ignored = 0;
        CHECK(is_same(fresh.parse({part.data(), size}, ignored), parsed));
        if (parsed.kind != Kind::NeedMore) {
            CHECK(is_same(parsed, whole));
            return whole;
        }
        CHECK(size <= limits.head_bytes + 4 * limits.body_bytes);  // it does not ask for more for ever
        CHECK(whole.kind != Kind::Complete || size < whole.consumed);
        if (size == bytes.size()) {
            CHECK(whole.kind == Kind::NeedMore);
            return whole;
        }
    }
}

}  // namespace

void fuzz(std::string_view input) {
    if (input.size() < 5) return;
    const auto number = [&](std::size_t at) { return std::size_t{static_cast<unsigned char>(input[at])}; };
    const HttpLimits limits{16 + 8 * number(0), 1 + number(1) % 32, 4 * number(2)};
    const std::array steps{1 + number(3), 1 + number(4)};
    Parser parser(limits, client_address), growing(limits, client_address);
    for (std::string_view bytes = input.substr(5); !bytes.empty();) {
        const Parsed parsed = check_cuts(parser, growing, limits, bytes, steps);
        if (parsed.kind == Kind::Refused) {
            constexpr std::array statuses{400, 413, 417, 431, 505};
            CHECK(std::ranges::find(statuses, parsed.status) != statuses.end());
        }
        if (parsed.kind != Kind::Complete) return;
        check_request(parsed, bytes, limits);
        check_written(parsed.request);
        bytes.remove_prefix(parsed.consumed);
    }
}
