// test/simulate/tasks.h: threads that are none: each has a stack of its own, one runs at a time, and it runs until it
// sleeps. Time is what the next sleeper wakes at, and nobody waits for it.
//
//     start ─▶ ready ─▶ running ─ sleep_until ─▶ asleep ─ its time, or wake ─▶ running … ─▶ ended
//
// Who is woken at the same moment is woken in an order that chance decides.
#pragma once

#include <functional>
#include <memory>
#include <queue>
#include <ucontext.h>
#include <vector>

#include "test/simulate/chance.h"

namespace marque::simulation {

using Time = Duration;  // since the run began, as no clock shows it

class Tasks {
 public:
    using Id = std::size_t;

    explicit Tasks(Chance& chance);
    Tasks(const Tasks&) = delete;
    ~Tasks();

    // While `is_held`, the task is not woken; then `release` has to be called.
    Id start(std::function<void()> body, std::function<bool()> is_held = {});
    // Runs all that were started until the last has ended, or one has called `stop`.
    void run();
    // Ends all of them, at their next breath.
    void stop() { is_over_ = true; }

    Time now() const { return now_; }
    // By a task. Leaves the task when it was ended.
    void sleep_until(Time at);
    void sleep_for(Duration time) { sleep_until(now_ + time); }
    // Of a task that is asleep.
    void wake(Id task, Time at);
    void release(Id task);
    // As a process that is killed: it gets no further than where it sleeps.
    void end(Id task);

 private:
    struct Ended {};
    struct Stack;
    struct Task;
    struct Place {
        Time at;
        std::uint64_t lot;
        Id task;
        std::uint64_t turn;
        bool operator<(const Place& other) const {  // the queue's top is the largest
            return at != other.at ? at > other.at : lot > other.lot;
        }
    };

    static void enter();
    void queue(Id task, Time at);
    void resume(Id task);

    Chance& chance_;
    Time now_{};
    bool is_over_ = false;
    std::vector<std::unique_ptr<Task>> tasks_;
    std::priority_queue<Place> queue_;
    ucontext_t main_{};
    Id running_ = 0;
};

}  // namespace marque::simulation
