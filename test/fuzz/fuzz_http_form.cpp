// Forms, and the credentials of a header: what parses, encoded again, parses to the same; whatever is no control
// character comes back from every way of writing it; nothing is there twice.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "crypto/base64.h"
#include "fuzz.h"
#include "server/oauth.h"

using namespace marque;
using namespace marque::server;

namespace {

bool has_control(std::string_view text) {
    return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// As one byte of `how` after the other has it: the character itself where it may be, else in hexadecimal.
std::string encoded(std::string_view text, std::string_view how = {}) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const int way = how.empty() ? 0 : how[i % how.size()] % 3;
        if (way != 0 && std::string_view("&=+%").find(c) == std::string_view::npos)
            out += c == ' ' && way == 1 ? '+' : c;
        else if (way == 1)
            out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

std::string encoded(const Parameters& parameters) {
    std::string out;
    for (const auto& [name, value] : parameters) out += (out.empty() ? "" : "&") + encoded(name) + "=" + encoded(value);
    return out;
}

void check_parameters(std::string_view text) {
    const auto parameters = parse_parameters(text);
    if (!parameters) return;
    CHECK(parameters->empty() == text.empty());
    for (const auto& [name, value] : *parameters) {
        CHECK(!name.empty() && !has_control(name) && !has_control(value));
        CHECK(std::ranges::count(*parameters, name, &Parameters::value_type::first) == 1);
        CHECK(*find(*parameters, name) == value);
    }
    CHECK(parse_parameters(encoded(*parameters)) == parameters);
    if (text.empty()) return;
    CHECK(!parse_parameters(fmt::format("{}&{}", text, text)));
    CHECK(!parse_parameters(fmt::format("{}&", text)) && !parse_parameters(fmt::format("&{}", text)));
}

void check_pair(std::string_view how, std::string_view name, std::string_view value) {
    const std::string pair = encoded(name, how) + "=" + encoded(value, how);
    const auto parameters = parse_parameters(pair);
    CHECK(parameters.has_value() == (!name.empty() && !has_control(name) && !has_control(value)));
    if (parameters)
        CHECK(parameters->size() == 1 && parameters->front() == std::pair(std::string(name), WipedString(value)));

    const std::string colon = encoded(name) + ":" + encoded(value, how);
    const auto secret = basic_secret("bAsIc " + crypto::to_base64(bytes_of(colon)));
    CHECK(secret.has_value() == (!has_control(name) && !has_control(value)));
    if (secret) CHECK(secret->id == name && secret->secret == value);
}

void check_header(std::string_view text) {
    const auto token = bearer_token(text);
    const auto secret = basic_secret(text);
    CHECK(!token || !secret);
    if (token) {
        CHECK(text.ends_with(*token) && !token->starts_with(' ') && text.size() - token->size() >= 7);
        CHECK(bearer_token(fmt::format("Bearer {}", *token)) == token);
    }
    if (secret) {
        CHECK(!has_control(secret->id) && !has_control(secret->secret));
        const std::string colon = encoded(secret->id) + ":" + encoded(secret->secret);
        const auto again = basic_secret("Basic " + crypto::to_base64(bytes_of(colon)));
        CHECK(again && again->id == secret->id && again->secret == secret->secret);
    }
    // What is no more than the token is the token; without its blank the scheme is another.
    const std::size_t begin = text.find_first_not_of(' ');
    const std::string_view trimmed = begin == std::string_view::npos ? std::string_view() : text.substr(begin);
    CHECK(bearer_token(fmt::format("bEaReR {}", text)) == trimmed);
    if (!text.starts_with(' ')) CHECK(!bearer_token(fmt::format("Bearer{}", text)));
    CHECK(!basic_secret(fmt::format("Bearer {}", text)) && !bearer_token(fmt::format("Basic {}", text)));
}

}  // namespace

void fuzz(std::string_view input) {
    check_parameters(input);
    check_header(input);
    if (input.size() < 4) return;
    const std::string_view rest = input.substr(3);
    const std::size_t cut = static_cast<unsigned char>(input[0]) % (rest.size() + 1);
    check_pair(input.substr(0, 3), rest.substr(0, cut), rest.substr(cut));
    // Basic, whose inside the mutations would hardly reach.
    check_header("Basic " + crypto::to_base64(bytes_of(rest)));
}
