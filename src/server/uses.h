// server/uses.h: who was seen since the last flush, per worker: one row a credential, whatever the traffic.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "base/time.h"
#include "domain/verdict.h"

namespace marque::server {

// An address as text, without an allocation.
class AddressText {
 public:
    AddressText() = default;
    explicit AddressText(std::string_view text) : length_(static_cast<std::uint8_t>(std::min(text.size(), size))) {
        std::copy_n(text.begin(), length_, text_.begin());
    }
    std::string_view text() const { return {text_.data(), length_}; }

 private:
    static constexpr std::size_t size = 47;
    std::uint8_t length_ = 0;
    std::array<char, size> text_{};
};

struct Seen {
    Instant at;
    std::uint64_t count = 0;
    AddressText from;
    domain::Reason reason = domain::Reason::Accepted;  // of a refused one, the latest
    bool ends_predecessor = false;
};

// By the bits of the credential's id.
using SeenById = boost::unordered_flat_map<std::uint64_t, Seen>;

struct Uses {
    SeenById accepted, refused;
    bool empty() const { return accepted.empty() && refused.empty(); }
};

}  // namespace marque::server
