#!/usr/bin/env bats
# marque notify: the hooks expiring_soon and revoked_in_use.
# shellcheck disable=SC2154

load helpers

# Each event's document goes to $WORK/EVENT, replacing the last.
hooks() {
    printf '#!/bin/sh\ncat > "%s/$1"\n' "$WORK" > "$WORK/hook"
    chmod 755 "$WORK/hook"
    printf '[hooks]\nexpiring_soon = "%s"\nrevoked_in_use = "%s"\n' "$WORK/hook" "$WORK/hook" > "$MARQUE_STORE/hooks.toml"
}
told() {
    [ ! -e "$WORK/$1" ] || jq -r '.credentials[].identity' "$WORK/$1" | paste -sd' '
    rm -f "$WORK/$1"
}

@test "notify: what ends within two weeks, once; and again a week and a day before" {
    needs_clock
    at 2027-01-01T00:00:00.000000Z
    init_store
    hooks
    create soon --expires 10d --contact bob
    create later --expires 20d
    create never --expires never
    answers 0 notify
    equal "$(jq -r '.schema, .event, .credentials[0].contact, .credentials[0].expires_at' "$WORK/expiring_soon" | paste -sd' ')" \
        "marque/1 expiring_soon bob 2027-01-11T00:00:00.000000Z"
    equal "$(told expiring_soon)" soon
    answers 0 notify
    equal "$(told expiring_soon)" ""
    at 2027-01-04T12:00:00.000000Z
    answers 0 notify
    equal "$(told expiring_soon)" "soon"
    at 2027-01-08T00:00:00.000000Z
    answers 0 notify
    equal "$(told expiring_soon)" "later"
    at 2027-01-10T00:00:01.000000Z
    answers 0 notify
    equal "$(told expiring_soon)" "soon"
    at 2027-01-12T00:00:00.000000Z
    answers 0 notify
    equal "$(told expiring_soon)" ""
}

@test "notify: hours that were missed are made up for; what could not be told is told the next time" {
    needs_clock
    at 2027-01-01T00:00:00.000000Z
    init_store
    hooks
    answers 0 notify
    at 2027-01-01T00:00:01.000000Z
    create soon --expires 10d
    at 2027-01-03T00:00:00.000000Z
    printf '#!/bin/sh\nexit 1\n' > "$WORK/hook"
    answers 8 notify
    has "$stderr" "failed"
    hooks
    answers 0 notify
    equal "$(told expiring_soon)" soon
}

@test "notify: --dry-run shows what would be told, and remembers nothing" {
    init_store
    hooks
    create soon --expires 10d
    answers 0 notify --dry-run
    equal "$(jq -r '.event' <<< "$output")" expiring_soon
    [ ! -e "$WORK/expiring_soon" ]
    answers 0 notify --within 5d
    equal "$(told expiring_soon)" ""
    [ "$(stat -c %a "$MARQUE_STORE/notified.expiring_soon")" = 600 ]
}

@test "notify: without a hook nobody is told, it says so with 3, and nothing counts as told" {
    init_store
    create soon --expires 10d
    leaves_store_alone 3 notify
    has "$stderr" "no hook is set for expiring_soon or revoked_in_use, so nobody was told"
    has "$stderr" "'$MARQUE_STORE/hooks.toml'"
    printf '[hooks]\nrevoked_in_use = "/bin/true"\n' > "$MARQUE_STORE/hooks.toml"
    answers 0 notify
    has "$stderr" "expiring_soon: credentials: 1; no hook is set for it"
    hooks
    answers 0 notify
    equal "$(told expiring_soon)" soon
    echo nonsense > "$MARQUE_STORE/notified.expiring_soon"
    answers 10 notify
}

@test "notify: a hook that leaves a child behind is told once, and not waited for" {
    init_store
    create soon --expires 10d
    # The child holds the hook's output open until the test ends.
    printf '#!/bin/sh\necho told >> "%s/told"\n(read -r word < "%s/fifo") &\n' "$WORK" "$WORK" > "$WORK/hook"
    mkfifo "$WORK/fifo"
    chmod 755 "$WORK/hook"
    printf '[hooks]\nexpiring_soon = "%s"\n' "$WORK/hook" > "$MARQUE_STORE/hooks.toml"
    run timeout 9 "$MARQUE" notify
    local code=$status
    answers 0 notify
    echo end > "$WORK/fifo"
    equal "$code" 0
    equal "$(cat "$WORK/told")" told
}

@test "notify: -o json is one document, of both events" {
    init_store
    hooks
    create soon --expires 10d
    answers 0 notify --dry-run -o json
    equal "$(json '[.events[] | [.event, (.credentials | length), .told]]')" \
        '[["expiring_soon",1,false],["revoked_in_use",0,false]]'
    answers 0 notify -o json
    equal "$(json '[.events[].told]')" "[true,true]"
    equal "$stderr" ""
}
