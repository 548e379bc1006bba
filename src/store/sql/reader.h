// store/sql/reader.h: the store's Reader over one transaction. Each row that it gives is as this installation wrote it,
// and the newest (row_seals.h).
#pragma once

#include <memory>

#include "store/sealing_key.h"
#include "store/sql/row_seals.h"
#include "store/sql/statement.h"
#include "store/store.h"

namespace marque::store::sql {

class SqlReader final : public Reader {
 public:
    enum class Rows {
        Checked,
        AsTheyLie,  // for whoever looks for what is wrong with them
    };
    // Both outlive the reader. `schema` is the version of the tables: a store of an older one is asked for its log, its
    // head and require_complete() alone.
    SqlReader(Connection& connection, SealingKey& key, Rows rows = Rows::Checked, int schema = newest_schema)
        : connection_(connection),
          sealing_(std::make_unique<RowSeals>(connection, key, schema)),
          checks_(rows == Rows::Checked ? sealing_.get() : nullptr) {}

    Result<void> prepare_for(const std::set<domain::Subject>& subjects) const override;

    RowSeals& seals() const { return *sealing_; }
    static Result<StoredHead> head_of(Connection& connection);

    Result<void> require_complete() const override;
    Result<std::optional<domain::Installation>> installation() const override;
    Result<std::optional<domain::Workspace>> workspace(const domain::WorkspaceName& name) const override;
    Result<std::vector<domain::Workspace>> workspaces(Listing listing) const override;
    Result<std::optional<domain::Environment>> environment(const domain::WorkspaceName& workspace,
                                                           const domain::EnvironmentName& name) const override;
    Result<std::vector<domain::Environment>> environments(const domain::WorkspaceName& workspace,
                                                          Listing listing) const override;
    Result<std::optional<domain::Identity>> identity(const domain::WorkspaceName& workspace,
                                                     const domain::IdentityName& name) const override;
    Result<std::vector<domain::Identity>> identities(const domain::WorkspaceName& workspace,
                                                     const std::optional<domain::IdentityName>& after,
                                                     std::size_t limit, Listing listing) const override;
    Result<std::optional<domain::Credential>> credential(const domain::CredentialId& id) const override;
    Result<std::vector<domain::Credential>> credentials(const domain::WorkspaceName& workspace,
                                                        const domain::IdentityName& identity,
                                                        Listing listing) const override;
    Result<std::optional<domain::LastUse>> last_use(const domain::CredentialId& id) const override;
    Result<std::optional<domain::RefusedUses>> refused_uses(const domain::CredentialId& id) const override;
    Result<std::vector<RefusedUse>> untold_refused_uses(Instant before, std::size_t limit) const override;
    Result<void> visit_all(const Visitor& visitor) const override;
    Result<std::vector<std::string>> examine_rows() const override;
    Result<std::optional<domain::Operator>> operator_with_uid(std::uint32_t uid) const override;
    Result<std::optional<domain::Operator>> operator_named(const domain::OperatorName& name) const override;
    Result<std::vector<domain::Operator>> operators() const override;
    Result<std::vector<domain::Owner>> owners() const override;
    Result<std::optional<domain::Approval>> approval(const domain::ApprovalId& id) const override;
    Result<std::vector<domain::Approval>> approvals_of(const domain::OperatorName& requester,
                                                       Instant after) const override;
    Result<std::vector<domain::Approval>> approvals(const std::optional<Instant>& open_at, std::size_t limit,
                                                    Listing listing) const override;
    Result<StoredHead> head() const override;
    Result<std::vector<StoredEntry>> entries(std::uint64_t after, std::size_t limit) const override;
    Result<std::vector<StoredEntry>> entries_of(const domain::IdentityRef& identity, std::size_t limit) const override;

 private:
    // What was asked for: a column and what it has to hold.
    struct Asked {
        int column;
        std::string_view text;
    };
    // A condition and what is read need not see the same value, when somebody has put something else in a table's
    // place: so what was asked for is compared with what came.
    template <class R>
    Result<std::vector<R>> all(Statement statement, std::initializer_list<Asked> asked = {}) const;
    template <class R>
    Result<std::optional<R>> one(const audit::RecordName& name) const;
    Result<void> check(SealedKind kind, const Statement& row) const;
    Result<void> require(Listing listing) const;
    Result<void> add_grants(domain::Operator& operator_) const;
    Result<void> add_signatures(domain::Approval& approval) const;
    Result<std::optional<domain::Operator>> with_grants(Result<std::optional<domain::Operator>> found) const;
    Result<std::vector<domain::Approval>> with_signatures(Statement statement) const;

    Connection& connection_;
    std::unique_ptr<RowSeals> sealing_;
    RowSeals* checks_ = nullptr;
    mutable bool is_complete_ = false;  // as require_complete() has found
};

}  // namespace marque::store::sql
