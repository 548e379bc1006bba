-- Names are keys: none is ever used twice. Instants are microseconds since 1970, UTC.
-- `revision` is the number of the audit entry that last wrote the row.
CREATE TABLE installation (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    id          TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE log_head (
    only      INTEGER PRIMARY KEY CHECK (only = 1),
    size      INTEGER NOT NULL,
    frontier  BLOB    NOT NULL,
    seal      BLOB    NOT NULL
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
    revision     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
