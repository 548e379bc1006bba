#!/usr/bin/env bats
# marque workspace

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "workspace add: with its three environments; then -w is needed, and says so" {
    init_store
    leaves_store_alone 5 workspace add other
    digest=$(shown_digest)
    leaves_store_alone 0 workspace add other --dry-run
    answers 0 workspace add other --confirm="$digest"
    has "$stderr" "added workspace other"
    equal "$("$MARQUE" -w other environment list -o json | jq '.environments | length')" 3
    answers 2 list
    has "$stderr" "there is more than one workspace: default, other"
    has "$stderr" "--workspace or MARQUE_WORKSPACE"
    answers 0 -w other list
    answers 0 list -w other
}

@test "workspace: a name lives in one workspace, and is not seen in another" {
    init_store
    "$MARQUE" workspace add other --confirm 2> /dev/null
    create codex -w default
    id=$(credential_in "$WORK/codex.token")
    answers 0 -w other create codex --scope card:view --confirm
    answers 7 -w other inspect "$id"
    answers 7 -w other revoke "$id" --reason r --confirm
    run --separate-stderr "$MARQUE" -w other revoke --token-stdin --reason r --confirm < "$WORK/codex.token"
    equal "$status" 7
    answers 0 -w other revoke codex --reason r --confirm
    accepted "$WORK/codex.token"
}

@test "workspace add: a name that is taken is 3" {
    init_store
    answers 3 workspace add default --confirm
    has "$stderr" "there is a workspace default already"
    leaves_store_alone 3 workspace add default --dry-run
}

@test "workspace pause and resume: everything in it at once, in one row" {
    init_store
    create codex
    before=$(log_size)
    leaves_store_alone 2 workspace pause default --confirm
    leaves_store_alone 5 workspace pause default --reason r
    has "$stderr" "What works now and would stop: 1"
    answers 0 workspace pause default --reason r --confirm
    equal "$(log_size)" $((before + 1))
    refused "$WORK/codex.token"
    has "$("$MARQUE" verify < "$WORK/codex.token" || true)" "refused: workspace_paused"
    equal "$("$MARQUE" workspace list -o json | jq -r '.workspaces[0].state')" paused
    answers 3 issue codex --confirm
    answers 0 workspace resume default --confirm
    accepted "$WORK/codex.token"
}

@test "workspace remove: only when everybody in it is revoked; its name is not reused" {
    init_store
    "$MARQUE" workspace add other --confirm 2> /dev/null
    create codex -w other
    answers 3 workspace remove other --confirm
    has "$stderr" "has identities that are not revoked, such as codex"
    "$MARQUE" -w other revoke codex --reason r --confirm 2> /dev/null
    leaves_store_alone 5 workspace remove other
    answers 0 workspace remove other --confirm
    leaves_store_alone 0 workspace remove other --confirm
    answers 3 workspace add other --confirm
    has "$stderr" "names are not reused"
    answers 3 workspace resume other --confirm
    answers 3 -w other create pilot --scope card:edit --confirm
    answers 3 -w other environment add e --confirm
    answers 0 list
}

@test "workspace list: as JSON, ended ones included" {
    init_store
    "$MARQUE" workspace add other --confirm 2> /dev/null
    "$MARQUE" workspace remove other --confirm 2> /dev/null
    answers 0 workspace list -o json
    equal "$(json '[.workspaces[] | [.workspace, .state]]')" '[["default","active"],["other","revoked"]]'
    equal "$(json '.workspaces[0] | keys | join(" ")')" "created_at state workspace"
}

@test "workspace: one that there isn't is 7, with which was meant" {
    init_store
    for command in "remove defalt" "pause defalt --reason r" "resume defalt"; do
        # shellcheck disable=SC2086
        answers 7 workspace $command --confirm
        has "$stderr" "did you mean default?"
    done
}

@test "workspace: a token alone finds the one that its credential is in, for everything that takes --token-stdin" {
    init_store
    "$MARQUE" workspace add other --confirm 2> /dev/null
    create codex -w other
    answers 0 inspect --token-stdin -o json < "$WORK/codex.token"
    equal "$(json .workspace)" other
    answers 0 pause --token-stdin --reason r --confirm < "$WORK/codex.token"
    answers 0 resume --token-stdin --confirm < "$WORK/codex.token"
    answers 0 activate --token-stdin --confirm < "$WORK/codex.token"
    for command in inspect "revoke --reason r"; do
        # shellcheck disable=SC2086
        answers 7 $command --token-stdin -w default < "$WORK/codex.token"
        has "$stderr" "the token's credential is in workspace other, not in default"
    done
    accepted "$WORK/codex.token"
    answers 0 revoke --token-stdin --reason leaked --confirm < "$WORK/codex.token"
    refused "$WORK/codex.token"
}

@test "workspace: a token does not say which one it is to who may not see it; the refusal is in the log" {
    needs_users
    init_store
    "$MARQUE" workspace add secret --confirm 2> /dev/null
    "$MARQUE" operator add helper --user 12345 -w default --confirm 2> /dev/null
    create codex -w secret
    give_store_to 12345
    for command in inspect "revoke --reason r --confirm"; do
        # shellcheck disable=SC2086
        user_gets 12345 4 $command --token-stdin < "$WORK/codex.token"
        has "$stderr" "in the workspace of the token's credential"
        lacks "$stderr" secret
        # shellcheck disable=SC2086
        user_gets 12345 7 $command --token-stdin -w default < "$WORK/codex.token"
        lacks "$stderr" secret
    done
    equal "$("$MARQUE" audit list --outcome refused -o json | jq -c '[.entries[] | [.action, .target.workspace]]')" \
        '[["workspace.view","secret"],["credential.revoke","secret"]]'
}
