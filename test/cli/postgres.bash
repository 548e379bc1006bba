# For scripts over a store in PostgreSQL: a server for the file, an installation in a database of its own for each test.
# shellcheck shell=bash disable=SC2154

SERVER="$BATS_TEST_DIRNAME/../store/postgres"

setup_file() {
    BATS_SERVER="$(mktemp -d)/server"
    export BATS_SERVER
    local code=0
    "$SERVER" start "$BATS_SERVER" || code=$?
    [ "$code" -ne 77 ] || skip "PostgreSQL is not installed"
    [ "$code" -eq 0 ]
}
teardown_file() {
    "$SERVER" stop "$BATS_SERVER"
}

sql() {
    psql -qXAt "$CONNINFO" -c "$1"
}
# new_database [SUFFIX]: one of this test's own, $CONNINFO.
# shellcheck disable=SC2120
new_database() {
    local server name=cli_$BATS_TEST_NUMBER${1:+_$1}
    server=$(cat "$BATS_SERVER/conninfo")
    psql -qX "$server" -c "CREATE DATABASE $name"
    export CONNINFO="$server dbname=$name"
}
# An installation in a database of its own, $CONNINFO.
init_there() {
    new_database
    "$MARQUE" init --operator ops --postgresql "$CONNINFO" "$@" --confirm 2> /dev/null
}
server() {
    local bin user=()
    bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    [ "$(id -u)" -ne 0 ] || user=(setpriv --reuid=postgres --regid=postgres --init-groups)
    (cd / && "${user[@]}" "$bin/pg_ctl" -D "$(readlink "$BATS_SERVER/data")" -w -m immediate "$@" > /dev/null)
}
