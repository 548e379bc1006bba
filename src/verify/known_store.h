// verify/known_store.h: a store that is written to only while it is the one the verifier knows.
//
// A store that the verifier refuses must not be written either: a revocation that lands in an older copy, or in another
// installation, is reported as done and is gone when the right store is back. The check is made inside the transaction
// that writes, so that nothing can be put in its place between the two.
#pragma once

#include <memory>

#include "store/forwarding_store.h"
#include "verify/verifier.h"

namespace marque::verify {

class KnownStore final : public store::ForwardingStore {
 public:
    // `verifier` outlives it.
    KnownStore(std::unique_ptr<store::Store> store, const Verifier& verifier)
        : ForwardingStore(*store), store_(std::move(store)), verifier_(verifier) {}

    Result<domain::Revision> change(const store::Decide& decide) override {
        return inner_.change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
            TRY(verifier_.recognise(reader, TRY(verifier_.known())));  // nobody else writes meanwhile
            return decide(reader);
        });
    }
    // Telemetry: checked before, not within. Others write meanwhile, so what is known is asked for before the snapshot.
    Result<void> record_uses(std::span<const store::Use> uses, std::span<const store::RefusedUse> refused) override {
        const auto known = TRY(verifier_.known());
        TRY(inner_.read([&](const store::Reader& reader) { return verifier_.recognise(reader, known); }));
        return inner_.record_uses(uses, refused);
    }

 private:
    std::unique_ptr<store::Store> store_;
    const Verifier& verifier_;
};

// The store as it lies at its path now: `store`, or opened anew when another was put in its place. Errors: those of
// opening; then `store` is empty.
inline Result<store::Store*> open_known(std::unique_ptr<store::Store>& store, const Verifier::OpenStore& open,
                                        const Verifier& verifier) {
    if (store && store->mark()) return store.get();
    store.reset();
    auto opened = std::make_unique<KnownStore>(TRY(open()), verifier);
    TRY(opened->mark());
    store = std::move(opened);
    return store.get();
}

}  // namespace marque::verify
