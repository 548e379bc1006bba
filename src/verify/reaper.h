// verify/reaper.h: removes the rows that dead verifiers have left, so that changes don't wait for them for ever.
//
//     renewals stand still for two waits ─▶ Fence ─▶ Wait: its lease is over for sure ─▶ Delete
//                                                       (the steps of test/model/revoke_lease.pml)
//
// Each step is by this process's own clock. Rows of the mode ack-only are left alone: time proves nothing of them.
#pragma once

#include <map>
#include <string>

#include "base/time.h"
#include "store/verifiers.h"

namespace marque::verify {

// For one thread.
class Reaper {
 public:
    // One turn. Errors: those of the store.
    Result<void> look(store::Verifiers& verifiers, const std::string& own_id, const Clock& clock);

 private:
    struct Seen {
        std::uint64_t renewals = 0;
        Duration at{};  // since when they stand there
        std::optional<Duration> fenced_at;
    };
    std::map<std::string, Seen> seen_;
};

}  // namespace marque::verify
