-- What the log says of the owners' policy and whose keys they are is taken from it, so that going down and up again
-- loosens nothing.
ALTER TABLE installation ADD COLUMN quorum INTEGER NOT NULL DEFAULT 1 CHECK (quorum >= 1);
ALTER TABLE installation ADD COLUMN has_sole_owner INTEGER NOT NULL DEFAULT 0 CHECK (has_sole_owner IN (0, 1));
ALTER TABLE installation ADD COLUMN owners_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE owner ADD COLUMN operator TEXT;
UPDATE installation SET (quorum, has_sole_owner) =
    (SELECT json_extract(bytes, '$.change.after.quorum'), json_extract(bytes, '$.change.after.sole_owner')
     FROM entry
     WHERE json_extract(bytes, '$.action') IN ('installation.create', 'owner.policy')
       AND json_extract(bytes, '$.outcome') = 'done' AND json_extract(bytes, '$.change.after.quorum') IS NOT NULL
     ORDER BY seq DESC LIMIT 1)
WHERE EXISTS
    (SELECT 1 FROM entry
     WHERE json_extract(bytes, '$.action') IN ('installation.create', 'owner.policy')
       AND json_extract(bytes, '$.outcome') = 'done' AND json_extract(bytes, '$.change.after.quorum') IS NOT NULL);
UPDATE installation SET owners_revision = (SELECT coalesce(max(seq), 0) FROM entry);
UPDATE owner SET operator =
    (SELECT json_extract(bytes, '$.change.after.operator') FROM entry WHERE seq = owner.revision);

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
