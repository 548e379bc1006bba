# A move that is killed at every system call by which it writes, to disk or to a database: the installation is never
# open at both places, nothing is lost, and a repeat of the command brings it to the new one.

load ../cli/helpers
load ../cli/postgres
load helpers

setup() {
    command -v strace > /dev/null || skip "there is no strace"
    : "${MARQUE:?set MARQUE to the binary under test}"
    WORK="$(mktemp -d)"
    export NO_COLOR=1
    unset MARQUE_WORKSPACE XDG_DATA_HOME
    mkdir "$WORK/base"
    export MARQUE_STORE="$WORK/base/store"
}

# In the store: `old`, in force; `late`, to be revoked after the death; `gone`, revoked.
fill_base() {
    local name
    "$MARQUE" init --operator ops "$@" --confirm 2> /dev/null
    for name in old late gone; do
        "$MARQUE" create "$name" --scope card:view --token-file "$WORK/base/$name.token" --confirm 2> /dev/null
    done
    "$MARQUE" revoke gone --reason over --confirm 2> /dev/null
}

# A database of the copy at $D, anew; from another if one is named.
fresh_database() {
    local server name=${D##*/}
    server=$(cat "$BATS_SERVER/conninfo")
    psql -qX "$server" -c "DROP DATABASE IF EXISTS $name WITH (FORCE)" -c "CREATE DATABASE $name ${1:+TEMPLATE $1}" 2> /dev/null
    DATABASE="$server dbname=$name"
}

copy_to_folder() { "${STRIKE[@]}" "$MARQUE" store copy "$D/store" "$D/there" --confirm; }
copy_to_database() {
    fresh_database
    "${STRIKE[@]}" "$MARQUE" store copy "$D/store" "$D/there" --postgresql "$DATABASE" --confirm
}
copy_from_database() {
    fresh_database base
    echo "$DATABASE" > "$D/store/postgresql.conninfo"
    "${STRIKE[@]}" "$MARQUE" store copy "$D/store" "$D/there" --confirm
}
again() { # again FOLDER [OPTION…]
    "$MARQUE" store copy "$D/store" "$@" --confirm 2> "$D/err" || complain "the repeated copy: $(cat "$D/err")"
}

verdict_at() { MARQUE_STORE=$1 verdict "$2"; }

# check_moved [OPTION…]: of the repeat.
check_moved() {
    local from to open=
    from=$(verdict_at "$D/store" "$D/old.token") to=$(verdict_at "$D/there" "$D/old.token")
    case "$from, $to" in
        "accepted, exit 8") open=$D/store; echo >> "$WORK/never" ;;
        "exit 8, accepted") open=$D/there; echo >> "$WORK/worked" ;;
        "exit 8, exit 8") echo >> "$WORK/between" ;;
        *) complain "the old store says: $from, the new one: $to" ;;
    esac
    [ -z "$open" ] || "$MARQUE" revoke late --store "$open" --reason r --confirm 2> "$D/err" || complain "revoke: $(cat "$D/err")"
    again "$D/there" "$@"
    [ "$(verdict_at "$D/store" "$D/old.token")" = "exit 8" ] || complain "the old store is open after the repeat"
    # Judged where its rows can be replayed.
    MARQUE_STORE=$D/there
    [ $# -eq 0 ] || { "$MARQUE" store copy "$D/there" "$D/back" --confirm 2> "$D/err" && MARQUE_STORE=$D/back; } || complain "back: $(cat "$D/err")"
    check_store
    is_in_force "$D/old.token" || complain "old is not accepted after the repeat"
    [ "$(verdict "$D/gone.token")" = refused ] || complain "gone is accepted"
    [ -z "$open" ] || [ "$(verdict "$D/late.token")" = refused ] || complain "late was revoked, and is accepted"
    [ -n "$open" ] || is_in_force "$D/late.token" || complain "late was not revoked, and is refused"
    [ "$("$MARQUE" audit list --action store.copy -o json | jq '.entries | length')" -eq $(($# > 0 ? 2 : 1)) ] || complain "store.copy is in the log too often, or not"
}
# What the killed process asked for last is done, or is not.
await_server() {
    until [ "$(psql -qXAt "$DATABASE" -c "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'marque'")" -eq 0 ]; do :; done
}
check_moved_to_database() { await_server; check_moved --postgresql "$DATABASE"; }
check_moved_from_database() { await_server; check_moved; }

count() { [ -e "$WORK/$1" ] && wc -l < "$WORK/$1" || echo 0; }
tell_all() {
    tell "$1: $STRIKES deaths survived; at the old place $(count never), at the new one $(count worked), at neither until repeated $(count between)"
}

@test "store copy to a folder survives death at every write: never in both, nothing lost, finished by repeating it" {
    fill_base
    strike signal=KILL copy_to_folder check_moved
    tell_all "copy to a folder"
    [ "$(count never)" -gt 0 ] && [ "$(count worked)" -gt 0 ] && [ "$(count between)" -gt 0 ]
}

@test "store copy to a database survives death at every write, and at messages" {
    fill_base
    WRITING="$WRITING sendto"
    strike signal=KILL copy_to_database check_moved_to_database
    tell_all "copy to a database"
    [ "$(count never)" -gt 0 ] && [ "$(count worked)" -gt 0 ]
}

@test "store copy from a database survives death at every write, and at messages" {
    psql -qX "$(cat "$BATS_SERVER/conninfo")" -c "CREATE DATABASE base"
    fill_base --postgresql "$(cat "$BATS_SERVER/conninfo") dbname=base"
    WRITING="$WRITING sendto"
    strike signal=KILL copy_from_database check_moved_from_database
    tell_all "copy from a database"
    [ "$(count never)" -gt 0 ] && [ "$(count worked)" -gt 0 ]
}
