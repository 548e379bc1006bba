// verify/uses.h: who was seen since the last time it was written down: one row a credential, whatever the traffic.
//
// Plain values. `authority::write_uses` takes out what it has written, so that what is left after a failure is what is
// still to be written, and nothing is counted twice.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "domain/verdict.h"
#include "verify/index.h"

namespace marque::verify {

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
    std::vector<domain::CredentialId> successors;  // used, and written: what they replace is to end

    // Counts an accepted verdict, or a refusal for which is_in_vain() is true. Ignores all others.
    void note(const Holder& holder, domain::Reason reason, Instant now, const AddressText& from) {
        const bool is_accepted = reason == domain::Reason::Accepted;
        if (!is_accepted && !domain::is_in_vain(reason)) return;
        Seen& seen = (is_accepted ? accepted : refused)[holder.credential.bits()];
        ++seen.count;
        seen.at = std::max(seen.at, now);  // threads of a library need not come in order
        seen.from = from;
        seen.reason = reason;
        seen.ends_predecessor = is_accepted && holder.ends_predecessor;
    }

    // What was seen before this: counts add up, and what came later stays the latest.
    void add_older(Uses older) {
        const auto add = [](SeenById& into, const SeenById& from) {
            for (const auto& [id, seen] : from)
                if (auto [place, is_new] = into.try_emplace(id, seen); !is_new) place->second.count += seen.count;
        };
        add(accepted, older.accepted);
        add(refused, older.refused);
        successors.insert(successors.end(), older.successors.begin(), older.successors.end());
    }

    std::size_t pending() const { return accepted.size() + refused.size(); }
};

}  // namespace marque::verify
