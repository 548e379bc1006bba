// test/faults/failing_memory.h: every allocation by `new` in this program can be made to fail.
//
// Between `begin` and `end` the n-th allocation throws, or it and all after it. For one thread.
#pragma once

#include <cstdint>

namespace marque::faults {

enum class Scarcity { Once, ForGood };

class FailingMemory {
 public:
    // n = 0: none fails; they are counted.
    static void begin(std::uint64_t n, Scarcity scarcity);
    // How many there were.
    static std::uint64_t end();
    static bool has_struck();
    // In between, what is not to fail.
    static void suspend();
    static void resume();
};

}  // namespace marque::faults
