-- The tables of SQLite's baseline, in a schema of their own, and the table of verifiers. Numbers and flags are bigint, so
-- that one text of SQL does for both; texts are compared byte by byte.

-- up
CREATE TABLE installation (
    "only"          bigint  NOT NULL PRIMARY KEY CHECK ("only" = 1),
    id              text    NOT NULL,
    created_at      bigint  NOT NULL,
    quorum          bigint  NOT NULL CHECK (quorum >= 1),
    has_sole_owner  bigint  NOT NULL CHECK (has_sole_owner IN (0, 1)),
    owners_revision bigint  NOT NULL
);

CREATE TABLE log_head (
    "only"    bigint  NOT NULL PRIMARY KEY CHECK ("only" = 1),
    size      bigint  NOT NULL,
    frontier  bytea   NOT NULL,
    seal      bytea   NOT NULL,
    row_root  bytea
);

CREATE TABLE entry (
    seq        bigint  NOT NULL PRIMARY KEY,
    bytes      text    COLLATE "C" NOT NULL,
    seal       bytea   NOT NULL CHECK (octet_length(seal) = 32),
    workspace  text    COLLATE "C",
    identity   text    COLLATE "C"
);
CREATE INDEX entry_by_identity ON entry (workspace, identity, seq) WHERE identity IS NOT NULL;

CREATE TABLE workspace (
    name          text    COLLATE "C" NOT NULL PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 63),
    state         text    NOT NULL CHECK (state IN ('active', 'paused', 'revoked')),
    paused_until  bigint,
    created_at    bigint  NOT NULL,
    revision      bigint  NOT NULL
);

CREATE TABLE environment (
    workspace        text    COLLATE "C" NOT NULL REFERENCES workspace (name),
    name             text    COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 63),
    is_protected     bigint  NOT NULL CHECK (is_protected IN (0, 1)),
    max_lifetime_us  bigint,
    state            text    NOT NULL CHECK (state IN ('active', 'paused', 'revoked')),
    paused_until     bigint,
    created_at       bigint  NOT NULL,
    revision         bigint  NOT NULL,
    PRIMARY KEY (workspace, name)
);

CREATE TABLE identity (
    workspace     text    COLLATE "C" NOT NULL,
    name          text    COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 63),
    environment   text    COLLATE "C" NOT NULL,
    kind          text    NOT NULL,
    scopes        text    NOT NULL,
    contact       text    NOT NULL,
    labels        text    NOT NULL,
    state         text    NOT NULL CHECK (state IN ('active', 'paused', 'revoked')),
    paused_until  bigint,
    created_at    bigint  NOT NULL,
    revision      bigint  NOT NULL,
    PRIMARY KEY (workspace, name),
    FOREIGN KEY (workspace, environment) REFERENCES environment (workspace, name)
);

CREATE TABLE credential (
    id              text    COLLATE "C" NOT NULL PRIMARY KEY CHECK (octet_length(id) = 12),
    workspace       text    COLLATE "C" NOT NULL,
    identity        text    COLLATE "C" NOT NULL,
    hash            bytea   NOT NULL CHECK (octet_length(hash) = 32),
    scopes          text    NOT NULL,
    state           text    NOT NULL CHECK (state IN ('pending', 'active', 'paused', 'retiring', 'revoked')),
    created_at      bigint  NOT NULL,
    expires_at      bigint,
    paused_until    bigint,
    retire_at       bigint  CHECK (state <> 'retiring' OR retire_at IS NOT NULL),
    replaces        text    COLLATE "C",
    old_credential  text,
    overlap_us      bigint,
    revision        bigint  NOT NULL,
    FOREIGN KEY (workspace, identity) REFERENCES identity (workspace, name)
);
CREATE INDEX credential_by_identity ON credential (workspace, identity);

CREATE TABLE operator (
    name        text    COLLATE "C" NOT NULL PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 63),
    uid         bigint  NOT NULL,
    is_removed  bigint  NOT NULL CHECK (is_removed IN (0, 1)),
    created_at  bigint  NOT NULL,
    revision    bigint  NOT NULL
);
CREATE UNIQUE INDEX operator_by_uid ON operator (uid) WHERE is_removed = 0;

-- workspace '*': all of them, and the installation.
CREATE TABLE permission (
    operator    text    COLLATE "C" NOT NULL REFERENCES operator (name),
    workspace   text    COLLATE "C" NOT NULL,
    permission  text    NOT NULL,
    revision    bigint  NOT NULL,
    PRIMARY KEY (operator, workspace, permission)
);

CREATE TABLE owner (
    fingerprint  text    COLLATE "C" NOT NULL PRIMARY KEY,
    public_key   text    NOT NULL,
    comment      text    NOT NULL,
    operator     text    COLLATE "C",
    revision     bigint  NOT NULL
);

CREATE TABLE approval (
    id            text    COLLATE "C" NOT NULL PRIMARY KEY CHECK (octet_length(id) = 8),
    nonce         text    NOT NULL,
    text          text    NOT NULL,
    plan          text    NOT NULL,
    action        text    NOT NULL,
    about         text    NOT NULL,
    workspace     text    COLLATE "C",
    requester     text    COLLATE "C" NOT NULL REFERENCES operator (name),
    requested_at  bigint  NOT NULL,
    not_after     bigint  NOT NULL,
    state         text    NOT NULL CHECK (state IN ('open', 'redeemed', 'denied', 'withdrawn')),
    revision      bigint  NOT NULL
);
CREATE INDEX approval_open ON approval (not_after) WHERE state = 'open';
CREATE INDEX approval_by_time ON approval (requested_at);
CREATE INDEX approval_by_requester ON approval (requester, requested_at);

CREATE TABLE approval_signature (
    approval     text    COLLATE "C" NOT NULL REFERENCES approval (id),
    revision     bigint  NOT NULL,
    fingerprint  text    COLLATE "C" NOT NULL,
    signature    text    NOT NULL,
    at           bigint  NOT NULL,
    PRIMARY KEY (approval, revision)
);

-- Telemetry beside the state, outside the log.
CREATE TABLE last_use (
    credential  text    COLLATE "C" NOT NULL PRIMARY KEY REFERENCES credential (id),
    at          bigint  NOT NULL,
    source      text    NOT NULL,
    count       bigint  NOT NULL
);

CREATE TABLE refused_use (
    credential  text    COLLATE "C" NOT NULL PRIMARY KEY REFERENCES credential (id),
    reason      text    NOT NULL,
    since       bigint  NOT NULL,
    at          bigint  NOT NULL,
    source      text    NOT NULL,
    count       bigint  NOT NULL,
    untold      bigint  NOT NULL,
    told_at     bigint
);
CREATE INDEX refused_use_untold ON refused_use (credential) WHERE untold > 0;

-- As in SQLite, where triggers count rows written around the log. Here nothing does, and the two stay alike.
CREATE TABLE row_write (
    "only"    bigint  NOT NULL PRIMARY KEY CHECK ("only" = 1),
    count     bigint  NOT NULL,
    by_event  bigint  NOT NULL
);
INSERT INTO row_write ("only", count, by_event) VALUES (1, 0, 0);

-- The processes that answer from memory by a lease (store/verifiers.h). They belong to the running system: no event
-- tells of them, and they have no revision.
CREATE TABLE verifier (
    id            text    COLLATE "C" NOT NULL PRIMARY KEY,
    name          text    NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 200),
    mode          text    NOT NULL CHECK (mode IN ('lease', 'ack-only')),
    lease_us      bigint  NOT NULL CHECK (lease_us BETWEEN 1000000 AND 60000000),
    acknowledged  bigint  NOT NULL,
    renewals      bigint  NOT NULL,
    is_fenced     bigint  NOT NULL CHECK (is_fenced IN (0, 1)),
    closed        text    NOT NULL DEFAULT '',
    since         bigint  NOT NULL,
    renewed_at    bigint  NOT NULL
) WITH (fillfactor = 50);

-- The seals show that every row is this installation's and the newest: a MAC over each row, a hash tree over the MACs,
-- and the tree's root under the seal of the log's head. The key is not in the database.
CREATE TABLE row_seal (
    bucket  bigint  NOT NULL,
    place   text    COLLATE "C" NOT NULL,
    seal    bytea   NOT NULL CHECK (octet_length(seal) = 16),
    PRIMARY KEY (bucket, place)
);

CREATE TABLE row_tree (
    node      bigint  NOT NULL PRIMARY KEY,
    children  bytea   NOT NULL CHECK (octet_length(children) = 512)
);

-- down
-- Takes the audit log with it, so it runs only on a store without an entry.
DROP TABLE row_tree;
DROP TABLE row_seal;
DROP TABLE verifier;
DROP TABLE row_write;
DROP TABLE refused_use;
DROP TABLE last_use;
DROP TABLE approval_signature;
DROP TABLE approval;
DROP TABLE owner;
DROP TABLE permission;
DROP TABLE operator;
DROP TABLE credential;
DROP TABLE identity;
DROP TABLE environment;
DROP TABLE workspace;
DROP TABLE entry;
DROP TABLE log_head;
DROP TABLE installation;

-- objects
column approval.about text not null collate default
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
column installation.owners_revision bigint not null
column installation.quorum bigint not null
column last_use.at bigint not null
column last_use.count bigint not null
column last_use.credential text not null collate C
column last_use.source text not null collate default
column log_head.frontier bytea not null
column log_head.only bigint not null
column log_head.row_root bytea
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
column row_seal.bucket bigint not null
column row_seal.place text not null collate C
column row_seal.seal bytea not null
column row_tree.children bytea not null
column row_tree.node bigint not null
column row_write.by_event bigint not null
column row_write.count bigint not null
column row_write.only bigint not null
column schema_version.version bigint not null
column verifier.acknowledged bigint not null
column verifier.closed text not null collate default default ''::text
column verifier.id text not null collate C
column verifier.is_fenced bigint not null
column verifier.lease_us bigint not null
column verifier.mode text not null collate default
column verifier.name text not null collate default
column verifier.renewals bigint not null
column verifier.renewed_at bigint not null
column verifier.since bigint not null
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
constraint row_seal_pkey row_seal PRIMARY KEY (bucket, place)
constraint row_seal_seal_check row_seal CHECK ((octet_length(seal) = 16))
constraint row_tree_children_check row_tree CHECK ((octet_length(children) = 512))
constraint row_tree_pkey row_tree PRIMARY KEY (node)
constraint row_write_only_check row_write CHECK (("only" = 1))
constraint row_write_pkey row_write PRIMARY KEY ("only")
constraint verifier_is_fenced_check verifier CHECK ((is_fenced = ANY (ARRAY[(0)::bigint, (1)::bigint])))
constraint verifier_lease_us_check verifier CHECK (((lease_us >= 1000000) AND (lease_us <= 60000000)))
constraint verifier_mode_check verifier CHECK ((mode = ANY (ARRAY['lease', 'ack-only'])))
constraint verifier_name_check verifier CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 200)))
constraint verifier_pkey verifier PRIMARY KEY (id)
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
index row_seal_pkey UNIQUE INDEX row_seal_pkey ON row_seal USING btree (bucket, place)
index row_tree_pkey UNIQUE INDEX row_tree_pkey ON row_tree USING btree (node)
index row_write_pkey UNIQUE INDEX row_write_pkey ON row_write USING btree ("only")
index verifier_pkey UNIQUE INDEX verifier_pkey ON verifier USING btree (id)
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
table row_seal rp
table row_tree rp
table row_write rp
table schema_version rp
table verifier rp
table workspace rp
