#include "audit/json.h"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace marque::audit {
namespace {

constexpr std::int64_t largest_integer = (std::int64_t{1} << 53) - 1;

void write_string(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\b':
                out += "\\b";
                break;
            case '\f':
                out += "\\f";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20)
                    out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
                else
                    out += c;
        }
    }
    out += '"';
}

bool is_plain_key(std::string_view key) {
    return std::ranges::all_of(key, [](char c) { return c >= 0x20 && c < 0x7F; });
}

// Whether the value has no canonical form. Depth is bounded by the parser.
bool is_unwritable(const Json& value) {
    if (value.is_double()) return true;
    if (value.is_uint64()) return value.get_uint64() > static_cast<std::uint64_t>(largest_integer);
    if (value.is_int64()) return value.get_int64() > largest_integer || value.get_int64() < -largest_integer;
    if (value.is_array()) return std::ranges::any_of(value.get_array(), is_unwritable);
    if (value.is_object())
        return std::ranges::any_of(value.get_object(), [](const auto& member) {
            return !is_plain_key(member.key()) || is_unwritable(member.value());
        });
    return false;
}

void write(std::string& out, const Json& value);

void write_object(std::string& out, const JsonObject& object) {
    std::vector<const boost::json::key_value_pair*> members;
    members.reserve(object.size());
    for (const auto& member : object) members.push_back(&member);
    std::ranges::sort(members, {}, [](const auto* member) { return std::string_view(member->key()); });
    out += '{';
    for (const char* separator = ""; const auto* member : members) {
        out += separator;
        separator = ",";
        write_string(out, member->key());
        out += ':';
        write(out, member->value());
    }
    out += '}';
}

void write(std::string& out, const Json& value) {
    switch (value.kind()) {
        case boost::json::kind::null:
            out += "null";
            return;
        case boost::json::kind::bool_:
            out += value.get_bool() ? "true" : "false";
            return;
        case boost::json::kind::int64:
            out += fmt::format_int(value.get_int64()).c_str();
            return;
        case boost::json::kind::uint64:
            out += fmt::format_int(value.get_uint64()).c_str();
            return;
        case boost::json::kind::double_:
            CHECK_UNREACHABLE();
        case boost::json::kind::string:
            write_string(out, value.get_string());
            return;
        case boost::json::kind::array:
            out += '[';
            for (const char* separator = ""; const Json& element : value.get_array()) {
                out += separator;
                separator = ",";
                write(out, element);
            }
            out += ']';
            return;
        case boost::json::kind::object:
            write_object(out, value.get_object());
            return;
    }
}

}  // namespace

std::string canonical(const Json& value) {
    CHECK(!is_unwritable(value));
    std::string out;
    write(out, value);
    return out;
}

Result<Json> parse_canonical(std::string_view text) {
    if (text.size() > max_canonical_bytes) return Error(Code::InvalidRequest, "the JSON text is too long");
    boost::json::parse_options options;
    options.max_depth = max_canonical_depth;
    boost::json::error_code error;
    Json value = boost::json::parse({text.data(), text.size()}, error, {}, options);
    if (error) return Error(Code::InvalidRequest, "not valid JSON: " + error.message());
    if (is_unwritable(value) || canonical(value) != text)
        return Error(Code::InvalidRequest, "the JSON is not in canonical form");
    return value;
}

}  // namespace marque::audit
