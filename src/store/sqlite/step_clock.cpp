#include "store/sqlite/step_clock.h"

#include <time.h>

namespace marque::store::sqlite {
namespace {

// Some microseconds, unless each is long.
constexpr int instructions_between_calls = 2'000;

Duration time_of_this_thread() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec / 1000);
}

}  // namespace

void StepClock::watch(sqlite3* db) {
    sqlite3_progress_handler(db, instructions_between_calls, on_progress, this);
}

int StepClock::on_progress(void* clock) {
    auto& self = *static_cast<StepClock*>(clock);
    const Duration now = time_of_this_thread();
    if (self.calls_++ == 0) self.began_ = now;
    const bool is_too_long = self.calls_ * instructions_between_calls > self.longest_.instructions;
    return is_too_long || now - self.began_ > self.longest_.time ? 1 : 0;
}

}  // namespace marque::store::sqlite
