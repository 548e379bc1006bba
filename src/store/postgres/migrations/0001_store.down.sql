-- Takes the audit log with it, so it only ever runs on a store without an entry.
DROP TABLE row_write;
DROP TABLE refused_use;
DROP TABLE last_use;
DROP TABLE approval_signature;
DROP TABLE approval;
DROP TABLE owner;
DROP TABLE permission;
DROP TABLE operator;
DROP TABLE credential;
DROP TABLE identity;
DROP TABLE environment;
DROP TABLE workspace;
DROP TABLE entry;
DROP TABLE log_head;
DROP TABLE installation;
