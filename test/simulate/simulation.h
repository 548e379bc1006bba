// test/simulate/simulation.h: one run, which its seed decides wholly.
#pragma once

#include "test/simulate/operators.h"

namespace marque::simulation {

struct Outcome {
    std::optional<std::string> violation;
    std::uint64_t verifications = 0, changes = 0, faults = 0;
    std::uint64_t hash = 0;  // of the trace
    Time took{};             // of simulated time
};

Outcome simulate(std::uint64_t seed, const Beginning& beginning, std::string* trace = nullptr);

}  // namespace marque::simulation
