#!/usr/bin/env bats
# marque audit: list, tail, show, verify, checkpoint, key, prove, export

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

check() {
    python3 "$BATS_TEST_DIRNAME/check_log.py" "$@"
}
sql() {
    sqlite3 "$MARQUE_STORE/marque.db" "$@"
}
# A log of twelve entries with something in it.
some_log() {
    init_store
    create codex
    "$MARQUE" pause codex --reason "looks odd" --confirm 2> /dev/null
    "$MARQUE" resume codex --confirm 2> /dev/null
    "$MARQUE" revoke codex --reason gone --confirm 2> /dev/null
}

@test "audit list: oldest first, with who, what, to whom and why" {
    some_log
    answers 0 audit list
    equal "${#lines[@]}" 13
    [[ "${lines[0]}" =~ ^\ ENTRY\ \ WHEN\ +WHO\ \ ACTION\ \ ABOUT ]]
    [[ "${lines[1]}" =~ ^\ +1\ \ .*\ ops\ \ installation\.create\ \ installation$ ]]
    has "${lines[10]}" "ops  identity.pause  identity codex  “looks odd”"
}

@test "audit list: --limit keeps the newest" {
    some_log
    answers 0 audit list --limit 2 -o json
    equal "$(jq -c '[.entries[].seq]' <<< "$output")" "[11,12]"
    leaves_store_alone 2 audit list --limit 0
}

@test "audit list: --identity, --operator, --action and --since choose" {
    some_log
    create pilot
    answers 0 audit list --identity codex -o json
    equal "$(jq -c '(.entries | length), ([.entries[] | select(.target | .name == "codex" or .identity == "codex")] | length)' <<< "$output" | paste -sd' ')" "6 6"
    answers 0 audit list --action identity.create -o json
    equal "$(jq -c '[.entries[].target.name]' <<< "$output")" '["codex","pilot"]'
    answers 0 audit list --action credential -o json
    equal "$(jq -c '[.entries[].action] | unique' <<< "$output")" '["credential.activate","credential.issue"]'
    answers 0 audit list --since 1h -o json
    equal "$(jq '.entries | length' <<< "$output")" 15
    answers 0 audit list --since 2999-01-01
    equal "$output" ""
    has "$stderr" "no entry meets these conditions"
    answers 0 audit list --identity codex --action identity.pause -o json
    equal "$(jq '.entries | length' <<< "$output")" 1
    answers 2 audit list --since yesterday
    has "$stderr" "'yesterday' is neither a date nor a duration"
}

@test "audit list: an identity that there isn't is 7, with whom was meant" {
    some_log
    answers 7 audit list --identity codx
    has "$stderr" "did you mean codex?"
}

@test "audit list: names of what there isn't are errors, with what was meant" {
    some_log
    answers 2 audit list --action identity.rename
    has "$stderr" "'identity.rename' is no action"
    answers 2 audit list --action identity.revoked
    has "$stderr" "did you mean identity.revoke?"
    answers 7 audit list --operator opps
    has "$stderr" "did you mean ops?"
    answers 7 audit list --credential 0123456789ab
    answers 7 audit list --approval 00000000
    answers 2 audit list --approval codex
    answers 2 audit list --outcome undone
    # Every action that the log can have is one that may be asked for.
    while IFS= read -r action; do answers 0 audit list --action "$action"; done < <("$MARQUE" audit export | jq -r .action | sort -u)
    "$MARQUE" inspect codex -o json > /dev/null
}

@test "audit list: --limit says what it cut" {
    some_log
    answers 0 audit list --limit 2
    has "$stderr" "the newest 2 are shown, and there are more: --limit N shows N"
    answers 0 audit list --limit 2 -o json
    equal "$(json .truncated)" true
    answers 0 audit list --identity codex --limit 2 --action identity
    has "$stderr" "there are more"
    answers 0 audit list --limit 12
    equal "$stderr" ""
    equal "$("$MARQUE" audit list --limit 12 -o json | jq .truncated)" null
}

@test "audit list: --since and --until take dates, instants and durations; --outcome, --credential" {
    needs_clock
    at 2026-11-01T12:00:00.000000Z
    init_store
    at 2026-11-02T12:00:00.000000Z
    create codex
    at 2026-11-03T12:00:00.000000Z
    create kimi
    seqs() { "$MARQUE" audit list "$@" -o json | jq -r '[.entries[].seq | tostring] | join(" ")'; }
    equal "$(seqs --since 2026-11-02 --until 2026-11-02)" "7 8 9"
    equal "$(seqs --since 2026-11-02T12:00:00Z --until 1d)" "7 8 9"
    equal "$(seqs --since 2026-11-02T12:00:00.000001Z)" "10 11 12"
    answers 2 audit list --since 2026-11-03 --until 2026-11-02
    equal "$(seqs --credential "$(credential_of codex)")" "8 9"
    answers 3 create codex --scope card:view --confirm
    equal "$(seqs --outcome refused)" "13"
    answers 0 audit list --outcome refused --absolute
    has "${lines[1]}" "2026-11-03 12:00:00 UTC"
}

@test "audit tail: the newest so many" {
    some_log
    answers 0 audit tail -n 3 -o json
    equal "$(jq -s -c '[.[].seq]' <<< "$output")" "[10,11,12]"
    answers 0 audit tail
    equal "${#lines[@]}" 10
}

@test "audit tail --follow: shows what comes, until it is stopped" {
    some_log
    "$MARQUE" audit tail -n 1 -f -o json > "$WORK/tail" &
    pid=$!
    for _ in $(seq 300); do
        [ -s "$WORK/tail" ] && break
        sleep 0.01
    done
    create pilot
    for _ in $(seq 300); do
        [ "$(wc -l < "$WORK/tail")" -ge 4 ] && break
        sleep 0.01
    done
    kill "$pid"
    equal "$(jq -s -c '[.[].seq]' "$WORK/tail")" "[12,13,14,15]"
}

@test "audit show: one entry whole, with its leaf; with -o json byte for byte as it is hashed" {
    some_log
    answers 0 audit show 10
    equal "${lines[0]:0:8}" "entry 10"
    has "$output" "action   identity.pause"
    has "$output" "reason   looks odd"
    answers 0 audit show 10 -o json
    equal "$output" "$("$MARQUE" audit export | sed -n 10p)"
    leaf=$( (printf '\0'; printf %s "$output") | sha256sum | cut -d' ' -f1)
    has "$("$MARQUE" audit show 10)" "leaf     $leaf"
}

@test "audit show: an entry that there isn't is 7" {
    some_log
    answers 7 audit show 13
    has "$stderr" "there is no entry 13"
    has "$stderr" "the log has 12"
    answers 2 audit show 0
    answers 2 audit show -1
    answers 2 audit show ten
    answers 2 audit show 99999999999999999999
}

@test "audit export: a line of canonical JSON an entry: sorted keys, no floats, counted from 1" {
    some_log
    answers 0 audit export
    equal "${#lines[@]}" 12
    equal "$(jq -S -c . <<< "$output")" "$output"
    equal "$(jq -s -c '[.[].seq] == [range(1; 13)]' <<< "$output")" true
    for key in seq at mode actor action target outcome change; do
        equal "$(jq -s --arg key "$key" 'all(has($key))' <<< "$output")" true
    done
}

@test "audit: reading the log writes nothing" {
    some_log
    for command in list tail "show 3" verify checkpoint key "prove --entry 3" "prove --since 3" export; do
        # shellcheck disable=SC2086
        leaves_store_alone 0 audit $command
    done
}

@test "audit verify: a log that is sound is said to be, with its root" {
    some_log
    root=$("$MARQUE" audit export | check root)
    answers 0 audit verify
    equal "$output" "sound: 12 entries, root $root"
    answers 0 audit verify -o json
    equal "$(json 'keys | join(" ")')" "findings owner_signatures root schema size sound"
    equal "$(json '.sound, .size, .findings' | paste -sd' ')" "true 12 []"
}

@test "invariant 11: an entry that was rewritten is named: 10" {
    some_log
    sql "UPDATE entry SET bytes = replace(bytes, 'codex', 'mallo') WHERE seq = 10"
    answers 10 audit verify
    has "$output" "NOT SOUND: entry 10 was rewritten"
    answers 10 audit verify -o json
    equal "$(json '.sound, .findings[0].seq' | paste -sd' ')" "false 10"
}

@test "invariant 11: many entries rewritten: the first is named first" {
    some_log
    sql "UPDATE entry SET bytes = replace(bytes, 'codex', 'mallo')"
    answers 10 audit verify -o json
    equal "$(json '.findings[0].seq')" 7
}

@test "invariant 11: newest entries deleted are missed: 10" {
    some_log
    sql "DELETE FROM entry WHERE seq > 10"
    answers 10 audit verify
    has "$output" "the log was cut: its head speaks of 12 entries, and there are 10"
}

@test "invariant 11: newest entries deleted and the head set back with them are missed: 10" {
    some_log
    sql "CREATE TEMP TABLE kept AS SELECT * FROM log_head" 2> /dev/null
    size=$(sql "SELECT size FROM log_head")
    equal "$size" 12
    sql "DELETE FROM entry WHERE seq > 10; UPDATE log_head SET size = 10"
    answers 10 audit verify
    has "$output$stderr" "head"
}

@test "invariant 11: an entry deleted from the middle is named: 10" {
    some_log
    sql "DELETE FROM entry WHERE seq = 8"
    answers 10 audit verify
    has "$output" "NOT SOUND: entry 8 is missing; the next one is 9"
}

@test "invariant 11: two entries swapped are named: 10" {
    some_log
    sql "UPDATE entry SET seq = 1000 WHERE seq = 8; UPDATE entry SET seq = 8 WHERE seq = 9; UPDATE entry SET seq = 9 WHERE seq = 1000"
    answers 10 audit verify
    has "$output" "entry 8"
    has "$output" "entry 9"
}

@test "invariant 11: an entry copied behind the newest is named: 10" {
    some_log
    sql "INSERT INTO entry SELECT 13, bytes, seal, workspace, identity FROM entry WHERE seq = 12"
    answers 10 audit verify
    has "$output" "13"
}

@test "invariant 11: nothing is signed over a log that is not sound" {
    some_log
    sql "UPDATE entry SET bytes = replace(bytes, 'codex', 'mallo') WHERE seq = 10"
    answers 10 audit checkpoint
    equal "$output" ""
    has "$stderr" "the log is not sound"
    answers 10 audit prove --entry 3
    equal "$output" ""
    answers 10 audit prove --since 3
    equal "$output" ""
}

@test "invariant 11: a head that was tampered with is not built on: changes are refused with 10, and nothing changes" {
    some_log
    sql "UPDATE log_head SET size = 10"
    leaves_store_alone 10 create pilot --scope card:edit --confirm
    equal "$output" ""
    sql "UPDATE log_head SET size = 12, seal = zeroblob(32)"
    leaves_store_alone 10 create pilot --scope card:edit --confirm
}

@test "invariant 11: a checkpoint, saved, is extended by the later log" {
    some_log
    "$MARQUE" audit checkpoint > "$WORK/checkpoint"
    create pilot
    answers 0 audit verify --checkpoint "$WORK/checkpoint"
    has "$output" "sound: 15 entries"
    has "$output" "an extension of the checkpoint of 12"
    answers 0 audit verify --checkpoint "$WORK/checkpoint" --key "$("$MARQUE" audit key)"
}

@test "invariant 11: an older copy of the database, put back, is found by the checkpoint: 10" {
    some_log
    sql ".backup $WORK/older.db"
    create pilot
    "$MARQUE" audit checkpoint > "$WORK/checkpoint"
    rm -f "$MARQUE_STORE"/marque.db*
    cp "$WORK/older.db" "$MARQUE_STORE/marque.db"
    answers 0 audit verify
    answers 10 audit verify --checkpoint "$WORK/checkpoint"
    has "$output" "the log was cut or rolled back: the checkpoint has 15 entries, the log 12; what came after entry 12 is gone"
}

@test "invariant 11: an older copy that went on differently is found by the checkpoint: 10" {
    some_log
    sql ".backup $WORK/older.db"
    create pilot
    "$MARQUE" audit checkpoint > "$WORK/checkpoint"
    rm -f "$MARQUE_STORE"/marque.db*
    cp "$WORK/older.db" "$MARQUE_STORE/marque.db"
    create pilot2
    create pilot3
    answers 0 audit verify
    answers 10 audit verify --checkpoint "$WORK/checkpoint"
    has "$output" "the log was rewritten: its first 15 entries are not those that the checkpoint was signed over"
}

@test "invariant 11: a checkpoint that was changed, cut or made by another is refused" {
    some_log
    "$MARQUE" audit checkpoint > "$WORK/checkpoint"
    sed 's/^12$/11/' "$WORK/checkpoint" > "$WORK/changed"
    answers 10 audit verify --checkpoint "$WORK/changed"
    has "$stderr" "signature"
    head -n 3 "$WORK/checkpoint" > "$WORK/cut"
    answers 2 audit verify --checkpoint "$WORK/cut"
    has "$stderr" "that is not a signed note"
    answers 2 audit verify --checkpoint "$WORK/none"
    : > "$WORK/empty"
    answers 2 audit verify --checkpoint "$WORK/empty"
    answers 2 audit verify --checkpoint "$WORK/checkpoint" --key nonsense
    export MARQUE_STORE="$WORK/other"
    init_store
    answers 10 audit verify --checkpoint "$WORK/checkpoint"
    has "$stderr" "the note is not signed by"
}

@test "invariant 11: export and checkpoint are verified by other people's tools: RFC 6962 root, Ed25519 signature" {
    some_log
    key=$("$MARQUE" audit key)
    "$MARQUE" audit export > "$WORK/export"
    "$MARQUE" audit checkpoint | check checkpoint "$key" "$WORK/export"
    sed -i '5s/environment/environmint/' "$WORK/export"
    run check checkpoint "$key" "$WORK/export" < <("$MARQUE" audit checkpoint)
    equal "$status" 1
    run check note "$key" < <("$MARQUE" audit checkpoint | sed 's/^12$/13/')
    equal "$status" 1
}

@test "invariant 11: every entry's proof of inclusion is verified by other people's tools" {
    some_log
    key=$("$MARQUE" audit key)
    "$MARQUE" audit export > "$WORK/export"
    for n in 1 2 5 8 11 12; do
        equal "$("$MARQUE" audit prove --entry "$n" | check inclusion "$key" "$WORK/export")" "entry $n is in the log of 12"
    done
    sed -i '5s/environment/environmint/' "$WORK/export"
    run check inclusion "$key" "$WORK/export" < <("$MARQUE" audit prove --entry 5)
    equal "$status" 1
}

@test "invariant 11: the proof of consistency with every earlier size is verified by other people's tools" {
    some_log
    key=$("$MARQUE" audit key)
    "$MARQUE" audit export > "$WORK/export"
    for n in 1 2 5 8 11 12; do
        equal "$("$MARQUE" audit prove --since "$n" | check consistency "$key" "$WORK/export")" \
            "the log of $n is the beginning of that of 12"
    done
    sed -i '5s/environment/environmint/' "$WORK/export"
    run check consistency "$key" "$WORK/export" < <("$MARQUE" audit prove --since 7)
    equal "$status" 1
}

@test "audit prove: one of --entry and --since, within the log" {
    some_log
    answers 2 audit prove
    answers 2 audit prove --entry 1 --since 1
    answers 7 audit prove --entry 13
    has "$stderr" "the log has only 12 entries"
    answers 7 audit prove --since 13
    answers 2 audit prove --entry 0
}

@test "audit: checkpoint, key and prove as JSON" {
    some_log
    answers 0 audit checkpoint -o json
    equal "$(json 'keys | join(" ")')" "note root schema size"
    jq -j .note <<< "$output" > "$WORK/note"
    python3 "$BATS_TEST_DIRNAME/check_log.py" note "$("$MARQUE" audit key)" < "$WORK/note"
    answers 0 audit key -o json
    equal "$(json .verifier_key)" "$("$MARQUE" audit key)"
    answers 0 audit prove --entry 2 -o json
    equal "$(json 'keys | join(" ")')" "proof schema"
}

@test "invariant 2: no secret part of any token is in the log, after each command that makes one" {
    init_store
    create codex
    "$MARQUE" issue codex --confirm --token-file "$WORK/two.token" 2> /dev/null
    "$MARQUE" rotate "$(credential_in "$WORK/codex.token")" --confirm --token-file "$WORK/three.token" 2> /dev/null
    "$MARQUE" revoke --token-stdin --reason r --confirm < "$WORK/two.token" 2> /dev/null
    "$MARQUE" audit export > "$WORK/export"
    for token in codex two three; do
        run grep -c -F "$(cut -c 23-65 "$WORK/$token.token")" "$WORK/export"
        equal "$output" 0
    done
    run grep -c mrq_ "$WORK/export"
    equal "$output" 0
}

@test "audit list: -o json carries the schema, as -o json does everywhere" {
    some_log
    answers 0 audit list -o json
    equal "$(jq -s -c '.[0].schema' <<< "$output")" '"marque/1"'
}
