// authority/barrier.h: waits until a change is in force at every verifier, and says how that is known.
//
//     Commit ─▶ Note ─▶ Roll ─▶ Barrier ─▶ receipt           (the steps of test/model/revoke_lease.pml)
//               the clock  who verifies?  each has acknowledged it, or its lease has run out
//
// The order of the steps matters. A lease that does not cover the change was requested before the commit, so it has
// ended once its length, plus the allowed clock drift, has passed since the commit. A verifier that is not in the list
// read after the commit reads the change before its next answer. A repeated change waits here again: that the store
// already has the change does not prove that every verifier has read it.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "store/store.h"

namespace marque::authority {

enum class Force {
    Everywhere,  // no verification that begins now rests on less than the revision
    NotAwaited,  // nobody waited; `longest` says how long it can take
    NotYet,      // committed; `why` says what is not known
};

struct Receipt {
    domain::Revision revision = 0;
    Force force = Force::Everywhere;
    bool awaits_verifiers = false;  // else all of them ask before they answer
    // Of those that answer from memory: how many there were, and how many said that they know.
    std::size_t verifiers = 0, confirmed = 0;
    // Those whose lease was waited out, and those that have to say it and have not.
    std::vector<std::string> waited_out, silent;
    Duration took{};     // since the commit
    Duration longest{};  // NotAwaited: until it is in force for sure; 0: nobody can tell
    std::string why;
};

enum class Awaiting { Yes, No };

// For one thread: the store's.
class Barrier {
 public:
    // Both outlive it. Made before the change.
    Barrier(store::Store& store, const Clock& clock);

    // After the change, which made `revision` or found it so: the receipt of it.
    Receipt await(domain::Revision revision, Awaiting awaiting);

 private:
    struct Awaited {
        store::VerifierRow row;
        bool has_confirmed = false, is_over = false;
    };
    void take(const store::VerifierList& list);
    bool is_passed(Duration since_commit) const;

    store::Verifiers* verifiers_;
    const Clock& clock_;
    std::vector<Awaited> awaited_;
    bool is_taken_ = false;
};

}  // namespace marque::authority
