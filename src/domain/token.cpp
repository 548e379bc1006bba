#include "domain/token.h"

#include <boost/crc.hpp>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace marque::domain {
namespace {

constexpr std::string_view base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view test_prefix = "mrq_test_";
constexpr std::string_view live_prefix = "mrq_live_";
constexpr std::size_t secret_at = test_prefix.size() + CredentialId::length + 1;
constexpr std::size_t secret_length = 43;
constexpr std::size_t checksum_at = secret_at + secret_length;
constexpr std::size_t checksum_length = 6;
static_assert(checksum_at + checksum_length == token_length && test_prefix.size() == live_prefix.size());

std::array<char, checksum_length> checksum(std::string_view text) {
    boost::crc_32_type crc;
    crc.process_bytes(text.data(), text.size());
    std::uint32_t rest = crc.checksum();
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

Result<TokenParts> parse_token(std::string_view text) {
    const Error malformed(Code::InvalidRequest, "that is not a Marque token",
                          "a token begins with mrq_live_ or mrq_test_ and has 71 characters");
    if (text.size() != token_length) return malformed;
    const bool is_live = text.starts_with(live_prefix);
    if (!is_live && !text.starts_with(test_prefix)) return malformed;
    const std::string_view id = text.substr(test_prefix.size(), CredentialId::length);
    if (!CredentialId::is_id(id) || text[secret_at - 1] != '_') return malformed;
    if (text.substr(secret_at).find_first_not_of(base62) != std::string_view::npos) return malformed;
    const auto expected = checksum(text.substr(0, checksum_at));
    if (text.substr(checksum_at) != std::string_view(expected.data(), expected.size()))
        return Error(Code::InvalidRequest, "the token's checksum is wrong: it was cut or mistyped");
    const CredentialId credential_id = TRY(CredentialId::parse(id));
    return TokenParts{is_live ? TokenClass::Live : TokenClass::Test, credential_id};
}

bool mentions_token(std::string_view text) {
    return text.find(live_prefix) != std::string_view::npos || text.find(test_prefix) != std::string_view::npos;
}

}  // namespace marque::domain
