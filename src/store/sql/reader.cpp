#include "store/sql/reader.h"

#include <algorithm>

#include "store/sql/rows.h"

namespace marque::store::sql {
namespace {

using namespace domain;

template <class Decode>
auto all_rows(Statement statement, Decode decode)
    -> Result<std::vector<typename std::invoke_result_t<Decode, const Statement&>::value_type>> {
    std::vector<typename std::invoke_result_t<Decode, const Statement&>::value_type> values;
    while (TRY(statement.step())) values.push_back(TRY(decode(statement)));
    return values;
}

template <class Decode>
auto one_row(Statement statement, Decode decode)
    -> Result<std::optional<typename std::invoke_result_t<Decode, const Statement&>::value_type>> {
    if (!TRY(statement.step())) return std::nullopt;
    return TRY(decode(statement));
}

Result<void> add_grants(Connection& connection, Operator& operator_) {
    Statement statement = TRY(connection.prepare("SELECT workspace, permission FROM permission WHERE operator = ?"));
    statement.bind(operator_.name.text());
    operator_.grants = TRY(all_rows(std::move(statement), grant_from));
    std::ranges::sort(operator_.grants);
    return {};
}

Result<std::optional<Operator>> with_grants(Connection& connection, Result<std::optional<Operator>> found) {
    auto operator_ = TRY(std::move(found));
    if (operator_) TRY(add_grants(connection, *operator_));
    return operator_;
}

Result<void> add_signatures(Connection& connection, Approval& approval) {
    Statement statement = TRY(connection.prepare(
        "SELECT fingerprint, signature, at, revision FROM approval_signature WHERE approval = ? ORDER BY revision"));
    statement.bind(approval.id.text());
    approval.signatures = TRY(all_rows(std::move(statement), [](const Statement& row) -> Result<OwnerSignature> {
        return OwnerSignature{row.text(0), row.text(1), row.instant(2), static_cast<Revision>(row.number(3))};
    }));
    return {};
}

Result<std::vector<Approval>> with_signatures(Connection& connection, Statement statement) {
    auto approvals = TRY(all_rows(std::move(statement), approval_from));
    for (Approval& approval : approvals) TRY(add_signatures(connection, approval));
    return approvals;
}

}  // namespace

Result<std::optional<Installation>> SqlReader::installation() const {
    Statement statement =
        TRY(connection_.prepare("SELECT id, created_at, quorum, has_sole_owner, owners_revision FROM installation"));
    return one_row(std::move(statement), [](const Statement& row) -> Result<Installation> {
        const ApprovalPolicy policy{static_cast<std::uint32_t>(row.number(2)), row.number(3) != 0};
        return Installation{row.text(0), row.instant(1), policy, static_cast<Revision>(row.number(4))};
    });
}

Result<std::optional<Workspace>> SqlReader::workspace(const WorkspaceName& name) const {
    Statement statement = TRY(connection_.prepare("SELECT " MARQUE_WORKSPACE_COLUMNS " FROM workspace WHERE name = ?"));
    statement.bind(name.text());
    return one_row(std::move(statement), workspace_from);
}

Result<std::vector<Workspace>> SqlReader::workspaces() const {
    return all_rows(TRY(connection_.prepare("SELECT " MARQUE_WORKSPACE_COLUMNS " FROM workspace ORDER BY name")),
                    workspace_from);
}

Result<std::optional<Environment>> SqlReader::environment(const WorkspaceName& workspace,
                                                          const EnvironmentName& name) const {
    Statement statement = TRY(
        connection_.prepare("SELECT " MARQUE_ENVIRONMENT_COLUMNS " FROM environment WHERE workspace = ? AND name = ?"));
    statement.bind(workspace.text()).bind(name.text());
    return one_row(std::move(statement), environment_from);
}

Result<std::vector<Environment>> SqlReader::environments(const WorkspaceName& workspace) const {
    Statement statement = TRY(connection_.prepare("SELECT " MARQUE_ENVIRONMENT_COLUMNS
                                                  " FROM environment WHERE workspace = ? ORDER BY name"));
    statement.bind(workspace.text());
    return all_rows(std::move(statement), environment_from);
}

Result<std::optional<Identity>> SqlReader::identity(const WorkspaceName& workspace, const IdentityName& name) const {
    Statement statement =
        TRY(connection_.prepare("SELECT " MARQUE_IDENTITY_COLUMNS " FROM identity WHERE workspace = ? AND name = ?"));
    statement.bind(workspace.text()).bind(name.text());
    return one_row(std::move(statement), identity_from);
}

Result<std::vector<Identity>> SqlReader::identities(const WorkspaceName& workspace,
                                                    const std::optional<IdentityName>& after, std::size_t limit) const {
    Statement statement = TRY(connection_.prepare(
        "SELECT " MARQUE_IDENTITY_COLUMNS " FROM identity WHERE workspace = ? AND name > ? ORDER BY name LIMIT ?"));
    statement.bind(workspace.text()).bind(after ? after->text() : "").bind(std::uint64_t{limit});
    return all_rows(std::move(statement), identity_from);
}

Result<std::optional<Credential>> SqlReader::credential(const CredentialId& id) const {
    Statement statement = TRY(connection_.prepare("SELECT " MARQUE_CREDENTIAL_COLUMNS " FROM credential WHERE id = ?"));
    statement.bind(id.text());
    return one_row(std::move(statement), credential_from);
}

Result<std::vector<Credential>> SqlReader::credentials(const WorkspaceName& workspace,
                                                       const IdentityName& identity) const {
    Statement statement = TRY(connection_.prepare("SELECT " MARQUE_CREDENTIAL_COLUMNS
                                                  " FROM credential WHERE workspace = ? AND identity = ?"
                                                  " ORDER BY created_at, id"));
    statement.bind(workspace.text()).bind(identity.text());
    return all_rows(std::move(statement), credential_from);
}

Result<std::optional<LastUse>> SqlReader::last_use(const CredentialId& id) const {
    Statement statement = TRY(connection_.prepare("SELECT at, source, count FROM last_use WHERE credential = ?"));
    statement.bind(id.text());
    return one_row(std::move(statement), [](const Statement& row) -> Result<LastUse> {
        return LastUse{row.instant(0), row.text(1), static_cast<std::uint64_t>(row.number(2))};
    });
}

Result<std::optional<RefusedUses>> SqlReader::refused_uses(const CredentialId& id) const {
    Statement statement =
        TRY(connection_.prepare("SELECT reason, since, at, source, count FROM refused_use WHERE credential = ?"));
    statement.bind(id.text());
    return one_row(std::move(statement),
                   [](const Statement& row) -> Result<RefusedUses> { return refused_uses_from(row, 0); });
}

Result<std::vector<RefusedUse>> SqlReader::untold_refused_uses(Instant before, std::size_t limit) const {
    Statement statement =
        TRY(connection_.prepare("SELECT credential, reason, since, at, source, untold FROM refused_use"
                                " WHERE untold > 0 AND (told_at IS NULL OR told_at <= ?) ORDER BY credential LIMIT ?"));
    statement.bind(before).bind(std::uint64_t{limit});
    return all_rows(std::move(statement), [](const Statement& row) -> Result<RefusedUse> {
        const auto id = TRY(CredentialId::parse(row.text(0)));
        return RefusedUse{id, refused_uses_from(row, 1)};
    });
}

Result<void> SqlReader::visit_identities(const Visit<IdentityFacts>& visit) const {
    Statement statement = TRY(connection_.prepare_streaming(
        "SELECT workspace, name, environment, scopes, state, paused_until FROM identity"));
    while (TRY(statement.step())) {
        const Condition condition = TRY(condition_from(statement, 4));
        TRY(visit({statement.view(0), statement.view(1), statement.view(2), statement.view(3), condition}));
    }
    return {};
}

Result<void> SqlReader::visit_credentials(const Visit<CredentialFacts>& visit) const {
    Statement statement =
        TRY(connection_.prepare_streaming("SELECT id, workspace, identity, hash, scopes, state, created_at, expires_at,"
                                          " paused_until, retire_at, old_credential FROM credential"));
    while (TRY(statement.step())) TRY(visit(TRY(facts_from(statement))));
    return {};
}

Result<std::optional<Operator>> SqlReader::operator_with_uid(std::uint32_t uid) const {
    Statement statement =
        TRY(connection_.prepare("SELECT " MARQUE_OPERATOR_COLUMNS " FROM operator WHERE uid = ? AND is_removed = 0"));
    statement.bind(uid);
    return with_grants(connection_, one_row(std::move(statement), operator_from));
}

Result<std::optional<Operator>> SqlReader::operator_named(const OperatorName& name) const {
    Statement statement = TRY(connection_.prepare("SELECT " MARQUE_OPERATOR_COLUMNS " FROM operator WHERE name = ?"));
    statement.bind(name.text());
    return with_grants(connection_, one_row(std::move(statement), operator_from));
}

Result<std::vector<Operator>> SqlReader::operators() const {
    auto operators = TRY(all_rows(
        TRY(connection_.prepare("SELECT " MARQUE_OPERATOR_COLUMNS " FROM operator ORDER BY name")), operator_from));
    for (Operator& operator_ : operators) TRY(add_grants(connection_, operator_));
    return operators;
}

Result<std::vector<Owner>> SqlReader::owners() const {
    return all_rows(TRY(connection_.prepare("SELECT " MARQUE_OWNER_COLUMNS " FROM owner ORDER BY revision")),
                    owner_from);
}

Result<std::optional<Approval>> SqlReader::approval(const ApprovalId& id) const {
    Statement statement = TRY(connection_.prepare("SELECT " MARQUE_APPROVAL_COLUMNS " FROM approval WHERE id = ?"));
    statement.bind(id.text());
    auto approval = TRY(one_row(std::move(statement), approval_from));
    if (approval) TRY(add_signatures(connection_, *approval));
    return approval;
}

Result<std::vector<Approval>> SqlReader::approvals(const std::optional<Instant>& open_at, std::size_t limit) const {
    Statement statement = TRY(connection_.prepare(
        open_at ? "SELECT " MARQUE_APPROVAL_COLUMNS " FROM approval WHERE state = 'open' AND not_after > ?2"
                  " ORDER BY requested_at DESC, id LIMIT ?1"
                : "SELECT " MARQUE_APPROVAL_COLUMNS " FROM approval ORDER BY requested_at DESC, id LIMIT ?1"));
    statement.bind(std::uint64_t{limit});
    if (open_at) statement.bind(*open_at);
    return with_signatures(connection_, std::move(statement));
}

Result<std::vector<Approval>> SqlReader::approvals_of(const OperatorName& requester, Instant after) const {
    Statement statement = TRY(connection_.prepare("SELECT " MARQUE_APPROVAL_COLUMNS
                                                  " FROM approval WHERE requester = ? AND requested_at > ?"
                                                  " ORDER BY requested_at DESC, id"));
    statement.bind(requester.text()).bind(after);
    return with_signatures(connection_, std::move(statement));
}

Result<StoredHead> SqlReader::head() const {
    Statement statement = TRY(connection_.prepare("SELECT size, frontier, seal FROM log_head"));
    if (!TRY(statement.step())) return StoredHead{};
    StoredHead head;
    head.frontier = TRY(audit::Frontier::parse(static_cast<std::uint64_t>(statement.number(0)), statement.bytes(1)));
    const Bytes seal = statement.bytes(2);
    if (seal.size() == head.seal.size()) std::ranges::copy(seal, head.seal.begin());
    // Not there before schema 3.
    if (auto counts = connection_.prepare("SELECT count - by_event FROM row_write"))
        if (Statement row = counts.release(); TRY(row.step()))
            head.unlogged_writes = static_cast<std::uint64_t>(row.number(0));
    return head;
}

Result<std::vector<StoredEntry>> SqlReader::entries(std::uint64_t after, std::size_t limit) const {
    Statement statement =
        TRY(connection_.prepare("SELECT seq, bytes, seal FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"));
    statement.bind(after).bind(std::uint64_t{limit});
    return all_rows(std::move(statement), entry_from);
}

Result<std::vector<StoredEntry>> SqlReader::entries_of(const IdentityRef& identity, std::size_t limit) const {
    Statement statement =
        TRY(connection_.prepare("SELECT seq, bytes, seal FROM entry WHERE workspace = ?"
                                " AND identity = ? ORDER BY seq DESC LIMIT ?"));
    statement.bind(identity.workspace.text()).bind(identity.name.text()).bind(std::uint64_t{limit});
    return all_rows(std::move(statement), entry_from);
}

}  // namespace marque::store::sql
