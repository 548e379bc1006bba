// cli/roster.h: the file of `create --from`: one identity a line.
//
//     # NAME, then what differs from the command line's own options
//     codex
//     hermes        scope=card:view,card:edit env=staging kind=service
//     patchwarden   expires=30d contact=ops@example.org label=team=security
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "authority/authority.h"

namespace marque::cli {

// Returns the request for a name as it is where its line says nothing more. Without scopes it is not complete.
using RequestFor = std::function<authority::CreateRequest(domain::IdentityName)>;

inline constexpr std::size_t longest_roster_line = 16 * 1024;
inline constexpr std::size_t most_roster_lines = 100'000;

// Errors: InvalidRequest, naming the line.
Result<std::vector<authority::CreateRequest>> parse_roster(std::string_view text, const RequestFor& request_for);

}  // namespace marque::cli
