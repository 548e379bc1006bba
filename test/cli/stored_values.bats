#!/usr/bin/env bats
# What somebody else wrote into a table without a seal, or put in a table's place, ends no process and hangs none: every
# command answers with a documented code and valid JSON, and a server goes on.
# shellcheck disable=SC2154

load helpers

# Of tables whose rows have no seal, and of those that are read before the seal over them is checked.
TELEMETRY="last_use.at last_use.source last_use.count
    refused_use.reason refused_use.since refused_use.at refused_use.source refused_use.count refused_use.untold refused_use.told_at
    row_write.count row_write.by_event"
OTHERS="entry.seq entry.bytes entry.seal entry.workspace entry.identity
    log_head.size log_head.frontier log_head.seal log_head.row_root
    row_seal.bucket row_seal.place row_seal.seal row_tree.node row_tree.children
    installation.id installation.created_at installation.quorum operator.uid identity.contact identity.labels credential.expires_at"
VALUES=(9223372036854775807 -9223372036854775808 9007199254740993 1e300 NULL "x'00ff1b'" "hex(zeroblob(300000))"
    "zeroblob(20000000)" "CAST(x'61ff1b5b33316d00' AS TEXT)" "char(27) || '[31m'")
READ_TELEMETRY=("list -o json" "inspect codex" "inspect gone -o json" "notify --dry-run" "rotate codex -o json"
    "revoke codex --reason r --confirm -o json")
READ_OTHERS=("inspect codex" "inspect codex -o json" "audit list -o json" "audit verify -o json" "audit export" "doctor -o json"
    "verify" "revoke codex --reason r --confirm -o json")

teardown() {
    [ -z "${SERVE:-}" ] || kill -KILL "$SERVE" 2> /dev/null || :
    rm -rf "$WORK"
}
db() {
    sqlite3 "$MARQUE_STORE/marque.db" "$@"
}
# A store in which each of those tables has a row; $WORK/pristine is its database as it was made.
init_with_rows() {
    init_store
    create codex
    create gone
    accepted "$WORK/codex.token"
    "$MARQUE" revoke gone --reason r --confirm 2> /dev/null
    db "INSERT INTO refused_use SELECT c.id, 'identity_revoked', i.revision, i.created_at, 'x', 1, 1, NULL
            FROM identity i JOIN credential c ON c.identity = i.name WHERE i.name = 'gone';
        PRAGMA wal_checkpoint(TRUNCATE)" > /dev/null
    cp "$MARQUE_STORE/marque.db" "$WORK/pristine"
}
# with COLUMNS VALUE: the pristine store, but for that value in those columns. Fails where none of them can have it: the
# tables are strict, and others in their place are refused by name.
with() {
    rm -f "$MARQUE_STORE"/marque.db* "$MARQUE_STORE/known_log"
    cp "$WORK/pristine" "$MARQUE_STORE/marque.db"
    put_value "$1" "$2"
}
put_value() {
    local column
    {
        echo "PRAGMA ignore_check_constraints = ON;"
        for column in $1; do echo "UPDATE OR IGNORE ${column%.*} SET ${column#*.} = $2;"; done
        echo "SELECT 'changed ' || total_changes();"
    } | db 2> /dev/null | grep -q 'changed [1-9]'
}
# what_is_wrong WHAT CODE FILE…: a code that is none of ours, or bytes that are no plain text.
what_is_wrong() {
    local what=$1 code=$2
    shift 2
    case $code in 0 | [3-9] | 10) ;; *) echo "$what: exit code $code" ;; esac
    ! LC_ALL=C grep -q -P '[\x00-\x08\x0b-\x1f\x7f]' "$@" || echo "$what: control characters"
    cat "$@" | iconv -f UTF-8 -t UTF-8 > /dev/null 2>&1 || echo "$what: not UTF-8"
}

# tries COLUMNS VALUE COMMAND…: what is wrong with what these commands say, one a line.
tries() {
    local columns=$1 value=$2 command code
    shift 2
    with "$columns" "$value" || return 0
    for command in "$@"; do
        code=0
        # shellcheck disable=SC2086
        timeout 60 "$MARQUE" $command < "$WORK/codex.token" > "$WORK/out" 2> "$WORK/err" || code=$?
        [ "$code" -ne 5 ] || [[ $command == rotate* ]] || echo "$columns = $value, $command: exit code 5"
        what_is_wrong "$columns = $value, $command" "$code" "$WORK/out" "$WORK/err"
        [[ $command != *json && $command != notify* && $command != *export ]] || jq . < "$WORK/out" > /dev/null || echo "$columns = $value, $command: no JSON"
    done
}

# fuzz_stored_values has every column with every value. Here the program's own reading and printing of some is met.
@test "stored values: whatever stands in a column without a seal, every command answers, in text and in JSON" {
    init_with_rows
    local column value number=0
    for value in "${VALUES[@]}"; do tries "$TELEMETRY" "$value" "${READ_TELEMETRY[@]}"; done > "$WORK/wrong"
    for column in $OTHERS; do
        for value in "${VALUES[number % ${#VALUES[@]}]}" "${VALUES[(number + 3) % ${#VALUES[@]}]}"; do
            tries "$column" "$value" "${READ_OTHERS[@]}"
        done
        number=$((number + 1))
    done >> "$WORK/wrong"
    equal "$(cat "$WORK/wrong")" ""
}

@test "stored values: whatever stands in a column without a seal, a server answers, notes uses, and ends when it is told to" {
    init_with_rows
    local value
    for value in "${VALUES[@]}"; do
        rm -f "$MARQUE_STORE"/marque.db* "$MARQUE_STORE/known_log"
        cp "$WORK/pristine" "$MARQUE_STORE/marque.db"
        "$MARQUE" serve --unix "$WORK/s.sock" --log-format json --set uses.flush_interval=1s 2> "$WORK/serve.log" 3>&- &
        SERVE=$!
        timeout 60 bash -c "until grep -q '\"ready\"' '$WORK/serve.log'; do :; done"
        put_value "$TELEMETRY" "$value" || :
        for token in codex gone; do
            curl -s -m 30 -o /dev/null --unix-socket "$WORK/s.sock" -H "Authorization: Bearer $(cat "$WORK/$token.token")" http://m/auth
        done
        curl -s -m 30 -f -o /dev/null --unix-socket "$WORK/s.sock" http://m/healthz
        curl -s -m 30 -f -o /dev/null --unix-socket "$WORK/s.sock" http://m/metrics
        kill "$SERVE"
        # It writes the uses down when it ends.
        wait "$SERVE"
        SERVE=
        jq -e . "$WORK/serve.log" > /dev/null
        equal "$(what_is_wrong "$value" 0 "$WORK/serve.log")" ""
    done
}

@test "stored values: counts and times that nobody counted begin anew, and refusals are told of again" {
    init_with_rows
    db "UPDATE last_use SET count = 9223372036854775807, at = 9223372036854775807, source = 'x';
        UPDATE refused_use SET untold = 9223372036854775807, count = -1, told_at = 9223372036854775807;
        UPDATE row_write SET count = 9223372036854775807"
    "$MARQUE" serve --unix "$WORK/s.sock" 2> "$WORK/serve.log" 3>&- &
    SERVE=$!
    timeout 60 bash -c "until grep -q ' ready ' '$WORK/serve.log'; do :; done"
    curl -s -o /dev/null --unix-socket "$WORK/s.sock" -H "Authorization: Bearer $(cat "$WORK/gone.token")" http://m/auth
    kill "$SERVE"
    wait "$SERVE"
    SERVE=
    equal "$(db "SELECT count, untold FROM refused_use")" "1|0"
    equal "$(newest_event '.action, .change.count' | paste -sd' ')" "credential.refuse 1"
    accepted "$WORK/codex.token"
    equal "$(db "SELECT count, source <> 'x', at < 4102444800000000 FROM last_use")" "1|1|1"
    answers 0 revoke codex --reason r --confirm
    answers 0 audit verify
}

@test "stored values: the schema's version is one that there is" {
    init_store
    for version in 2147483647 -2147483648 99; do
        db "PRAGMA user_version = $version"
        answers 3 list
        answers 3 store migrate --confirm
    done
}

@test "stored values: a table that computes for ever, or gives rows for ever, is given up: no command hangs, and no server" {
    local endless="WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)" body command token
    for body in "$endless SELECT e.* FROM environment_before e, c WHERE c.x < 0" "$endless SELECT e.* FROM environment_before e, c"; do
        rm -rf "$MARQUE_STORE" "$WORK/codex.token"
        init_store
        create codex
        "$MARQUE" serve --unix "$WORK/s.sock" --log-format json 2> "$WORK/serve.log" 3>&- &
        SERVE=$!
        timeout 60 bash -c "until grep -q '\"ready\"' '$WORK/serve.log'; do :; done"
        db "PRAGMA legacy_alter_table = ON; ALTER TABLE environment RENAME TO environment_before; CREATE VIEW environment AS $body;
            UPDATE row_write SET count = count + 1"
        token=$(cat "$WORK/codex.token")
        equal "$(curl -s -m 30 -o /dev/null -w '%{http_code}' --unix-socket "$WORK/s.sock" -H "Authorization: Bearer $token" http://m/auth)" 503
        equal "$(curl -s -m 30 -o /dev/null -w '%{http_code}' --unix-socket "$WORK/s.sock" http://m/healthz)" 200
        for command in verify "revoke codex --reason r --confirm" doctor "audit verify" list; do
            local code=0
            # shellcheck disable=SC2086
            timeout 60 "$MARQUE" $command < "$WORK/codex.token" > "$WORK/out" 2>&1 || code=$?
            echo "$command: $code: $(tail -n 2 "$WORK/out")"
            [ "$code" -eq 10 ] || [ "$code" -eq 8 ]
        done
        kill "$SERVE"
        timeout 40 tail --pid="$SERVE" -f /dev/null
        wait "$SERVE"
        SERVE=
    done
}
