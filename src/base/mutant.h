// base/mutant.h: the faults that the models under test/model/ show to be fatal, as switches of the code that avoids
// them. Each stands where its model has it and by the model's name for it; test/simulate finds every one. A build
// without MARQUE_MUTANTS has none of them: the calls are constant and leave nothing behind.
#pragma once

namespace marque {

enum class Mutant {
    None,
    // revoke_lease.pml
    NoWait,
    Seq,
    TwoRead,
    T0,
    Drift,
    Suspend,
    Flag,
    Unbound,
    AckFirst,
    Idemp,
    Overwrite,
    MemFirst,
    LoadFirst,
    Reap,
    Cache,
    // revoke_failover.pml
    Async,
    ReadRenew,
    Cancel,
    Replica,
    ReadRepeat,
    Reconnect,
    BlindExtend,
    BlindAck,
    BlindPoll,
    // lifecycle.pml
    NoLock,
    CheckOut,
    ById,
    Replay,
};

#ifdef MARQUE_MUTANTS
bool is_mutant(Mutant mutant);
#else
constexpr bool is_mutant(Mutant) {
    return false;
}
#endif

}  // namespace marque
