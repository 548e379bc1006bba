#!/usr/bin/env bats
# marque issue

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "issue: one more credential, both work; the token alone is on stdout" {
    init_store
    create codex
    answers 0 issue codex --confirm
    equal "${#output}" 71
    printf '%s\n' "$output" > "$WORK/second.token"
    accepted "$WORK/second.token"
    accepted "$WORK/codex.token"
    equal "$("$MARQUE" inspect codex -o json | jq '.credentials | length')" 2
}

@test "issue: without --confirm the plan is shown, exit 5, nothing changes" {
    init_store
    create codex
    leaves_store_alone 5 issue codex
    equal "$output" ""
    has "$stderr" "Plan: issue as ops"
    has "$stderr" "new credential"
}

@test "invariant 9: --dry-run is the command: issue" {
    init_store
    create codex
    leaves_store_alone 5 issue codex -o json
    shown=$(json .plan)
    leaves_store_alone 0 issue codex --dry-run -o json
    equal "$(json .plan)" "$shown"
    leaves_store_alone 3 issue codex --scope board:view --dry-run
    leaves_store_alone 7 issue nobody --dry-run
}

@test "invariant 9: issue --confirm=DIGEST applies the plan shown, and no other" {
    init_store
    create codex
    answers 5 issue codex --scope card:view
    digest=$(shown_digest)
    leaves_store_alone 5 issue codex --confirm="$digest"
    answers 0 issue codex --scope card:view --confirm="$digest"
}

@test "issue: --scope gives some of the identity's scopes, never others" {
    init_store
    create codex
    answers 0 issue codex --scope card:view --confirm --token-file "$WORK/narrow.token"
    run "$MARQUE" verify --scope card:edit < "$WORK/narrow.token"
    equal "$status" 3
    "$MARQUE" verify --scope card:view < "$WORK/narrow.token"
    before=$(log_size)
    answers 3 issue codex --scope card:view,board:delete --confirm
    has "$stderr" "identity codex may not hold board:delete"
    equal "$(log_size)" $((before + 1))
    equal "$(newest_event .outcome)" refused
    answers 3 issue codex --scope kan --confirm
}

@test "issue: --expires and the environment's longest life" {
    init_store
    "$MARQUE" environment add short --max-lifetime 1d --confirm 2> /dev/null
    create codex --env short
    answers 3 issue codex --expires 2d --confirm
    has "$stderr" "live at most 1d"
    answers 0 issue codex --expires 1d --confirm
    answers 0 issue codex --confirm
    equal "$("$MARQUE" inspect codex -o json | jq '[.credentials[] |
        (.expires_at[0:19] + "Z" | fromdate) - (.created_at[0:19] + "Z" | fromdate)] | max')" 86400
}

@test "issue: who is paused or revoked gets none" {
    init_store
    create codex
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    answers 3 issue codex --confirm
    equal "$output" ""
    has "$stderr" "identity codex: it is paused"
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    answers 3 issue codex --confirm
    has "$stderr" "identity codex: it is revoked, which is final"
}

@test "issue: a name that there isn't: 7, and whom was meant" {
    init_store
    create codex
    writes_no_event 7 issue codx --confirm
    equal "$output" ""
    has "$stderr" "there is no identity codx in workspace default"
    has "$stderr" "did you mean codex?"
}

@test "invariant 3: issue --token-file: 0600, never over a file" {
    init_store
    create codex
    answers 0 issue codex --confirm --token-file "$WORK/second.token"
    equal "$output" ""
    equal "$(stat -c %a "$WORK/second.token")" 600
    leaves_store_alone 3 issue codex --confirm --token-file "$WORK/second.token"
}

@test "invariant 3: issue into /dev/full: the credential never comes into force" {
    init_store
    create codex
    code=0
    "$MARQUE" issue codex --confirm > /dev/full 2> /dev/null || code=$?
    equal "$code" 8
    equal "$("$MARQUE" inspect codex -o json | jq -c '[.credentials[].state] | sort')" '["active","revoked"]'
    accepted "$WORK/codex.token"
}

@test "issue: -o json is one document with the token" {
    init_store
    create codex
    answers 0 issue codex --confirm -o json
    equal "$(json 'keys | join(" ")')" "credential identity schema token workspace"
}
