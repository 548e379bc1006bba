// domain/credential_id.h: the public id of a credential: 12 characters of Crockford's base 32,
// lower case (no i, l, o, u). 60 random bits.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace marque::domain {

class CredentialId {
 public:
    static constexpr std::size_t length = 12;

    // Exactly the form above; nothing is folded. Errors: InvalidRequest.
    static Result<CredentialId> parse(std::string_view text);
    // The same without words about what is wrong. Allocates nothing.
    static std::optional<CredentialId> read(std::string_view text) noexcept;
    // From 60 of the 64 bits; `bits` gives them back.
    static CredentialId from_bits(std::uint64_t bits);
    std::uint64_t bits() const;

    std::string_view text() const { return {text_.data(), text_.size()}; }
    std::string string() const { return std::string(text()); }
    auto operator<=>(const CredentialId&) const = default;

 private:
    explicit CredentialId(std::string_view text);
    std::array<char, length> text_{};
};

}  // namespace marque::domain
