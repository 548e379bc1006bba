#!/usr/bin/env bats
# marque revoke

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "revoke: an identity; its tokens are refused at once and it is there to be seen, with who, when and why" {
    init_store
    create codex
    answers 0 revoke codex --reason "laptop lost" --confirm
    equal "$output" ""
    has "$stderr" "revoked identity codex"
    refused "$WORK/codex.token"
    equal "$("$MARQUE" verify < "$WORK/codex.token" || true)" \
        "refused: identity_revoked: codex in default, dev (credential $(credential_in "$WORK/codex.token"))"
    equal "$(state_of codex)" revoked
    has "$("$MARQUE" inspect codex)" "revoked just now by ops “laptop lost”"
    equal "$(newest_event '.action, .outcome, .reason' | paste -sd' ')" "identity.revoke done laptop lost"
}

@test "revoke: one credential; the identity's others go on" {
    init_store
    create codex
    "$MARQUE" issue codex --confirm --token-file "$WORK/second.token" 2> /dev/null
    answers 0 revoke "$(credential_in "$WORK/codex.token")" --reason leaked --confirm
    refused "$WORK/codex.token"
    accepted "$WORK/second.token"
    equal "$(state_of codex)" active
}

@test "revoke: says first what would stop, and when it was last used; without --confirm nothing changes" {
    init_store
    create codex
    accepted "$WORK/codex.token"
    leaves_store_alone 5 revoke codex --reason r
    equal "$output" ""
    has "$stderr" "Plan: revoke as ops"
    has "$stderr" "What works now and would stop: 1"
    has "$stderr" "credential $(credential_in "$WORK/codex.token") of codex: last used just now from command line"
    accepted "$WORK/codex.token"
}

@test "invariant 9: --dry-run is the command: revoke" {
    init_store
    create codex
    leaves_store_alone 5 revoke codex --reason r -o json
    shown=$(json .plan)
    leaves_store_alone 0 revoke codex --reason r --dry-run -o json
    equal "$(json .plan)" "$shown"
    equal "$(json '.plan.would_stop | length')" 1
    leaves_store_alone 7 revoke nobody --reason r --dry-run
}

@test "invariant 9: revoke --confirm=DIGEST: not when the plan has changed since" {
    init_store
    create codex
    answers 5 revoke codex --reason r
    digest=$(shown_digest)
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    leaves_store_alone 5 revoke codex --reason r --confirm="$digest"
    has "$stderr" "the plan is no longer the one that was shown; nothing changed"
    answers 5 revoke codex --reason r
    answers 0 revoke codex --reason r --confirm="$(shown_digest)"
}

@test "revoke: wants a reason" {
    init_store
    create codex
    leaves_store_alone 2 revoke codex --confirm
    has "$stderr" "--reason"
    accepted "$WORK/codex.token"
}

@test "invariant 5: a second revoke succeeds and changes nothing" {
    init_store
    create codex
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    leaves_store_alone 0 revoke codex --reason "another reason" --confirm
    has "$stderr" "nothing to do: identity codex: it is revoked already"
    leaves_store_alone 0 revoke codex --reason r --confirm -o json
    equal "$(json .result)" already_so
    leaves_store_alone 0 revoke codex --reason r
}

@test "invariant 5: revoked is for ever: no resume, no issue, no rotate, no pause, no activate" {
    init_store
    create codex
    id=$(credential_in "$WORK/codex.token")
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    for command in "resume codex" "issue codex" "rotate codex" "pause codex --reason r" "rotate $id"; do
        # shellcheck disable=SC2086
        answers 3 $command --confirm
        equal "$output" ""
        has "$stderr" "final"
    done
    refused "$WORK/codex.token"
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/codex.token"
    refused "$WORK/codex.token"
    equal "$(state_of codex)" revoked
}

@test "invariant 5: a revoked credential can't be resumed, paused, rotated or activated" {
    init_store
    create codex
    id=$(credential_in "$WORK/codex.token")
    "$MARQUE" revoke "$id" --reason r --confirm 2> /dev/null
    answers 3 resume "$id" --confirm
    answers 3 pause "$id" --reason r --confirm
    answers 3 rotate "$id" --confirm
    run --separate-stderr "$MARQUE" activate --token-stdin --confirm < "$WORK/codex.token"
    equal "$status" 3
    refused "$WORK/codex.token"
}

@test "revoke: by the token on standard input, which is not counted as a use" {
    init_store
    create codex
    "$MARQUE" issue codex --confirm --token-file "$WORK/second.token" 2> /dev/null
    run --separate-stderr "$MARQUE" revoke --token-stdin --reason leaked < "$WORK/codex.token"
    equal "$status" 5
    has "$stderr" "credential $(credential_in "$WORK/codex.token") of codex: never used"
    run --separate-stderr "$MARQUE" revoke --token-stdin --reason leaked --confirm < "$WORK/codex.token"
    equal "$status" 0
    refused "$WORK/codex.token"
    accepted "$WORK/second.token"
    equal "$("$MARQUE" inspect codex -o json | jq '[.credentials[] | select(.state == "revoked") | has("last_used_at")]' -c)" '[false]'
    lacks "$("$MARQUE" audit export)" "$(cut -c 23- "$WORK/codex.token")"
}

@test "revoke: a token that is not one of ours: 7, and it says why" {
    init_store
    create codex
    export MARQUE_STORE="$WORK/other"
    init_store
    run --separate-stderr "$MARQUE" revoke --token-stdin --reason leaked --confirm < "$WORK/codex.token"
    equal "$status" 7
    has "$stderr" "no credential here has its id"
    has "$stderr" "it may be of another installation"
    lacks "$stderr" "$(cut -c 23- "$WORK/codex.token")"
}

@test "revoke: a token that was cut, or is none: 2, and nothing of it is repeated" {
    init_store
    create codex
    cut -c 1-70 "$WORK/codex.token" > "$WORK/cut"
    run --separate-stderr "$MARQUE" revoke --token-stdin --reason r --confirm < "$WORK/cut"
    equal "$status" 2
    has "$stderr" "not a Marque token"
    lacks "$stderr" "$(cut -c 23-60 "$WORK/codex.token")"
    token=$(cat "$WORK/codex.token")
    last=${token: -1}
    printf '%s%s' "${token:0:70}" "$([ "$last" = 0 ] && echo 1 || echo 0)" > "$WORK/mistyped"
    run --separate-stderr "$MARQUE" revoke --token-stdin --reason r --confirm < "$WORK/mistyped"
    equal "$status" 2
    has "$stderr" "checksum is wrong"
    run --separate-stderr "$MARQUE" revoke --token-stdin --reason r --confirm < /dev/null
    equal "$status" 2
    accepted "$WORK/codex.token"
}

@test "revoke: --filter revokes whoever meets all conditions, confirmed by their count" {
    init_store
    create a1 --label team=ops
    create a2 --label team=ops --kind ci
    create a3 --label team=dev
    leaves_store_alone 5 revoke --filter label.team=ops --reason r
    has "$stderr" "--confirm=2"
    digest=$(shown_digest)
    leaves_store_alone 5 revoke --filter label.team=ops --reason r --confirm
    has "$stderr" "a bare --confirm is not enough"
    leaves_store_alone 5 revoke --filter label.team=ops --reason r --confirm=3
    has "$stderr" "3 confirmed, but the plan changes 2; nothing changed"
    accepted "$WORK/a1.token"
    answers 0 revoke --filter label.team=ops --reason r --confirm=2
    refused "$WORK/a1.token"
    refused "$WORK/a2.token"
    accepted "$WORK/a3.token"
    leaves_store_alone 7 revoke --filter label.team=ops --reason r --confirm="$digest"
}

@test "revoke: --filter of one still wants its count, and all conditions have to hold" {
    init_store
    create a1 --label team=ops
    create a2 --label team=ops --kind ci
    leaves_store_alone 5 revoke --filter label.team=ops --filter kind=ci --reason r --confirm
    answers 0 revoke --filter label.team=ops --filter kind=ci --reason r --confirm=1
    accepted "$WORK/a1.token"
    refused "$WORK/a2.token"
}

@test "revoke: --filter env= and state=; those revoked before are not counted again" {
    init_store
    create a1
    create a2 --env staging
    create a3 --env staging
    "$MARQUE" pause a3 --reason r --confirm 2> /dev/null
    answers 0 revoke --filter state=paused --reason r --confirm=1
    answers 5 revoke --filter env=staging --reason r
    has "$stderr" "--confirm=1"
    answers 0 revoke --filter env=staging --reason r --confirm=1
    accepted "$WORK/a1.token"
}

@test "revoke: --filter that nobody meets is 7, one that makes no sense is 2" {
    init_store
    create a1
    leaves_store_alone 7 revoke --filter label.team=ops --reason r --confirm=1
    has "$stderr" "no identity meets these conditions"
    leaves_store_alone 2 revoke --filter team=ops --reason r --confirm=1
    has "$stderr" "conditions: env="
    leaves_store_alone 2 revoke --filter "" --reason r --confirm=1
    leaves_store_alone 2 revoke --filter state=gone --reason r --confirm=1
    leaves_store_alone 2 revoke --filter unused=0d --reason r --confirm=1
    leaves_store_alone 2 revoke a1 --filter env=dev --reason r --confirm=1
}

@test "revoke: repeated, all must hold: the same condition twice is refused" {
    init_store
    create a1 --label team=ops
    create a2 --label team=dev --env staging
    leaves_store_alone 2 revoke --filter env=dev --filter env=staging --reason r --confirm=1
    leaves_store_alone 2 revoke --filter label.team=ops --filter label.team=dev --reason r --confirm=1
}

@test "revoke: --filter says what would stop for all of them together" {
    init_store
    create a1
    create a2
    answers 5 revoke --filter env=dev --reason r -o json
    equal "$(json '.plan.count, (.plan.would_stop | length), (.plan.changes | length)' | paste -sd' ')" "2 2 2"
    answers 5 revoke --filter env=dev --reason r
    has "$stderr" "What works now and would stop: 2"
}

@test "revoke: a paused one too, and what is paused would not stop twice" {
    init_store
    create codex
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    answers 5 revoke codex --reason r
    lacks "$stderr" "would stop"
    answers 0 revoke codex --reason r --confirm
    equal "$(state_of codex)" revoked
}

@test "revoke: an unknown name is 7 with whom was meant, an unknown id is 7" {
    init_store
    create codex
    writes_no_event 7 revoke codx --reason r --confirm
    has "$stderr" "did you mean codex?"
    writes_no_event 7 revoke 000000000000 --reason r --confirm
    has "$stderr" "there is no credential 000000000000 in workspace default"
    writes_no_event 2 revoke --reason r --confirm
    writes_no_event 2 revoke codex --token-stdin --reason r --confirm
}

@test "invariant 8: taking away never needs an owner: revoke works in a protected environment" {
    init_store
    create codex
    sqlite3 "$MARQUE_STORE/marque.db" "UPDATE environment SET is_protected = 1 WHERE name = 'dev'" 2> /dev/null || skip "rows are sealed"
    run --separate-stderr "$MARQUE" revoke codex --reason r --confirm
    [ "$status" -ne 6 ]
}

@test "invariant 5: revoke is loud when it fails: the store is garbage" {
    init_store
    create codex
    head -c 4096 /dev/zero > "$MARQUE_STORE/marque.db"
    rm -f "$MARQUE_STORE/marque.db-wal" "$MARQUE_STORE/marque.db-shm"
    run --separate-stderr "$MARQUE" revoke codex --reason r --confirm
    equal "$status" 10
    has "$stderr" "NOT REVOKED: what worked before still works"
}

@test "invariant 5: revoke is loud when it fails: the store is a folder, or gone" {
    init_store
    create codex
    mv "$MARQUE_STORE/marque.db" "$WORK/kept.db"
    run --separate-stderr "$MARQUE" revoke codex --reason r --confirm
    equal "$status" 8
    has "$stderr" "NOT REVOKED"
    mkdir "$MARQUE_STORE/marque.db"
    run --separate-stderr "$MARQUE" revoke codex --reason r --confirm
    equal "$status" 10
    has "$stderr" "NOT REVOKED"
}

@test "invariant 5: revoke is loud when it is refused" {
    init_store
    create codex
    sqlite3 "$MARQUE_STORE/marque.db" "UPDATE operator SET uid = 4000000000" 2> /dev/null
    run --separate-stderr "$MARQUE" revoke codex --reason r --confirm
    [ "$status" -eq 4 ] || [ "$status" -eq 10 ]
    has "$stderr" "NOT REVOKED: what worked before still works"
}

@test "invariant 12: whoever can write SQL can't un-revoke" {
    init_store
    create codex
    id=$(credential_in "$WORK/codex.token")
    "$MARQUE" revoke "$id" --reason r --confirm 2> /dev/null
    sqlite3 "$MARQUE_STORE/marque.db" "UPDATE credential SET state = 'active' WHERE id = '$id'"
    code=0
    "$MARQUE" verify < "$WORK/codex.token" > /dev/null 2>&1 || code=$?
    equal "$code" 10
    answers 10 doctor
    has "$output" "credential $id is not as it was written"
    answers 10 audit verify
    has "$output" "credential $id is not as it was written"
    equal "$(sqlite3 -readonly "$MARQUE_STORE/marque.db" \
        "SELECT json_extract(bytes, '$.action'), json_extract(bytes, '$.outcome') FROM entry ORDER BY seq DESC LIMIT 1")" \
        "store.read|refused"
}

@test "invariant 12: whoever can write SQL can't un-revoke an identity" {
    init_store
    create codex
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    sqlite3 "$MARQUE_STORE/marque.db" "UPDATE identity SET state = 'active' WHERE name = 'codex'"
    code=0
    "$MARQUE" verify < "$WORK/codex.token" > /dev/null 2>&1 || code=$?
    [ "$code" -ne 0 ]
}

@test "invariant 12: whoever can write SQL can't widen a credential's scopes" {
    init_store
    create codex
    sqlite3 "$MARQUE_STORE/marque.db" "UPDATE credential SET scopes = 'board:delete,card:view'; UPDATE identity SET scopes = 'board:delete,card:view'"
    code=0
    "$MARQUE" verify --scope board:delete < "$WORK/codex.token" > /dev/null 2>&1 || code=$?
    [ "$code" -ne 0 ]
}

@test "invariant 5: of many at the same time, all succeed and one is written" {
    init_store
    create codex
    before=$(log_size)
    for _ in 1 2 3 4 5 6; do
        "$MARQUE" revoke codex --reason r --confirm 2> /dev/null &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    equal "$(log_size)" $((before + 1))
    refused "$WORK/codex.token"
}
