#!/usr/bin/env bats
# marque activate: what is left to do when a command dies between delivery and activation.

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "activate: one that is in force already is nothing to do" {
    init_store
    create codex
    before=$(contents)
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/codex.token"
    equal "$status" 0
    equal "$output" ""
    has "$stderr" "nothing to do"
    equal "$(contents)" "$before"
    run --separate-stderr "$MARQUE" activate --token-stdin < "$WORK/codex.token"
    equal "$status" 0
}

@test "activate: a token with another secret is not taken, though its id is there" {
    init_store
    create codex
    python3 - "$(cat "$WORK/codex.token")" > "$WORK/forged" << 'PYTHON'
import sys, zlib
token = sys.argv[1]
body = token[:22] + ("A" if token[22] != "A" else "B") + token[23:65]
rest, digits = zlib.crc32(body.encode()), ""
alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
for _ in range(6):
    rest, digit = divmod(rest, 62)
    digits = alphabet[digit] + digits
print(body + digits)
PYTHON
    before=$(contents)
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/forged"
    equal "$status" 7
    has "$stderr" "the token is not that of credential $(credential_in "$WORK/codex.token"), though it bears its id"
    equal "$(contents)" "$before"
    has "$("$MARQUE" verify < "$WORK/forged" || true)" "refused: wrong_secret"
}

@test "activate: a token of another installation is 7, a mistyped one 2, none 2" {
    init_store
    create codex
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm <<< "mrq_test_nonsense"
    equal "$status" 2
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < /dev/null
    equal "$status" 2
    export MARQUE_STORE="$WORK/other"
    init_store
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/codex.token"
    equal "$status" 7
}

@test "activate: wants --token-stdin: the token is never an argument" {
    init_store
    create codex
    leaves_store_alone 2 activate --confirm
    leaves_store_alone 2 activate "$(cat "$WORK/codex.token")" --confirm
    has "$stderr" "a token is never given on the command line"
    lacks "$stderr" "$(cut -c 23- "$WORK/codex.token")"
}

@test "invariant 5: activate does not bring back what is revoked" {
    init_store
    create codex
    "$MARQUE" revoke "$(credential_in "$WORK/codex.token")" --reason r --confirm 2> /dev/null
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/codex.token"
    equal "$status" 3
    has "$stderr" "it is revoked, which is final"
    refused "$WORK/codex.token"
}

@test "activate: one whose identity is revoked stays refused" {
    init_store
    create codex
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/codex.token"
    refused "$WORK/codex.token"
}

@test "activate: a paused one is resumed, not activated" {
    init_store
    create codex
    "$MARQUE" pause "$(credential_in "$WORK/codex.token")" --reason r --confirm 2> /dev/null
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/codex.token"
    equal "$status" 3
    has "$stderr" "it was activated before; resume it"
    refused "$WORK/codex.token"
}

@test "invariant 3: a create that dies after delivery leaves a pending credential, and activate is the one command left" {
    init_store
    cut_off create codex --scope card:edit --confirm > "$WORK/codex.token"
    id=$(credential_in "$WORK/codex.token")
    equal "$(state_of_credential "$id")" pending
    refused "$WORK/codex.token"
    has "$("$MARQUE" verify < "$WORK/codex.token" || true)" "refused: not_in_force"
    before=$(contents)
    run --separate-stderr "$MARQUE" activate --token-stdin < "$WORK/codex.token"
    equal "$status" 5
    has "$stderr" "Plan: activate as ops"
    run --separate-stderr "$MARQUE" activate --token-stdin --dry-run < "$WORK/codex.token"
    equal "$status" 0
    equal "$(contents)" "$before"
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/codex.token"
    equal "$status" 0
    has "$stderr" "activated credential $id of codex"
    accepted "$WORK/codex.token"
}

@test "invariant 4: a rotation that dies after delivery leaves the old one in force; activate finishes it" {
    init_store
    create codex
    cut_off rotate codex --compromised --confirm > "$WORK/new.token"
    accepted "$WORK/codex.token"
    refused "$WORK/new.token"
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/new.token"
    equal "$status" 0
    accepted "$WORK/new.token"
    refused "$WORK/codex.token"
}

@test "activate: under a paused identity it comes into force, and is still refused" {
    init_store
    create codex
    cut_off issue codex --confirm > "$WORK/new.token"
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/new.token"
    equal "$status" 0
    refused "$WORK/new.token"
    "$MARQUE" resume codex --confirm 2> /dev/null
    accepted "$WORK/new.token"
}

@test "invariant 5: a pending one whose identity was revoked meanwhile is not activated" {
    init_store
    create codex
    cut_off issue codex --confirm > "$WORK/new.token"
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/new.token"
    equal "$status" 3
    refused "$WORK/new.token"
}

@test "invariant 4: a second rotation while the first is pending: finishing both leaves one in force, the old one replaced once" {
    init_store
    create codex
    cut_off rotate codex --confirm > "$WORK/first.token"
    answers 0 rotate codex --confirm --token-file "$WORK/second.token"
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/first.token"
    equal "$status" 3
    has "$stderr" "it has been replaced already"
    refused "$WORK/first.token"
    accepted "$WORK/second.token"
}

@test "activate: what was not delivered within ten minutes lapses, and can't be activated" {
    needs_clock
    at 2026-11-23T20:43:00.000000Z
    init_store
    cut_off create codex --scope card:edit --confirm > "$WORK/codex.token"
    cut_off create pilot --scope card:edit --confirm > "$WORK/pilot.token"
    at 2026-11-23T20:52:59.999999Z
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/pilot.token"
    equal "$status" 0
    at 2026-11-23T20:53:00.000000Z
    equal "$(state_of_credential "$(credential_in "$WORK/codex.token")")" lapsed
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/codex.token"
    equal "$status" 3
    has "$stderr" "its token was not delivered in time; issue a new one"
    refused "$WORK/codex.token"
    accepted "$WORK/pilot.token"
    equal "$("$MARQUE" list --state lapsed --names)" codex
}
