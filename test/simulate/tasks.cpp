#include "test/simulate/tasks.h"

#include <algorithm>
#include <sys/mman.h>
#include <utility>

#include "base/check.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

namespace marque::simulation {
namespace {

constexpr std::size_t stack_bytes = 1024 * 1024;  // of which what is used is memory

thread_local Tasks* of_this_thread = nullptr;
thread_local std::vector<void*> free_stacks;

// What the address sanitizer is told before and after a change of stacks.
#ifdef __SANITIZE_ADDRESS__
thread_local const void* main_stack = nullptr;
thread_local std::size_t main_stack_bytes = 0;
void leave_for(void** kept, const void* stack, std::size_t bytes) {
    __sanitizer_start_switch_fiber(kept, stack, bytes);
}
void arrive(void* kept, bool is_from_main) {
    __sanitizer_finish_switch_fiber(kept, is_from_main ? &main_stack : nullptr,
                                    is_from_main ? &main_stack_bytes : nullptr);
}
#else
constexpr const void* main_stack = nullptr;
constexpr std::size_t main_stack_bytes = 0;
void leave_for(void**, const void*, std::size_t) {}
void arrive(void*, bool) {}
#endif

}  // namespace

struct Tasks::Stack {
    Stack() {
        if (free_stacks.empty()) {
            bytes = ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                           -1, 0);
            CHECK(bytes != MAP_FAILED);
        } else {
            bytes = free_stacks.back();
            free_stacks.pop_back();
        }
    }
    Stack(const Stack&) = delete;
    ~Stack() { free_stacks.push_back(bytes); }
    void* bytes;
};

struct Tasks::Task {
    std::function<void()> body;
    std::function<bool()> is_held;
    std::unique_ptr<Stack> stack;
    ucontext_t context{};
    std::uint64_t turn = 0;  // of its place in the queue; older places count for nothing
    bool is_ended = false, is_to_end = false, is_waiting = false;
};

Tasks::Tasks(Chance& chance) : chance_(chance) {}

Tasks::~Tasks() = default;

Tasks::Id Tasks::start(std::function<void()> body, std::function<bool()> is_held) {
    const Id id = tasks_.size();
    Task& task = *tasks_.emplace_back(std::make_unique<Task>());
    task.body = std::move(body);
    task.is_held = std::move(is_held);
    task.stack = std::make_unique<Stack>();
    CHECK(::getcontext(&task.context) == 0);
    task.context.uc_stack.ss_sp = task.stack->bytes;
    task.context.uc_stack.ss_size = stack_bytes;
    ::makecontext(&task.context, &Tasks::enter, 0);
    queue(id, now_);
    return id;
}

void Tasks::enter() {
    arrive(nullptr, true);
    Tasks& tasks = *of_this_thread;
    Task& task = *tasks.tasks_[tasks.running_];
    try {
        if (!task.is_to_end && !tasks.is_over_) task.body();
    } catch (const Ended&) {
    }
    task.is_ended = true;
    leave_for(nullptr, main_stack, main_stack_bytes);
    ::setcontext(&tasks.main_);
}

void Tasks::queue(Id task, Time at) {
    queue_.push({std::max(at, now_), chance_.next(), task, ++tasks_[task]->turn});
}

void Tasks::resume(Id id) {
    running_ = id;
    void* kept = nullptr;
    Task& task = *tasks_[id];
    leave_for(&kept, task.stack->bytes, stack_bytes);
    ::swapcontext(&main_, &task.context);
    arrive(kept, false);
    if (!task.is_ended) return;
    task.body = nullptr;
    task.is_held = nullptr;
    task.stack.reset();
}

void Tasks::run() {
    of_this_thread = this;
    while (!queue_.empty() && !is_over_) {
        const Place place = queue_.top();
        queue_.pop();
        if (tasks_[place.task]->is_ended || tasks_[place.task]->turn != place.turn) continue;
        now_ = place.at;
        Task& task = *tasks_[place.task];
        task.is_waiting = !task.is_to_end && task.is_held && task.is_held();
        if (!task.is_waiting) resume(place.task);
    }
    is_over_ = true;
    for (Id id = 0; id < tasks_.size(); ++id)
        if (!tasks_[id]->is_ended) resume(id);
}

void Tasks::sleep_until(Time at) {
    Task& task = *tasks_[running_];
    if (!is_over_ && !task.is_to_end) {
        queue(running_, at);
        void* kept = nullptr;
        leave_for(&kept, main_stack, main_stack_bytes);
        ::swapcontext(&task.context, &main_);
        arrive(kept, true);
    }
    if (is_over_ || task.is_to_end) throw Ended();
}

void Tasks::wake(Id task, Time at) {
    if (!tasks_[task]->is_ended) queue(task, at);
}

void Tasks::release(Id task) {
    if (tasks_[task]->is_waiting) wake(task, now_);
}

void Tasks::end(Id task) {
    tasks_[task]->is_to_end = true;
    if (task != running_) wake(task, now_);
}

}  // namespace marque::simulation
