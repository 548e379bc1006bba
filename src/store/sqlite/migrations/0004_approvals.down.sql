-- Open approvals are lost with it, and have to be asked for anew; the log keeps all of them.
DROP TABLE approval_signature;
DROP TABLE approval;
ALTER TABLE owner DROP COLUMN operator;
ALTER TABLE installation DROP COLUMN owners_revision;
ALTER TABLE installation DROP COLUMN has_sole_owner;
ALTER TABLE installation DROP COLUMN quorum;
