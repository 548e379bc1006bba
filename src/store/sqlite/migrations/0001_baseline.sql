-- The first tables. Names are keys: none is ever used twice. Instants are microseconds since 1970, UTC. `revision` is
-- the number of the audit entry that last wrote the row.

-- up
CREATE TABLE installation (
    only             INTEGER PRIMARY KEY CHECK (only = 1),
    id               TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    quorum           INTEGER NOT NULL CHECK (quorum >= 1),
    has_sole_owner   INTEGER NOT NULL CHECK (has_sole_owner IN (0, 1)),
    owners_revision  INTEGER NOT NULL
) STRICT;

CREATE TABLE log_head (
    only      INTEGER PRIMARY KEY CHECK (only = 1),
    size      INTEGER NOT NULL,
    frontier  BLOB    NOT NULL,
    seal      BLOB    NOT NULL,
    row_root  BLOB
) STRICT;

CREATE TABLE entry (
    seq        INTEGER PRIMARY KEY,
    bytes      TEXT    NOT NULL,
    seal       BLOB    NOT NULL CHECK (length(seal) = 32),
    workspace  TEXT,
    identity   TEXT
) STRICT;
CREATE INDEX entry_by_identity ON entry (workspace, identity, seq) WHERE identity IS NOT NULL;

CREATE TABLE workspace (
    name          TEXT    NOT NULL PRIMARY KEY,
    state         TEXT    NOT NULL CHECK (state IN ('active', 'paused', 'revoked')),
    paused_until  INTEGER,
    created_at    INTEGER NOT NULL,
    revision      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE environment (
    workspace        TEXT    NOT NULL REFERENCES workspace (name),
    name             TEXT    NOT NULL,
    is_protected     INTEGER NOT NULL CHECK (is_protected IN (0, 1)),
    max_lifetime_us  INTEGER,
    state            TEXT    NOT NULL CHECK (state IN ('active', 'paused', 'revoked')),
    paused_until     INTEGER,
    created_at       INTEGER NOT NULL,
    revision         INTEGER NOT NULL,
    PRIMARY KEY (workspace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE identity (
    workspace     TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    scopes        TEXT    NOT NULL,
    contact       TEXT    NOT NULL,
    labels        TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('active', 'paused', 'revoked')),
    paused_until  INTEGER,
    created_at    INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    PRIMARY KEY (workspace, name),
    FOREIGN KEY (workspace, environment) REFERENCES environment (workspace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
    id              TEXT    NOT NULL PRIMARY KEY,
    workspace       TEXT    NOT NULL,
    identity        TEXT    NOT NULL,
    hash            BLOB    NOT NULL CHECK (length(hash) = 32),
    scopes          TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('pending', 'active', 'paused', 'retiring', 'revoked')),
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    paused_until    INTEGER,
    retire_at       INTEGER CHECK (state <> 'retiring' OR retire_at IS NOT NULL),
    replaces        TEXT,
    old_credential  TEXT,
    overlap_us      INTEGER,
    revision        INTEGER NOT NULL,
    FOREIGN KEY (workspace, identity) REFERENCES identity (workspace, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_by_identity ON credential (workspace, identity);

CREATE TABLE operator (
    name        TEXT    NOT NULL PRIMARY KEY,
    uid         INTEGER NOT NULL,
    is_removed  INTEGER NOT NULL CHECK (is_removed IN (0, 1)),
    created_at  INTEGER NOT NULL,
    revision    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX operator_by_uid ON operator (uid) WHERE is_removed = 0;

-- workspace '*': all of them, and the installation.
CREATE TABLE permission (
    operator    TEXT    NOT NULL REFERENCES operator (name),
    workspace   TEXT    NOT NULL,
    permission  TEXT    NOT NULL,
    revision    INTEGER NOT NULL,
    PRIMARY KEY (operator, workspace, permission)
) STRICT, WITHOUT ROWID;

CREATE TABLE owner (
    fingerprint  TEXT    NOT NULL PRIMARY KEY,
    public_key   TEXT    NOT NULL,
    comment      TEXT    NOT NULL,
    operator     TEXT,
    revision     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Asked for by an operator, signed by owners, used once. `text` is what is signed, byte for byte.
CREATE TABLE approval (
    id            TEXT    NOT NULL PRIMARY KEY,
    nonce         TEXT    NOT NULL,
    text          TEXT    NOT NULL,
    plan          TEXT    NOT NULL,
    action        TEXT    NOT NULL,
    about         TEXT    NOT NULL,
    workspace     TEXT,
    requester     TEXT    NOT NULL REFERENCES operator (name),
    requested_at  INTEGER NOT NULL,
    not_after     INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('open', 'redeemed', 'denied', 'withdrawn')),
    revision      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX approval_open ON approval (not_after) WHERE state = 'open';
CREATE INDEX approval_by_time ON approval (requested_at);
CREATE INDEX approval_by_requester ON approval (requester, requested_at);

CREATE TABLE approval_signature (
    approval     TEXT    NOT NULL REFERENCES approval (id),
    revision     INTEGER NOT NULL,
    fingerprint  TEXT    NOT NULL,
    signature    TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (approval, revision)
) STRICT, WITHOUT ROWID;

-- Telemetry: when each credential was last accepted, and from where.
CREATE TABLE last_use (
    credential  TEXT    NOT NULL PRIMARY KEY REFERENCES credential (id),
    at          INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    count       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Telemetry: stopped credentials that are still presented with the right secret. `since` is the revision of the change
-- that stopped the credential; `untold` is how many of `count` no audit entry has told of yet.
CREATE TABLE refused_use (
    credential  TEXT    NOT NULL PRIMARY KEY REFERENCES credential (id),
    reason      TEXT    NOT NULL,
    since       INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    count       INTEGER NOT NULL,
    untold      INTEGER NOT NULL,
    told_at     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refused_use_untold ON refused_use (credential) WHERE untold > 0;

-- `count` is how often a row that a verdict depends on was written, or an entry of the log rewritten, by anybody;
-- `by_event` is how often an event did. Where the two differ, somebody wrote around the log, and verifiers read
-- everything again.
CREATE TABLE row_write (
    only      INTEGER PRIMARY KEY CHECK (only = 1),
    count     INTEGER NOT NULL,
    by_event  INTEGER NOT NULL
) STRICT;
INSERT INTO row_write (only, count, by_event) VALUES (1, 0, 0);
CREATE TRIGGER workspace_insert AFTER INSERT ON workspace BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER workspace_update AFTER UPDATE ON workspace BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER workspace_delete AFTER DELETE ON workspace BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER environment_insert AFTER INSERT ON environment BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER environment_update AFTER UPDATE ON environment BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER environment_delete AFTER DELETE ON environment BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER identity_insert AFTER INSERT ON identity BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER identity_update AFTER UPDATE ON identity BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER identity_delete AFTER DELETE ON identity BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER credential_insert AFTER INSERT ON credential BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER credential_update AFTER UPDATE ON credential BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER credential_delete AFTER DELETE ON credential BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER entry_update AFTER UPDATE ON entry BEGIN UPDATE row_write SET count = count + 1; END;
CREATE TRIGGER entry_delete AFTER DELETE ON entry BEGIN UPDATE row_write SET count = count + 1; END;

-- The seals show that every row is this installation's and the newest: a MAC over each row, a hash tree over the MACs,
-- and the tree's root under the seal of the log's head. The key is not in the database.
CREATE TABLE row_seal (
    bucket  INTEGER NOT NULL,
    place   TEXT    NOT NULL,
    seal    BLOB    NOT NULL CHECK (length(seal) = 16),
    PRIMARY KEY (bucket, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE row_tree (
    node      INTEGER PRIMARY KEY,
    children  BLOB    NOT NULL CHECK (length(children) = 512)
) STRICT;

-- down
-- Takes the audit log with it, so it runs only on a store without an entry. Triggers go with their tables.
DROP TABLE row_tree;
DROP TABLE row_seal;
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
