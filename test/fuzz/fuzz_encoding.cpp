// Base 64, hexadecimal, decimal numbers and times: each is read exactly when some bytes, number or moment is written
// so, by decoders that are written out here.
#include <string>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/time.h"
#include "crypto/base64.h"
#include "fuzz.h"

using namespace marque;

namespace {

// RFC 4648, section 4, bit by bit; spare bits are zero and the padding is there.
std::optional<Bytes> naive_base64(std::string_view text) {
    static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (text.size() % 4 != 0) return std::nullopt;
    const std::string_view digits = text.substr(0, text.find('='));
    const std::string_view padding = text.substr(digits.size());
    if (padding != "" && padding != "=" && padding != "==") return std::nullopt;
    Bytes bytes;
    unsigned bits = 0, count = 0;
    for (const char c : digits) {
        const std::size_t value = alphabet.find(c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = bits << 6 | static_cast<unsigned>(value);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes.push_back(static_cast<std::uint8_t>(bits >> count));
        bits &= (1U << count) - 1;
    }
    if (bits != 0) return std::nullopt;
    return bytes;
}

std::optional<std::uint64_t> naive_decimal(std::string_view text) {
    std::uint64_t number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (number > (~std::uint64_t{0} - digit) / 10) return std::nullopt;
        number = number * 10 + digit;
    }
    return text.empty() ? std::nullopt : std::optional(number);
}

// Days since 1970, counted year by year and month by month.
std::optional<std::int64_t> naive_microseconds(std::string_view text) {
    static constexpr std::string_view form = "0000-00-00T00:00:00.000000Z";
    if (text.size() != form.size()) return std::nullopt;
    for (std::size_t i = 0; i < form.size(); ++i)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) return std::nullopt;
    const auto number = [&](std::size_t at, std::size_t length) {
        return std::stoll(std::string(text.substr(at, length)));
    };
    const auto is_leap = [](std::int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; };
    const std::int64_t year = number(0, 4), month = number(5, 2), day = number(8, 2);
    const std::int64_t lengths[] = {31, is_leap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1 || day > lengths[month - 1]) return std::nullopt;
    const std::int64_t hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
    if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
    std::int64_t days = day - 1;
    for (std::int64_t y = 1970; y < year; ++y) days += is_leap(y) ? 366 : 365;
    for (std::int64_t y = year; y < 1970; ++y) days -= is_leap(y) ? 366 : 365;
    for (std::int64_t m = 1; m < month; ++m) days += lengths[m - 1];
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1'000'000 + number(20, 6);
}

}  // namespace

void fuzz(std::string_view input) {
    const auto from64 = crypto::from_base64(input);
    CHECK(from64 == naive_base64(input));
    if (from64) CHECK(crypto::to_base64(*from64) == input);
    CHECK(naive_base64(crypto::to_base64(bytes_of(input))) == Bytes(bytes_of(input).begin(), bytes_of(input).end()));

    const auto from16 = from_hex(input);
    const bool is_hex = input.size() % 2 == 0 && input.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    CHECK(from16.has_value() == is_hex);
    if (from16) {
        CHECK(to_hex(*from16) == input);
        for (std::size_t i = 0; i < from16->size(); ++i)
            CHECK((*from16)[i] == std::stoul(std::string(input.substr(2 * i, 2)), nullptr, 16));
    }

    CHECK(parse_decimal(input) == naive_decimal(input));

    const auto instant = parse_rfc3339(input);
    const auto count = naive_microseconds(input);
    CHECK(instant.has_value() == count.has_value());
    if (instant) CHECK(instant->time_since_epoch().count() == *count && to_rfc3339(*instant) == input);
}
