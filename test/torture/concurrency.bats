# Eight processes at one store. SEED=N repeats their choices, though not the kernel's.

load ../cli/helpers
load helpers

PROCESSES=8
LASTING=6

# What the log has, as worker.bash writes it. A credential that never came into force was reported
# as not done, and so its issue is left out.
events() {
    "$MARQUE" audit export | jq -rs '
        (map(select(.action == "credential.activate" and .outcome == "done").target.id) | map({(.): true}) | add) as $activated |
        .[] | select(.outcome == "done" and (.action | test("^(identity|credential)[.]"))) |
        select(.action != "credential.issue" or $activated[.target.id]) |
        .action + " " + (if .action == "credential.revoke" then .target.id else .target.identity // .target.name end)' | sort
}

@test "1, 5, 6: eight processes change and verify one store: all that was reported is logged and holds" {
    local seed=${SEED:-$RANDOM} n name file
    export WORK
    init_store
    mkdir "$WORK/tokens" "$WORK/revoked"
    for n in {1..10}; do
        "$MARQUE" create "shared-$n" --scope card:view --token-file "$WORK/tokens/shared-$n.0.0" --confirm 2> /dev/null
        printf '%s\n' "identity.create shared-$n" "credential.issue shared-$n" "credential.activate shared-$n" >> "$WORK/done.0"
    done
    for ((n = 1; n <= PROCESSES; n++)); do
        touch "$WORK/wrong.$n" "$WORK/done.$n" "$WORK/ended.$n"
        "$TORTURE/worker.bash" "$n" "$((seed * 100))" "$LASTING" 3>&- &
    done
    wait
    tell "seed $seed; $(cat "$WORK"/codes.* | wc -l) commands by $PROCESSES processes in $LASTING s: $(
        awk '{ n[$2]++ } END { for (code in n) printf "exit %s: %s  ", code, n[code] }' "$WORK"/codes.*)"
    tell "$(sort "$WORK"/codes.* | uniq -c | awk '{ printf "%s→%s ×%s  ", $2, $3, $1 }')"

    # The log, and the tables by it.
    "$MARQUE" audit verify > /dev/null
    "$MARQUE" doctor > /dev/null
    "$PYTHON" "$TORTURE/replay.py" "$MARQUE_STORE" > "$WORK/replayed" || { cat "$WORK/replayed"; false; }

    # Reported done and logged: the same, each as often. A rotation's old credential may have been revoked by another
    # command while the token was delivered; then only that one reports it, and the log has it once.
    sort "$WORK"/done.* > "$WORK/done"
    sort -u "$WORK"/ended.* | comm -23 - "$WORK/done" | sort - "$WORK/done" > "$WORK/reported"
    events > "$WORK/logged"
    diff "$WORK/reported" "$WORK/logged"
    tell "$(wc -l < "$WORK/logged") events, each reported; $(find "$WORK/revoked" -type f | wc -l) revocations"

    # What was revoked is so for ever.
    local still=0
    for file in "$WORK"/tokens/*; do
        name=${file##*/}
        name=${name%%.*}
        if [ -e "$WORK/revoked/$name" ] || [ -e "$WORK/revoked/$(head -c 21 "$file" | tail -c 12)" ]; then
            refused "$file" || { echo "$file is accepted, and was revoked"; still=1; }
        fi
    done
    for file in "$WORK"/revoked/*; do
        name=${file##*/}
        "$MARQUE" inspect "$name" -o json | jq -e '.. | .state? // empty | select(. == "revoked")' > /dev/null ||
            { echo "$name is not revoked, and was reported to be"; still=1; }
    done
    [ "$still" -eq 0 ]

    if grep -iE 'busy|locked' "$WORK"/stderr.*; then false; fi
    cat "$WORK"/wrong.* > "$WORK/wrong"
    [ ! -s "$WORK/wrong" ] || { sort "$WORK/wrong" | uniq -c; grep -h -A1 'could not be brought' "$WORK"/stderr.* | head; false; }
}

@test "4: a rotation that another overtakes is refused, says so, and leaves nothing that could come into force" {
    command -v strace > /dev/null || skip "there is no strace"
    local code=0 slow size
    init_store
    "$MARQUE" create old --scope card:view --token-file "$WORK/old.token" --confirm 2> /dev/null
    size="$(stat -c %s "$MARQUE_STORE/marque.db-wal")"
    { # delivers its token only when the other is done
        strace -f -qq -o /dev/null -e trace=renameat2 -e inject=renameat2:delay_enter=2000000 \
            "$MARQUE" rotate old --token-file "$WORK/slow.token" --confirm 2> "$WORK/slow.stderr" || echo "$?" > "$WORK/slow.code"
    } 3>&- &
    slow=$!
    while [ "$(stat -c %s "$MARQUE_STORE/marque.db-wal")" = "$size" ]; do sleep 0.01; done
    "$MARQUE" rotate old --token-file "$WORK/fast.token" --confirm 2> /dev/null
    wait "$slow"
    accepted "$WORK/fast.token"
    accepted "$WORK/old.token"
    code="$(cat "$WORK/slow.code")"
    tell "the overtaken rotation: exit $code: $(head -n 1 "$WORK/slow.stderr")"
    [ "$code" -eq 3 ]
    [ "$(sqlite3 -readonly "$MARQUE_STORE/marque.db" "SELECT count(*) FROM credential WHERE state = 'pending'")" -eq 0 ]
}
