// domain/base32_id.h: ids of a fixed length in Crockford's base 32, lower case (no i, l, o, u).
//
// Nothing is folded: an id that can be written in two ways is an id that two people can mean differently.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/text.h"

namespace marque::domain {

inline constexpr std::string_view base32_alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

// Each character's five bits; 0xFF for what is none of the alphabet.
inline constexpr auto base32_values = [] {
    std::array<std::uint8_t, 256> table{};
    table.fill(0xFF);
    for (std::size_t i = 0; i < base32_alphabet.size(); ++i)
        table[static_cast<std::uint8_t>(base32_alphabet[i])] = static_cast<std::uint8_t>(i);
    return table;
}();

// Kind::word is the thing's name in messages, Kind::length how many characters its id has. Different kinds don't mix.
template <class Kind>
class Base32Id {
 public:
    static constexpr std::size_t length = Kind::length;

    // Exactly the form above. Errors: InvalidRequest.
    static Result<Base32Id> parse(std::string_view text) {
        if (const auto id = read(text)) return *id;
        return Error(Code::InvalidRequest, quote(text) + " is not " + Kind::word + " id");
    }
    // The same without words about what is wrong. Allocates nothing.
    static std::optional<Base32Id> read(std::string_view text) noexcept {
        if (text.size() != length || !std::ranges::all_of(text, [](char c) { return bits_of(c) != 0xFF; }))
            return std::nullopt;
        Base32Id id;
        std::ranges::copy(text, id.text_.begin());
        return id;
    }
    // From the lowest 5 × length bits; `bits` gives them back.
    static Base32Id from_bits(std::uint64_t bits) {
        Base32Id id;
        for (char& c : id.text_) {
            c = base32_alphabet[bits & 31];
            bits >>= 5;
        }
        return id;
    }
    std::uint64_t bits() const {
        std::uint64_t bits = 0;
        for (std::size_t i = length; i-- > 0;) bits = bits << 5 | bits_of(text_[i]);
        return bits;
    }

    std::string_view text() const { return {text_.data(), text_.size()}; }
    std::string string() const { return std::string(text()); }
    auto operator<=>(const Base32Id&) const = default;

 private:
    Base32Id() = default;
    static std::uint8_t bits_of(char c) { return base32_values[static_cast<std::uint8_t>(c)]; }
    std::array<char, length> text_{};
};

}  // namespace marque::domain
