#include "domain/credential_id.h"

#include <algorithm>

#include "base/text.h"

namespace marque::domain {
namespace {

constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

// Each character's five bits; 0xFF for what is none of the alphabet.
constexpr auto values = [] {
    std::array<std::uint8_t, 256> table{};
    table.fill(0xFF);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        table[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
    return table;
}();

}  // namespace

CredentialId::CredentialId(std::string_view text) {
    std::copy(text.begin(), text.end(), text_.begin());
}

std::optional<CredentialId> CredentialId::read(std::string_view text) noexcept {
    if (text.size() != length ||
        !std::ranges::all_of(text, [](char c) { return values[static_cast<std::uint8_t>(c)] != 0xFF; }))
        return std::nullopt;
    return CredentialId(text);
}

Result<CredentialId> CredentialId::parse(std::string_view text) {
    if (const auto id = read(text)) return *id;
    return Error(Code::InvalidRequest, quote(text) + " is not a credential id");
}

CredentialId CredentialId::from_bits(std::uint64_t bits) {
    std::string text(length, '\0');
    for (char& c : text) {
        c = alphabet[bits & 31];
        bits >>= 5;
    }
    return CredentialId(text);
}

std::uint64_t CredentialId::bits() const {
    std::uint64_t bits = 0;
    for (std::size_t i = length; i-- > 0;) bits = bits << 5 | values[static_cast<std::uint8_t>(text_[i])];
    return bits;
}

}  // namespace marque::domain
