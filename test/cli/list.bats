#!/usr/bin/env bats
# marque list

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

names() {
    "$MARQUE" list --names "$@" | paste -sd' '
}
three() {
    init_store
    create a1 --label team=ops --label tier=1
    create a2 --label team=ops --env staging --kind service
    create a3 --label team=dev --kind ci
}

@test "list: a line for each, by name" {
    three
    leaves_store_alone 0 list
    equal "${#lines[@]}" 4
    [[ "${lines[0]}" =~ ^NAME\ +KIND\ +ENV\ +STATE\ +CREATED\ +LIVE\ +EXPIRES\ +LAST\ USED ]]
    [[ "${lines[2]}" =~ ^a2\ +service\ +staging\ +active\ +.*\ 1\ of\ 1\ .*never\ used ]]
}

@test "list: nobody yet: nothing on stdout, a word on stderr, exit 0" {
    init_store
    answers 0 list
    equal "$output" ""
    has "$stderr" "nobody yet"
    answers 0 list -o json
    equal "$(json .identities)" "[]"
    answers 0 list --kind ci
    has "$stderr" "nobody meets these conditions"
}

@test "list: --env, --kind, --label and --state choose, together" {
    three
    equal "$(names --env dev)" "a1 a3"
    equal "$(names --kind ci)" a3
    equal "$(names --label team=ops)" "a1 a2"
    equal "$(names --label team=ops --label tier=1)" a1
    equal "$(names --label team=ops --kind service)" a2
    equal "$(names --label team=nobody)" ""
    "$MARQUE" pause a1 --reason r --confirm 2> /dev/null
    "$MARQUE" revoke a2 --reason r --confirm 2> /dev/null
    equal "$(names --state paused)" a1
    equal "$(names --state revoked)" a2
    equal "$(names --state active)" a3
    equal "$(names)" "a1 a2 a3"
}

@test "list: --state retiring finds whose credential is being replaced" {
    three
    "$MARQUE" rotate a1 --confirm > /dev/null 2>&1
    equal "$(names --state retiring)" a1
}

@test "list: the state is the one in force, and says what it comes from" {
    three
    "$MARQUE" pause --env dev --reason r --confirm 2> /dev/null
    equal "$(names --state paused)" "a1 a3"
    has "$("$MARQUE" list)" "paused (environment dev)"
    equal "$("$MARQUE" list -o json | jq -r '.identities[0].stopped_by')" "environment dev"
}

@test "list: -o json, its keys" {
    three
    answers 0 list -o json
    equal "$(json 'keys | join(" ")')" "identities schema workspace"
    equal "$(json '.identities | length')" 3
    equal "$(json '.identities[0] | keys | join(" ")')" \
        "contact created_at credentials environment identity kind labels own_state protected revision scopes state workspace"
}

@test "list: conditions that make no sense are 2" {
    init_store
    answers 2 list --state gone
    has "$stderr" "states: active, paused"
    answers 2 list --expiring soon
    answers 2 list --unused 0d
    answers 2 list --label team
    answers 2 list --kind robot
    answers 2 list --env "No Env"
}

@test "list: --env of an environment that there isn't is 7, with which was meant" {
    three
    answers 7 list --env stagin
    has "$stderr" "did you mean staging?"
}

@test "list: --names with -o json is JSON, or refused" {
    three
    run --separate-stderr "$MARQUE" list --names -o json
    [ "$status" -eq 2 ] || json . > /dev/null
}

@test "list: --expiring finds who ends within that time, and not who has ended" {
    needs_clock
    at 2026-11-01T00:00:00.000000Z
    init_store
    create short --expires 10d
    create long --expires 90d
    create ever --expires never
    equal "$(names --expiring 14d)" short
    equal "$(names --expiring 9d)" ""
    equal "$(names --expiring 100d)" "long short"
    at 2026-11-11T00:00:00.000000Z
    equal "$(names --expiring 14d)" ""
    equal "$(names --state expired)" short
}

@test "list: --unused finds who was not used for so long, and not who is younger than that" {
    needs_clock
    at 2026-11-01T00:00:00.000000Z
    init_store
    create idle
    create busy
    at 2026-11-20T00:00:00.000000Z
    create young
    accepted "$WORK/busy.token"
    equal "$(names --unused 14d)" idle
    at 2026-12-10T00:00:00.000000Z
    equal "$(names --unused 14d)" "busy idle young"
    "$MARQUE" revoke idle --reason r --confirm 2> /dev/null
    run --separate-stderr "$MARQUE" revoke --filter unused=14d --reason "not used" --confirm=2
    equal "$status" 0
    equal "$(names --state revoked)" "busy idle young"
}

@test "list: who is revoked has nothing live, and is neither unused nor expiring" {
    needs_clock
    at 2026-11-01T00:00:00.000000Z
    init_store
    create codex --expires 30d
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    at 2026-11-25T00:00:00.000000Z
    has "$("$MARQUE" list)" "0 of 1"
    equal "$(names --unused 14d)" ""
    equal "$(names --expiring 14d)" ""
}

@test "list: a thousand identities are listed" {
    init_store
    mkdir "$WORK/tokens"
    seq -f 'agent-%g' 1000 > "$WORK/roster"
    answers 0 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=1000
    equal "$("$MARQUE" list --names | wc -l)" 1000
    equal "$(find "$WORK/tokens" -type f | wc -l)" 1000
    accepted "$WORK/tokens/agent-777"
    answers 5 revoke --filter env=dev --reason r
    has "$stderr" "What works now and would stop: 1000"
    answers 0 revoke --filter env=dev --reason r --confirm=1000
    refused "$WORK/tokens/agent-777"
}
