#!/usr/bin/env bats
# marque pause, marque resume

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "pause and resume: an identity stops and goes on, with who, when and why" {
    init_store
    create codex
    answers 0 pause codex --reason "looks odd" --confirm
    equal "$output" ""
    has "$stderr" "paused identity codex"
    refused "$WORK/codex.token"
    has "$("$MARQUE" verify < "$WORK/codex.token" || true)" "refused: identity_paused"
    has "$("$MARQUE" inspect codex)" "paused just now by ops “looks odd”"
    answers 0 resume codex --confirm
    has "$stderr" "resumed identity codex"
    accepted "$WORK/codex.token"
    equal "$(newest_event .action)" identity.resume
}

@test "pause: one credential stops, the other goes on" {
    init_store
    create codex
    "$MARQUE" issue codex --confirm --token-file "$WORK/second.token" 2> /dev/null
    id=$(credential_in "$WORK/codex.token")
    answers 0 pause "$id" --reason r --confirm
    refused "$WORK/codex.token"
    accepted "$WORK/second.token"
    equal "$(state_of_credential "$id")" paused
    answers 0 resume "$id" --confirm
    accepted "$WORK/codex.token"
}

@test "pause: an environment stops everything under it at once, in one row" {
    init_store
    create a1
    create a2
    create a3 --env staging
    before=$(log_size)
    answers 5 pause --env dev --reason incident
    has "$stderr" "What works now and would stop: 2"
    answers 0 pause --env dev --reason incident --confirm
    equal "$(log_size)" $((before + 1))
    refused "$WORK/a1.token"
    refused "$WORK/a2.token"
    accepted "$WORK/a3.token"
    equal "$("$MARQUE" inspect a1 -o json | jq -r '.state, .own_state, .stopped_by' | paste -sd' ')" "paused active environment dev"
    has "$("$MARQUE" inspect a1)" "active, and paused because environment dev is"
    answers 0 resume --env dev --confirm
    accepted "$WORK/a1.token"
}

@test "pause: without --confirm the plan says what would stop and from where it was used; nothing changes" {
    init_store
    create codex
    accepted "$WORK/codex.token"
    leaves_store_alone 5 pause codex --reason r
    equal "$output" ""
    has "$stderr" "identity codex: active → paused"
    has "$stderr" "last used just now from command line"
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    leaves_store_alone 5 resume codex
    has "$stderr" "identity codex: paused → active"
}

@test "pause: the plan says until when it would be paused" {
    init_store
    create codex
    answers 5 pause codex --for 2h --reason r
    has "$stderr" "2h"
}

@test "invariant 9: --dry-run is the command: pause and resume" {
    init_store
    create codex
    leaves_store_alone 5 pause codex --for 2h --reason r -o json
    shown=$(json .plan)
    leaves_store_alone 0 pause codex --for 2h --reason r --dry-run -o json
    equal "$(json .plan)" "$shown"
    leaves_store_alone 0 resume codex --dry-run
    leaves_store_alone 7 pause nobody --reason r --dry-run
    leaves_store_alone 7 pause --env nowhere --reason r --dry-run
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    leaves_store_alone 3 pause codex --reason r --dry-run
    leaves_store_alone 3 resume codex --dry-run
}

@test "invariant 9: pause --confirm=DIGEST applies the plan shown, not a longer one" {
    init_store
    create codex
    answers 5 pause codex --for 2h --reason r
    digest=$(shown_digest)
    leaves_store_alone 5 pause codex --for 3h --reason r --confirm="$digest"
    leaves_store_alone 5 pause codex --for 2h --reason "another" --confirm="$digest"
    answers 0 pause codex --for 2h --reason r --confirm="$digest"
}

@test "pause: wants a reason" {
    init_store
    create codex
    leaves_store_alone 2 pause codex --confirm
    has "$stderr" "--reason"
}

@test "pause: by the token on standard input, which is not counted as a use" {
    init_store
    create codex
    run --separate-stderr "$MARQUE" pause --token-stdin --reason r --confirm < "$WORK/codex.token"
    equal "$status" 0
    refused "$WORK/codex.token"
    equal "$(state_of codex)" active
    equal "$(state_of_credential "$(credential_in "$WORK/codex.token")")" paused
    equal "$("$MARQUE" inspect codex -o json | jq '.credentials[0] | has("last_used_at")')" false
    run --separate-stderr "$MARQUE" resume --token-stdin --confirm < "$WORK/codex.token"
    equal "$status" 0
    accepted "$WORK/codex.token"
}

@test "pause: a token of nobody: 7" {
    init_store
    create codex
    export MARQUE_STORE="$WORK/other"
    init_store
    run --separate-stderr "$MARQUE" pause --token-stdin --reason r --confirm < "$WORK/codex.token"
    equal "$status" 7
    run --separate-stderr "$MARQUE" resume --token-stdin --confirm < "$WORK/codex.token"
    equal "$status" 7
}

@test "pause: the same pause again is nothing to do, and writes nothing" {
    init_store
    create codex
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    leaves_store_alone 0 pause codex --reason r --confirm
    has "$stderr" "nothing to do"
    "$MARQUE" resume codex --confirm 2> /dev/null
    leaves_store_alone 0 resume codex --confirm
    has "$stderr" "nothing to do: identity codex: it is not paused"
}

@test "pause: can be lengthened, not shortened" {
    init_store
    create codex
    "$MARQUE" pause codex --for 1h --reason r --confirm 2> /dev/null
    answers 0 pause codex --for 2h --reason r --confirm
    before=$(log_size)
    answers 3 pause codex --for 1h --reason r --confirm
    has "$stderr" "a pause can be lengthened, not shortened"
    equal "$(log_size)" $((before + 1))
    answers 0 pause codex --reason r --confirm
    answers 3 pause codex --for 5h --reason r --confirm
    has "$stderr" "it is paused until it is resumed"
    refused "$WORK/codex.token"
}

@test "the state in force is the strictest of credential, identity, environment and workspace" {
    init_store
    create codex
    id=$(credential_in "$WORK/codex.token")
    "$MARQUE" pause "$id" --reason r --confirm 2> /dev/null
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    "$MARQUE" pause --env dev --reason r --confirm 2> /dev/null
    "$MARQUE" workspace pause default --reason r --confirm 2> /dev/null
    refused "$WORK/codex.token"
    answers 0 resume "$id" --confirm
    has "$stderr" "identity codex is paused, so it will still not be accepted"
    has "$stderr" "environment dev is paused"
    has "$stderr" "workspace default is paused"
    refused "$WORK/codex.token"
    answers 0 resume codex --confirm
    refused "$WORK/codex.token"
    answers 0 workspace resume default --confirm
    refused "$WORK/codex.token"
    answers 0 resume --env dev --confirm
    accepted "$WORK/codex.token"
}

@test "the state in force is the strictest: a revoked credential under a paused identity is revoked" {
    init_store
    create codex
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    "$MARQUE" revoke "$(credential_in "$WORK/codex.token")" --reason r --confirm 2> /dev/null
    has "$("$MARQUE" verify < "$WORK/codex.token" || true)" "refused: credential_revoked"
    "$MARQUE" resume codex --confirm 2> /dev/null
    refused "$WORK/codex.token"
}

@test "pause: what is being replaced ends by itself: 3, with what to do instead" {
    init_store
    create codex
    "$MARQUE" rotate codex --confirm > /dev/null 2>&1
    answers 3 pause "$(credential_in "$WORK/codex.token")" --reason r --confirm
    has "$stderr" "revoke it to end it now"
}

@test "invariant 5: pausing does not soften a revocation" {
    init_store
    create codex
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    answers 3 pause codex --for 1h --reason r --confirm
    answers 3 resume codex --confirm
    has "$stderr" "it is revoked, which is final"
    refused "$WORK/codex.token"
}

@test "pause: whom, and only one of them" {
    init_store
    create codex
    leaves_store_alone 2 pause --reason r --confirm
    has "$stderr" "say whom"
    leaves_store_alone 2 pause codex --env dev --reason r --confirm
    leaves_store_alone 2 pause codex --token-stdin --reason r --confirm
    leaves_store_alone 2 pause codex --for 0s --reason r --confirm
    leaves_store_alone 2 pause codex --for soon --reason r --confirm
    leaves_store_alone 7 pause codx --reason r --confirm
    has "$stderr" "did you mean codex?"
    leaves_store_alone 7 pause --env stagin --reason r --confirm
    has "$stderr" "did you mean staging?"
}

@test "invariant 8: pausing production needs nobody; resuming it, with somebody in it, an owner" {
    init_store
    answers 0 pause --env production --reason r --confirm
    answers 6 resume --env production --confirm
    has "$stderr" "environment production is protected"
    equal "$("$MARQUE" environment list -o json | jq -r '.environments[] | select(.environment == "production").state')" paused
    equal "$(newest_event '.action, .outcome' | paste -sd' ')" "environment.resume refused"
}

@test "pause: an applied pause as JSON carries plan and revision" {
    init_store
    create codex
    answers 0 pause codex --reason r --confirm -o json
    equal "$(json 'keys | join(" ")')" "plan result revision schema"
    equal "$(json .result)" applied
    equal "$(json .revision)" "$(log_size)"
    equal "$stderr" ""
}

@test "pause --for ends by itself, for identity, credential, environment and workspace alike" {
    needs_clock
    at 2026-11-23T20:43:00.000000Z
    init_store
    for name in a1 a2; do create "$name"; done
    create a3 --env staging
    "$MARQUE" pause a1 --for 2h --reason r --confirm 2> /dev/null
    "$MARQUE" pause "$(credential_in "$WORK/a2.token")" --for 2h --reason r --confirm 2> /dev/null
    "$MARQUE" pause --env staging --for 2h --reason r --confirm 2> /dev/null
    at 2026-11-23T22:42:59.999999Z
    for name in a1 a2 a3; do refused "$WORK/$name.token"; done
    has "$("$MARQUE" inspect a1)" "resumes"
    before=$(log_size)
    at 2026-11-23T22:43:00.000000Z
    for name in a1 a2 a3; do accepted "$WORK/$name.token"; done
    equal "$(state_of a1)" active
    equal "$(log_size)" "$before"
    "$MARQUE" workspace pause default --for 1h --reason r --confirm 2> /dev/null
    at 2026-11-23T23:42:59.999999Z
    for name in a1 a2 a3; do refused "$WORK/$name.token"; done
    at 2026-11-23T23:43:00.000000Z
    for name in a1 a2 a3; do accepted "$WORK/$name.token"; done
}

@test "pause: after one has ended, a shorter one may follow" {
    needs_clock
    at 2026-11-23T20:00:00.000000Z
    init_store
    create codex
    "$MARQUE" pause codex --for 2h --reason r --confirm 2> /dev/null
    at 2026-11-23T22:00:00.000000Z
    answers 0 pause codex --for 10m --reason r --confirm
    refused "$WORK/codex.token"
    at 2026-11-23T22:10:00.000000Z
    accepted "$WORK/codex.token"
}

@test "pause: a credential's expiry goes on while it is paused" {
    needs_clock
    at 2026-11-23T20:00:00.000000Z
    init_store
    create codex --expires 1h
    "$MARQUE" pause "$(credential_in "$WORK/codex.token")" --reason r --confirm 2> /dev/null
    at 2026-11-23T21:00:00.000000Z
    answers 3 resume "$(credential_in "$WORK/codex.token")" --confirm
    has "$stderr" "it has expired"
    refused "$WORK/codex.token"
}
