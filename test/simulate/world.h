// test/simulate/world.h: what a run happens in: true time, machines whose clocks, links and strength fail, and the
// trace of what was done.
//
// Each store call, look at a clock and pause is a point (Machine::point): there anybody else may get on, and time may
// pass, by chance often none and now and then more than a lease.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "test/simulate/mutant.h"
#include "test/simulate/tasks.h"

namespace marque::simulation {

using namespace std::chrono_literals;

class World {
 public:
    // With a trace, each step is written to it.
    World(std::uint64_t seed, std::string* trace);

    Time now() const { return tasks.now(); }
    void step(std::string_view who, std::string_view what, std::uint64_t number = 0, std::string_view more = "");
    void note_fault(std::string_view who, std::string_view what) {
        ++faults;
        step(who, what);
    }
    // What must not be was seen. The run ends, and the first one is what is told.
    void violate(const std::string& what);

    Chance chance;
    Tasks tasks{chance};
    const bool is_faulty, fails_over;
    const Duration lease;
    std::uint64_t verifications = 0, changes = 0, faults = 0;
    std::optional<std::string> violation;
    std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a of all steps

 private:
    std::string* trace_;
};

enum class Standstill {
    Stopped,    // nothing of it runs, and its clock does
    Suspended,  // the machine sleeps: since_boot counts it, and a clock that did not would be Mutant::Suspend
    Paused,     // by its hypervisor: no clock of its counts it
};

class Machine final : public Clock {
 public:
    // Its clock loses so many parts in ten thousand of the true time: `drift_part` at most.
    Machine(World& world, std::string name, int lost_parts);

    Instant now() const override { return Instant(Duration(1'800'000'000'000'000)) + world_.now(); }
    Duration since_boot() const override {
        point();
        return reading();
    }
    // What the clock shows, without a look at it.
    Duration reading() const;
    // True time until the clock has counted `time`.
    Duration true_time(Duration time) const { return time * 10'000 / (10'000 - lost_parts_) + 1us; }

    void point() const;
    void sleep_for(Duration time) const;
    void stand_still(Duration time, Standstill how);

    // A call's way to the database or back. Errors: Unavailable, after a while: the link was cut.
    enum class Way { There, Back };
    Result<void> travel(Way way);
    // The link fails for `time`: both ways, or one of them.
    void cut(Duration time);

    bool is_to_be_cut = false;  // as soon as it has a lease again

    const std::string& name() const { return name_; }

 private:
    World& world_;
    std::string name_;
    int lost_parts_;
    Duration booted_;
    Time still_until_{}, cut_until_{};
    Duration uncounted_{};
    bool loses_[2] = {true, true};
};

}  // namespace marque::simulation
