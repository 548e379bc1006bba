#include "store/sql/apply.h"

#include "base/check.h"
#include "base/overloaded.h"
#include "store/sql/rows.h"

namespace marque::store::sql {
namespace {

using namespace domain;

Result<void> one_row_of(Result<int> changed, const Subject& subject) {
    if (TRY(std::move(changed)) == 1) return {};
    return Error(Code::StateRefuses, describe(subject) + " changed meanwhile", "look at it and try again");
}

template <class... Values>
Result<int> run(Connection& connection, const char* sql, const Values&... values) {
    Statement statement = TRY(connection.prepare(sql));
    (statement.bind(values), ...);
    return statement.run();
}

// Which rows a change of state is about.
enum class Change { Pause, Resume, Revoke };

template <class... Keys>
Result<void> set_state(Connection& connection, const Subject& subject, const char* sql,
                       const std::optional<Instant>& until, Revision revision, const Keys&... keys) {
    return one_row_of(run(connection, sql, until, revision, keys...), subject);
}

// The same three updates for each table; only the key differs.
#define MARQUE_STATE_SQL(table, key)                                                                                 \
    change == Change::Pause ? "UPDATE " table " SET state = 'paused', paused_until = ?, revision = ? WHERE " key     \
                              " AND state IN ('active', 'paused')"                                                   \
    : change == Change::Resume ? "UPDATE " table " SET state = 'active', paused_until = ?, revision = ? WHERE " key  \
                                 " AND state = 'paused'"                                                             \
                               : "UPDATE " table " SET state = 'revoked', paused_until = ?, revision = ? WHERE " key \
                                 " AND state <> 'revoked'"

Result<void> change_state(Connection& connection, const Subject& subject, Change change,
                          const std::optional<Instant>& until, Revision revision) {
    return std::visit(
        Overloaded{
            [&](const WorkspaceRef& r) {
                return set_state(connection, subject, MARQUE_STATE_SQL("workspace", "name = ?"), until, revision,
                                 r.name.text());
            },
            [&](const EnvironmentRef& r) {
                return set_state(connection, subject, MARQUE_STATE_SQL("environment", "workspace = ? AND name = ?"),
                                 until, revision, r.workspace.text(), r.name.text());
            },
            [&](const IdentityRef& r) {
                return set_state(connection, subject, MARQUE_STATE_SQL("identity", "workspace = ? AND name = ?"), until,
                                 revision, r.workspace.text(), r.name.text());
            },
            [&](const CredentialRef& r) {
                return set_state(connection, subject, MARQUE_STATE_SQL("credential", "id = ?"), until, revision,
                                 r.id.text());
            },
            [](const auto&) -> Result<void> { CHECK_UNREACHABLE(); },
        },
        subject);
}

#undef MARQUE_STATE_SQL

Result<void> insert(Connection& connection, const Environment& e, Revision revision) {
    TRY(run(connection, "INSERT INTO environment (" MARQUE_ENVIRONMENT_COLUMNS ") VALUES (?,?,?,?,?,?,?,?)",
            e.workspace.text(), e.name.text(), e.protection == Protection::Protected, e.max_lifetime,
            name_of(e.condition.stored), e.condition.paused_until, e.created_at, revision));
    return {};
}

Result<void> insert(Connection& connection, const Identity& i, Revision revision) {
    TRY(run(connection, "INSERT INTO identity (" MARQUE_IDENTITY_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            i.workspace.text(), i.name.text(), i.environment.text(), name_of(i.kind), i.scopes.text(), i.contact,
            labels_text(i.labels), name_of(i.condition.stored), i.condition.paused_until, i.created_at, revision));
    return {};
}

Result<void> insert(Connection& connection, const Credential& c, Revision revision) {
    std::optional<std::string> replaces, old_credential;
    std::optional<Duration> overlap;
    if (c.succession) {
        replaces = c.succession->replaces.string();
        old_credential = name_of(c.succession->old_credential);
        overlap = c.succession->overlap;
    }
    TRY(run(connection, "INSERT INTO credential (" MARQUE_CREDENTIAL_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            c.id.text(), c.workspace.text(), c.identity.text(), ByteView(c.hash), c.scopes.text(), name_of(c.stored),
            c.created_at, c.expires_at, c.paused_until, c.retire_at, replaces, old_credential, overlap, revision));
    return {};
}

Result<void> insert(Connection& connection, const OperatorName& name, const Grant& grant, Revision revision) {
    TRY(run(connection, "INSERT INTO permission (operator, workspace, permission, revision) VALUES (?,?,?,?)",
            name.text(), workspace_text(grant), name_of(grant.permission), revision));
    return {};
}

Result<void> insert(Connection& connection, const Operator& o, Revision revision) {
    TRY(run(connection, "INSERT INTO operator (" MARQUE_OPERATOR_COLUMNS ") VALUES (?,?,?,?,?)", o.name.text(), o.uid,
            o.is_removed, o.created_at, revision));
    for (const Grant& grant : o.grants) TRY(insert(connection, o.name, grant, revision));
    return {};
}

Result<void> retire(Connection& connection, const audit::CredentialRetiring& e, Revision revision) {
    // Also shortens: a credential retiring later than `at` now retires at `at`.
    return one_row_of(run(connection,
                          "UPDATE credential SET state = 'retiring', retire_at = ?1, paused_until = NULL,"
                          " revision = ?2 WHERE id = ?3 AND (state IN ('active', 'paused') OR"
                          " (state = 'retiring' AND retire_at > ?1))",
                          e.at, revision, e.credential.id.text()),
                      e.credential);
}

// Who the owners are, and what it takes: one number for all of it.
Result<void> touch_owners(Connection& connection, Revision revision) {
    TRY(run(connection, "UPDATE installation SET owners_revision = ?", revision));
    return {};
}

Result<void> insert(Connection& connection, const Owner& o, Revision revision) {
    TRY(touch_owners(connection, revision));
    std::optional<std::string> operator_name;
    if (o.operator_name) operator_name = o.operator_name->text();
    TRY(run(connection, "INSERT INTO owner (" MARQUE_OWNER_COLUMNS ") VALUES (?,?,?,?,?)", o.fingerprint, o.public_key,
            o.comment, operator_name, revision));
    return {};
}

Result<void> insert(Connection& connection, const Approval& a, Revision revision) {
    std::optional<std::string> workspace;
    if (a.workspace) workspace = a.workspace->text();
    TRY(run(connection, "INSERT INTO approval (" MARQUE_APPROVAL_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            a.id.text(), a.nonce, a.text, a.plan, a.action, audit::canonical(audit::to_json(a.about)), workspace,
            a.requester.text(), a.requested_at, a.not_after, name_of(a.stored), revision));
    return {};
}

// From open to `standing`; signing leaves it open.
Result<void> decide(Connection& connection, const ApprovalId& id, ApprovalStanding standing, Revision revision) {
    return one_row_of(run(connection, "UPDATE approval SET state = ?, revision = ? WHERE id = ? AND state = 'open'",
                          name_of(standing), revision, id.text()),
                      ApprovalRef{id});
}

Result<void> sign(Connection& connection, const audit::ApprovalSigned& e, Revision revision) {
    TRY(run(connection,
            "INSERT INTO approval_signature (approval, fingerprint, signature, at, revision) VALUES (?,?,?,?,?)",
            e.id.text(), e.signature.fingerprint, e.signature.text, e.signature.at, revision));
    return decide(connection, e.id, ApprovalStanding::Open, revision);
}

Result<void> touch_operator(Connection& connection, const OperatorName& name, Revision revision) {
    return one_row_of(
        run(connection, "UPDATE operator SET revision = ? WHERE name = ? AND is_removed = 0", revision, name.text()),
        OperatorRef{name});
}

}  // namespace

Result<void> apply(Connection& connection, const audit::Event& event, Revision revision) {
    const auto discard = [](Result<int> changed) -> Result<void> {
        TRY(std::move(changed));
        return {};
    };
    return std::visit(
        Overloaded{
            [&](const audit::InstallationCreated& e) {
                return discard(run(connection,
                                   "INSERT INTO installation (\"only\", id, created_at, quorum, has_sole_owner)"
                                   " VALUES (1, ?, ?, ?, ?)",
                                   e.installation.id, e.installation.created_at, e.installation.policy.quorum,
                                   e.installation.policy.has_sole_owner));
            },
            [&](const audit::WorkspaceAdded& e) {
                const Workspace& w = e.workspace;
                return discard(
                    run(connection, "INSERT INTO workspace (" MARQUE_WORKSPACE_COLUMNS ") VALUES (?,?,?,?,?)",
                        w.name.text(), name_of(w.condition.stored), w.condition.paused_until, w.created_at, revision));
            },
            [&](const audit::EnvironmentAdded& e) { return insert(connection, e.environment, revision); },
            [&](const audit::IdentityCreated& e) { return insert(connection, e.identity, revision); },
            [&](const audit::CredentialIssued& e) { return insert(connection, e.credential, revision); },
            [&](const audit::CredentialActivated& e) {
                return one_row_of(run(connection,
                                      "UPDATE credential SET state = 'active', revision = ? WHERE id = ?"
                                      " AND state = 'pending'",
                                      revision, e.credential.id.text()),
                                  e.credential);
            },
            [&](const audit::CredentialRetiring& e) { return retire(connection, e, revision); },
            [&](const audit::CredentialUndelivered& e) {
                return one_row_of(run(connection,
                                      "UPDATE credential SET state = 'revoked', revision = ? WHERE id = ?"
                                      " AND state = 'pending'",
                                      revision, e.credential.id.text()),
                                  e.credential);
            },
            [&](const audit::Paused& e) {
                return change_state(connection, e.subject, Change::Pause, e.until, revision);
            },
            [&](const audit::Resumed& e) {
                return change_state(connection, e.subject, Change::Resume, std::nullopt, revision);
            },
            [&](const audit::Revoked& e) {
                return change_state(connection, e.subject, Change::Revoke, std::nullopt, revision);
            },
            [&](const audit::OperatorAdded& e) { return insert(connection, e.operator_, revision); },
            [&](const audit::OperatorRemoved& e) {
                return one_row_of(run(connection,
                                      "UPDATE operator SET is_removed = 1, revision = ? WHERE name = ?"
                                      " AND is_removed = 0",
                                      revision, e.name.text()),
                                  OperatorRef{e.name});
            },
            [&](const audit::OperatorReassigned& e) {
                return one_row_of(run(connection,
                                      "UPDATE operator SET uid = ?, revision = ? WHERE name = ? AND uid = ?"
                                      " AND is_removed = 0",
                                      e.after, revision, e.name.text(), e.before),
                                  OperatorRef{e.name});
            },
            [&](const audit::PermissionGranted& e) -> Result<void> {
                TRY(insert(connection, e.name, e.grant, revision));
                return touch_operator(connection, e.name, revision);
            },
            [&](const audit::PermissionWithdrawn& e) -> Result<void> {
                TRY(one_row_of(
                    run(connection, "DELETE FROM permission WHERE operator = ? AND workspace = ? AND permission = ?",
                        e.name.text(), workspace_text(e.grant), name_of(e.grant.permission)),
                    OperatorRef{e.name}));
                return touch_operator(connection, e.name, revision);
            },
            [&](const audit::OwnerAdded& e) { return insert(connection, e.owner, revision); },
            [&](const audit::OwnerRemoved& e) -> Result<void> {
                TRY(touch_owners(connection, revision));
                return one_row_of(run(connection, "DELETE FROM owner WHERE fingerprint = ?", e.owner.fingerprint),
                                  OwnerRef{e.owner.fingerprint});
            },
            [&](const audit::ApprovalPolicyChanged& e) {
                return one_row_of(
                    run(connection,
                        "UPDATE installation SET quorum = ?, has_sole_owner = ?, owners_revision = ?"
                        " WHERE quorum = ? AND has_sole_owner = ?",
                        e.after.quorum, e.after.has_sole_owner, revision, e.before.quorum, e.before.has_sole_owner),
                    InstallationRef{});
            },
            [&](const audit::ProtectionChanged& e) {
                const bool is_protected = e.after == Protection::Protected;
                return one_row_of(run(connection,
                                      "UPDATE environment SET is_protected = ?, revision = ?"
                                      " WHERE workspace = ? AND name = ? AND is_protected = ?",
                                      is_protected, revision, e.environment.workspace.text(), e.environment.name.text(),
                                      !is_protected),
                                  e.environment);
            },
            [&](const audit::ApprovalRequested& e) { return insert(connection, e.approval, revision); },
            [&](const audit::ApprovalSigned& e) { return sign(connection, e, revision); },
            [&](const audit::ApprovalDenied& e) {
                return decide(connection, e.id, ApprovalStanding::Denied, revision);
            },
            [&](const audit::ApprovalWithdrawn& e) {
                return decide(connection, e.id, ApprovalStanding::Withdrawn, revision);
            },
            [&](const audit::ApprovalRedeemed& e) {
                return decide(connection, e.id, ApprovalStanding::Redeemed, revision);
            },
            [&](const audit::CredentialRefused& e) {
                return discard(
                    run(connection,
                        "UPDATE refused_use SET untold = CASE WHEN untold BETWEEN ?1 AND ?2 THEN untold - ?1 ELSE 0"
                        " END, told_at = ? WHERE credential = ?",
                        e.count, largest_number, e.told_at, e.credential.id.text()));
            },
            [](const audit::StoreMigrated&) -> Result<void> { return {}; },
            [](const audit::StoreBackedUp&) -> Result<void> { return {}; },
            [](const audit::StoreCopied&) -> Result<void> { return {}; },
            [](const audit::KeyRotated&) -> Result<void> { return {}; },
            [](const audit::LogAccepted&) -> Result<void> { return {}; },
            [](const audit::VerifierRemoved&) -> Result<void> { return {}; },  // its row is beside the log
            [](const audit::Refused&) -> Result<void> { return {}; },
        },
        event);
}

}  // namespace marque::store::sql
