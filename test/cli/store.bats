#!/usr/bin/env bats
# marque store

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "store status: where it is, and which migrations it has" {
    init_store
    leaves_store_alone 0 store status
    has "${lines[0]}" "sqlite store at $MARQUE_STORE/marque.db"
    equal "$(grep -c ' applied$' <<< "$output")" "$(schema)"
    lacks "$output" "not applied"
}

@test "store status: as JSON with the store's schema" {
    init_store
    answers 0 store status -o json
    equal "$(json .backend)" sqlite
    equal "$(json .location)" "$MARQUE_STORE/marque.db"
    equal "$(jq -c '[.. | numbers] | map(select(. == '"$(schema)"')) | length' <<< "$output")" 2
}

@test "store migrate: a store that is new enough is nothing to do" {
    init_store
    leaves_store_alone 0 store migrate --confirm
    has "$stderr" "nothing to do: the store has schema $(schema)"
}

@test "store rollback and migrate: a step back and forth; log and credentials stay" {
    init_store
    create codex
    n=$(schema)
    leaves_store_alone 5 store rollback
    has "$stderr" "store: schema $n → schema $((n - 1))"
    has "$stderr" "make a backup first"
    leaves_store_alone 0 store rollback --dry-run
    answers 0 store rollback --reason "an older marque" --confirm
    equal "$(schema)" $((n - 1))
    answers 3 list
    has "$stderr" "this marque needs $n"
    has "$stderr" "marque store migrate --confirm"
    run --separate-stderr "$MARQUE" verify < "$WORK/codex.token"
    [ "$status" -ne 0 ]
    equal "$output" ""
    leaves_store_alone 5 store migrate
    answers 0 store migrate --confirm
    equal "$(schema)" "$n"
    accepted "$WORK/codex.token"
    equal "$("$MARQUE" audit export | tail -n 2 | jq -r .action | paste -sd' ')" "store.rollback store.migrate"
    equal "$("$MARQUE" audit export | tail -n 2 | jq -r .reason | head -n 1)" "an older marque"
    equal "$("$MARQUE" audit verify -o json | jq .sound)" true
}

@test "invariant 11: nothing rolls back past the log" {
    init_store
    leaves_store_alone 3 store rollback --to 0 --confirm
    has "$stderr" "nothing rolls back past the log"
    leaves_store_alone 2 store rollback --to 99 --confirm
    leaves_store_alone 2 store rollback --to -1 --confirm
    leaves_store_alone 2 store rollback --to one --confirm
}

@test "invariant 9: --dry-run is the command: store rollback past the log is 3 as well" {
    init_store
    leaves_store_alone 3 store rollback --to 0 --dry-run
    leaves_store_alone 3 store rollback --to 0
}

@test "store rollback: the plan says as whom" {
    init_store
    answers 5 store rollback
    has "$stderr" "Plan: store rollback as ops"
}

@test "invariant 9: store rollback and migrate: a digest that was never shown confirms nothing" {
    init_store
    leaves_store_alone 5 store rollback --confirm=0123456789abcdef
    leaves_store_alone 5 store rollback --confirm=77
}

@test "invariant 10: store migrate and rollback: who is no operator is refused with 4, in a dry run too, and with an event" {
    needs_users
    init_store
    give_store_to 12345
    before=$(log_size)
    user_gets 12345 4 store rollback --confirm
    user_gets 12345 4 store rollback --dry-run
    equal "$(log_size)" $((before + 1))
}

@test "store backup: a whole copy while in use, 0600, that doctor finds well and the store goes on from" {
    init_store
    create codex
    leaves_store_alone 5 store backup "$WORK/backup.db"
    digest=$(shown_digest)
    leaves_store_alone 0 store backup "$WORK/backup.db" --dry-run
    [ ! -e "$WORK/backup.db" ]
    answers 0 store backup "$WORK/backup.db" --confirm="$digest"
    has "$stderr" "root.key is not in it: keep that apart"
    equal "$(stat -c %a "$WORK/backup.db")" 600
    equal "$(find "$WORK" -maxdepth 1 -name 'backup.db*' | wc -l)" 1
    create pilot
    answers 0 doctor --backup "$WORK/backup.db"
    has "$output" "the store goes on from it: 4 entries since" # the backup's own, and pilot's
    equal "$(newest_event .action)" credential.activate
    equal "$("$MARQUE" audit list --action store.backup -o json | jq -r '.entries[].outcome')" "done"
}

@test "store backup: put back with its key, it is the store as it was" {
    init_store
    create codex
    "$MARQUE" store backup "$WORK/backup.db" --confirm 2> /dev/null
    mkdir -m 700 "$WORK/restored"
    cp "$WORK/backup.db" "$WORK/restored/marque.db"
    cp "$MARQUE_STORE/root.key" "$WORK/restored/root.key"
    export MARQUE_STORE="$WORK/restored"
    accepted "$WORK/codex.token"
    equal "$("$MARQUE" audit verify -o json | jq .sound)" true
    answers 0 issue codex --confirm
}

@test "store backup: never over a file, nor into a folder's place" {
    init_store
    echo mine > "$WORK/file"
    leaves_store_alone 3 store backup "$WORK/file" --confirm
    has "$stderr" "backups are never overwritten"
    equal "$(cat "$WORK/file")" mine
    leaves_store_alone 2 store backup "$WORK" --confirm
    leaves_store_alone 3 store backup "$MARQUE_STORE/marque.db" --confirm
    leaves_store_alone 2 store backup --confirm
}

@test "invariant 1: store backup that can't be written is no backup done in the log" {
    init_store
    run --separate-stderr "$MARQUE" store backup "$WORK/no/backup.db" --confirm
    [ "$status" -ne 0 ]
    equal "$("$MARQUE" audit list --action store.backup -o json | jq -c '[.entries[] | select(.outcome == "done")]')" "[]"
}

@test "invariant 2: a backup holds neither tokens nor the key" {
    init_store
    create codex
    "$MARQUE" store backup "$WORK/backup.db" --confirm 2> /dev/null
    run grep -c -a -F "$(cut -c 23-65 "$WORK/codex.token")" "$WORK/backup.db"
    equal "$output" 0
    run grep -c -a -F "$(cat "$MARQUE_STORE/root.key")" "$WORK/backup.db"
    equal "$output" 0
}

@test "store: no store is 8, a relative backup path is recorded whole" {
    answers 8 store status
    init_store
    cd "$WORK"
    answers 0 store backup copy.db --confirm
    equal "$(newest_event .change.after.path)" "$WORK/copy.db"
}

@test "store backup: also of an older schema, which is to be backed up before it is migrated" {
    init_store
    create codex
    "$MARQUE" store rollback --confirm 2> /dev/null
    answers 3 list
    has "$stderr" "back it up, then run marque store migrate --confirm"
    leaves_store_alone 5 store backup "$WORK/backup.db"
    [ ! -e "$WORK/backup.db" ]
    answers 0 store backup "$WORK/backup.db" --confirm
    has "$stderr" "backup written to"
    equal "$(schema)" "$(sqlite3 "$WORK/backup.db" 'PRAGMA user_version')"
    answers 10 doctor -o json
    has "$output" "so the rest can't be examined: back it up, then run marque store migrate --confirm"
    answers 0 store status
    answers 0 store migrate --confirm
    equal "$("$MARQUE" audit export | tail -n 2 | jq -r .action | paste -sd' ')" "store.backup store.migrate"
    answers 0 audit verify
    accepted "$WORK/codex.token"
}
