#!/usr/bin/env bats
# marque doctor

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "doctor: an installation that is well: exit 0, nothing written" {
    init_store
    create codex
    leaves_store_alone 0 doctor
    has "$output" "ok       the log verifies: 9 entries"
    has "$output" "ok       every row reads; identities: 1, credentials: 1"
    has "$output" "warning  no owner key is registered"
    lacks "$output" ILL
    leaves_store_alone 0 doctor -o json
    equal "$(json 'keys | join(" ")')" "findings schema well"
    equal "$(json '.well, ([.findings[].health] | unique)' | paste -sd' ')" 'true ["ok","warning"]'
}

@test "doctor: a file or folder that others may use is ill: 10, and how to mend it" {
    init_store
    chmod 644 "$MARQUE_STORE/marque.db"
    answers 10 doctor
    has "$output" "ILL      $MARQUE_STORE/marque.db has mode 0644; others may use it. chmod 600 it"
    chmod 600 "$MARQUE_STORE/marque.db"
    chmod 755 "$MARQUE_STORE"
    answers 10 doctor -o json
    equal "$(json .well)" false
}

@test "doctor: keys that can't be locked in memory are a warning" {
    init_store
    answers 0 doctor
    lacks "$output" RLIMIT_MEMLOCK
    unprivileged=
    [ "$(id -u)" -ne 0 ] || unprivileged='setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock'
    # shellcheck disable=SC2086  # words
    run -0 --separate-stderr prlimit --memlock=0 $unprivileged "$MARQUE" doctor
    has "$output" "warning  the memory of keys and tokens can't be locked and may be swapped: raise RLIMIT_MEMLOCK"
}

@test "invariant 11: doctor finds a log that was tampered with: 10" {
    init_store
    sqlite3 "$MARQUE_STORE/marque.db" "UPDATE entry SET bytes = replace(bytes, 'ops', 'eve') WHERE seq = 2"
    answers 10 doctor
    has "$output" "ILL      entry 2 was rewritten"
}

@test "doctor: what was cut off between delivery and activation is a warning" {
    init_store
    cut_off create codex --scope card:edit --confirm > /dev/null
    answers 0 doctor
    has "$output" "warning  pending credentials: 1"
    has "$output" "marque activate"
}

@test "doctor: a clock that is behind the log is a warning" {
    needs_clock
    at 2026-11-23T20:43:00.000000Z
    init_store
    at 2026-11-23T20:00:00.000000Z
    answers 0 doctor
    has "$output" "warning  the system clock is behind the log (newest entry: 2026-11-23 20:43:00 UTC); credentials may expire late"
}

@test "doctor --backup: what is none, is another's, or is not the store's past" {
    init_store
    answers 8 doctor --backup "$WORK/none"
    echo nonsense > "$WORK/bad"
    answers 10 doctor --backup "$WORK/bad"
    "$MARQUE" store backup "$WORK/backup.db" --confirm 2> /dev/null
    cp "$MARQUE_STORE/root.key" "$WORK/key"
    (
        export MARQUE_STORE="$WORK/other"
        init_store
        "$MARQUE" store backup "$WORK/others.db" --confirm 2> /dev/null
    )
    run --separate-stderr "$MARQUE" doctor --backup "$WORK/others.db"
    [ "$status" -ne 0 ]
    has "$stderr" "the backup is of another installation"
    sqlite3 "$WORK/backup.db" "UPDATE entry SET bytes = replace(bytes, 'ops', 'eve') WHERE seq = 2"
    answers 10 doctor --backup "$WORK/backup.db"
    has "$output" "ILL      entry 2 was rewritten"
}

@test "doctor --backup: a store that was put back to before the backup does not go on from it: 10" {
    init_store
    sqlite3 "$MARQUE_STORE/marque.db" ".backup $WORK/older.db"
    create codex
    "$MARQUE" store backup "$WORK/backup.db" --confirm 2> /dev/null
    rm -f "$MARQUE_STORE"/marque.db*
    cp "$WORK/older.db" "$MARQUE_STORE/marque.db"
    answers 10 doctor --backup "$WORK/backup.db"
    has "$output" "the store does not go on from it"
}
