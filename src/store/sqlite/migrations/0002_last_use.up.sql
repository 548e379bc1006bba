-- Telemetry beside the state: when each credential was last accepted, and from where.
CREATE TABLE last_use (
    credential  TEXT    NOT NULL PRIMARY KEY REFERENCES credential (id),
    at          INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    count       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
