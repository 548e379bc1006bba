#!/usr/bin/env bats
# marque inspect

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "inspect: scopes, expiry, last use and from where, recent events" {
    init_store
    create codex --contact ops@example.org --description "reviews pull requests" --label team=ops --label tier=1
    accepted "$WORK/codex.token"
    leaves_store_alone 0 inspect codex
    equal "${lines[0]}" "codex  agent in default, dev"
    has "$output" "  state    active"
    has "$output" "  scopes   card:edit,card:view"
    has "$output" "  contact  ops@example.org"
    has "$output" "  is for   reviews pull requests"
    has "$output" "  labels   team=ops, tier=1"
    has "$output" "just now from command line"
    has "$output" "identity.create"
}

@test "inspect: -o json, its keys" {
    init_store
    create codex --expires 7d
    answers 0 inspect codex -o json
    equal "$(json 'keys | join(" ")')" \
        "contact created_at credentials description environment events identity kind labels live_credentials own_state protected revision schema scopes state workspace"
    equal "$(json '.credentials[0] | keys | join(" ")')" "created_at credential expires_at own_state revision scopes state"
    accepted "$WORK/codex.token"
    answers 0 inspect codex -o json
    equal "$(json '.credentials[0] | [.last_used_from, .use_count]')" '["command line",1]'
}

@test "inspect: by a credential's id, and by the token, which is not counted as a use" {
    init_store
    create codex
    "$MARQUE" issue codex --confirm > /dev/null 2>&1
    id=$(credential_in "$WORK/codex.token")
    answers 0 inspect "$id"
    equal "$(grep -c ' all$' <<< "$output")" 1
    run --separate-stderr "$MARQUE" inspect --token-stdin -o json < "$WORK/codex.token"
    equal "$status" 0
    equal "$(json '.identity, .asked_for' | paste -sd' ')" "codex $id"
    equal "$("$MARQUE" inspect codex -o json | jq '[.credentials[] | has("last_used_at")] | any')" false
}

@test "inspect: neither token nor hash is in it" {
    init_store
    create codex
    hash=$(sqlite3 -readonly "$MARQUE_STORE/marque.db" "SELECT lower(hex(hash)) FROM credential")
    for form in text json; do
        answers 0 inspect codex -o "$form"
        lacks "$output" "$hash"
        lacks "$output" "$(cut -c 23-65 "$WORK/codex.token")"
    done
}

@test "inspect: all states that are over stay visible, with who, when and why" {
    init_store
    create codex
    id=$(credential_in "$WORK/codex.token")
    "$MARQUE" revoke "$id" --reason leaked --confirm 2> /dev/null
    answers 0 inspect codex
    has "$output" "revoked just now by ops “leaked”"
    answers 0 inspect "$id"
    has "$output" revoked
}

@test "inspect: --events says how many; the newest first" {
    init_store
    create codex
    answers 0 inspect codex --events 1 -o json
    equal "$(json '[.events[].action]')" '["credential.activate"]'
    answers 0 inspect codex --events 0 -o json
    equal "$(json '.events')" '[]'
    answers 2 inspect codex --events -1
    answers 2 inspect codex --events many
}

@test "inspect: refusals about the identity are among its events" {
    init_store
    create codex
    "$MARQUE" create codex --scope card:edit --confirm 2> /dev/null || true
    equal "$("$MARQUE" inspect codex -o json | jq -r '.events[0] | .action + " " + .outcome')" "identity.create refused"
}

@test "inspect: whom, and only one of them; unknown is 7" {
    init_store
    create codex
    answers 2 inspect
    has "$stderr" "say whom"
    answers 2 inspect codex --token-stdin
    answers 7 inspect codx
    has "$stderr" "did you mean codex?"
    answers 7 inspect 000000000000
}

@test "inspect: times are shown relative and absolute" {
    needs_clock
    at 2026-11-23T20:43:00.000000Z
    init_store
    create codex --expires 7d
    at 2026-11-24T20:43:00.000000Z
    answers 0 inspect codex
    has "$output" "(2026-11-23 20:43:00 UTC)"
    has "$output" "in 6 days (2026-11-30 20:43:00 UTC)"
    has "$output" "ago"
}

@test "inspect: a pause says when it ends by itself" {
    needs_clock
    at 2026-11-23T20:43:00.000000Z
    init_store
    create codex
    "$MARQUE" pause codex --for 2h --reason r --confirm 2> /dev/null
    answers 0 inspect codex
    has "$output" "2026-11-23 22:43:00 UTC"
    answers 0 inspect codex -o json
    equal "$(json .paused_until)" 2026-11-23T22:43:00.000000Z
}

@test "inspect: a lifetime of seven days, just given, is said to be seven days" {
    init_store
    create codex --expires 7d
    answers 0 inspect codex
    has "$output" "in 7 days"
}

@test "inspect: the state in force is the strictest: no credential of a revoked identity is shown as active" {
    init_store
    create codex
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    lacks "$("$MARQUE" inspect "$(credential_in "$WORK/codex.token")" | grep "^$(credential_in "$WORK/codex.token")")" active
}

@test "inspect -o json: the state in force is the strictest: no credential of a revoked identity is active" {
    init_store
    create codex
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    answers 0 inspect codex -o json
    equal "$(json '.credentials[0].state')" revoked
}
