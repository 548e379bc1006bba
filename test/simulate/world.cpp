#include "test/simulate/world.h"

#include <fmt/format.h>

#include "store/verifiers.h"

namespace marque::simulation {

World::World(std::uint64_t seed, std::string* trace)
    : chance(seed),
      is_faulty(seed % 4 != 0),
      fails_over(is_faulty && seed % 3 == 0),
      lease(std::chrono::seconds(1 + 4 * chance.below(3))),
      trace_(trace) {}

void World::step(std::string_view who, std::string_view what, std::uint64_t number, std::string_view more) {
    const auto mix = [&](std::uint64_t value) { hash = (hash ^ value) * 0x100000001B3; };
    mix(static_cast<std::uint64_t>(now().count()));
    mix(number);
    for (const char c : who) mix(static_cast<std::uint8_t>(c));
    for (const char c : what) mix(static_cast<std::uint8_t>(c));
    if (trace_ == nullptr) return;
    const double seconds = static_cast<double>(now().count()) / 1e6;
    *trace_ += fmt::format("{:12.6f}  {:<10} {}", seconds, who, what);
    if (number != 0) *trace_ += fmt::format(" {}", number);
    if (!more.empty()) *trace_ += fmt::format("  {}", more);
    *trace_ += '\n';
}

void World::violate(const std::string& what) {
    if (!violation) {
        violation = what;
        step("VIOLATION", what);
    }
    tasks.stop();
}

Machine::Machine(World& world, std::string name, int lost_parts)
    : world_(world), name_(std::move(name)), lost_parts_(lost_parts), booted_(world.chance.up_to(1h)) {}

Duration Machine::reading() const {
    const Duration counted = world_.now() - uncounted_;
    return booted_ + counted - counted * lost_parts_ / 10'000;
}

void Machine::point() const {
    Chance& chance = world_.chance;
    const std::uint64_t lot = chance.below(200);
    if (world_.is_faulty && lot == 0)
        world_.tasks.sleep_for(chance.up_to(world_.lease + world_.lease / 4));
    else if (lot < 10)
        world_.tasks.sleep_for(chance.up_to(5ms));
    else if (lot < 60)
        world_.tasks.sleep_for(chance.up_to(100us));
    while (world_.now() < still_until_) world_.tasks.sleep_until(still_until_);
}

void Machine::sleep_for(Duration time) const {
    world_.tasks.sleep_for(time);
    while (world_.now() < still_until_) world_.tasks.sleep_until(still_until_);
}

void Machine::stand_still(Duration time, Standstill how) {
    if (world_.now() < still_until_) return;
    const char* const words[] = {"stops", "is suspended", "is paused"};
    world_.note_fault(name_, words[static_cast<int>(how)]);
    still_until_ = world_.now() + time;
    if (how == Standstill::Paused || (how == Standstill::Suspended && is_mutant(Mutant::Suspend))) uncounted_ += time;
}

void Machine::cut(Duration time) {
    const std::uint64_t how = world_.chance.below(4);
    const char* const words[] = {"loses the way there", "loses the way back", "is cut off", "is cut off"};
    world_.note_fault(name_, words[how]);
    cut_until_ = world_.now() + time;
    loses_[0] = how != 1;
    loses_[1] = how != 0;
}

Result<void> Machine::travel(Way way) {
    point();
    Chance& chance = world_.chance;
    world_.tasks.sleep_for(50us + chance.up_to(chance.one_in(10) ? 5ms : 500us));
    if (world_.is_faulty && chance.one_in(200)) world_.tasks.sleep_for(chance.up_to(world_.lease));
    if (way == Way::Back) sleep_for(0us);
    if (world_.now() >= cut_until_ || !loses_[static_cast<int>(way)]) return {};
    // As long as the link is cut, and a time-out at the longest.
    sleep_for(1ms + chance.up_to(std::min<Duration>(cut_until_ - world_.now(), 5s)));
    return Error(Code::Unavailable, "the link is cut");
}

}  // namespace marque::simulation
