// test/simulate/mutant.h: the faults that the models under test/model/ show to be fatal, by the models' names. The
// simulator has to find each of them.
//
// Those in Marque's own code are written into copies of its sources (mutants.toml, mutants.py), which only the
// simulator is built of. The others are in the simulator's database and machines.
#pragma once

namespace marque::verify {
class Verifier;
}

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

// Returns true in a run of this mutant.
bool is_mutant(Mutant mutant);

// Mutant::Flag: what a thread of the machine saw when it last looked whether the verifier's lease is in force.
bool is_flagged(const verify::Verifier& verifier);

}  // namespace marque
