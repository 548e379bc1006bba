-- The tables of SQLite's schema 4, in a schema of their own. Numbers and flags are bigint, so that one text of SQL does
-- for both; texts are compared byte by byte.
CREATE TABLE installation (
    "only"          bigint  NOT NULL PRIMARY KEY CHECK ("only" = 1),
    id              text    NOT NULL,
    created_at      bigint  NOT NULL,
    quorum          bigint  NOT NULL CHECK (quorum >= 1),
    has_sole_owner  bigint  NOT NULL CHECK (has_sole_owner IN (0, 1)),
    owners_revision bigint  NOT NULL DEFAULT 0
);

CREATE TABLE log_head (
    "only"    bigint  NOT NULL PRIMARY KEY CHECK ("only" = 1),
    size      bigint  NOT NULL,
    frontier  bytea   NOT NULL,
    seal      bytea   NOT NULL
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
