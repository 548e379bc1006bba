// store/forwarding_store.h: a store that hands every call on to another one, for stores that change a call or two.
#pragma once

#include "store/store.h"

namespace marque::store {

class ForwardingStore : public Store {
 public:
    // `inner` outlives it.
    explicit ForwardingStore(Store& inner) : inner_(inner) {}

    Result<void> read(const std::function<Result<void>(const Reader&)>& view) override { return inner_.read(view); }
    Result<void> read_unchecked(const std::function<Result<void>(const Reader&)>& view) override {
        return inner_.read_unchecked(view);
    }
    Result<domain::Revision> change(const Decide& decide) override { return inner_.change(decide); }
    Result<void> record_uses(std::span<const Use> uses, std::span<const RefusedUse> refused) override {
        return inner_.record_uses(uses, refused);
    }
    Result<void> mark() override { return inner_.mark(); }
    Result<bool> is_as_marked() const override { return inner_.is_as_marked(); }
    Result<void> examine() override { return inner_.examine(); }
    Verifiers* verifiers() override { return inner_.verifiers(); }

 protected:
    Store& inner_;
};

}  // namespace marque::store
