#!/usr/bin/env bats
# marque rotate

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "rotate: prints the new token alone; old and new both work in the overlap" {
    init_store
    create codex
    answers 0 rotate codex --confirm
    equal "${#output}" 71
    printf '%s\n' "$output" > "$WORK/new.token"
    accepted "$WORK/new.token"
    accepted "$WORK/codex.token"
    equal "$(state_of_credential "$(credential_in "$WORK/codex.token")")" retiring
    equal "$(state_of_credential "$(credential_in "$WORK/new.token")")" active
    has "$stderr" "credential $(credential_in "$WORK/codex.token") of codex"
}

@test "rotate: the overlap is an hour unless it is said" {
    init_store
    create codex
    "$MARQUE" rotate codex --confirm > /dev/null 2>&1
    change=$("$MARQUE" audit export | tail -n 1)
    equal "$(jq -r .action <<< "$change")" credential.retire
    equal "$(jq '(.change.after.retire_at[0:19] + "Z" | fromdate) - (.at[0:19] + "Z" | fromdate)' <<< "$change")" 3600
}

@test "rotate: without --confirm the plan names the old credential and what becomes of it; nothing changes" {
    init_store
    create codex
    leaves_store_alone 5 rotate codex --overlap 2h
    equal "$output" ""
    has "$stderr" "Plan: rotate as ops"
    has "$stderr" "$(credential_in "$WORK/codex.token")"
    has "$stderr" "overlap 2h"
}

@test "invariant 9: --dry-run is the command: rotate shows the same plan and writes nothing" {
    init_store
    create codex
    leaves_store_alone 5 rotate codex --compromised -o json
    shown=$(json .plan)
    leaves_store_alone 0 rotate codex --compromised --dry-run -o json
    equal "$(json .plan)" "$shown"
    equal "$(json '.plan.would_stop[0].id')" "$(credential_in "$WORK/codex.token")"
    accepted "$WORK/codex.token"
}

@test "invariant 9: --dry-run is the command: rotate meets the same refusals" {
    init_store
    create codex
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    leaves_store_alone 3 rotate codex --dry-run
    leaves_store_alone 7 rotate nobody --dry-run
    leaves_store_alone 7 rotate 000000000000 --dry-run
}

@test "invariant 9: rotate --confirm=DIGEST: the plan shown is applied, and only once" {
    init_store
    create codex
    answers 5 rotate codex
    digest=$(shown_digest)
    leaves_store_alone 5 rotate codex --overlap 2h --confirm="$digest"
    equal "$output" ""
    answers 0 rotate codex --confirm="$digest"
    leaves_store_alone 5 rotate codex --confirm="$digest"
    equal "$output" ""
}

@test "rotate: --compromised ends the old one at once" {
    init_store
    create codex
    answers 0 rotate codex --compromised --confirm --token-file "$WORK/new.token"
    refused "$WORK/codex.token"
    accepted "$WORK/new.token"
    equal "$(state_of_credential "$(credential_in "$WORK/codex.token")")" revoked
}

@test "invariant 4: --compromised with a token that can't be delivered costs the old one nothing" {
    init_store
    create codex
    code=0
    "$MARQUE" rotate codex --compromised --confirm > /dev/full 2> /dev/null || code=$?
    equal "$code" 8
    accepted "$WORK/codex.token"
    equal "$(state_of_credential "$(credential_in "$WORK/codex.token")")" active
    equal "$("$MARQUE" inspect codex -o json | jq -c '[.credentials[].state] | sort')" '["active","revoked"]'
    answers 0 rotate codex --confirm
}

@test "invariant 4: a rotation into a file that exists changes nothing" {
    init_store
    create codex
    leaves_store_alone 3 rotate codex --confirm --token-file "$WORK/codex.token"
    accepted "$WORK/codex.token"
}

@test "rotate: --until-used ends the old one when the new one is first accepted, not before" {
    init_store
    create codex
    answers 0 rotate codex --until-used --confirm --token-file "$WORK/new.token"
    accepted "$WORK/codex.token"
    accepted "$WORK/codex.token"
    accepted "$WORK/new.token"
    refused "$WORK/codex.token"
    equal "$(state_of_credential "$(credential_in "$WORK/codex.token")")" retired
    equal "$(newest_event '.action, .mode, .actor.kind' | paste -sd' ')" "credential.retire runtime identity"
    accepted "$WORK/new.token"
}

@test "rotate: with --until-used, a verification that is refused does not end the old one" {
    init_store
    create codex
    answers 0 rotate codex --until-used --confirm --token-file "$WORK/new.token"
    run "$MARQUE" verify --scope board:delete < "$WORK/new.token"
    equal "$status" 3
    accepted "$WORK/codex.token"
}

@test "rotate: with --until-used, inspecting by token does not end the old one" {
    init_store
    create codex
    answers 0 rotate codex --until-used --confirm --token-file "$WORK/new.token"
    "$MARQUE" inspect --token-stdin < "$WORK/new.token" > /dev/null
    accepted "$WORK/codex.token"
}

@test "invariant 4: scopes never widen: the new credential has those of the old one, not of the identity" {
    init_store
    create codex
    "$MARQUE" issue codex --scope card:view --confirm --token-file "$WORK/narrow.token" 2> /dev/null
    narrow=$(credential_in "$WORK/narrow.token")
    answers 0 rotate "$narrow" --confirm --token-file "$WORK/new.token"
    equal "$("$MARQUE" verify -o json < "$WORK/new.token" | jq -c .scopes)" '["card:view"]'
    run "$MARQUE" verify --scope card:edit < "$WORK/new.token"
    equal "$status" 3
    answers 2 rotate codex --scope card:edit --confirm
}

@test "rotate: the new one lives as long as the old one was made for, unless it is said" {
    init_store
    create codex --expires 7d
    answers 0 rotate codex --confirm --token-file "$WORK/new.token"
    lifetime='(.expires_at[0:19] + "Z" | fromdate) - (.created_at[0:19] + "Z" | fromdate)'
    of_new=".credentials[] | select(.credential == \"$(credential_in "$WORK/new.token")\") | $lifetime"
    equal "$("$MARQUE" inspect codex -o json | jq "$of_new")" $((7 * 86400))
    answers 0 rotate codex --expires 1d --confirm --token-file "$WORK/newer.token"
    of_new=".credentials[] | select(.credential == \"$(credential_in "$WORK/newer.token")\") | $lifetime"
    equal "$("$MARQUE" inspect codex -o json | jq "$of_new")" 86400
}

@test "invariant 4: a rotation never outlives the environment's policy" {
    init_store
    "$MARQUE" environment add short --max-lifetime 1d --confirm 2> /dev/null
    create codex --env short
    answers 3 rotate codex --expires 2d --confirm
    equal "$output" ""
    has "$stderr" "live at most 1d"
    answers 3 rotate codex --expires never --confirm
    answers 0 rotate codex --confirm
    equal "$("$MARQUE" inspect codex -o json | jq '[.credentials[] |
        (.expires_at[0:19] + "Z" | fromdate) - (.created_at[0:19] + "Z" | fromdate)] | max')" 86400
}

@test "rotate: twice in a row: the second replaces the new one, and the old one keeps its end" {
    init_store
    create codex
    answers 0 rotate codex --confirm --token-file "$WORK/second.token"
    end=$("$MARQUE" inspect codex -o json | jq -r '.credentials[] | select(.state == "retiring").retire_at')
    answers 0 rotate codex --confirm --token-file "$WORK/third.token"
    accepted "$WORK/codex.token"
    accepted "$WORK/second.token"
    accepted "$WORK/third.token"
    id=$(credential_in "$WORK/codex.token")
    equal "$("$MARQUE" inspect codex -o json | jq -r --arg id "$id" '.credentials[] | select(.credential == $id).retire_at')" "$end"
    equal "$("$MARQUE" inspect codex -o json | jq '[.credentials[] | select(.state == "retiring")] | length')" 2
}

@test "rotate: one that was replaced can't be rotated again" {
    init_store
    create codex
    answers 0 rotate codex --confirm --token-file "$WORK/new.token"
    answers 3 rotate "$(credential_in "$WORK/codex.token")" --confirm
    equal "$output" ""
    has "$stderr" "it has been replaced already"
}

@test "rotate: with several in force it wants to know which" {
    init_store
    create codex
    "$MARQUE" issue codex --confirm --token-file "$WORK/second.token" 2> /dev/null
    answers 3 rotate codex --confirm
    equal "$output" ""
    has "$stderr" "has more than one credential in force"
    has "$stderr" "$(credential_in "$WORK/codex.token")"
    has "$stderr" "$(credential_in "$WORK/second.token")"
    answers 0 rotate "$(credential_in "$WORK/second.token")" --confirm
    equal "$(state_of_credential "$(credential_in "$WORK/codex.token")")" active
    equal "$(state_of_credential "$(credential_in "$WORK/second.token")")" retiring
}

@test "rotate: what is paused is not rotated: identity, credential or environment" {
    init_store
    create codex
    before=$(log_size)
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    answers 3 rotate codex --confirm
    has "$stderr" "identity codex: it is paused; resume it first"
    equal "$(log_size)" $((before + 2))
    equal "$(newest_event '.action, .outcome' | paste -sd' ')" "credential.rotate refused"
    "$MARQUE" resume codex --confirm 2> /dev/null
    "$MARQUE" pause "$(credential_in "$WORK/codex.token")" --reason r --confirm 2> /dev/null
    answers 3 rotate "$(credential_in "$WORK/codex.token")" --confirm
    answers 3 rotate codex --confirm
    "$MARQUE" resume "$(credential_in "$WORK/codex.token")" --confirm 2> /dev/null
    "$MARQUE" pause --env dev --reason r --confirm 2> /dev/null
    answers 3 rotate codex --confirm
}

@test "invariant 5: what is revoked is not rotated" {
    init_store
    create codex
    "$MARQUE" revoke "$(credential_in "$WORK/codex.token")" --reason r --confirm 2> /dev/null
    answers 3 rotate "$(credential_in "$WORK/codex.token")" --confirm
    answers 3 rotate codex --confirm
    has "$stderr" "has no credential in force to rotate"
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    answers 3 rotate codex --confirm
    has "$stderr" "it is revoked, which is final"
}

@test "rotate: overlaps that make no sense are refused" {
    init_store
    create codex
    leaves_store_alone 2 rotate codex --overlap 0s --confirm
    has "$stderr" "--compromised"
    leaves_store_alone 2 rotate codex --overlap 1x --confirm
    leaves_store_alone 2 rotate codex --overlap -1h --confirm
    leaves_store_alone 2 rotate codex --overlap never --confirm
    leaves_store_alone 2 rotate codex --compromised --overlap 1h --confirm
    leaves_store_alone 2 rotate codex --compromised --until-used --confirm
    accepted "$WORK/codex.token"
}

@test "rotate: -o json is one document with the new token" {
    init_store
    create codex
    answers 0 rotate codex --confirm -o json
    equal "$(json 'keys | join(" ")')" "credential identity schema token workspace"
    json .token > "$WORK/new.token"
    accepted "$WORK/new.token"
}

@test "rotate: the old one ends when the overlap ends" {
    needs_clock
    at 2026-11-23T20:43:00.000000Z
    init_store
    create codex
    answers 0 rotate codex --overlap 10m --confirm --token-file "$WORK/new.token"
    at 2026-11-23T20:52:59.999999Z
    accepted "$WORK/codex.token"
    at 2026-11-23T20:53:00.000000Z
    refused "$WORK/codex.token"
    has "$("$MARQUE" verify < "$WORK/codex.token" || true)" "refused: retired"
    accepted "$WORK/new.token"
    equal "$(state_of_credential "$(credential_in "$WORK/codex.token")")" retired
}

@test "rotate: with --until-used the old one ends after --overlap all the same, a week unless it is said" {
    needs_clock
    at 2026-11-01T00:00:00.000000Z
    init_store
    create codex
    create pilot
    answers 0 rotate codex --until-used --confirm --token-file "$WORK/new.token"
    answers 0 rotate pilot --until-used --overlap 1h --confirm --token-file "$WORK/pilot2.token"
    at 2026-11-01T00:59:59.999999Z
    accepted "$WORK/pilot.token"
    at 2026-11-01T01:00:00.000000Z
    refused "$WORK/pilot.token"
    at 2026-11-07T23:59:59.999999Z
    accepted "$WORK/codex.token"
    at 2026-11-08T00:00:00.000000Z
    refused "$WORK/codex.token"
}

@test "rotate: an overlap does not lengthen the old one's life" {
    needs_clock
    at 2026-11-01T00:00:00.000000Z
    init_store
    create codex --expires 1h
    answers 0 rotate codex --overlap 2h --confirm --token-file "$WORK/new.token"
    at 2026-11-01T01:00:00.000000Z
    refused "$WORK/codex.token"
}
