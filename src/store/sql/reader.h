// store/sql/reader.h: the store's Reader over one transaction.
#pragma once

#include "store/sql/statement.h"
#include "store/store.h"

namespace marque::store::sql {

class SqlReader final : public Reader {
 public:
    // `connection` outlives the reader.
    explicit SqlReader(Connection& connection) : connection_(connection) {}

    Result<std::optional<domain::Installation>> installation() const override;
    Result<std::optional<domain::Workspace>> workspace(const domain::WorkspaceName& name) const override;
    Result<std::vector<domain::Workspace>> workspaces() const override;
    Result<std::optional<domain::Environment>> environment(const domain::WorkspaceName& workspace,
                                                           const domain::EnvironmentName& name) const override;
    Result<std::vector<domain::Environment>> environments(const domain::WorkspaceName& workspace) const override;
    Result<std::optional<domain::Identity>> identity(const domain::WorkspaceName& workspace,
                                                     const domain::IdentityName& name) const override;
    Result<std::vector<domain::Identity>> identities(const domain::WorkspaceName& workspace,
                                                     const std::optional<domain::IdentityName>& after,
                                                     std::size_t limit) const override;
    Result<std::optional<domain::Credential>> credential(const domain::CredentialId& id) const override;
    Result<std::vector<domain::Credential>> credentials(const domain::WorkspaceName& workspace,
                                                        const domain::IdentityName& identity) const override;
    Result<std::optional<domain::LastUse>> last_use(const domain::CredentialId& id) const override;
    Result<std::optional<domain::RefusedUses>> refused_uses(const domain::CredentialId& id) const override;
    Result<std::vector<RefusedUse>> untold_refused_uses(Instant before, std::size_t limit) const override;
    Result<void> visit_identities(const Visit<IdentityFacts>& visit) const override;
    Result<void> visit_credentials(const Visit<CredentialFacts>& visit) const override;
    Result<std::optional<domain::Operator>> operator_with_uid(std::uint32_t uid) const override;
    Result<std::optional<domain::Operator>> operator_named(const domain::OperatorName& name) const override;
    Result<std::vector<domain::Operator>> operators() const override;
    Result<std::vector<domain::Owner>> owners() const override;
    Result<std::optional<domain::Approval>> approval(const domain::ApprovalId& id) const override;
    Result<std::vector<domain::Approval>> approvals_of(const domain::OperatorName& requester,
                                                       Instant after) const override;
    Result<std::vector<domain::Approval>> approvals(const std::optional<Instant>& open_at,
                                                    std::size_t limit) const override;
    Result<StoredHead> head() const override;
    Result<std::vector<StoredEntry>> entries(std::uint64_t after, std::size_t limit) const override;
    Result<std::vector<StoredEntry>> entries_of(const domain::IdentityRef& identity, std::size_t limit) const override;

 private:
    Connection& connection_;
};

}  // namespace marque::store::sql
