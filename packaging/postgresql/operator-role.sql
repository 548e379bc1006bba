-- What the commands need of a store in PostgreSQL, as a role: every change and nothing of DDL. Entries of the log are
-- added and neither changed nor removed, and no row goes but where a command takes it away: a permission, an owner key, a
-- verifier's row. For a marque serve that also writes events and carries out /oauth2/revoke, too.
--
--     psql -d marque -f operator-role.sql
--     psql -d marque -c 'CREATE ROLE ops LOGIN IN ROLE marque_operator'
--
-- init, store migrate, store rollback and store copy want the role that made the store. Run as that, and again after each
-- store migrate and store copy: grants belong to the tables that are there.
\set ON_ERROR_STOP on
BEGIN;

SELECT 'CREATE ROLE marque_operator NOLOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'marque_operator') \gexec

REVOKE ALL ON ALL TABLES IN SCHEMA marque FROM marque_operator;
GRANT USAGE ON SCHEMA marque TO marque_operator;
GRANT SELECT ON ALL TABLES IN SCHEMA marque TO marque_operator;
GRANT INSERT ON marque.entry, marque.approval_signature TO marque_operator;
GRANT INSERT, UPDATE ON marque.log_head, marque.workspace, marque.environment, marque.identity, marque.credential,
    marque.operator, marque.approval, marque.last_use, marque.refused_use TO marque_operator;
GRANT INSERT, DELETE ON marque.permission, marque.owner TO marque_operator;
GRANT UPDATE ON marque.installation TO marque_operator;

-- Seals are not written by this role alone: they want the key.
GRANT INSERT, UPDATE, DELETE ON marque.row_seal, marque.verifier TO marque_operator;
GRANT INSERT, UPDATE ON marque.row_tree TO marque_operator;

COMMIT;
