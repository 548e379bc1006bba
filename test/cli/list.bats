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
    [[ "${lines[0]}" =~ ^NAME\ +KIND\ +ENV\ +STATE\ +LIVE\ +EXPIRES\ +LAST\ USED$ ]]
    [[ "${lines[2]}" =~ ^a2\ +service\ +staging\ +active\ +1\ of\ 1\ +in\ 90d\ +never$ ]]
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
        "contact created_at credentials description environment identity kind labels live_credentials own_state protected revision scopes state workspace"
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

@test "list: --expiring finds who ends within that time or has ended, the soonest first, with date and contact" {
    needs_clock
    at 2026-11-01T00:00:00.000000Z
    init_store
    create short --expires 10d --contact bob
    create long --expires 90d
    create ever --expires never
    create twice --expires 5d
    equal "$(names --expiring 14d)" "twice short"
    equal "$(names --expiring 4d)" ""
    equal "$(names --expiring 100d)" "twice short long"
    equal "$(names --expiring 100d --sort name)" "long short twice"
    "$MARQUE" issue twice --expires 60d --confirm > /dev/null 2>&1
    at 2026-11-12T00:00:00.000000Z
    equal "$(names --expiring 14d)" short
    answers 0 list --expiring 49d
    [[ "${lines[0]}" =~ ^NAME\ +ENV\ +STATE\ +EXPIRES\ +DATE\ +CONTACT$ ]]
    [[ "${lines[1]}" =~ ^short\ +dev\ +no\ live\ credential\ +1d\ ago\ +2026-11-11\ +bob$ ]]
    [[ "${lines[2]}" =~ ^twice\ +dev\ +active\ +in\ 49d\ +2026-12-31 ]]
    equal "$(names --state expired)" "short twice"
    equal "$(names --state no-live-credential)" short
    equal "$(names --state active)" "ever long short twice"
    equal "$("$MARQUE" list --state no-live-credential -o json | jq -c '.identities[0] | [.state, .live_credentials]')" \
        '["active",0]'
    has "$("$MARQUE" inspect short)" "active, with no live credential: marque issue makes one"
}

@test "list: --sort and --limit; what was cut is said, on stderr and in JSON" {
    needs_clock
    at 2026-11-01T00:00:00.000000Z
    init_store
    create b1 --expires 30d
    at 2026-11-02T00:00:00.000000Z
    create a2 --expires 10d
    create c3 --expires never
    accepted "$WORK/c3.token"
    at 2026-11-03T00:00:00.000000Z
    accepted "$WORK/b1.token"
    equal "$(names --sort used)" "b1 c3 a2"
    equal "$(names --sort created)" "a2 c3 b1"
    equal "$(names --sort expires)" "a2 b1 c3"
    answers 0 list --limit 2 --names
    equal "$output" $'a2\nb1'
    equal "$stderr" "2 of 3 are shown; --limit 3 shows all"
    answers 0 list --limit 2 -o json
    equal "$(json '[.truncated, .total, (.identities | length)]')" "[true,3,2]"
    answers 0 list --limit 3
    equal "$stderr" ""
    answers 0 --absolute list
    [[ "${lines[1]}" =~ 2026-11-12\ 00:00:00\ UTC\ +never$ ]]
    answers 2 list --sort size
}

@test "list: fits in 80 columns, and is cut on a terminal alone" {
    init_store
    create patchwarden12 --env production --expires 90d || create patchwarden12
    local long
    long=$(printf 'n%.0s' {1..63})
    "$MARQUE" revoke --reason r --confirm "$(credential_of patchwarden12)" 2> /dev/null
    answers 0 list
    [ "${#lines[1]}" -le 80 ]
    has "$output" "no live credential"
    create "$long"
    answers 0 list
    has "$output" "$long"
    local shown
    shown=$(TERM=xterm script -qec "stty cols 80; '$MARQUE' list" /dev/null < /dev/null | tr -d '\r')
    lacks "$shown" "$long"
    has "$shown" "nnn…  "
    while IFS= read -r line; do [ "${#line}" -le 80 ]; done <<< "$shown"
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
