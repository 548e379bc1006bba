// test/reference/coverage.h: what a default run has to have met, or it has not looked where it says it does.
#pragma once

#include <string>
#include <vector>

#include "test/reference/life.h"

namespace marque::reference {

// What never occurred.
std::vector<std::string> never_met(const Tally& tally);

}  // namespace marque::reference
