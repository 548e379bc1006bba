// What the migrations of each version add to the schema `marque`, as `objects_sql` (schema_objects.h) describes it. A
// test holds the list against a server; when it fails it says which lines belong here.
#include "store/postgres/schema_objects.h"

namespace marque::store::postgres {

// clang-format off
const std::string_view objects_added[] = {
R"(column approval.about text not null collate default
column approval.action text not null collate default
column approval.id text not null collate C
column approval.nonce text not null collate default
column approval.not_after bigint not null
column approval.plan text not null collate default
column approval.requested_at bigint not null
column approval.requester text not null collate C
column approval.revision bigint not null
column approval.state text not null collate default
column approval.text text not null collate default
column approval.workspace text collate C
column approval_signature.approval text not null collate C
column approval_signature.at bigint not null
column approval_signature.fingerprint text not null collate C
column approval_signature.revision bigint not null
column approval_signature.signature text not null collate default
column credential.created_at bigint not null
column credential.expires_at bigint
column credential.hash bytea not null
column credential.id text not null collate C
column credential.identity text not null collate C
column credential.old_credential text collate default
column credential.overlap_us bigint
column credential.paused_until bigint
column credential.replaces text collate C
column credential.retire_at bigint
column credential.revision bigint not null
column credential.scopes text not null collate default
column credential.state text not null collate default
column credential.workspace text not null collate C
column entry.bytes text not null collate C
column entry.identity text collate C
column entry.seal bytea not null
column entry.seq bigint not null
column entry.workspace text collate C
column environment.created_at bigint not null
column environment.is_protected bigint not null
column environment.max_lifetime_us bigint
column environment.name text not null collate C
column environment.paused_until bigint
column environment.revision bigint not null
column environment.state text not null collate default
column environment.workspace text not null collate C
column identity.contact text not null collate default
column identity.created_at bigint not null
column identity.environment text not null collate C
column identity.kind text not null collate default
column identity.labels text not null collate default
column identity.name text not null collate C
column identity.paused_until bigint
column identity.revision bigint not null
column identity.scopes text not null collate default
column identity.state text not null collate default
column identity.workspace text not null collate C
column installation.created_at bigint not null
column installation.has_sole_owner bigint not null
column installation.id text not null collate default
column installation.only bigint not null
column installation.owners_revision bigint not null default 0
column installation.quorum bigint not null
column last_use.at bigint not null
column last_use.count bigint not null
column last_use.credential text not null collate C
column last_use.source text not null collate default
column log_head.frontier bytea not null
column log_head.only bigint not null
column log_head.seal bytea not null
column log_head.size bigint not null
column operator.created_at bigint not null
column operator.is_removed bigint not null
column operator.name text not null collate C
column operator.revision bigint not null
column operator.uid bigint not null
column owner.comment text not null collate default
column owner.fingerprint text not null collate C
column owner.operator text collate C
column owner.public_key text not null collate default
column owner.revision bigint not null
column permission.operator text not null collate C
column permission.permission text not null collate default
column permission.revision bigint not null
column permission.workspace text not null collate C
column refused_use.at bigint not null
column refused_use.count bigint not null
column refused_use.credential text not null collate C
column refused_use.reason text not null collate default
column refused_use.since bigint not null
column refused_use.source text not null collate default
column refused_use.told_at bigint
column refused_use.untold bigint not null
column row_write.by_event bigint not null
column row_write.count bigint not null
column row_write.only bigint not null
column schema_version.version bigint not null
column workspace.created_at bigint not null
column workspace.name text not null collate C
column workspace.paused_until bigint
column workspace.revision bigint not null
column workspace.state text not null collate default
constraint approval_id_check approval CHECK ((octet_length(id) = 8))
constraint approval_pkey approval PRIMARY KEY (id)
constraint approval_requester_fkey approval FOREIGN KEY (requester) -> operator(name)
constraint approval_signature_approval_fkey approval_signature FOREIGN KEY (approval) -> approval(id)
constraint approval_signature_pkey approval_signature PRIMARY KEY (approval, revision)
constraint approval_state_check approval CHECK ((state = ANY (ARRAY['open', 'redeemed', 'denied', 'withdrawn'])))
constraint credential_check credential CHECK (((state <> 'retiring') OR (retire_at IS NOT NULL)))
constraint credential_hash_check credential CHECK ((octet_length(hash) = 32))
constraint credential_id_check credential CHECK ((octet_length(id) = 12))
constraint credential_pkey credential PRIMARY KEY (id)
constraint credential_state_check credential CHECK ((state = ANY (ARRAY['pending', 'active', 'paused', 'retiring', 'revoked'])))
constraint credential_workspace_identity_fkey credential FOREIGN KEY (workspace, identity) -> identity(workspace, name)
constraint entry_pkey entry PRIMARY KEY (seq)
constraint entry_seal_check entry CHECK ((octet_length(seal) = 32))
constraint environment_is_protected_check environment CHECK ((is_protected = ANY (ARRAY[(0)::bigint, (1)::bigint])))
constraint environment_name_check environment CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 63)))
constraint environment_pkey environment PRIMARY KEY (workspace, name)
constraint environment_state_check environment CHECK ((state = ANY (ARRAY['active', 'paused', 'revoked'])))
constraint environment_workspace_fkey environment FOREIGN KEY (workspace) -> workspace(name)
constraint identity_name_check identity CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 63)))
constraint identity_pkey identity PRIMARY KEY (workspace, name)
constraint identity_state_check identity CHECK ((state = ANY (ARRAY['active', 'paused', 'revoked'])))
constraint identity_workspace_environment_fkey identity FOREIGN KEY (workspace, environment) -> environment(workspace, name)
constraint installation_has_sole_owner_check installation CHECK ((has_sole_owner = ANY (ARRAY[(0)::bigint, (1)::bigint])))
constraint installation_only_check installation CHECK (("only" = 1))
constraint installation_pkey installation PRIMARY KEY ("only")
constraint installation_quorum_check installation CHECK ((quorum >= 1))
constraint last_use_credential_fkey last_use FOREIGN KEY (credential) -> credential(id)
constraint last_use_pkey last_use PRIMARY KEY (credential)
constraint log_head_only_check log_head CHECK (("only" = 1))
constraint log_head_pkey log_head PRIMARY KEY ("only")
constraint operator_is_removed_check operator CHECK ((is_removed = ANY (ARRAY[(0)::bigint, (1)::bigint])))
constraint operator_name_check operator CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 63)))
constraint operator_pkey operator PRIMARY KEY (name)
constraint owner_pkey owner PRIMARY KEY (fingerprint)
constraint permission_operator_fkey permission FOREIGN KEY (operator) -> operator(name)
constraint permission_pkey permission PRIMARY KEY (operator, workspace, permission)
constraint refused_use_credential_fkey refused_use FOREIGN KEY (credential) -> credential(id)
constraint refused_use_pkey refused_use PRIMARY KEY (credential)
constraint row_write_only_check row_write CHECK (("only" = 1))
constraint row_write_pkey row_write PRIMARY KEY ("only")
constraint workspace_name_check workspace CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 63)))
constraint workspace_pkey workspace PRIMARY KEY (name)
constraint workspace_state_check workspace CHECK ((state = ANY (ARRAY['active', 'paused', 'revoked'])))
index approval_by_requester INDEX approval_by_requester ON approval USING btree (requester, requested_at)
index approval_by_time INDEX approval_by_time ON approval USING btree (requested_at)
index approval_open INDEX approval_open ON approval USING btree (not_after) WHERE (state = 'open'::text)
index approval_pkey UNIQUE INDEX approval_pkey ON approval USING btree (id)
index approval_signature_pkey UNIQUE INDEX approval_signature_pkey ON approval_signature USING btree (approval, revision)
index credential_by_identity INDEX credential_by_identity ON credential USING btree (workspace, identity)
index credential_pkey UNIQUE INDEX credential_pkey ON credential USING btree (id)
index entry_by_identity INDEX entry_by_identity ON entry USING btree (workspace, identity, seq) WHERE (identity IS NOT NULL)
index entry_pkey UNIQUE INDEX entry_pkey ON entry USING btree (seq)
index environment_pkey UNIQUE INDEX environment_pkey ON environment USING btree (workspace, name)
index identity_pkey UNIQUE INDEX identity_pkey ON identity USING btree (workspace, name)
index installation_pkey UNIQUE INDEX installation_pkey ON installation USING btree ("only")
index last_use_pkey UNIQUE INDEX last_use_pkey ON last_use USING btree (credential)
index log_head_pkey UNIQUE INDEX log_head_pkey ON log_head USING btree ("only")
index operator_by_uid UNIQUE INDEX operator_by_uid ON operator USING btree (uid) WHERE (is_removed = 0)
index operator_pkey UNIQUE INDEX operator_pkey ON operator USING btree (name)
index owner_pkey UNIQUE INDEX owner_pkey ON owner USING btree (fingerprint)
index permission_pkey UNIQUE INDEX permission_pkey ON permission USING btree (operator, workspace, permission)
index refused_use_pkey UNIQUE INDEX refused_use_pkey ON refused_use USING btree (credential)
index refused_use_untold INDEX refused_use_untold ON refused_use USING btree (credential) WHERE (untold > 0)
index row_write_pkey UNIQUE INDEX row_write_pkey ON row_write USING btree ("only")
index workspace_pkey UNIQUE INDEX workspace_pkey ON workspace USING btree (name)
table approval rp
table approval_signature rp
table credential rp
table entry rp
table environment rp
table identity rp
table installation rp
table last_use rp
table log_head rp
table operator rp
table owner rp
table permission rp
table refused_use rp
table row_write rp
table schema_version rp
table workspace rp)",
R"(column verifier.acknowledged bigint not null
column verifier.closed text not null collate default default ''::text
column verifier.id text not null collate C
column verifier.is_fenced bigint not null
column verifier.lease_us bigint not null
column verifier.mode text not null collate default
column verifier.name text not null collate default
column verifier.renewals bigint not null
column verifier.renewed_at bigint not null
column verifier.since bigint not null
constraint verifier_is_fenced_check verifier CHECK ((is_fenced = ANY (ARRAY[(0)::bigint, (1)::bigint])))
constraint verifier_lease_us_check verifier CHECK (((lease_us >= 1000000) AND (lease_us <= 60000000)))
constraint verifier_mode_check verifier CHECK ((mode = ANY (ARRAY['lease', 'ack-only'])))
constraint verifier_name_check verifier CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 200)))
constraint verifier_pkey verifier PRIMARY KEY (id)
index verifier_pkey UNIQUE INDEX verifier_pkey ON verifier USING btree (id)
table verifier rp)",
R"(column log_head.row_root bytea
column row_seal.bucket bigint not null
column row_seal.place text not null collate C
column row_seal.seal bytea not null
column row_tree.children bytea not null
column row_tree.node bigint not null
constraint row_seal_pkey row_seal PRIMARY KEY (bucket, place)
constraint row_seal_seal_check row_seal CHECK ((octet_length(seal) = 16))
constraint row_tree_children_check row_tree CHECK ((octet_length(children) = 512))
constraint row_tree_pkey row_tree PRIMARY KEY (node)
index row_seal_pkey UNIQUE INDEX row_seal_pkey ON row_seal USING btree (bucket, place)
index row_tree_pkey UNIQUE INDEX row_tree_pkey ON row_tree USING btree (node)
table row_seal rp
table row_tree rp)",
};
// clang-format on

}  // namespace marque::store::postgres
