#!/usr/bin/env bats
# A store in PostgreSQL, by the commands. What every store keeps is in test/store/contract_test.cpp; the server's tests
# run over it with MARQUE_TEST_STORE=postgres.
# shellcheck disable=SC2154

load helpers
load postgres

@test "postgresql: an installation, its folder, and every kind of command on it" {
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/owner"
    init_there --owner-key "$WORK/owner.pub"
    equal "$(ls "$MARQUE_STORE" | sort | paste -sd' ')" "known_log postgresql.conninfo root.key"
    equal "$(stat -c %a "$MARQUE_STORE/postgresql.conninfo")" 600
    create codex
    accepted "$WORK/codex.token"
    answers 0 rotate codex --compromised --token-file "$WORK/new.token" --confirm
    refused "$WORK/codex.token"
    accepted "$WORK/new.token"
    answers 0 pause codex --reason r --confirm
    refused "$WORK/new.token"
    answers 0 resume codex --confirm
    answers 0 inspect codex
    answers 6 create bot --env production --scope card:view --confirm -o json
    id=$(json .approval.id)
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    answers 0 create bot --env production --scope card:view --approval "$id" --token-file "$WORK/bot.token" --confirm
    answers 0 revoke codex --reason over --confirm
    refused "$WORK/new.token"
    answers 0 audit verify
    has "$output" "owners' signatures: 1"
    answers 0 doctor
    lacks "$output" "pages and indexes are whole"
    answers 0 store status -o json
    equal "$(json .backend)" postgresql
    answers 3 store backup "$WORK/backup" --confirm
}

@test "postgresql: rows and entries are in the database, and no token is" {
    init_there
    create codex
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    equal "$(sql 'SELECT count(*) FROM marque.entry')" "$(log_size)"
    equal "$(sql "SELECT state FROM marque.identity WHERE name = 'codex'")" revoked
    lacks "$(pg_dump "$CONNINFO")" "$(cat "$WORK/codex.token")"
}

@test "postgresql: no password in the connection string, no second installation in one database, no store that isn't there" {
    init_there
    answers 2 init --store "$WORK/other" --operator ops --postgresql "$CONNINFO password=secret" --confirm
    has "$stderr" "the connection string holds a password"
    answers 3 init --store "$WORK/other" --operator ops --postgresql "$CONNINFO" --confirm
    answers 8 init --store "$WORK/third" --operator ops --postgresql "host=$WORK" --confirm
    [ ! -e "$WORK/third/postgresql.conninfo" ]
    chmod 666 "$MARQUE_STORE/postgresql.conninfo"
    answers 3 list
}

@test "postgres: what a server says by itself, while it connects too, reaches no output of ours" {
    init_there
    sql "UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()"
    [[ "$(psql -qXAt "$CONNINFO" -c 'SELECT 1' 2>&1)" == *WARNING* ]]
    answers 0 operator list
    equal "$stderr" ""
    "$MARQUE" serve --unix "$WORK/s.sock" --log-format json 2> "$WORK/serve.log" 3>&- &
    local serve=$!
    timeout 20 bash -c "until grep -q '\"ready\"' '$WORK/serve.log'; do :; done"
    kill $serve
    wait $serve
    jq -e .event "$WORK/serve.log" > /dev/null
}

@test "postgresql: a server that is gone is 8 and no verdict; when it is back, all goes on" {
    init_there
    create codex
    server stop
    answers 8 verify < "$WORK/codex.token"
    answers 8 revoke codex --reason r --confirm
    has "$stderr" "NOT REVOKED"
    server start
    accepted "$WORK/codex.token"
    answers 0 revoke codex --reason r --confirm
    refused "$WORK/codex.token"
}

@test "postgresql: a connection that dies under the commit is 9: nobody can say" {
    init_there
    create codex
    # The commit waits for a standby that there is not, and is broken off then.
    sql "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"
    sql "SELECT pg_reload_conf()"
    "$MARQUE" revoke codex --reason r --confirm 2> "$WORK/said" &
    local revoking=$! code=0 broken=
    until [ -n "$broken" ]; do
        broken="$(sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE wait_event = 'SyncRep' AND query LIKE '%COMMIT%'")"
    done
    wait "$revoking" || code=$?
    sql "ALTER SYSTEM RESET synchronous_standby_names"
    sql "SELECT pg_reload_conf()"
    equal "$code" 9
    has "$(cat "$WORK/said")" "the database was lost during the commit"
    answers 0 revoke codex --reason r --confirm
    refused "$WORK/codex.token"
    answers 0 audit verify
}

@test "postgresql: another schema is refused clearly, in both directions" {
    init_there
    sql "UPDATE marque.schema_version SET version = 99"
    answers 3 list
    has "$stderr" "the store has schema 99, and this marque knows none above"
    sql "UPDATE marque.schema_version SET version = 0"
    answers 8 list
}

@test "postgresql: eight at once: every change is in the log once, and the log is sound" {
    init_there
    for n in 1 2 3 4 5 6 7 8; do
        { code=0
          "$MARQUE" create "bot-$n" --scope card:view --token-file "$WORK/$n.token" --confirm 2> /dev/null || code=$?
          "$MARQUE" revoke "bot-$n" --reason r --confirm 2> /dev/null || code=$?
          echo "$code" > "$WORK/code.$n"; } &
    done
    wait
    equal "$(cat "$WORK"/code.* | sort -u)" 0
    answers 0 audit verify
    equal "$("$MARQUE" audit export | jq -r 'select(.action == "identity.revoke") | .target.name' | sort -u | wc -l)" 8
}

@test "postgresql: TLS to the server, whose certificate is checked" {
    init_there
    local data port
    data=$(readlink "$BATS_SERVER/data")
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    for ca in ours another; do
        openssl req -x509 -newkey ed25519 -nodes -keyout "$WORK/$ca.key" -out "$WORK/$ca.pem" -days 2 -subj "/CN=$ca" 2> /dev/null
    done
    openssl req -newkey ed25519 -nodes -keyout "$WORK/server.key" -out "$WORK/server.csr" -subj /CN=localhost 2> /dev/null
    openssl x509 -req -in "$WORK/server.csr" -CA "$WORK/ours.pem" -CAkey "$WORK/ours.key" -days 2 \
        -extfile <(echo "subjectAltName=DNS:localhost") -out "$WORK/server.crt" 2> /dev/null
    local user=()
    [ "$(id -u)" -ne 0 ] || user=(-o postgres)
    install -m 600 "${user[@]}" "$WORK/server.key" "$WORK/server.crt" "$data/"
    psql -qX "$(cat "$BATS_SERVER/conninfo")" -c "ALTER SYSTEM SET ssl = on" -c "ALTER SYSTEM SET port = $port" \
        -c "ALTER SYSTEM SET listen_addresses = '127.0.0.1'"
    server restart
    # Only over TLS: what comes in the clear is turned away.
    sed -i 's/^host  *all/hostssl all/' "$data/pg_hba.conf"
    server reload
    local there="host=localhost port=$port user=marque dbname=cli_$BATS_TEST_NUMBER"
    echo "$there sslmode=verify-full sslrootcert=$WORK/ours.pem" > "$MARQUE_STORE/postgresql.conninfo"
    create codex
    accepted "$WORK/codex.token"
    echo "$there sslmode=verify-full sslrootcert=$WORK/another.pem" > "$MARQUE_STORE/postgresql.conninfo"
    answers 8 revoke codex --reason r --confirm
    has "$stderr" "certificate verify failed"
    echo "$there sslmode=disable" > "$MARQUE_STORE/postgresql.conninfo"
    answers 8 revoke codex --reason r --confirm
    has "$stderr" "no encryption"
    psql -qX "$there" -c "ALTER SYSTEM RESET ALL" -c "ALTER SYSTEM SET listen_addresses = ''"
    server restart
}

@test "postgresql: objects in the schema that Marque did not make are refused by name" {
    init_there
    create codex
    while IFS='|' read -r name make drop; do
        sql "$make"
        answers 10 revoke codex --reason r --confirm
        has "$stderr" "NOT REVOKED"
        has "$stderr" "the $name in the store's database is not as Marque makes it"
        answers 10 doctor
        sql "$drop"
    done <<'E2'
trigger mine|CREATE TRIGGER mine BEFORE UPDATE ON marque.identity FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()|DROP TRIGGER mine ON marque.identity
rule mine|CREATE RULE mine AS ON UPDATE TO marque.identity DO INSTEAD NOTHING|DROP RULE mine ON marque.identity
policy mine|CREATE POLICY mine ON marque.identity USING (false)|DROP POLICY mine ON marque.identity
child public.mine|CREATE TABLE public.mine () INHERITS (marque.identity)|DROP TABLE public.mine
view mine|CREATE VIEW marque.mine AS SELECT 1|DROP VIEW marque.mine
table mine|CREATE TABLE marque.mine (x int)|DROP TABLE marque.mine
index mine|CREATE INDEX mine ON marque.identity (lower(name))|DROP INDEX marque.mine
column identity.contact|ALTER TABLE marque.identity ALTER contact SET DEFAULT 'x'|ALTER TABLE marque.identity ALTER contact DROP DEFAULT
constraint mine|ALTER TABLE marque.identity ADD CONSTRAINT mine CHECK (kind <> 'x')|ALTER TABLE marque.identity DROP CONSTRAINT mine
function mine|CREATE FUNCTION marque.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'|DROP FUNCTION marque.mine
E2
    answers 0 revoke codex --reason r --confirm
    refused "$WORK/codex.token"
}
