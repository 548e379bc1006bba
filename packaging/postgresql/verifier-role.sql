-- What a verifier needs of a store in PostgreSQL, as a role: it reads everything, notes uses, and keeps its own row while
-- it answers by a lease. It makes no identity and no credential, takes no revocation back, and writes no entry.
--
--     psql -d marque -f verifier-role.sql
--     psql -d marque -c 'CREATE ROLE verifier_a LOGIN IN ROLE marque_verifier'
--
-- Run as the role that made the store, and again after each store migrate and store copy: grants belong to the tables
-- that are there.
\set ON_ERROR_STOP on
BEGIN;

SELECT 'CREATE ROLE marque_verifier NOLOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'marque_verifier') \gexec

REVOKE ALL ON ALL TABLES IN SCHEMA marque FROM marque_verifier;
GRANT USAGE ON SCHEMA marque TO marque_verifier;
GRANT SELECT ON ALL TABLES IN SCHEMA marque TO marque_verifier;
GRANT INSERT, UPDATE ON marque.last_use, marque.refused_use TO marque_verifier;

-- From schema 2 on.
SELECT 'GRANT INSERT, UPDATE, DELETE ON marque.verifier TO marque_verifier'
    WHERE to_regclass('marque.verifier') IS NOT NULL \gexec

COMMIT;
