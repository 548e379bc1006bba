// store/sqlite/step_clock.h: how much work a statement may be.
//
// Each of our statements walks an index or a table from row to row, and soon reaches the next one. A view that an
// attacker put in the place of a table can compute for ever before its first row, and SQLite would not return. SQLite
// calls a progress handler every so many instructions of its virtual machine, and the handler ends what takes too many,
// or too much of a processor's time. Time in which the thread waits, for a disk, for a lock, for a processor, or
// because the process was stopped, does not count.
#pragma once

#include <sqlite3.h>

#include <cstdint>

#include "base/time.h"

namespace marque::store::sqlite {

// Before its next row, or its end.
struct LongestStep {
    std::int64_t instructions;  // of SQLite's virtual machine: about 50 a microsecond
    Duration time;              // of a processor, for the few instructions that are long
};
// To look through a million rows takes half of that. A server's requests, and its own end, wait for it.
inline constexpr LongestStep longest_step{20'000'000, std::chrono::seconds(2)};
// The limit for maintenance, whose statements count, check or migrate whole tables at once.
inline constexpr LongestStep longest_step_of_maintenance{1'000'000'000'000, std::chrono::minutes(10)};

// Not thread-safe: for the thread that uses the database.
class StepClock {
 public:
    StepClock() = default;
    StepClock(const StepClock&) = delete;

    // Watches `db` from now on, and has to live as long as it.
    void watch(sqlite3* db);
    // To be called before each step.
    void begin() { calls_ = 0; }
    void set_longest(const LongestStep& longest) { longest_ = longest; }

 private:
    static int on_progress(void* clock);

    LongestStep longest_ = longest_step;
    std::int64_t calls_ = 0;  // of the handler since the step began
    Duration began_{};        // at the first of them, by the thread's clock
};

}  // namespace marque::store::sqlite
