#!/usr/bin/env bats
# The database's roles (packaging/postgresql): what a verifier's role can do, and what nobody can make it do.
# shellcheck disable=SC2154

load helpers
load postgres

ROLES="$BATS_TEST_DIRNAME/../../packaging/postgresql"

teardown() {
    [ -z "${SERVE:-}" ] || kill "$SERVE"
    rm -rf "$WORK"
}

# An installation of the role that owns it; then with_role ROLE: the commands are of a login of that role.
init_with_roles() {
    init_there
    for role in verifier operator; do
        psql -qX "$CONNINFO" -f "$ROLES/$role-role.sql" > /dev/null
        sql "DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ''a_$role'') THEN
                 CREATE ROLE a_$role LOGIN IN ROLE marque_$role; END IF; END'"
    done
    OWNER=$MARQUE_STORE
}
with_role() {
    export MARQUE_STORE=$WORK/$1
    [ -e "$MARQUE_STORE" ] || cp -a "$OWNER" "$MARQUE_STORE"
    ROLE_CONNINFO=${CONNINFO/user=marque/user=a_$1}
    echo "$ROLE_CONNINFO" > "$MARQUE_STORE/postgresql.conninfo"
}
as_owner() {
    MARQUE_STORE=$OWNER "$MARQUE" "$@"
}
# forbidden SQL…: by the role itself, without Marque.
forbidden() {
    local statement
    for statement in "$@"; do
        run psql -qXAt "$ROLE_CONNINFO" -c "SET search_path = marque" -c "$statement"
        [ "$status" -ne 0 ] && [[ "$output" == *"permission denied"* || "$output" == *"must be owner"* || "$output" == *"must have admin option"* ]] && continue
        echo "not forbidden: $statement: $output" >&2
        return 1
    done
}
serve() {
    "$MARQUE" serve --unix "$WORK/socket" "$@" 2> "$WORK/serve.log" 3>&- &
    SERVE=$!
    timeout 20 tail -f -n +1 "$WORK/serve.log" 3>&- | grep -q -m 1 ' ready '
}
stop() {
    kill "$SERVE"
    wait "$SERVE" || :
    SERVE=
}
# Each time on a connection of its own, which the next worker takes.
says() {
    curl -s -o /dev/null -w '%{http_code}' --unix-socket "$WORK/socket" -H "Authorization: Bearer $(cat "$1")" http://marque/auth
}
privileges() { # privileges ROLE: besides SELECT on every table
    sql "SELECT string_agg(t || ':' || p, ' ' ORDER BY t, p) FROM
             (SELECT c.relname AS t, p FROM pg_class c, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
              WHERE c.relnamespace = 'marque'::regnamespace AND c.relkind = 'r' AND has_table_privilege('$1', c.oid, p)) x"
}

@test "roles: a verifier's may write uses and its own row, and nothing else" {
    init_with_roles
    equal "$(privileges a_verifier)" \
        "last_use:INSERT last_use:UPDATE refused_use:INSERT refused_use:UPDATE verifier:DELETE verifier:INSERT verifier:UPDATE"
    equal "$(sql "SELECT bool_and(has_table_privilege('a_verifier', oid, 'SELECT')) FROM pg_class
                  WHERE relnamespace = 'marque'::regnamespace AND relkind = 'r'")" t
    equal "$(sql "SELECT has_schema_privilege('a_verifier', 'marque', 'CREATE') OR has_database_privilege('a_verifier', current_database(), 'CREATE')")" f
}

@test "roles: with a verifier's nobody mints, un-revokes, widens or writes an entry, neither by Marque nor by SQL" {
    init_with_roles
    create codex
    as_owner revoke codex --reason r --confirm 2> /dev/null
    create pilot
    with_role verifier
    before=$(log_size)
    answers 0 list
    answers 4 create mine --scope card:view --confirm
    answers 4 issue pilot --confirm
    answers 4 revoke pilot --reason r --confirm
    has "$stderr" "NOT REVOKED"
    answers 4 operator add mate --user 4711 --permission workspace:manage --all-workspaces --confirm
    answers 4 store copy "$MARQUE_STORE" "$WORK/there" --confirm
    answers 4 store rollback --confirm
    [ ! -e "$WORK/there" ]
    id=$(credential_in "$WORK/codex.token")
    forbidden "UPDATE credential SET state = 'active' WHERE id = '$id'" "UPDATE identity SET state = 'active'" \
        "UPDATE identity SET scopes = 'card:edit'" "UPDATE environment SET is_protected = 0" \
        "INSERT INTO credential SELECT 'zzzzzzzzzzzz', workspace, identity, hash, scopes, state, created_at, expires_at,
             paused_until, retire_at, replaces, old_credential, overlap_us, revision FROM credential LIMIT 1" \
        "INSERT INTO entry SELECT seq + 1000, bytes, seal, workspace, identity FROM entry" "DELETE FROM entry" "TRUNCATE entry" \
        "UPDATE entry SET bytes = ''" "UPDATE log_head SET size = size - 1" "DELETE FROM credential" \
        "INSERT INTO permission VALUES ('ops', 'x', 'workspace:view', 1)" "DELETE FROM owner" "UPDATE installation SET quorum = 1" \
        "UPDATE schema_version SET version = 0" "DELETE FROM last_use" "BEGIN; LOCK TABLE log_head IN EXCLUSIVE MODE" \
        "CREATE TABLE marque.mine (x int)" "ALTER TABLE credential DISABLE TRIGGER ALL" "DROP TABLE entry" \
        "ALTER SCHEMA marque RENAME TO mine" "GRANT marque_operator TO a_verifier" "SET ROLE marque_operator"
    equal "$(log_size)" "$before"
    refused "$WORK/codex.token"
    accepted "$WORK/pilot.token"
}

@test "roles: with a verifier's, marque verify answers and its use is noted" {
    init_with_roles
    create codex
    as_owner rotate codex --until-used --token-file "$WORK/new.token" --confirm 2> /dev/null
    with_role verifier
    answers 0 verify < "$WORK/new.token"
    equal "$stderr" ""
    equal "$(sql "SELECT count FROM marque.last_use")" 1
    accepted "$WORK/codex.token"
    with_role operator
    accepted "$WORK/new.token"
    refused "$WORK/codex.token"
}

@test "roles: with a verifier's, marque serve loses no use for an event that it may not write, and says so once" {
    init_with_roles
    create codex
    create gone
    create hermes
    as_owner rotate codex --until-used --token-file "$WORK/new.token" --confirm 2> /dev/null
    as_owner revoke gone --reason r --confirm 2> /dev/null
    with_role verifier
    size=$(log_size)
    serve --set uses.flush_interval=1s --workers 2
    for n in 1 2 3 4 5; do
        for round in 1 2 3 4; do
            equal "$(says "$WORK/new.token") $(says "$WORK/gone.token") $(says "$WORK/hermes.token")" "200 401 200"
        done
        # Written, while the events of the first round can't be.
        for count in last_use:new last_use:hermes refused_use:gone; do
            timeout 10 bash -c "until [ \"\$(psql -qXAt '$CONNINFO' -c \"SELECT count FROM marque.${count%:*}
                WHERE credential = '$(credential_in "$WORK/${count#*:}.token")'\")\" = $((4 * n)) ]; do :; done"
        done
    done
    equal "$(grep -c 'events_not_written .*permission denied' "$WORK/serve.log")" 1
    equal "$(grep -c 'uses_not_written' "$WORK/serve.log" || :)" 0
    equal "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$WORK/socket" -d "token=$(cat "$WORK/hermes.token")" http://marque/oauth2/revoke)" 503
    grep -q 'revocation_failed' "$WORK/serve.log"
    equal "$(says "$WORK/hermes.token")" 200
    stop
    equal "$(log_size)" "$size"
    # A verifier that may more tells of what the other could not, and carries out what it is asked to.
    with_role operator
    serve --set uses.flush_interval=1s
    equal "$(says "$WORK/new.token")" 200
    timeout 10 bash -c "until [ \"\$('$MARQUE' audit export | jq -r 'select(.mode == \"runtime\") | .action' | sort | paste -sd' ')\" = 'credential.refuse credential.retire' ]; do :; done"
    equal "$("$MARQUE" audit export | jq 'select(.action == "credential.refuse") | .change.count')" 20
    equal "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$WORK/socket" -d "token=$(cat "$WORK/hermes.token")" http://marque/oauth2/revoke)" 200
    equal "$(says "$WORK/hermes.token") $(says "$WORK/codex.token")" "401 401"
}

@test "roles: a verifier's keeps its lease, and a change waits for its word" {
    init_with_roles
    create codex
    with_role verifier
    serve --set freshness.name=narrow
    equal "$(as_owner verifiers -o json | jq -r '.verifiers[] | .name, .state' | paste -sd' ')" "narrow alive"
    run --separate-stderr as_owner revoke codex --reason r --confirm
    has "$stderr" "1 of 1 verifiers confirmed"
    equal "$(says "$WORK/codex.token")" 401
    stop
    equal "$(as_owner verifiers -o json | jq -c .verifiers)" "[]"
}

@test "roles: a verifier's row belongs to its login, and no login can make a change wait for longer than ten seconds" {
    init_with_roles
    sql "DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ''b_verifier'') THEN
             CREATE ROLE b_verifier LOGIN IN ROLE marque_verifier; END IF; END'"
    # row OF MODE LEASE_US AGE_S: inserts one, as the login that ROLE_CONNINFO says
    row() {
        psql -qXAt "$ROLE_CONNINFO" -c "INSERT INTO marque.verifier VALUES ('$1:' || gen_random_uuid(), '$1', '$2', $3, 0, 0, 0, '', 0,
            (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $4 * 1000000)"
    }
    changed() { psql -qXAt "$ROLE_CONNINFO" -c "WITH c AS ($1 RETURNING 1) SELECT count(*) FROM c"; }
    with_role verifier
    row a_verifier lease 10000000 0
    for wrong in "b_verifier lease 5000000" "a_verifier lease 10000001" "a_verifier ack-only 5000000" "x lease 5000000"; do
        # shellcheck disable=SC2086
        run row $wrong 0
        has "$output" "row-level security"
    done
    # Nobody else writes it: neither its time, nor what it knows.
    sql "UPDATE marque.verifier SET id = 'b_verifier' || right(id, 37), name = 'b'"
    for change in "UPDATE marque.verifier SET acknowledged = 1000" "UPDATE marque.verifier SET is_fenced = 1" "DELETE FROM marque.verifier"; do
        equal "$(changed "$change")" 0
    done
    equal "$(sql "SELECT count(*) FROM marque.verifier WHERE acknowledged = 0 AND is_fenced = 0")" 1
    # What makes no sense hangs nothing and ends nothing.
    for number in -9223372036854775808 9223372036854775807; do
        sql "UPDATE marque.verifier SET acknowledged = $number, renewals = $number, since = $number, renewed_at = $number, closed = repeat('x', 1000000)"
        run --separate-stderr as_owner verifiers -o json
        equal "$(json '.verifiers | length')" 1
        run --separate-stderr as_owner verifiers
        equal "$status" 0
    done
    # The dead are removed by others, when the server's clock says so too.
    sql "UPDATE marque.verifier SET renewed_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 31000000"
    equal "$(changed "DELETE FROM marque.verifier")" 1
    # Who is to be waited for without an end is so by grant.
    answers 4 serve --unix "$WORK/ack.sock" --set freshness.mode=ack-only
    has "$stderr" "may not register a verifier of mode ack-only"
    sql "GRANT marque_verifier_awaited TO a_verifier"
    row a_verifier ack-only 60000000 0
    sql "REVOKE marque_verifier_awaited FROM a_verifier; DELETE FROM marque.verifier"
    # An operator's login removes any.
    row a_verifier lease 1000000 100
    with_role operator
    answers 0 verifiers --remove a_verifier --confirm
    equal "$(sql "SELECT count(*) FROM marque.verifier")" 0
}

@test "roles: an operator's does every change, adds to the log, and takes nothing from it" {
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/owner"
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/second"
    init_with_roles
    equal "$(privileges a_operator | tr ' ' '\n' | grep -E 'DELETE|TRUNCATE|TRIGGER|REFERENCES' | paste -sd' ')" \
        "owner:DELETE permission:DELETE row_seal:DELETE verifier:DELETE"
    with_role operator
    create codex
    for change in "rotate codex --compromised" "issue codex" "pause codex --reason r" "resume codex" "revoke codex --reason r" \
        "workspace add second" "workspace pause second --reason r" "environment add tests -w default" "environment remove tests -w default" \
        "operator add mate --user 4711 --permission workspace:view -w default" \
        "operator grant mate --permission workspace:manage -w default" "operator withdraw mate --permission workspace:manage -w default" \
        "operator remove mate" "owner add $WORK/owner.pub"; do
        # shellcheck disable=SC2086
        case $change in issue* | rotate* | pause* | resume* | revoke*) set -- $change -w default ;; *) set -- $change ;; esac
        answers 0 "$@" --confirm
    done
    answers 6 owner add "$WORK/second.pub" --confirm -o json
    id=$(json .approval.id)
    answers 0 approval sign "$id" --key "$WORK/owner" --confirm
    answers 0 owner add "$WORK/second.pub" --approval "$id" --confirm
    fingerprint=$(ssh-keygen -l -f "$WORK/second.pub" | cut -d' ' -f2)
    answers 6 owner remove "$fingerprint" --confirm -o json
    id=$(json .approval.id)
    answers 0 approval sign "$id" --key "$WORK/owner" --confirm
    answers 0 owner remove "$fingerprint" --approval "$id" --confirm
    answers 6 owner policy --sole-owner yes --confirm -o json
    id=$(json .approval.id)
    answers 0 approval sign "$id" --key "$WORK/owner" --confirm
    answers 0 owner policy --sole-owner yes --approval "$id" --confirm
    answers 0 audit verify
    answers 4 store rollback --confirm
    answers 4 store copy "$MARQUE_STORE" "$WORK/there" --confirm
    forbidden "DELETE FROM entry" "UPDATE entry SET bytes = ''" "TRUNCATE entry" "DELETE FROM log_head" "DELETE FROM credential" \
        "DELETE FROM last_use" "DROP TABLE entry" "CREATE TABLE marque.mine (x int)" "UPDATE schema_version SET version = 0"
}

@test "roles: the scripts may be run again, and take back what was given too much" {
    init_with_roles
    sql "GRANT ALL ON ALL TABLES IN SCHEMA marque TO marque_verifier"
    for turn in 1 2; do psql -qX "$CONNINFO" -f "$ROLES/verifier-role.sql" > /dev/null; done
    with_role verifier
    forbidden "UPDATE credential SET state = 'active'"
}
