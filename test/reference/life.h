// test/reference/life.h: one life of an installation, from its seed: every step is done by Marque and by the model, and
// what they answer is compared.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "test/reference/installation.h"

namespace marque::reference {

struct Tally {
    std::uint64_t lives = 0, steps = 0;
    std::map<std::string, std::uint64_t> changes;    // "create done"
    std::map<std::string, std::uint64_t> verdicts;   // by reason
    std::map<std::string, std::uint64_t> accidents;  // crashes, faults, jumps of the clock
    std::uint64_t comparisons = 0;                   // of everything that is listed
    void add(const Tally& other);
};

struct Lived {
    Tally tally;
    std::uint64_t hash = 0;                // of all that was answered
    std::optional<std::string> violation;  // what differed, and at which step
};

Lived live(std::uint64_t seed, std::size_t steps, Backend backend, std::string* trace = nullptr);

std::string name_of(Command::Kind kind);
std::string name_of(Exit exit);

}  // namespace marque::reference
