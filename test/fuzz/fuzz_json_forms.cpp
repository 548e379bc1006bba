// Our canonical JSON against two others: a reader that knows nothing but the canonical form, and Boost.JSON's reader
// with a writer of our rules that shares no line with ours. What the first reads is exactly what ours accepts; what the
// second writes is byte by byte what ours does.
#include <boost/json/parse.hpp>

#include <algorithm>
#include <map>
#include <string>

#include "audit/json.h"
#include "base/text.h"
#include "fuzz.h"

using namespace marque::audit;

namespace {

// Reads RFC 8785 as audit/json.h restricts it, from the text alone.
class CanonicalReader {
 public:
    explicit CanonicalReader(std::string_view text) : rest_(text) {}
    bool reads_all() { return value(max_canonical_depth) && rest_.empty(); }

 private:
    bool take(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }

    bool value(int depth) {
        if (take("null") || take("true") || take("false")) return true;
        if (rest_.starts_with('"')) return string(false).first;
        if (rest_.starts_with('{')) return depth > 0 && object(depth - 1);
        if (rest_.starts_with('[')) return depth > 0 && array(depth - 1);
        return integer();
    }

    bool array(int depth) {
        take("[");
        if (take("]")) return true;
        do
            if (!value(depth)) return false;
        while (take(","));
        return take("]");
    }

    bool object(int depth) {
        take("{");
        if (take("}")) return true;
        std::string last;
        for (bool is_first = true;; is_first = false) {
            const auto [is_string, key] = string(true);
            if (!is_string || (!is_first && key <= last) || !take(":") || !value(depth)) return false;
            last = key;
            if (!take(",")) return take("}");
        }
    }

    // No sign before zero, no leading zero, at most 2^53 - 1.
    bool integer() {
        const bool is_negative = take("-");
        const std::size_t digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
        const std::string_view number = rest_.substr(0, digits);
        rest_.remove_prefix(digits);
        if (number.empty() || (number.front() == '0' && (is_negative || digits > 1))) return false;
        return digits < 16 || (digits == 16 && number <= "9007199254740991");
    }

    // And what it says. A key is printable ASCII.
    std::pair<bool, std::string> string(bool is_key) {
        std::string text;
        if (!take("\"")) return {false, text};
        while (!rest_.empty()) {
            const auto c = static_cast<unsigned char>(rest_.front());
            if (c == '"') return {take("\""), text};
            if (c == '\\') {
                if (is_key ? !escape("\"\\", text) : !escape("\"\\bfnrt", text) && !control_escape(text))
                    return {false, text};
            } else if (c < 0x20 || (is_key && c >= 0x7F)) {
                return {false, text};
            } else if (c < 0x80) {
                text += rest_.front();
                rest_.remove_prefix(1);
            } else if (!utf8()) {
                return {false, text};
            }
        }
        return {false, text};
    }

    bool escape(std::string_view letters, std::string& text) {
        if (rest_.size() < 2 || letters.find(rest_[1]) == std::string_view::npos) return false;
        text += rest_[1];  // of a key, where it stands for itself
        rest_.remove_prefix(2);
        return true;
    }

    // \u0000 to \u001f, in lower case, but for those that have a letter.
    bool control_escape(std::string&) {
        if (!rest_.starts_with("\\u00") || rest_.size() < 6 || (rest_[4] != '0' && rest_[4] != '1')) return false;
        const std::size_t low = std::string_view("0123456789abcdef").find(rest_[5]);
        if (low == std::string_view::npos) return false;
        const std::size_t code = static_cast<std::size_t>(rest_[4] - '0') * 16 + low;
        if (code == 8 || code == 9 || code == 10 || code == 12 || code == 13) return false;
        rest_.remove_prefix(6);
        return true;
    }

    // One character beyond ASCII: shortest form, no surrogates, nothing above U+10FFFF.
    bool utf8() {
        const auto byte = [&](std::size_t i) {
            return i < rest_.size() ? static_cast<unsigned char>(rest_[i]) : std::uint32_t{0};
        };
        const std::size_t length = byte(0) < 0xC0   ? 0
                                   : byte(0) < 0xE0 ? 2
                                   : byte(0) < 0xF0 ? 3
                                   : byte(0) < 0xF8 ? 4
                                                    : 0;
        if (length == 0) return false;
        std::uint32_t code = byte(0) & (0x7FU >> length);
        for (std::size_t i = 1; i < length; ++i) {
            if ((byte(i) & 0xC0U) != 0x80) return false;
            code = code << 6 | (byte(i) & 0x3FU);
        }
        constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
        rest_.remove_prefix(length);
        return true;
    }

    std::string_view rest_;
};

std::string quoted(std::string_view text) {
    static const std::map<char, std::string> letters = {{'"', "\\\""}, {'\\', "\\\\"}, {'\b', "\\b"}, {'\f', "\\f"},
                                                        {'\n', "\\n"}, {'\r', "\\r"},  {'\t', "\\t"}};
    std::string out = "\"";
    for (const char c : text) {
        if (const auto letter = letters.find(c); letter != letters.end())
            out += letter->second;
        else if (static_cast<unsigned char>(c) < 0x20)
            out += std::string("\\u00") + "01"[c / 16] + "0123456789abcdef"[c % 16];
        else
            out += c;
    }
    return out + "\"";
}

// False when the value has no canonical form.
bool write(std::string& out, const Json& value) {
    if (value.is_object()) {
        std::map<std::string, const Json*> members;
        for (const auto& member : value.get_object()) members[std::string(member.key())] = &member.value();
        std::string list;
        for (const auto& [key, inner] : members) {
            for (const char c : key)
                if (c < ' ' || c > '~') return false;
            list += (list.empty() ? "" : ",") + quoted(key) + ":";
            if (!write(list, *inner)) return false;
        }
        out += "{" + list + "}";
    } else if (value.is_array()) {
        std::string list;
        for (const Json& inner : value.get_array()) {
            list += list.empty() ? "" : ",";
            if (!write(list, inner)) return false;
        }
        out += "[" + list + "]";
    } else if (value.is_string()) {
        out += quoted(value.get_string());
    } else if (value.is_int64()) {
        const std::int64_t number = value.get_int64();
        if (number > 9007199254740991 || number < -9007199254740991) return false;
        out += std::to_string(number);
    } else if (value.is_bool()) {
        out += value.get_bool() ? "true" : "false";
    } else if (value.is_null()) {
        out += "null";
    } else {
        return false;  // a fraction, or a number that only an unsigned one holds
    }
    return true;
}

}  // namespace

void fuzz(std::string_view input) {
    const auto ours = parse_canonical(input);
    CHECK(ours.has_value() == (input.size() <= max_canonical_bytes && CanonicalReader(input).reads_all()));

    boost::json::error_code error;
    boost::json::parse_options options;
    options.max_depth = max_canonical_depth;
    const Json value = boost::json::parse({input.data(), input.size()}, error, {}, options);
    CHECK(!ours || (!error && value == *ours));
    if (error) return;
    std::string theirs;
    const bool has_form = write(theirs, value);
    CHECK(!ours || (has_form && theirs == input));
    CHECK(ours || !has_form || theirs != input || input.size() > max_canonical_bytes);
    if (has_form) CHECK(canonical(value) == theirs);
}
