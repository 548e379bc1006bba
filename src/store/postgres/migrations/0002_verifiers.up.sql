-- The processes that answer from memory by a lease (store/verifiers.h). Telemetry of the running system: no event, no
-- revision.
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
