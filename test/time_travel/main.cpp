// The same program with a clock that can be set: MARQUE_TEST_NOW, an RFC 3339 instant. It is a
// binary of its own, so that no installed marque ever reads the time from its environment.
#include <cstdlib>

#include "cli/run.h"
#include "installation/machine_clock.h"
#include "main/machine.h"

namespace {

class SetClock final : public marque::installation::MachineClock {
 public:
    marque::Instant now() const override {
        const char* text = std::getenv("MARQUE_TEST_NOW");
        const auto instant = marque::parse_rfc3339(text == nullptr ? "" : text);
        if (!instant) std::abort();
        return *instant;
    }
};

}  // namespace

int main(int argc, char** argv) {
    marque::harden_process();
    const SetClock clock;
    marque::Machine machine(clock);
    return marque::cli::run(argc, argv, machine);
}
