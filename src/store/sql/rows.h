// store/sql/rows.h: rows to values. What does not parse is Corrupt, never guessed at.
#pragma once

#include "domain/entities.h"
#include "store/sql/statement.h"
#include "store/store.h"

namespace marque::store::sql {

// The columns, in the order in which the functions below read them.
#define MARQUE_INSTALLATION_COLUMNS "id, created_at, quorum, has_sole_owner, owners_revision"
#define MARQUE_WORKSPACE_COLUMNS "name, state, paused_until, created_at, revision"
#define MARQUE_ENVIRONMENT_COLUMNS \
    "workspace, name, is_protected, max_lifetime_us, state, paused_until, created_at, revision"
#define MARQUE_IDENTITY_COLUMNS \
    "workspace, name, environment, kind, scopes, contact, labels, state, paused_until, created_at, revision"
#define MARQUE_CREDENTIAL_COLUMNS                                                          \
    "id, workspace, identity, hash, scopes, state, created_at, expires_at, paused_until, " \
    "retire_at, replaces, old_credential, overlap_us, revision"
#define MARQUE_OPERATOR_COLUMNS "name, uid, is_removed, created_at, revision"
#define MARQUE_PERMISSION_COLUMNS "operator, workspace, permission, revision"
#define MARQUE_OWNER_COLUMNS "fingerprint, public_key, comment, operator, revision"
#define MARQUE_APPROVAL_COLUMNS \
    "id, nonce, text, plan, action, about, workspace, requester, requested_at, not_after, state, revision"
#define MARQUE_SIGNATURE_COLUMNS "approval, revision, fingerprint, signature, at"

Result<domain::Installation> installation_from(const Statement& row);
Result<domain::Workspace> workspace_from(const Statement& row);
Result<domain::Environment> environment_from(const Statement& row);
Result<domain::Identity> identity_from(const Statement& row);
Result<domain::Credential> credential_from(const Statement& row);
Result<domain::Operator> operator_from(const Statement& row);  // without its grants
Result<domain::Grant> grant_from(const Statement& row);        // of a permission
Result<domain::Owner> owner_from(const Statement& row);
Result<domain::Approval> approval_from(const Statement& row);  // without its signatures
Result<domain::OwnerSignature> signature_from(const Statement& row);
Result<StoredEntry> entry_from(const Statement& row);  // seq, bytes, seal

Result<domain::CredentialId> credential_id_from(const Statement& row, int column);
// state and paused_until, from column `first` on.
Result<domain::Condition> condition_from(const Statement& row, int first);
// reason, since, at, source, count, from column `first` on.
domain::RefusedUses refused_uses_from(const Statement& row, int first);
// Of a credential's row. Valid until the next step.
Result<CredentialFacts> facts_from(const Statement& row);

std::string labels_text(const domain::Labels& labels);
std::string workspace_text(const domain::Grant& grant);

}  // namespace marque::store::sql
