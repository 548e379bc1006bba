// domain/token.h: the text a machine presents.
//
//     mrq_test_0123456789ab_<43 characters of base 62><6 characters of base 62>
//     └── class  └── id      └── 256 random bits      └── CRC-32 over everything before
//
// The checksum is no security: it refuses typos without touching an index, and lets secret
// scanners tell a real token from a look-alike (docs/token.md has the pattern). 71 characters.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "domain/credential_id.h"

namespace marque::domain {

// `Live` tokens are those of protected environments.
enum class TokenClass { Test, Live };

inline constexpr std::size_t token_length = 71;
inline constexpr std::size_t token_entropy_bytes = 32;

// What a token says in public. The rest of it is only ever hashed whole.
struct TokenParts {
    TokenClass token_class;
    CredentialId id;
};

// `entropy` has token_entropy_bytes.
Secret make_token(TokenClass token_class, const CredentialId& id, std::span<const std::uint8_t> entropy);

// Exactly one token and nothing around it. Errors: InvalidRequest; the message never quotes the text.
Result<TokenParts> parse_token(std::string_view text);
// The same for whoever verifies millions: no words about what is wrong. Allocates nothing.
std::optional<TokenParts> read_token(std::string_view text) noexcept;
// Its two halves, for whoever has something to do between them: the form, and the checksum of a text that has it.
std::optional<TokenParts> read_form(std::string_view text) noexcept;
bool has_right_checksum(std::string_view text) noexcept;

// Whether `text` contains something that looks like the beginning of a token: for refusing
// one where it must not be, such as on a command line.
bool mentions_token(std::string_view text);

}  // namespace marque::domain
