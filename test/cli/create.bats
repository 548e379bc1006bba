#!/usr/bin/env bats
# marque create

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "create: TOKEN=\$(marque create …) is the token and nothing else, and the token is accepted" {
    init_store
    token=$("$MARQUE" create codex --scope card:edit --confirm 2> "$WORK/words")
    equal "${#token}" 71
    [[ "$token" =~ ^mrq_test_[0-9a-hjkmnp-tv-z]{12}_[0-9A-Za-z]{49}$ ]]
    has "$(cat "$WORK/words")" "created identity codex in dev"
    lacks "$(cat "$WORK/words")" "${token:22}"
    run --separate-stderr "$MARQUE" verify <<< "$token"
    equal "$status" 0
    equal "$output" "accepted: codex in default, dev (credential $(cut -d_ -f3 <<< "$token"))"
}

@test "create: without --confirm the plan is shown, the exit code is 5 and nothing has changed" {
    init_store
    leaves_store_alone 5 create codex --scope card:edit --contact ops@example.org --label team=ops
    equal "$output" ""
    has "$stderr" "Plan: create as ops"
    has "$stderr" "identity codex"
    has "$stderr" "card:edit"
    has "$stderr" "Nothing has changed. To apply it, add --confirm"
    answers 7 inspect codex
}

@test "invariant 9: --dry-run is the command: create shows the same plan, exits 0 and writes nothing" {
    init_store
    leaves_store_alone 5 create codex --scope card:edit -o json
    shown=$(json .plan)
    leaves_store_alone 0 create codex --scope card:edit --dry-run -o json
    equal "$(json .plan)" "$shown"
    equal "$(json .result)" shown
    leaves_store_alone 0 create codex --scope card:edit --dry-run
    equal "$output" ""
    has "$stderr" "Dry run: nothing has changed."
}

@test "invariant 9: --dry-run is the command: create meets the same refusal, with its code, and leaves no event" {
    init_store
    create codex
    leaves_store_alone 3 create codex --scope card:edit --dry-run
    has "$stderr" "there is an identity codex already"
    leaves_store_alone 6 create pilot --scope card:edit --env production --dry-run
    leaves_store_alone 7 create pilot --scope card:edit --env nowhere --dry-run
    leaves_store_alone 2 create pilot --scope nonsense --dry-run
}

@test "invariant 9: --dry-run wins over --confirm" {
    init_store
    leaves_store_alone 0 create codex --scope card:edit --dry-run --confirm
    equal "$output" ""
}

@test "invariant 9: --confirm=DIGEST applies exactly the plan that was shown" {
    init_store
    answers 5 create codex --scope card:edit
    digest=$(shown_digest)
    equal "${#digest}" 16
    answers 0 create codex --scope card:edit --confirm="$digest"
    equal "${#output}" 71
}

@test "invariant 9: --confirm=DIGEST of another plan changes nothing" {
    init_store
    answers 5 create codex --scope card:edit
    digest=$(shown_digest)
    leaves_store_alone 5 create codex --scope card:edit,card:delete --confirm="$digest"
    equal "$output" ""
    has "$stderr" "the plan is no longer the one that was shown; nothing changed"
    leaves_store_alone 5 create codex --scope card:edit --confirm=0123456789abcdef
    leaves_store_alone 2 create codex --scope card:edit --confirm=abc
    leaves_store_alone 2 create codex --scope card:edit --confirm=yes
}

@test "create: --confirm=1 is the right count for one, --confirm=2 is not" {
    init_store
    leaves_store_alone 5 create codex --scope card:edit --confirm=2
    has "$stderr" "2 confirmed, but the plan changes 1; nothing changed"
    answers 0 create codex --scope card:edit --confirm=1
}

@test "invariant 1: create leaves its three events, with actor, plan and request" {
    init_store
    before=$(log_size)
    answers 0 create codex --scope card:edit --reason "the board needs it" --confirm
    token=$output
    equal "$(log_size)" $((before + 3))
    equal "$("$MARQUE" audit export | tail -n 3 | jq -r .action | paste -sd' ')" \
        "identity.create credential.issue credential.activate"
    equal "$("$MARQUE" audit export | tail -n 3 | jq -r .actor.name | sort -u)" ops
    equal "$("$MARQUE" audit export | tail -n 3 | jq -r .reason | sort -u)" "the board needs it"
    equal "$("$MARQUE" audit export | tail -n 3 | jq -r .request | sort -u | wc -l)" 1
    equal "$("$MARQUE" audit export | tail -n 3 | jq -r .plan | sort -u | wc -l)" 1
    lacks "$("$MARQUE" audit export)" "${token:22}"
}

@test "invariant 2: neither the token nor its secret part is anywhere in the store's files" {
    init_store
    token=$("$MARQUE" create codex --scope card:edit --confirm 2> /dev/null)
    run grep -c -a -r -F "${token:22:43}" "$MARQUE_STORE"
    equal "$status" 1
}

@test "create: -o json is one document with the token in it" {
    init_store
    answers 0 create codex --scope card:edit --confirm -o json
    equal "$(json 'keys | join(" ")')" "credential identity schema token workspace"
    equal "$(json .identity)" codex
    equal "$(json .workspace)" default
    equal "$(json '.token | length')" 71
    equal "$(json '.token[9:21]')" "$(json .credential)"
    equal "$stderr" ""
}

@test "create: the plan as JSON tells action, changes, digest and who asks" {
    init_store
    answers 5 create codex --scope card:edit -o json
    equal "$(json 'keys | join(" ")')" "plan result schema"
    equal "$(json '.plan.action, .plan.requester, .plan.count, (.plan.digest | length)' | paste -sd' ')" "create ops 1 64"
    equal "$(json '.plan.changes[0].subject')" '{"kind":"identity","name":"codex","workspace":"default"}'
    equal "$(json '.plan.changes[0].after.new_credential.scopes')" '["card:edit"]'
}

@test "invariant 3: --token-file: stdout stays empty, the file is new, 0600 and holds the token alone" {
    init_store
    answers 0 create codex --scope card:edit --token-file "$WORK/token" --confirm
    equal "$output" ""
    has "$stderr" "token written to '$WORK/token'"
    equal "$(stat -c '%a %s' "$WORK/token")" "600 72"
    accepted "$WORK/token"
    equal "$(find "$WORK" -maxdepth 1 -name '.*marque*' | wc -l)" 0
}

@test "create: --token-file with -o json names the file and not the token" {
    init_store
    answers 0 create codex --scope card:edit --token-file "$WORK/token" --confirm -o json
    equal "$(json 'keys | join(" ")')" "issued result revision schema token_path"
    equal "$(json .token_path)" "$WORK/token"
    equal "$(json '.issued[0].identity')" codex
    equal "$(json '.issued[0].credential')" "$(credential_in "$WORK/token")"
    lacks "$output" mrq_
}

@test "invariant 3: --token-file never touches a file that is there: exit 3, nothing created" {
    init_store
    echo mine > "$WORK/token"
    leaves_store_alone 3 create codex --scope card:edit --token-file "$WORK/token" --confirm
    has "$stderr" "exists; a token file is never overwritten"
    equal "$(cat "$WORK/token")" mine
}

@test "invariant 3: --token-file does not follow a symbolic link, dangling or not" {
    init_store
    echo mine > "$WORK/target"
    ln -s "$WORK/target" "$WORK/link"
    ln -s "$WORK/nothing" "$WORK/dangling"
    leaves_store_alone 3 create codex --scope card:edit --token-file "$WORK/link" --confirm
    leaves_store_alone 3 create codex --scope card:edit --token-file "$WORK/dangling" --confirm
    equal "$(cat "$WORK/target")" mine
    [ ! -e "$WORK/nothing" ]
}

@test "create: --token-file in a missing folder is refused before anything is created" {
    init_store
    leaves_store_alone 2 create codex --scope card:edit --token-file "$WORK/no/token" --confirm
    has "$stderr" "is not a folder"
}

@test "create: --token-file that names a folder is refused before anything is created" {
    init_store
    mkdir "$WORK/folder"
    leaves_store_alone 3 create codex --scope card:edit --token-file "$WORK/folder" --confirm
    leaves_store_alone 3 create codex --scope card:edit --token-file "$WORK/folder/" --confirm
    equal "$(find "$WORK/folder" | wc -l)" 1
}

@test "invariant 3: stdout that is closed is noticed before anything is created" {
    init_store
    before=$(contents)
    code=0
    "$MARQUE" create codex --scope card:edit --confirm >&- 2> "$WORK/words" || code=$?
    equal "$code" 2
    has "$(cat "$WORK/words")" "standard output"
    equal "$(contents)" "$before"
}

@test "invariant 3: a token that can't be delivered (/dev/full) never comes into force, and the log says so" {
    init_store
    code=0
    "$MARQUE" create codex --scope card:edit --confirm > /dev/full 2> "$WORK/words" || code=$?
    equal "$code" 8
    has "$(cat "$WORK/words")" "cannot write to standard output"
    lacks "$(cat "$WORK/words")" mrq_
    equal "$("$MARQUE" inspect codex -o json | jq -r '.credentials[].state')" revoked
    equal "$(newest_event '.action, .outcome' | paste -sd' ')" "credential.deliver failed"
    equal "$("$MARQUE" audit verify -o json | jq .sound)" true
}

@test "invariant 3: a reader that has gone away leaves nothing usable" {
    init_store
    mkfifo "$WORK/pipe"
    exec 8<> "$WORK/pipe"
    exec 9> "$WORK/pipe"
    exec 8<&-
    code=0
    "$MARQUE" create codex --scope card:edit --confirm >&9 2> /dev/null || code=$?
    exec 9>&-
    equal "$code" 8
    equal "$("$MARQUE" inspect codex -o json | jq -r '.credentials[].state')" revoked
}

@test "create: --from makes one identity a line: own scopes and labels, comments and blank lines skipped" {
    init_store
    mkdir "$WORK/tokens"
    cat > "$WORK/roster" << 'ROSTER'
# who works on the board

codex scope=card:view,card:edit label=team=ops
  ci-runner kind=ci expires=7d contact=build@example.org
pilot env=staging
ROSTER
    answers 0 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope board:view --confirm=3
    equal "$output" ""
    has "$stderr" "tokens written to '$WORK/tokens'"
    equal "$(find "$WORK/tokens" -type f -printf "%f\n" | sort | paste -sd' ')" "ci-runner codex pilot"
    equal "$(stat -c %a "$WORK"/tokens/* | sort -u)" 600
    for name in codex ci-runner pilot; do accepted "$WORK/tokens/$name"; done
    equal "$("$MARQUE" inspect codex -o json | jq -c '[.scopes, .labels]')" '[["card:edit","card:view"],{"team":"ops"}]'
    equal "$("$MARQUE" inspect ci-runner -o json | jq -c '[.scopes, .kind, .contact]')" \
        '[["board:view"],"ci","build@example.org"]'
    equal "$("$MARQUE" inspect pilot -o json | jq -r .environment)" staging
}

@test "create: many at once want their count or the digest: a bare --confirm and a wrong count change nothing" {
    init_store
    mkdir "$WORK/tokens"
    printf 'a1\na2\na3\n' > "$WORK/roster"
    leaves_store_alone 5 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan
    has "$stderr" "--confirm=3"
    digest=$(shown_digest)
    leaves_store_alone 5 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm
    has "$stderr" "a bare --confirm is not enough"
    leaves_store_alone 5 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=2
    has "$stderr" "2 confirmed, but the plan changes 3; nothing changed"
    equal "$(ls -A "$WORK/tokens")" ""
    echo a4 >> "$WORK/roster"
    leaves_store_alone 5 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm="$digest"
    sed -i '$d' "$WORK/roster"
    answers 0 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm="$digest"
}

@test "create: --from names the line that is wrong, and creates nobody" {
    init_store
    mkdir "$WORK/tokens"
    printf 'good scope=card:view\n# a comment\nBad_Name scope=card:view\n' > "$WORK/roster"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --confirm=2
    has "$stderr" "line 3: the line does not begin with a name"
    printf 'good scope=card:view\nother scope=nonsense\n' > "$WORK/roster"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --confirm=2
    has "$stderr" "line 2: 'nonsense' is not a scope"
    printf 'good\n' > "$WORK/roster"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --confirm=1
    has "$stderr" "line 1: identity good has no scope"
    printf 'good scope=card:view colour=red\n' > "$WORK/roster"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --confirm=1
    has "$stderr" "line 1: 'colour=red' is not understood"
    printf '# nobody\n' > "$WORK/roster"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --confirm=1
    has "$stderr" "the file names nobody"
}

@test "create: --from with one who exists creates none of the others" {
    init_store
    create codex
    mkdir "$WORK/tokens"
    printf 'a1\ncodex\na3\n' > "$WORK/roster"
    answers 3 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=3
    has "$stderr" "there is an identity codex already"
    equal "$("$MARQUE" list --names)" codex
    equal "$(ls -A "$WORK/tokens")" ""
}

@test "create: --from with a name twice is refused" {
    init_store
    mkdir "$WORK/tokens"
    printf 'a1\na1\n' > "$WORK/roster"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=2
    has "$stderr" "identity a1 is listed twice"
}

@test "invariant 3: --token-dir with one of the files there already is refused, the file untouched, nobody created" {
    init_store
    mkdir "$WORK/tokens"
    echo mine > "$WORK/tokens/a2"
    printf 'a1\na2\n' > "$WORK/roster"
    leaves_store_alone 3 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=2
    equal "$(ls -A "$WORK/tokens")" a2
    equal "$(cat "$WORK/tokens/a2")" mine
}

@test "create: --from wants --token-dir, an existing one, and no name beside it" {
    init_store
    mkdir "$WORK/tokens"
    printf 'a1\na2\n' > "$WORK/roster"
    leaves_store_alone 2 create --from "$WORK/roster" --scope kan --confirm=2
    has "$stderr" "--from needs --token-dir"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/none" --scope kan --confirm=2
    has "$stderr" "is not a folder"
    leaves_store_alone 2 create a1 --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=2
    has "$stderr" "give a name or --from, not both"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --token-file "$WORK/t" --scope kan --confirm=2
    leaves_store_alone 2 create --from "$WORK/none" --token-dir "$WORK/tokens" --scope kan --confirm=2
    has "$stderr" "cannot read"
}

@test "invariant 8: nothing is created in a protected environment without an owner: exit 6, and the refusal is an event" {
    init_store
    before=$(log_size)
    answers 6 create codex --scope card:edit --env production --confirm --token-file "$WORK/token"
    equal "$output" ""
    has "$stderr" "environment production is protected: it needs an owner's approval"
    [ ! -e "$WORK/token" ]
    equal "$(log_size)" $((before + 1))
    equal "$(newest_event '.action, .outcome, .change.error' | paste -sd' ')" "identity.create refused approval_needed"
    answers 7 inspect codex
}

@test "invariant 8: one in a protected environment among many refuses them all" {
    init_store
    mkdir "$WORK/tokens"
    printf 'a1\na2 env=production\n' > "$WORK/roster"
    answers 6 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=2
    equal "$("$MARQUE" list --names)" ""
    equal "$(ls -A "$WORK/tokens")" ""
}

@test "create: --expires takes a duration, a date to its end, an instant, or never" {
    init_store
    "$MARQUE" create a1 --scope kan --expires 36h --confirm > /dev/null 2>&1
    "$MARQUE" create a2 --scope kan --expires 2099-01-31 --confirm > /dev/null 2>&1
    "$MARQUE" create a3 --scope kan --expires never --confirm > /dev/null 2>&1
    "$MARQUE" create a4 --scope kan --confirm > /dev/null 2>&1
    lifetime='.credentials[0] | (.expires_at[0:19] + "Z" | fromdate) - (.created_at[0:19] + "Z" | fromdate)'
    equal "$("$MARQUE" inspect a1 -o json | jq "$lifetime")" $((36 * 3600))
    equal "$("$MARQUE" inspect a2 -o json | jq -r '.credentials[0].expires_at')" 2099-01-31T23:59:59.999999Z
    equal "$("$MARQUE" inspect a3 -o json | jq '.credentials[0] | has("expires_at")')" false
    equal "$("$MARQUE" inspect a4 -o json | jq "$lifetime")" $((90 * 86400))
}

@test "create: a name that is taken is refused with 3, and the refusal is an event" {
    init_store
    create codex
    before=$(log_size)
    answers 3 create codex --scope card:edit --confirm
    equal "$output" ""
    has "$stderr" "there is an identity codex already"
    has "$stderr" "marque issue"
    equal "$(log_size)" $((before + 1))
    equal "$(newest_event .outcome)" refused
}

@test "invariant 5: the name of a revoked identity is not used again" {
    init_store
    create codex
    "$MARQUE" revoke codex --reason gone --confirm 2> /dev/null
    answers 3 create codex --scope card:edit --confirm
    has "$stderr" "revoked; names are not reused"
}

@test "create: a name that could be mistaken for a credential's id is refused" {
    init_store
    leaves_store_alone 2 create abcdef012345 --scope card:edit --confirm
    has "$stderr" "has the form of a credential id"
    answers 0 create abcdef01234 --scope card:edit --confirm
    answers 0 create abcdef-012345 --scope card:edit --confirm
}

@test "create: nothing comes into being under what is paused" {
    init_store
    "$MARQUE" pause --env dev --reason incident --confirm 2> /dev/null
    answers 3 create codex --scope card:edit --confirm
    has "$stderr" "environment dev: it is paused; resume it first"
    answers 0 create codex --scope card:edit --env staging --confirm
    "$MARQUE" workspace pause default --reason incident --confirm 2> /dev/null
    answers 3 create pilot --scope card:edit --env staging --confirm
    has "$stderr" "workspace default: it is paused; resume it first"
}

@test "create: no scope, an empty one and an unknown kind are refused" {
    init_store
    leaves_store_alone 2 create codex --confirm
    has "$stderr" "at least one scope"
    leaves_store_alone 2 create codex --scope "" --confirm
    leaves_store_alone 2 create codex --scope card:edit, --confirm
    leaves_store_alone 2 create codex --scope card:edit --kind robot --confirm
    leaves_store_alone 2 create --scope card:edit --confirm
}

@test "create: the preset kan carries that application's 24 permissions" {
    init_store
    answers 0 create codex --scope kan --confirm
    equal "$("$MARQUE" inspect codex -o json | jq '.scopes | length')" 24
    equal "$("$MARQUE" inspect codex -o json | jq -c '.scopes | contains(["workspace:view", "member:remove", "card:edit"])')" true
}

@test "create: a scope that is a slip of the pen is taken, and pointed out" {
    init_store
    answers 5 create codex --scope card:edti
    has "$stderr" "did you mean card:edit?"
}

@test "create: the same label twice with different values is refused, not silently halved" {
    init_store
    leaves_store_alone 2 create codex --scope card:edit --label team=ops --label team=dev --confirm
}

@test "create: an expired one is refused, and says so to the operator" {
    needs_clock
    at 2026-11-23T20:43:00.000000Z
    init_store
    create codex --expires 1h
    at 2026-11-23T21:42:59.999999Z
    accepted "$WORK/codex.token"
    at 2026-11-23T21:43:00.000000Z
    refused "$WORK/codex.token"
    has "$("$MARQUE" verify < "$WORK/codex.token" || true)" "refused: expired"
    equal "$(state_of_credential "$(credential_of codex)")" expired
}
