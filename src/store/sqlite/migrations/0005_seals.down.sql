ALTER TABLE log_head DROP COLUMN row_root;
DROP TABLE row_tree;
DROP TABLE row_seal;
