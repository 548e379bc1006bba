#include "domain/token.h"

#include <algorithm>
#include <array>
#include <libdeflate.h>

#include "base/check.h"

namespace marque::domain {
namespace {

constexpr std::string_view base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr auto is_base62 = [] {
    std::array<bool, 256> table{};
    for (const char c : base62) table[static_cast<std::uint8_t>(c)] = true;
    return table;
}();
constexpr std::string_view test_prefix = "mrq_test_";
constexpr std::string_view live_prefix = "mrq_live_";
constexpr std::size_t secret_at = test_prefix.size() + CredentialId::length + 1;
constexpr std::size_t secret_length = 43;
constexpr std::size_t checksum_at = secret_at + secret_length;
constexpr std::size_t checksum_length = 6;
static_assert(checksum_at + checksum_length == token_length && test_prefix.size() == live_prefix.size());

std::array<char, checksum_length> checksum(std::string_view text) {
    std::uint32_t rest = libdeflate_crc32(0, text.data(), text.size());
    std::array<char, checksum_length> digits{};
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
        *digit = base62[rest % 62];
        rest /= 62;
    }
    return digits;
}

// The 256-bit big-endian number in `number`, base 62, most significant digit first. 62^43 > 2^256.
// Plain long division: the only place that needs a number this size. Leaves `number` zero.
void write_base62(std::span<std::uint8_t> number, std::span<std::uint8_t> out) {
    for (std::size_t at = out.size(); at-- > 0;) {
        unsigned remainder = 0;
        for (std::uint8_t& byte : number) {
            const unsigned value = remainder << 8 | byte;
            byte = static_cast<std::uint8_t>(value / 62);
            remainder = value % 62;
        }
        out[at] = static_cast<std::uint8_t>(base62[remainder]);
    }
}

}  // namespace

Secret make_token(TokenClass token_class, const CredentialId& id, std::span<const std::uint8_t> entropy) {
    CHECK(entropy.size() == token_entropy_bytes);
    Secret token(token_length);
    auto out = token.writable().begin();
    out = std::ranges::copy(token_class == TokenClass::Live ? live_prefix : test_prefix, out).out;
    out = std::ranges::copy(id.text(), out).out;
    *out = '_';
    Secret number = Secret::copy_of(entropy);
    write_base62(number.writable(), token.writable().subspan(secret_at, secret_length));
    std::ranges::copy(checksum(token.reveal_text().substr(0, checksum_at)), token.writable().begin() + checksum_at);
    return token;
}

std::optional<TokenParts> read_form(std::string_view text) noexcept {
    if (text.size() != token_length || !(text.starts_with(test_prefix) || text.starts_with(live_prefix)) ||
        text[secret_at - 1] != '_' ||
        !std::ranges::all_of(text.substr(secret_at), [](char c) { return is_base62[static_cast<std::uint8_t>(c)]; }))
        return std::nullopt;
    const auto id = CredentialId::read(text.substr(test_prefix.size(), CredentialId::length));
    if (!id) return std::nullopt;
    return TokenParts{text.starts_with(live_prefix) ? TokenClass::Live : TokenClass::Test, *id};
}

bool has_right_checksum(std::string_view text) noexcept {
    const auto expected = checksum(text.substr(0, checksum_at));
    return text.substr(checksum_at) == std::string_view(expected.data(), expected.size());
}

std::optional<TokenParts> read_token(std::string_view text) noexcept {
    const auto parts = read_form(text);
    return parts && has_right_checksum(text) ? parts : std::nullopt;
}

Result<TokenParts> parse_token(std::string_view text) {
    const auto parts = read_form(text);
    if (!parts)
        return Error(Code::InvalidRequest, "that is not a Marque token",
                     "a token begins with mrq_live_ or mrq_test_ and has 71 characters");
    if (has_right_checksum(text)) return *parts;
    return Error(Code::InvalidRequest, "the token's checksum is wrong: it was cut or mistyped");
}

bool mentions_token(std::string_view text) {
    return text.find(live_prefix) != std::string_view::npos || text.find(test_prefix) != std::string_view::npos;
}

}  // namespace marque::domain
