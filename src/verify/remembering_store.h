// verify/remembering_store.h: a store whose changes this machine's verifiers are held to, before they are reported.
//
//     change ─▶ commit, read back ─▶ known_log says so ─▶ the log still has it ─▶ revision
//
// An attacker with SQL access can put the old rows and the old log back right behind a revocation. Reading back finds
// it when that comes before the read; when it comes later, known_log (known_log.h) already names the revocation's
// entry, and verifiers refuse a log without it. The last look is for what is put back between those two.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "store/forwarding_store.h"
#include "verify/known_log.h"

namespace marque::verify {

class RememberingStore final : public store::ForwardingStore {
 public:
    // Hears why a change, which stands, could not be remembered.
    using Tell = std::function<void(const std::string& why)>;

    RememberingStore(std::unique_ptr<store::Store> store, std::unique_ptr<Memory> memory, Tell tell)
        : ForwardingStore(*store), store_(std::move(store)), memory_(std::move(memory)), tell_(std::move(tell)) {}

    Result<domain::Revision> change(const store::Decide& decide) override;

 private:
    struct Changed;
    Result<void> look_before(const store::Reader& reader, const std::vector<audit::Draft>& drafts, Changed& changed);
    Result<void> remember(domain::Revision revision, const Changed& changed);

    std::unique_ptr<store::Store> store_;
    std::unique_ptr<Memory> memory_;
    Tell tell_;
};

}  // namespace marque::verify
