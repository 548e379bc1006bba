-- Telemetry beside the state: stopped credentials that are still presented, with the right secret. `since` is the
-- revision of what stopped it; `untold`, how many of `count` no audit entry has told of yet.
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

-- How often a row that a verdict depends on was written, or an entry of the log rewritten, by whomever; and how often by an event. Where the two differ,
-- somebody wrote around the log, and verifiers read everything again.
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
