// audit/json.h: canonical JSON: one value, one sequence of bytes.
//
// RFC 8785 (JCS) restricted to what a log needs: integers within ±(2^53 − 1), no fractions,
// object keys in printable ASCII. Keys are sorted, nothing is escaped that need not be, no
// blanks. Anybody's JCS implementation writes the same bytes.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

#include "base/result.h"

namespace marque::audit {

using Json = boost::json::value;
using JsonObject = boost::json::object;
using JsonArray = boost::json::array;

inline constexpr std::size_t max_canonical_bytes = 256 * 1024;
inline constexpr int max_canonical_depth = 16;

// The value's bytes. `value` is ours: a fraction or an odd key in it is a bug.
std::string canonical(const Json& value);

// Exactly what `canonical` writes; anything else is refused. Errors: InvalidRequest.
Result<Json> parse_canonical(std::string_view text);

}  // namespace marque::audit
