// test/faults/replay.h: invariant 1, from outside: what the log tells is what the rows say.
//
// The entries are played from their JSON alone, by rules of their own, and compared with what the store's reader finds.
// A row without its entry, an entry without its row, and a step that no state allows are differences.
#pragma once

#include <string>
#include <vector>

#include "store/store.h"

namespace marque::faults {

// What differs, in words; empty: nothing does. Errors: those of the reader.
Result<std::vector<std::string>> differences(const store::Reader& reader);

}  // namespace marque::faults
