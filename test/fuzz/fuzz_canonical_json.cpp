// What is canonical reads back to its very bytes; whatever Boost.JSON reads, our canonical form
// of it is read by Boost.JSON as an equal value, and is canonical; an entry that decodes is canonical.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

#include "audit/entry.h"
#include "audit/json.h"
#include "fuzz.h"

using namespace marque::audit;

namespace {

bool has_canonical_form(const Json& value) {
    if (value.is_double() || value.is_uint64()) return false;
    if (value.is_int64())
        return value.get_int64() < (std::int64_t{1} << 53) && value.get_int64() > -(std::int64_t{1} << 53);
    if (value.is_array()) return std::ranges::all_of(value.get_array(), has_canonical_form);
    if (value.is_object())
        return std::ranges::all_of(value.get_object(), [](const auto& member) {
            return std::ranges::all_of(member.key(), [](char c) { return c >= 0x20 && c < 0x7F; }) &&
                   has_canonical_form(member.value());
        });
    return true;
}

}  // namespace

void fuzz(std::string_view input) {
    if (const auto value = parse_canonical(input)) CHECK(canonical(*value) == input);
    if (decode(input)) CHECK(parse_canonical(input));
    boost::json::error_code error;
    boost::json::parse_options options;
    options.max_depth = max_canonical_depth;
    const Json value = boost::json::parse({input.data(), input.size()}, error, {}, options);
    if (error || !has_canonical_form(value)) return;
    const std::string ours = canonical(value);
    const Json again = boost::json::parse(ours, error, {}, options);
    CHECK(!error && again == value);
    CHECK(ours.size() > max_canonical_bytes || parse_canonical(ours));
}
