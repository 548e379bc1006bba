-- What a verifier needs of a store in PostgreSQL, as a role: it reads everything, notes uses, and keeps its own row while
-- it answers by a lease. It makes no identity and no credential, takes no revocation back, and writes no entry.
--
--     psql -d marque -f verifier-role.sql
--     psql -d marque -c 'CREATE ROLE verifier_a LOGIN IN ROLE marque_verifier'
--
-- Give each machine a login of its own: a row of the table verifier belongs to the login that made it, and no other
-- verifier can renew it, say in its place that it knows a change, or take it away. Every change waits for the rows that
-- are there, so a login may make no row that costs a change more than ten seconds: the mode is lease, and the lease 10 s
-- or shorter. Who is to answer in the mode ack-only, or by a longer lease, needs the second role besides:
--
--     psql -d marque -c 'GRANT marque_verifier_awaited TO verifier_a'
--
-- Run as the role that made the store, and again after each store migrate and store copy: grants and policies belong to
-- the tables that are there.
\set ON_ERROR_STOP on
BEGIN;

SELECT format('CREATE ROLE %I NOLOGIN', r) FROM unnest(ARRAY['marque_verifier', 'marque_verifier_awaited']) r
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) \gexec

REVOKE ALL ON ALL TABLES IN SCHEMA marque FROM marque_verifier;
GRANT USAGE ON SCHEMA marque TO marque_verifier;
GRANT SELECT ON ALL TABLES IN SCHEMA marque TO marque_verifier;
GRANT INSERT, UPDATE ON marque.last_use, marque.refused_use TO marque_verifier;

GRANT INSERT, UPDATE, DELETE ON marque.verifier TO marque_verifier;

-- The policies hold for members of marque_verifier; the grants alone decide for everybody else, and for who is a member
-- of marque_operator too. Everybody reads every row: a change that saw none would wait for none.
ALTER TABLE marque.verifier ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS reading ON marque.verifier;
DROP POLICY IF EXISTS of_others ON marque.verifier;
DROP POLICY IF EXISTS of_its_login ON marque.verifier;
DROP POLICY IF EXISTS removing_the_dead ON marque.verifier;
CREATE POLICY reading ON marque.verifier FOR SELECT USING (true);
CREATE POLICY of_others ON marque.verifier
    USING (NOT pg_has_role('marque_verifier', 'MEMBER')
           OR coalesce(pg_has_role(to_regrole('marque_operator'), 'MEMBER'), false));
-- An id is the login, a colon and 36 characters.
CREATE POLICY of_its_login ON marque.verifier TO marque_verifier
    USING (left(id, -37) = current_user)
    WITH CHECK (left(id, -37) = current_user
                AND ((mode = 'lease' AND lease_us <= 10000000) OR pg_has_role('marque_verifier_awaited', 'MEMBER')));
-- Rows of dead verifiers are taken away by the others, which have waited by their own clocks before they try. By the
-- server's clock, too, the row was not renewed for three times its lease (or in the future, which no verifier says).
CREATE POLICY removing_the_dead ON marque.verifier FOR DELETE TO marque_verifier
    USING (mode = 'lease'
           AND abs(extract(epoch FROM clock_timestamp()) - renewed_at / 1000000.0) > 3 * lease_us / 1000000.0);

COMMIT;
