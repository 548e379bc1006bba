// server/oauth.h: bearer tokens (RFC 6750), client authentication, and parameters as forms and queries carry them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/wiped.h"

namespace marque::server {

// name=value pairs, decoded (application/x-www-form-urlencoded). Nothing for what does not decode, holds a control
// character, or names one parameter twice.
using Parameters = std::vector<std::pair<std::string, WipedString>>;
std::optional<Parameters> parse_parameters(std::string_view text);
const WipedString* find(const Parameters& parameters, std::string_view name);

// The token of `Authorization: Bearer TOKEN`; the scheme in any case. Nothing for another scheme.
std::optional<std::string_view> bearer_token(std::string_view authorization);

// RFC 6749, section 2.3.1: client id and secret, form-encoded within Basic.
struct ClientSecret {
    std::string id;
    WipedString secret;
};
std::optional<ClientSecret> basic_secret(std::string_view authorization);

}  // namespace marque::server
