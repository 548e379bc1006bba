// verify/number_table.h: numbers of rows by what identifies these: an id's bits, or the hash of a name.
//
// Open addressing with linear probing, at most three quarters full, 8 bytes a slot: 32 bits of the key, spread, which
// say the slot's place too, and the number. So a search touches one cache line as a rule, the rows themselves are not
// looked at to grow, and of rows whose 32 bits agree the caller tells which it is. Credentials' ids are random and
// ours, and names are operators': who only presents tokens has no say in which of them lie together. Nothing is ever
// taken out.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "verify/chunked.h"

namespace marque::verify {

class NumberTable {
 public:
    NumberTable() { slots_.resize_from_empty(least_slots); }

    // What `find` will look at comes from memory meanwhile.
    void prefetch(std::uint64_t key) const { __builtin_prefetch(&slots_[place_of(tag_of(key))]); }

    // The number for which `is_it`, among those that may have this key.
    template <class IsIt>
    std::optional<std::uint32_t> find(std::uint64_t key, const IsIt& is_it) const {
        const std::uint32_t tag = tag_of(key);
        for (std::size_t at = place_of(tag); slots_[at] != empty; at = next(at)) {
            const auto number = static_cast<std::uint32_t>(slots_[at]);
            if (slots_[at] >> 32 == tag && is_it(number - 1)) return number - 1;
        }
        return std::nullopt;
    }

    // A row that is not there yet; `number` is below 2^32 - 1.
    void insert(std::uint64_t key, std::uint32_t number) {
        if (4 * (size_ + 1) > 3 * slots_.size()) grow();
        put(std::uint64_t{tag_of(key)} << 32 | (number + 1));
        ++size_;
    }

    // Forgets all rows. Never fails, and gives no memory back.
    void clear() {
        for (std::size_t at = 0; at < slots_.size(); ++at) slots_[at] = empty;
        size_ = 0;
    }

    std::size_t bytes() const { return slots_.bytes(); }

 private:
    static constexpr std::uint64_t empty = 0;
    static constexpr std::size_t least_slots = 64;

    static std::uint32_t tag_of(std::uint64_t key) {
        return static_cast<std::uint32_t>(key * 0x9E3779B97F4A7C15 >> 32);
    }
    // The tag's upper bits: what lies in order of places lies so after growing too.
    std::size_t place_of(std::uint32_t tag) const {
        return static_cast<std::size_t>(std::uint64_t{tag} * slots_.size() >> 32);
    }
    std::size_t next(std::size_t at) const { return at + 1 == slots_.size() ? 0 : at + 1; }

    void put(std::uint64_t slot) {
        std::size_t at = place_of(static_cast<std::uint32_t>(slot >> 32));
        while (slots_[at] != empty) at = next(at);
        slots_[at] = slot;
    }
    void grow() {
        Chunked<std::uint64_t> old;
        old.resize_from_empty(2 * slots_.size());
        std::swap(old, slots_);
        for (std::size_t at = 0; at < old.size(); ++at)
            if (old[at] != empty) put(old[at]);
    }

    Chunked<std::uint64_t> slots_;
    std::size_t size_ = 0;
};

}  // namespace marque::verify
