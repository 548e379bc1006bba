// store/memory/memory_store.h: a whole store in memory, for tests. Passes the same contract
// suite as the others, so what is tested over it holds over them.
#pragma once

#include <map>
#include <memory>

#include "base/secret.h"
#include "store/store.h"

namespace marque::store::memory {

struct Tables {
    std::optional<domain::Installation> installation;
    std::map<domain::WorkspaceName, domain::Workspace> workspaces;
    std::map<std::pair<domain::WorkspaceName, domain::EnvironmentName>, domain::Environment> environments;
    std::map<std::pair<domain::WorkspaceName, domain::IdentityName>, domain::Identity> identities;
    std::map<domain::CredentialId, domain::Credential> credentials;
    std::map<domain::OperatorName, domain::Operator> operators;
    std::map<std::string, domain::Owner> owners;
    std::map<domain::ApprovalId, domain::Approval> approvals;
    std::map<domain::CredentialId, domain::LastUse> last_uses;
    struct Refused {
        domain::RefusedUses uses;
        std::uint64_t untold = 0;
        std::optional<Instant> told_at;
    };
    std::map<domain::CredentialId, Refused> refused_uses;
};

struct Rows : Tables {
    std::vector<StoredEntry> entries;
    std::vector<std::optional<domain::IdentityRef>> subjects;  // of the entries
    StoredHead head;
};

// Not thread-safe. `rows` is open to tests that play an attacker with a database.
class MemoryStore final : public Store {
 public:
    explicit MemoryStore(Secret sealing_key) : sealing_key_(std::move(sealing_key)) {}

    Result<void> read(const std::function<Result<void>(const Reader&)>& view) override;
    Result<domain::Revision> change(const Decide& decide) override;
    Result<void> record_uses(std::span<const Use> uses, std::span<const RefusedUse> refused) override;
    Result<void> mark() override;
    Result<bool> is_as_marked() const override;
    Result<void> examine() override { return {}; }

    Rows rows;

 private:
    std::uint64_t commits_ = 0;
    std::optional<std::uint64_t> marked_;
    Secret sealing_key_;
};

}  // namespace marque::store::memory
