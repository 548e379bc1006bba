// test/simulate/chance.h: all that is random in a run, from its seed.
#pragma once

#include <cstdint>
#include <span>

#include "base/random.h"
#include "base/time.h"

namespace marque::simulation {

class Chance final : public Random {
 public:
    explicit Chance(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15 + 1) {}

    // SplitMix64.
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
    std::uint64_t below(std::uint64_t n) { return next() % n; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    Duration up_to(Duration longest) {
        return Duration(static_cast<Duration::rep>(below(static_cast<std::uint64_t>(longest.count()) + 1)));
    }
    template <class Container>
    auto& one_of(Container& container) {
        return container[below(container.size())];
    }

    Result<void> fill(std::span<std::uint8_t> out) override {
        for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(next());
        return {};
    }

 private:
    std::uint64_t state_;
};

}  // namespace marque::simulation
