#!/usr/bin/env bats
# Verifiers that answer by a lease, and the receipts of changes (PostgreSQL). Links that are cut and clocks that are
# slow are in test/hosts, seeds in test/simulate, the protocol itself in test/model.
# shellcheck disable=SC2154

load helpers
load postgres

# A verifier called $1, when it is ready: $WORK/$1.sock, $WORK/$1.log, its process in $WORK/$1.pid.
serve() {
    local name=$1
    shift
    "$MARQUE" serve --unix "$WORK/$name.sock" --log-format json --set freshness.name="$name" --set freshness.lease=1s \
        "$@" 2> "$WORK/$name.log" 3>&- &
    echo $! > "$WORK/$name.pid"
    until_true "grep -q '\"ready\"' '$WORK/$name.log'"
}
# matches TEXT PATTERN
matches() {
    [[ $1 =~ $2 ]] || {
        printf 'does not match %s:\n%s\n' "$2" "$1"
        return 1
    }
}
# Waits for $1 to succeed, a bound for what should take milliseconds.
until_true() {
    timeout 20 sh -c "until $1; do :; done"
}
signal() {
    kill "-$2" "$(cat "$WORK/$1.pid")"
}
teardown() {
    local file
    for file in "$WORK"/*.pid; do
        [ ! -e "$file" ] || kill -KILL "$(cat "$file")" 2> /dev/null || :
    done
    rm -rf "$WORK"
}
status_at() {
    curl -s -o /dev/null -w '%{http_code}' --unix-socket "$WORK/$1.sock" -H "Authorization: Bearer $(cat "$2")" http://m/auth
}
revision_line() {
    grep '^revision ' <<< "$stderr"
}

@test "verifiers: those of SQLite ask before they answer, and none is listed or waited for" {
    "$MARQUE" init --operator ops --confirm 2> /dev/null
    answers 0 verifiers
    equal "$output" ""
    matches "$stderr" "ask it before each round of answers"
    answers 0 verifiers -o json
    equal "$(json '.verifiers | length')" 0
    create codex
    answers 0 revoke codex --reason r --confirm
    matches "$(revision_line)" '^revision [0-9]+$'
}

@test "verifiers: a change says who confirmed, and then holds at each of them" {
    init_there
    answers 0 create nobody-yet --scope card:view --confirm --token-file "$WORK/nobody.token"
    matches "$(revision_line)" '^revision [0-9]+: no verifier is registered$'
    serve web-1
    serve web-2
    answers 0 create codex --scope card:view --confirm --token-file "$WORK/codex.token"
    matches "$(revision_line)" '^revision [0-9]+: 2 of 2 verifiers confirmed in [0-9.]+ ms$'
    equal "$(status_at web-1 "$WORK/codex.token") $(status_at web-2 "$WORK/codex.token")" "200 200"
    answers 0 revoke codex --reason r --confirm
    matches "$(revision_line)" '^revision [0-9]+: 2 of 2 verifiers confirmed in [0-9.]+ ms$'
    equal "$(status_at web-1 "$WORK/codex.token") $(status_at web-2 "$WORK/codex.token")" "401 401"
    answers 0 verifiers
    equal "$(awk '{print $1, $2, $3, $4}' <<< "$output" | tail -n 2 | paste -sd' ')" \
        "web-1 alive lease 1s web-2 alive lease 1s"
    answers 0 verifiers -o json
    equal "$(json '.revision as $newest | .verifiers | map(.revision == $newest and .state == "alive") | all')" true
    signal web-1 TERM
    until_true "[ \"\$('$MARQUE' verifiers -o json | jq '.verifiers | length')\" = 1 ]"
}

@test "verifiers: a stopped one is waited out, named, and wakes up without a lease" {
    init_there
    serve web-1
    serve web-2
    create codex
    signal web-2 STOP
    answers 0 revoke codex --reason r --confirm -o json
    equal "$(json '.receipt.waited_out | join(" ")')" web-2
    equal "$(json .receipt.in_force)" everywhere
    equal "$(json '.receipt.confirmed')" 1
    [ "$(json .receipt.took_us)" -ge 1060000 ]
    # "Already revoked" is no short cut: nobody who repeats it is told so before it holds.
    answers 0 revoke codex --reason r --confirm
    matches "$stderr" "revoked already"
    matches "$(revision_line)" '^revision [0-9]+: 1 of 2 verifiers confirmed; waited 1\.[0-9] s until the lease of web-2 had ended$'
    signal web-2 CONT
    # It may renew before it notices that its lease had ended, and then never says so: its answers are what counts.
    local status=503 tries=0
    while [ "$status" = 503 ] && [ $((tries += 1)) -lt 2000 ]; do status=$(status_at web-2 "$WORK/codex.token"); done
    equal "$status" 401
}

@test "verifiers: --no-wait says that it did not wait, for whom, and how long it can take" {
    init_there
    serve web-1
    create codex
    signal web-1 STOP
    answers 0 revoke codex --reason r --confirm --no-wait
    matches "$(revision_line)" \
        '^revision [0-9]+: 0 of 1 verifiers confirmed; did not wait for web-1, which may answer by what was before for up to 1\.1 s$'
    signal web-1 CONT
}

@test "verifiers: without the database they answer until the lease ends, then 503, and go on when it is back" {
    init_there
    create codex
    serve web-1
    serve strict --set freshness.mode=strict
    equal "$(status_at web-1 "$WORK/codex.token") $(status_at strict "$WORK/codex.token")" "200 200"
    answers 0 verifiers -o json
    equal "$(json '.verifiers | map(.name) | join(" ")')" web-1
    server stop
    until_true "grep -q 'the lease has ended' '$WORK/web-1.log'"
    equal "$(status_at web-1 "$WORK/codex.token") $(status_at strict "$WORK/codex.token")" "503 503"
    answers 8 revoke codex --reason r --confirm
    matches "$stderr" "NOT REVOKED"
    server start
    until_true "grep -q '\"fresh\"' '$WORK/web-1.log'"
    equal "$(status_at web-1 "$WORK/codex.token")" 200
    curl -s --unix-socket "$WORK/web-1.sock" http://m/metrics > "$WORK/metrics"
    grep -q '^marque_leases_lost_total 1$' "$WORK/metrics"
    grep -q '^marque_lease_left_seconds ' "$WORK/metrics"
}

@test "verifiers: in the mode ack-only nothing but its word will do, or an owner's that it is dead" {
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/owner"
    init_there --owner-key "$WORK/owner.pub" --sole-owner
    serve vm --set freshness.mode=ack-only
    create codex
    answers 0 revoke codex --reason r --confirm
    matches "$(revision_line)" '^revision [0-9]+: 1 of 1 verifiers confirmed in [0-9.]+ ms$'
    create bot
    signal vm KILL
    answers 9 pause bot --reason r --confirm
    matches "$stderr" "NOT IN FORCE YET"
    matches "$(revision_line)" '^revision [0-9]+: 0 of 1 verifiers confirmed; not by vm$'
    answers 7 verifiers --remove mv --confirm
    answers 6 verifiers --remove vm
    answers 6 verifiers --remove vm --confirm -o json
    id=$(json .approval.id)
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    answers 0 verifiers --remove vm --confirm --approval "$id"
    answers 0 pause bot --reason r --confirm
    answers 0 verifiers
    equal "$output" ""
    answers 0 audit verify
}

@test "verifiers: a dead one is removed by a manager, after its lease, or in time by the others" {
    init_there
    serve web-1
    serve web-2
    signal web-1 KILL
    answers 0 verifiers --remove web-1 --confirm
    answers 0 verifiers -o json
    equal "$(json '.verifiers | map(.name) | join(" ")')" web-2
    serve web-3
    signal web-3 KILL
    until_true "[ \"\$('$MARQUE' verifiers -o json | jq '.verifiers | length')\" = 1 ]"
}

@test "verifiers: a database that came back with less closes them, is named, and is accepted by who may" {
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/owner"
    init_there --owner-key "$WORK/owner.pub" --sole-owner
    create codex
    serve web-1
    pg_dump -Fc "$CONNINFO" > "$WORK/older"
    answers 0 revoke codex --reason r --confirm
    # In one step: a verifier that looks while tables are missing forgets its row, and the restored one stays.
    pg_restore --clean --single-transaction -d "$CONNINFO" "$WORK/older"
    until_true "grep -q 'the log went back' '$WORK/web-1.log'"
    equal "$(status_at web-1 "$WORK/codex.token")" 503
    curl -s --unix-socket "$WORK/web-1.sock" http://m/metrics | grep -q '^marque_log_verifies 0$'
    answers 10 doctor
    matches "$output" "ILL +the log went back, from [0-9]+ entries to [0-9]+; this machine's verifiers refuse it"
    # The next process knows what this one knew.
    signal web-1 TERM
    answers 10 serve --unix "$WORK/second.sock"
    matches "$stderr" "the log went back"
    answers 0 verifiers
    equal "$output" ""
    answers 6 store accept --reason "restored" --confirm -o json
    id=$(json .approval.id)
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    answers 0 store accept --reason "restored" --confirm --approval "$id"
    matches "$stderr" "accepted the log as it is, where [0-9]+ entries were known"
    serve web-2
    equal "$(status_at web-2 "$WORK/codex.token")" 200
    answers 0 doctor
    answers 0 store accept --reason "again" --confirm
    matches "$stderr" "nothing to do: the log continues"
    answers 0 audit verify
}

@test "verifiers: who may not see the whole installation does not see them" {
    init_there
    "$MARQUE" operator add mate --user 4711 --permission workspace:manage --all-workspaces --confirm 2> /dev/null
    "$MARQUE" operator withdraw ops --permission workspace:manage --all-workspaces --confirm 2> /dev/null
    answers 4 verifiers
}
