// test/faults/failing_store.h: a store whose n-th call fails, in one of the ways in which a store can.
//
// Counted are the calls of store::Store and, inside them, those of the Reader. Faults of a commit count commits.
#pragma once

#include <functional>
#include <string>

#include "store/store.h"

namespace marque::faults {

enum class StoreFault {
    None,
    Unavailable,         // the n-th call, and no other: a store that was away for a moment
    UnavailableForGood,  // the n-th call and all after it
    Corrupt,             // the n-th call
    Late,                // before the n-th call minutes pass: a pending credential lapses meanwhile
    MuchLater,           // a day and an hour
    CommitRefused,       // the n-th commit was decided, and rolled back: Unavailable
    CommitRepeated,      // the n-th commit is decided twice, against the same rows
    UnknownUndone,       // OutcomeUnknown of the n-th commit, which did not happen
    UnknownDone,         // OutcomeUnknown of the n-th commit, which did
    GoneUndone,          // as UnknownUndone, and every call after it is Unavailable
    GoneDone,            // as UnknownDone, and every call after it is Unavailable
};
inline constexpr StoreFault store_faults[] = {
    StoreFault::Unavailable, StoreFault::UnavailableForGood, StoreFault::Corrupt,        StoreFault::Late,
    StoreFault::MuchLater,   StoreFault::CommitRefused,      StoreFault::CommitRepeated, StoreFault::UnknownUndone,
    StoreFault::UnknownDone, StoreFault::GoneUndone,         StoreFault::GoneDone,
};
const char* name_of(StoreFault fault);

// Which call fails, and how. Outlives the stores that ask it: a command may open more than one.
class FaultPlan {
 public:
    using Pass = std::function<void(Duration)>;  // lets time pass

    FaultPlan(StoreFault fault, int n, Pass pass) : fault_(fault), n_(n), pass_(std::move(pass)) {}

    // Whether it came to the n-th call.
    bool has_struck() const { return has_struck_; }

    // At each call. Errors: the fault's.
    Result<void> at_call();
    // At each commit: how it fails, or None.
    StoreFault at_commit();
    void lose_contact() { is_gone_ = true; }

 private:
    StoreFault fault_;
    int n_;
    Pass pass_;
    int calls_ = 0, commits_ = 0;
    bool has_struck_ = false, is_gone_ = false;
};

class FailingStore final : public store::Store {
 public:
    // Both outlive it.
    FailingStore(store::Store& inner, FaultPlan& plan) : inner_(inner), plan_(plan) {}

    Result<void> read(const std::function<Result<void>(const store::Reader&)>& view) override;
    Result<domain::Revision> change(const store::Decide& decide) override;
    Result<void> record_uses(std::span<const store::Use> uses, std::span<const store::RefusedUse> refused) override;
    Result<void> mark() override;
    Result<bool> is_as_marked() const override;
    Result<void> examine() override;

 private:
    store::Store& inner_;
    FaultPlan& plan_;
};

}  // namespace marque::faults
