#!/usr/bin/env bats
# marque store rotate-key, and where the root key may come from.
# shellcheck disable=SC2154

load helpers

key_in_force() {
    "$MARQUE" audit key
}

@test "rotate-key: without --confirm it shows a plan and changes nothing; --dry-run the same, and 0" {
    init_store
    create codex
    writes_no_event 5 store rotate-key
    has "$stderr" "Plan: store rotate-key as ops"
    has "$stderr" "verifiers that run answer nobody from then on"
    writes_no_event 0 store rotate-key --dry-run
    [ ! -e "$MARQUE_STORE/root.key.next" ]
    digest=$(sed -n 's/.*--confirm=\([0-9a-f]*\).*/\1/p' <<< "$stderr" | head -n 1)
    answers 0 store rotate-key --confirm="${digest:-$("$MARQUE" store rotate-key 2>&1 | sed -n 's/.*--confirm=\([0-9a-f]*\).*/\1/p')}"
}

@test "rotate-key: tokens go on working, the log is sound and tells of it, and the old key opens nothing" {
    init_store
    create codex
    cp "$MARQUE_STORE/root.key" "$WORK/old.key"
    before=$(key_in_force)
    answers 0 store rotate-key --confirm --reason 'it was in a backup'
    has "$stderr" "restart every marque serve"
    accepted "$WORK/codex.token"
    after=$(key_in_force)
    [ "$before" != "$after" ]
    answers 0 audit verify
    answers 0 doctor
    equal "$(newest_event .action)" store.rotate_key
    equal "$(newest_event .change.before.checkpoint_key) $(newest_event .change.after.checkpoint_key)" "$before $after"
    create later
    accepted "$WORK/later.token"
    cp "$MARQUE_STORE/root.key" "$WORK/new.key"
    cp "$WORK/old.key" "$MARQUE_STORE/root.key"
    answers 10 list
    answers 10 revoke codex --reason r --confirm
    has "$stderr" "NOT REVOKED"
    cp "$WORK/new.key" "$MARQUE_STORE/root.key"
    # And once more, from a key that has been rotated.
    answers 0 store rotate-key --confirm
    accepted "$WORK/codex.token"
    answers 0 doctor
}

@test "rotate-key: cut short after the commit, a repeat finishes it; doctor says so before" {
    init_store
    create codex
    cp "$MARQUE_STORE/root.key" "$WORK/old.key"
    "$MARQUE" store rotate-key --confirm 2> /dev/null
    mv "$MARQUE_STORE/root.key" "$MARQUE_STORE/root.key.next"
    cp "$WORK/old.key" "$MARQUE_STORE/root.key"
    answers 10 doctor
    has "$output" "a rotation of the key was cut short"
    answers 10 store rotate-key
    answers 0 store rotate-key --confirm -o json
    equal "$(json .result)" already_so
    accepted "$WORK/codex.token"
    answers 0 doctor
}

@test "rotate-key: what somebody wrote into the store is not sealed anew" {
    init_store
    create codex
    cp -a "$MARQUE_STORE" "$WORK/whole"
    sqlite3 "$MARQUE_STORE/marque.db" "UPDATE credential SET scopes = 'board:delete'"
    answers 10 store rotate-key --confirm
    has "$stderr" "somebody wrote to the database"
    rm -r "$MARQUE_STORE"
    cp -a "$WORK/whole" "$MARQUE_STORE"
    sqlite3 "$MARQUE_STORE/marque.db" "UPDATE entry SET bytes = replace(bytes, 'codex', 'codec') WHERE seq = 9"
    answers 10 store rotate-key --confirm
    has "$stderr" "the entries do not add up to the log's head"
}

@test "rotate-key: takes workspace:manage everywhere, and a refusal is in the log" {
    init_store
    "$MARQUE" operator add mate --user 4711 --permission workspace:manage --all-workspaces --confirm 2> /dev/null
    "$MARQUE" operator withdraw ops --permission workspace:manage --all-workspaces --confirm 2> /dev/null
    answers 4 store rotate-key --confirm
    equal "$(sqlite3 -readonly "$MARQUE_STORE/marque.db" \
        "SELECT json_extract(bytes, '$.outcome') FROM entry ORDER BY seq DESC LIMIT 1")" refused
}

@test "a root key that a command prints" {
    init_store
    create codex
    mv "$MARQUE_STORE/root.key" "$WORK/kept.key"
    printf '#!/bin/sh\nexec cat "%s"\n' "$WORK/kept.key" > "$WORK/print-key"
    chmod 700 "$WORK/print-key"
    echo "$WORK/print-key" > "$MARQUE_STORE/root.key.command"
    chmod 600 "$MARQUE_STORE/root.key.command"
    accepted "$WORK/codex.token"
    answers 0 revoke codex --reason r --confirm
    answers 0 doctor
    answers 3 store rotate-key --confirm
    has "$stderr" "put it into root.key"
    accepted_before=$(log_size)
    # What it prints must be a key, it must succeed, and nobody else may say which program it is.
    printf '#!/bin/sh\necho nonsense\n' > "$WORK/print-key"
    answers 10 list
    printf '#!/bin/sh\ncat "%s"; exit 1\n' "$WORK/kept.key" > "$WORK/print-key"
    answers 8 list
    has "$stderr" "did not print the root key"
    chmod 666 "$MARQUE_STORE/root.key.command"
    answers 3 list
    echo "print-key" > "$MARQUE_STORE/root.key.command"
    chmod 600 "$MARQUE_STORE/root.key.command"
    PATH="$WORK:$PATH" answers 10 list
    mv "$WORK/kept.key" "$MARQUE_STORE/root.key"
    equal "$(log_size)" "$accepted_before"
}

@test "a root key that is systemd's credential; one in the folder goes before it" {
    init_store
    create codex
    mkdir "$WORK/credentials"
    mv "$MARQUE_STORE/root.key" "$WORK/credentials/marque.root-key"
    code=0
    "$MARQUE" verify < "$WORK/codex.token" > /dev/null 2>&1 || code=$?
    equal "$code" 8
    export CREDENTIALS_DIRECTORY="$WORK/credentials"
    accepted "$WORK/codex.token"
    answers 0 doctor
    has "$output" "a credential of the service manager"
    chmod 640 "$WORK/credentials/marque.root-key"
    accepted "$WORK/codex.token"
    chmod 644 "$WORK/credentials/marque.root-key"
    answers 3 list
    # In somebody else's environment it is another key, and opens nothing.
    printf '%064d\n' 1 > "$WORK/credentials/marque.root-key"
    chmod 600 "$WORK/credentials/marque.root-key"
    answers 10 list
}

@test "a server goes on with the key that a command printed when it began" {
    command -v curl > /dev/null || skip "there is no curl"
    init_store
    create codex
    mv "$MARQUE_STORE/root.key" "$WORK/kept.key"
    echo "/bin/cat $WORK/kept.key" > "$MARQUE_STORE/root.key.command"
    chmod 600 "$MARQUE_STORE/root.key.command"
    : > "$WORK/serve.log"
    "$MARQUE" serve --unix "$WORK/socket" 2> "$WORK/serve.log" 3>&- &
    local server=$!
    timeout 20 tail -f -n +1 "$WORK/serve.log" 3>&- | grep -q -m 1 ' ready '
    says() { curl -s -o /dev/null -w '%{http_code}' --unix-socket "$WORK/socket" -H "Authorization: Bearer $(cat "$WORK/codex.token")" http://m/auth; }
    equal "$(says)" 200
    answers 0 revoke codex --reason r --confirm
    equal "$(says)" 401
    # Rotated under it: nobody is accepted by what it knows, until it is started again.
    mv "$WORK/kept.key" "$MARQUE_STORE/root.key"
    rm "$MARQUE_STORE/root.key.command"
    "$MARQUE" store rotate-key --confirm 2> /dev/null
    equal "$(says)" 503
    kill "$server"
    wait "$server" || :
}
