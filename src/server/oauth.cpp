#include "server/oauth.h"

#include <boost/beast/core/string.hpp>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "crypto/base64.h"

namespace marque::server {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

template <class Text>
std::optional<Text> decode(std::string_view text) {
    Text out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '+') c = ' ';
        if (c == '%') {
            if (text.size() - i < 3) return std::nullopt;
            const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            c = static_cast<char>(high << 4 | low);
            i += 2;
        }
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return std::nullopt;
        out += c;
    }
    return out;
}

std::optional<std::string_view> after_scheme(std::string_view authorization, std::string_view scheme) {
    if (authorization.size() <= scheme.size() || authorization[scheme.size()] != ' ') return std::nullopt;
    if (!boost::beast::iequals(authorization.substr(0, scheme.size()), scheme)) return std::nullopt;
    authorization.remove_prefix(scheme.size());
    while (authorization.starts_with(' ')) authorization.remove_prefix(1);
    return authorization;
}

}  // namespace

std::optional<Parameters> parse_parameters(std::string_view text) {
    Parameters parameters;
    if (text.empty()) return parameters;
    for (const std::string_view part : split(text, '&')) {
        const std::size_t equals = part.find('=');
        if (equals == std::string_view::npos || equals == 0) return std::nullopt;
        auto name = decode<std::string>(part.substr(0, equals));
        auto value = decode<WipedString>(part.substr(equals + 1));
        if (!name || !value || find(parameters, *name) != nullptr) return std::nullopt;
        parameters.emplace_back(std::move(*name), std::move(*value));
    }
    return parameters;
}

const WipedString* find(const Parameters& parameters, std::string_view name) {
    const auto found = std::ranges::find(parameters, name, &Parameters::value_type::first);
    return found == parameters.end() ? nullptr : &found->second;
}

std::optional<std::string_view> bearer_token(std::string_view authorization) {
    return after_scheme(authorization, "bearer");
}

std::optional<ClientSecret> basic_secret(std::string_view authorization) {
    const auto encoded = after_scheme(authorization, "basic");
    if (!encoded) return std::nullopt;
    auto bytes = crypto::from_base64(*encoded);
    if (!bytes || bytes->empty()) return std::nullopt;
    const WipedString text(text_of(*bytes));
    ::explicit_bzero(bytes->data(), bytes->size());
    const std::size_t colon = text.find(':');
    if (colon == WipedString::npos) return std::nullopt;
    auto id = decode<std::string>(std::string_view(text).substr(0, colon));
    auto secret = decode<WipedString>(std::string_view(text).substr(colon + 1));
    if (!id || !secret) return std::nullopt;
    return ClientSecret{std::move(*id), std::move(*secret)};
}

}  // namespace marque::server
