-- What says that rows are this installation's, and the newest: MACs over each, a tree over those, and its root under the
-- seal of the log's head. The migration fills them, with the key that is not in the database.
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

ALTER TABLE log_head ADD COLUMN row_root BLOB;
