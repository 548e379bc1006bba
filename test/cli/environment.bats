#!/usr/bin/env bats
# marque environment

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "environment list: a new workspace has dev, staging, and production, which is protected" {
    init_store
    answers 0 environment list
    equal "${#lines[@]}" 4
    answers 0 environment list -o json
    equal "$(json '[.environments[] | [.environment, .protected, .state, .max_lifetime]]')" \
        '[["dev",false,"active",null],["production",true,"active","90d"],["staging",false,"active",null]]'
}

@test "environment add: plan, dry run, digest, then done" {
    init_store
    add=(environment add test --max-lifetime 7d)
    leaves_store_alone 5 "${add[@]}"
    has "$stderr" "environment test"
    has "$stderr" "7d"
    digest=$(shown_digest)
    leaves_store_alone 0 "${add[@]}" --dry-run
    leaves_store_alone 5 environment add test --max-lifetime 8d --confirm="$digest"
    answers 0 "${add[@]}" --confirm="$digest"
    has "$stderr" "added environment test"
    create codex --env test
    accepted "$WORK/codex.token"
}

@test "environment add: a name that is taken is 3, a life that is none 2" {
    init_store
    answers 3 environment add dev --confirm
    has "$stderr" "there is an environment dev already"
    leaves_store_alone 3 environment add dev --dry-run
    leaves_store_alone 2 environment add test --max-lifetime 0d --confirm
    leaves_store_alone 2 environment add test --max-lifetime never --confirm
}

@test "invariant 8: environment add --protected: nothing comes into being in it" {
    init_store
    answers 0 environment add vault --protected --confirm
    answers 6 create codex --scope card:edit --env vault --confirm
    equal "$("$MARQUE" list --names)" ""
}

@test "invariant 8: the flag protected does not change without an owner: 6 and an event" {
    init_store
    before=$(log_size)
    answers 6 environment unprotect production --confirm
    answers 6 environment protect dev --confirm
    equal "$(log_size)" $((before + 2))
    equal "$(newest_event '.action, .outcome' | paste -sd' ')" "environment.protect refused"
    leaves_store_alone 6 environment unprotect production --dry-run
    leaves_store_alone 0 environment protect production --confirm
    has "$stderr" "nothing to do: environment production is protected already"
    equal "$("$MARQUE" environment list -o json | jq -c '[.environments[] | select(.protected).environment]')" '["production"]'
}

@test "environment remove: only when everybody in it is revoked; twice is nothing to do; its name is not reused" {
    init_store
    create codex
    answers 3 environment remove dev --confirm
    has "$stderr" "has identities that are not revoked, such as codex"
    accepted "$WORK/codex.token"
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    leaves_store_alone 5 environment remove dev
    answers 0 environment remove dev --confirm
    leaves_store_alone 0 environment remove dev --confirm
    answers 3 environment add dev --confirm
    answers 3 create pilot --scope card:edit --env dev --confirm
    has "$stderr" "final"
    answers 3 resume --env dev --confirm
    equal "$("$MARQUE" environment list -o json | jq -r '.environments[] | select(.environment == "dev").state')" revoked
}

@test "invariant 8: removing a protected environment takes away, and needs no owner" {
    init_store
    answers 0 environment remove production --confirm
}

@test "environment: one that there isn't is 7, with which was meant" {
    init_store
    for command in "remove stagin" "protect stagin" "unprotect stagin"; do
        # shellcheck disable=SC2086
        leaves_store_alone 7 environment $command --confirm
        has "$stderr" "did you mean staging?"
    done
}
