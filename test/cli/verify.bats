#!/usr/bin/env bats
# marque verify

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

verdict() {
    "$MARQUE" verify || true
}

@test "verify: an accepted token: 0, and whose it is" {
    init_store
    create codex
    run --separate-stderr "$MARQUE" verify < "$WORK/codex.token"
    equal "$status" 0
    equal "$output" "accepted: codex in default, dev (credential $(credential_in "$WORK/codex.token"))"
    equal "$stderr" ""
}

@test "verify: -o json, its keys" {
    init_store
    create codex
    run --separate-stderr "$MARQUE" verify -o json < "$WORK/codex.token"
    equal "$status" 0
    equal "$(json 'keys | join(" ")')" "accepted credential environment expires_at identity reason schema scopes workspace"
    run --separate-stderr "$MARQUE" verify -o json <<< nonsense
    equal "$status" 3
    equal "$output" '{"accepted":false,"reason":"malformed","schema":"marque/1"}'
}

@test "verify: 3 when it is not accepted, whatever the reason, and the reason for the operator" {
    init_store
    create codex
    equal "$(verdict <<< nonsense)" "refused: malformed"
    equal "$(verdict < /dev/null)" "refused: malformed"
    for input in nonsense "" "mrq_test_" "Bearer x"; do
        run "$MARQUE" verify <<< "$input"
        equal "$status" 3
    done
    "$MARQUE" pause "$(credential_in "$WORK/codex.token")" --reason r --confirm 2> /dev/null
    has "$(verdict < "$WORK/codex.token")" "refused: credential_paused: codex"
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    "$MARQUE" resume "$(credential_in "$WORK/codex.token")" --confirm 2> /dev/null
    has "$(verdict < "$WORK/codex.token")" "refused: identity_paused: codex"
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    has "$(verdict < "$WORK/codex.token")" "refused: identity_revoked: codex"
}

@test "verify: another installation's token is unknown" {
    init_store
    create codex
    export MARQUE_STORE="$WORK/other"
    init_store
    equal "$(verdict < "$WORK/codex.token")" "refused: unknown"
}

@test "verify: one character changed, anywhere, is refused" {
    init_store
    create codex
    token=$(cat "$WORK/codex.token")
    for at in 0 3 4 8 9 15 20 21 22 40 64 65 70; do
        c=${token:$at:1}
        [ "$c" = 7 ] && d=8 || d=7
        printf '%s%s%s' "${token:0:$at}" "$d" "${token:$((at + 1))}" > "$WORK/changed"
        refused "$WORK/changed"
    done
}

@test "verify: a test token is not a live one, though its checksum be right" {
    init_store
    create codex
    python3 - "$(cat "$WORK/codex.token")" > "$WORK/live" << 'PYTHON'
import sys, zlib
body = sys.argv[1].replace("mrq_test_", "mrq_live_")[:65]
rest, digits = zlib.crc32(body.encode()), ""
alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
for _ in range(6):
    rest, digit = divmod(rest, 62)
    digits = alphabet[digit] + digits
print(body + digits)
PYTHON
    has "$(verdict < "$WORK/live")" "refused: wrong_secret"
}

@test "verify --scope: 0 with it, 3 without it, 2 when it is none" {
    init_store
    create codex
    "$MARQUE" verify --scope card:view < "$WORK/codex.token"
    run --separate-stderr "$MARQUE" verify --scope board:delete < "$WORK/codex.token"
    equal "$status" 3
    has "$output" "refused: scope_missing"
    for bad in card "card:*" "card:view,card:edit" kan; do
        run --separate-stderr "$MARQUE" verify --scope "$bad" < "$WORK/codex.token"
        equal "$status" 2
        equal "$output" ""
    done
}

@test "verify --scope: an empty one is refused, not taken for none" {
    init_store
    create codex
    run --separate-stderr "$MARQUE" verify --scope "" < "$WORK/codex.token"
    equal "$status" 2
}

@test "verify --env: 0 in it, 3 in another, 2 when it is no name" {
    init_store
    create codex
    "$MARQUE" verify --env dev --scope card:view < "$WORK/codex.token"
    for other in production nowhere; do
        run --separate-stderr "$MARQUE" verify --env "$other" --scope board:delete < "$WORK/codex.token"
        equal "$status" 3
        equal "$output" "refused: environment_differs: codex in default, dev (credential $(credential_in "$WORK/codex.token"))"
    done
    run --separate-stderr "$MARQUE" verify --env production -o json < "$WORK/codex.token"
    equal "$status" 3
    equal "$(json '[.accepted, .reason, .environment] | map(tostring) | join(" ")')" "false environment_differs dev"
    for bad in "" Dev "dev,staging" "*"; do
        run --separate-stderr "$MARQUE" verify --env "$bad" < "$WORK/codex.token"
        equal "$status" 2
        equal "$output" ""
    done
    equal "$("$MARQUE" inspect codex -o json | jq '.credentials[0].use_count')" 1
}

@test "invariant 13: verification writes no event, and notes only accepted uses" {
    init_store
    create codex
    before=$(log_size)
    accepted "$WORK/codex.token"
    accepted "$WORK/codex.token"
    "$MARQUE" verify --scope board:delete < "$WORK/codex.token" > /dev/null || true
    equal "$(log_size)" "$before"
    equal "$("$MARQUE" inspect codex -o json | jq '.credentials[0].use_count')" 2
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    refused "$WORK/codex.token"
    equal "$("$MARQUE" inspect codex -o json | jq '.credentials[0].use_count')" 2
}

@test "invariant 13: last use goes forward only" {
    needs_clock
    at 2026-11-23T20:43:00.000000Z
    init_store
    create codex
    at 2026-11-24T00:00:00.000000Z
    accepted "$WORK/codex.token"
    at 2026-11-23T22:00:00.000000Z
    accepted "$WORK/codex.token"
    equal "$("$MARQUE" inspect codex -o json | jq -r '.credentials[0].last_used_at')" 2026-11-24T00:00:00.000000Z
}

@test "invariant 6: what revoke, pause and rotate --compromised ended is refused by every verification that begins after" {
    init_store
    for n in 1 2 3; do create "a$n"; done
    "$MARQUE" revoke a1 --reason r --confirm 2> /dev/null
    refused "$WORK/a1.token"
    "$MARQUE" pause a2 --reason r --confirm 2> /dev/null
    refused "$WORK/a2.token"
    "$MARQUE" rotate a3 --compromised --confirm > /dev/null 2>&1
    refused "$WORK/a3.token"
}

@test "verify: does not wait for a terminal when stdin is closed" {
    init_store
    code=0
    timeout 5 "$MARQUE" verify <&- > "$WORK/out" 2> /dev/null || code=$?
    [ "$code" -ne 0 ]
    [ "$code" -ne 124 ]
    lacks "$(cat "$WORK/out")" accepted
}

@test "verify: the token goes neither to stdout nor to stderr" {
    init_store
    create codex
    for options in "" "-o json"; do
        # shellcheck disable=SC2086
        run --separate-stderr "$MARQUE" verify $options < "$WORK/codex.token"
        lacks "$output$stderr" "$(cut -c 23-65 "$WORK/codex.token")"
    done
}

@test "verify: expired is refused from that moment" {
    needs_clock
    at 2026-11-23T20:43:00.000000Z
    init_store
    create codex --expires 2026-11-30
    at 2026-11-30T23:59:59.999998Z
    accepted "$WORK/codex.token"
    at 2026-11-30T23:59:59.999999Z
    refused "$WORK/codex.token"
    has "$(verdict < "$WORK/codex.token")" "refused: expired: codex"
}

@test "verify: an older copy of the store, where a server knew more of its log, gives no verdict: 10" {
    init_store
    create codex
    sqlite3 "$MARQUE_STORE/marque.db" ".backup $WORK/older.db"
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    : > "$WORK/serve.log"
    "$MARQUE" serve --unix "$WORK/socket" 2> "$WORK/serve.log" 3>&- &
    local server=$!
    timeout 20 tail -f -n +1 "$WORK/serve.log" 3>&- | grep -q -m 1 ' ready '
    kill "$server"
    wait "$server" || :
    refused "$WORK/codex.token"
    rm -f "$MARQUE_STORE/marque.db-wal" "$MARQUE_STORE/marque.db-shm"
    cp "$WORK/older.db" "$MARQUE_STORE/marque.db"
    code=0
    "$MARQUE" verify < "$WORK/codex.token" > "$WORK/said" 2> "$WORK/why" || code=$?
    equal "$code $(cat "$WORK/said")" "10 "
    has "$(cat "$WORK/why")" "the log went back"
    # It is for the owners, or without any for whoever manages it, to say that this is to be gone on with.
    answers 0 store accept --reason 'restored' --confirm
    accepted "$WORK/codex.token"
}
