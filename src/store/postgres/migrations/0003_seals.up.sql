-- What says that rows are this installation's, and the newest: MACs over each, a tree over those, and its root under the
-- seal of the log's head. The migration fills them, with the key that is not in the database.
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

ALTER TABLE log_head ADD COLUMN row_root bytea;
