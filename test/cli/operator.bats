#!/usr/bin/env bats
# marque operator, and what those may do who are less than everything

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

view_only() {
    "$MARQUE" operator add helper --user 12345 --permission workspace:view --workspace default --confirm 2> /dev/null
}

@test "operator list: who they are, and what they hold" {
    init_store
    answers 0 operator list
    [[ "${lines[1]}" =~ ^ops\ +$(id -u)\ +active\ +workspace:manage\ in\ all\ workspaces$ ]]
    answers 0 operator list -o json
    equal "$(json '.operators | length')" 1
    equal "$(json '.operators[0] | keys | join(" ")')" "created_at grants operator state uid"
    equal "$(json '.operators[0].grants')" '[{"permission":"workspace:manage","workspace":"*"}]'
}

@test "operator add: plan, dry run, digest, then done" {
    init_store
    add=(operator add helper --user 12345 --permission workspace:view --all-workspaces)
    leaves_store_alone 5 "${add[@]}"
    has "$stderr" "Plan: operator add as ops"
    has "$stderr" "operator helper"
    digest=$(shown_digest)
    leaves_store_alone 0 "${add[@]}" --dry-run
    leaves_store_alone 5 "${add[@]}" --confirm=0123456789abcdef
    answers 0 "${add[@]}" --confirm="$digest"
    has "$stderr" "added operator helper with uid 12345"
    equal "$(newest_event '.action, .target.name' | paste -sd' ')" "operator.add helper"
}

@test "operator add: a name or a uid that is taken is 3, one that is wrong 2, a login that there isn't 7" {
    init_store
    view_only
    answers 3 operator add helper --user 12346 --all-workspaces --confirm
    has "$stderr" "there is an operator helper already"
    answers 3 operator add other --user 12345 --all-workspaces --confirm
    has "$stderr" "uid 12345 is operator helper"
    leaves_store_alone 2 operator add Other --user 12346 --all-workspaces --confirm
    leaves_store_alone 2 operator add other --user 4294967295 --all-workspaces --confirm
    leaves_store_alone 2 operator add other --user 12346 --permission everything --all-workspaces --confirm
    leaves_store_alone 2 operator add other --user 12346 --confirm
    has "$stderr" "--workspace NAME or --all-workspaces"
    leaves_store_alone 7 operator add other --user no-such-login-here --all-workspaces --confirm
    answers 7 operator add other --user 12346 --workspace nowhere --confirm
}

@test "operator grant and withdraw: both idempotent" {
    init_store
    view_only
    leaves_store_alone 5 operator grant helper --permission workspace:manage --workspace default
    answers 0 operator grant helper --permission workspace:manage --workspace default --confirm
    leaves_store_alone 0 operator grant helper --permission workspace:manage --workspace default --confirm
    has "$stderr" "nothing to do: operator helper holds workspace:manage there already"
    answers 0 operator withdraw helper --permission workspace:manage --workspace default --confirm
    leaves_store_alone 0 operator withdraw helper --permission workspace:manage --workspace default --confirm
    has "$stderr" "nothing to do: operator helper does not hold workspace:manage there"
    answers 7 operator grant nobody --permission workspace:view --all-workspaces --confirm
}

@test "operator grant: a name that there isn't: whom was meant" {
    init_store
    view_only
    answers 7 operator grant helpr --permission workspace:view --all-workspaces --confirm
    has "$stderr" "did you mean helper?"
}

@test "operator: the last who manages everything can't be removed, nor lose it" {
    init_store
    view_only
    answers 3 operator remove ops --confirm
    has "$stderr" "nobody would be left to manage the installation"
    answers 3 operator withdraw ops --permission workspace:manage --all-workspaces --confirm
    "$MARQUE" operator grant helper --permission workspace:manage --workspace default --confirm 2> /dev/null
    answers 3 operator remove ops --confirm
    "$MARQUE" operator grant helper --permission workspace:manage --all-workspaces --confirm 2> /dev/null
    leaves_store_alone 5 operator remove ops
    answers 0 operator remove ops --confirm
    answers 4 list
}

@test "operator: one who was removed is removed for good: the name is not reused, the removal is idempotent" {
    init_store
    view_only
    answers 0 operator remove helper --confirm
    leaves_store_alone 0 operator remove helper --confirm
    has "$stderr" "nothing to do: operator helper was removed already"
    answers 3 operator add helper --user 12345 --all-workspaces --confirm
    has "$stderr" "names are not reused"
    answers 3 operator grant helper --permission workspace:view --all-workspaces --confirm
    equal "$("$MARQUE" operator list -o json | jq -r '.operators[] | select(.operator == "helper").state')" removed
    answers 0 operator add helper2 --user 12345 --permission workspace:view --all-workspaces --confirm
}

@test "invariant 10: who is no operator is refused with 4, reading and changing, and each refusal is an event" {
    needs_users
    init_store
    create codex
    give_store_to 12345
    for command in "inspect codex" "list" "audit list" "create pilot --scope card:edit --confirm" \
        "revoke codex --reason r --confirm" "operator list" "workspace add w --confirm"; do
        before=$(log_size)
        # shellcheck disable=SC2086
        user_gets 12345 4 $command
        equal "$output" ""
        has "$stderr" "uid 12345 is no operator of this installation"
        equal "$(log_size)" $((before + 1))
        equal "$(newest_event '.outcome, .actor.uid, .change.error' | paste -sd' ')" "refused 12345 permission_denied"
    done
    accepted "$WORK/codex.token"
}

@test "invariant 9: --dry-run is the command: who may not is refused with 4, without an event" {
    needs_users
    init_store
    create codex
    give_store_to 12345
    before=$(contents)
    user_gets 12345 4 revoke codex --reason r --dry-run
    equal "$(contents)" "$before"
}

@test "invariant 10: workspace:view sees and changes nothing" {
    needs_users
    init_store
    create codex
    view_only
    give_store_to 12345
    user_gets 12345 0 inspect codex
    user_gets 12345 0 list
    for command in "create pilot --scope card:edit" "issue codex" "rotate codex" "pause codex --reason r" "resume codex" \
        "revoke codex --reason r" "environment add e" "operator add x --user 1 --workspace default"; do
        # shellcheck disable=SC2086
        user_gets 12345 4 $command --confirm
        has "$stderr" "operator helper does not hold workspace:manage in workspace default"
        # shellcheck disable=SC2086
        user_gets 12345 4 $command
        # shellcheck disable=SC2086
        user_gets 12345 4 $command --dry-run
    done
    for command in "operator list" "workspace list" "audit list" "audit verify" "owner list"; do
        # shellcheck disable=SC2086
        user_gets 12345 4 $command
    done
    equal "$("$MARQUE" list --names)" codex
    accepted "$WORK/codex.token"
}

@test "invariant 10: who manages one workspace does nothing in another, and nothing to the installation" {
    needs_users
    init_store
    "$MARQUE" workspace add other --confirm 2> /dev/null
    "$MARQUE" -w other create pilot --scope card:edit --confirm > /dev/null 2>&1
    "$MARQUE" operator add helper --user 12345 --workspace default --confirm 2> /dev/null
    give_store_to 12345
    user_gets 12345 0 create codex --scope card:edit --confirm
    user_gets 12345 0 pause codex --reason r --confirm
    user_gets 12345 4 -w other inspect pilot
    user_gets 12345 4 -w other create mine --scope card:edit --confirm
    user_gets 12345 4 -w other revoke pilot --reason r --confirm
    user_gets 12345 7 revoke pilot --reason r --confirm
    user_gets 12345 4 workspace add third --confirm
    user_gets 12345 4 operator add friend --user 12346 --all-workspaces --confirm
    user_gets 12345 4 operator grant helper --permission workspace:manage --all-workspaces --confirm
    user_gets 12345 4 operator grant helper --permission workspace:view --workspace other --confirm
    user_gets 12345 4 operator remove ops --confirm
    user_gets 12345 4 store backup "$WORK/backup" --confirm
    [ ! -e "$WORK/backup" ]
    equal "$("$MARQUE" -w other inspect pilot -o json | jq -r .state)" active
}

@test "invariant 10: a workspace that is not mine looks the same whether or not it is there" {
    needs_users
    init_store
    "$MARQUE" workspace add other --confirm 2> /dev/null
    view_only
    give_store_to 12345
    user_gets 12345 4 -w other list
    there=${stderr//other/W}
    user_gets 12345 4 -w nowhere list
    equal "${stderr//nowhere/W}" "$there"
}

@test "invariant 10: whose permission was withdrawn, and who was removed, may nothing from then on" {
    needs_users
    init_store
    create codex
    "$MARQUE" operator add helper --user 12345 --workspace default --confirm 2> /dev/null
    give_store_to 12345
    user_gets 12345 0 list
    "$MARQUE" operator withdraw helper --permission workspace:manage --workspace default --confirm 2> /dev/null
    user_gets 12345 4 list
    user_gets 12345 4 revoke codex --reason r --confirm
    "$MARQUE" operator grant helper --permission workspace:view --workspace default --confirm 2> /dev/null
    user_gets 12345 0 list
    "$MARQUE" operator remove helper --confirm 2> /dev/null
    user_gets 12345 4 list
    has "$stderr" "uid 12345 is no operator of this installation"
}

@test "verify: who is no operator of the workspace learns that a token is refused, not why nor whose" {
    needs_users
    init_store
    create codex
    "$MARQUE" revoke codex --reason r --confirm 2> /dev/null
    give_store_to 12345
    run --separate-stderr as_user 12345 verify < "$WORK/codex.token"
    equal "$status" 3
    equal "$output" refused
    run --separate-stderr as_user 12345 verify -o json < "$WORK/codex.token"
    equal "$output" '{"accepted":false,"schema":"marque/1"}'
    run --separate-stderr as_user 12345 verify <<< nonsense
    equal "$status" 3
    equal "$output" refused
}

@test "operator: the log tells who acted, by name and uid" {
    needs_users
    init_store
    "$MARQUE" operator add helper --user 12345 --workspace default --confirm 2> /dev/null
    give_store_to 12345
    user_gets 12345 0 create codex --scope card:edit --confirm
    equal "$(newest_event '.actor.name, .actor.uid' | paste -sd' ')" "helper 12345"
    answers 0 audit list --operator helper -o json
    equal "$(jq '.entries | length' <<< "$output")" 3
}

# What docs/store.md, "Restoring", types; the account of the store has another uid on this machine.
restored_store() {
    local account=$1
    shift
    as_user "$account" init --operator ops "$@" --confirm
    as_user "$account" create codex --scope card:view --token-file "$WORK/there/codex.token" --confirm
    as_user "$account" store backup "$WORK/there/backup.db" --confirm
    install -d -m 700 "$WORK/new"
    install -m 600 "$WORK/there/backup.db" "$WORK/new/marque.db"
    install -m 600 "$MARQUE_STORE/root.key" "$WORK/new/root.key"
    export MARQUE_STORE="$WORK/new"
}

@test "operator reassign: a restored store, whose account has another uid, gets its operator back" {
    needs_users
    chmod 711 "$WORK"
    install -d -o 12345 "$WORK/there"
    MARQUE_STORE="$WORK/there/store"
    restored_store 12345 > /dev/null 2>&1
    answers 4 revoke codex --reason r --confirm
    has "$stderr" "this account owns the store: to make it the account of an operator, marque operator reassign NAME --user 0"
    answers 0 doctor
    has "$output" "uid 0 is no operator, and these are: ops (uid 12345); if it is the account of one now, marque operator reassign NAME --user 0"
    answers 2 operator reassign ops --user 0 --confirm
    has "$stderr" "there is no owner who could approve it, so the log needs a reason"
    leaves_store_alone 0 operator reassign ops --user 0 --reason "restored on another machine" --dry-run
    answers 0 operator reassign ops --user 0 --reason "restored on another machine" --confirm
    has "$stderr" "operator ops has uid 0 now, and had 12345"
    equal "$(newest_event '.action, .target.name, .change.before.uid, .change.after.uid' | paste -sd' ')" \
        "operator.reassign ops 12345 0"
    answers 0 revoke codex --reason r --confirm
    answers 0 audit verify
}

@test "operator reassign: where there are owners one of them signs it" {
    needs_users
    chmod 711 "$WORK"
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/owner"
    # ssh-keygen wants a name for its account.
    install -d -o daemon "$WORK/there"
    MARQUE_STORE="$WORK/there/store"
    restored_store "$(id -u daemon)" --owner-key "$WORK/owner.pub" > /dev/null 2>&1
    answers 6 operator reassign ops --user 0 --confirm
    id=$(grep -o 'approval sign [0-9a-z]*' <<< "$stderr" | cut -d' ' -f3)
    answers 0 approval export "$id"
    has "$output" "asked by:      uid 0, which no operator has, and which is to be operator ops"
    printf '%s\n' "$output" > "$WORK/request.txt"
    ssh-keygen -q -Y sign -n marque-approval -f "$WORK/owner" "$WORK/request.txt"
    answers 0 approval import "$id" "$WORK/request.txt.sig" --confirm
    answers 6 operator reassign ops --user 0 --reason other --approval "$id" --confirm
    has "$stderr" "(reason: nothing then, 'other' now)"
    answers 0 operator reassign ops --user 0 --approval "$id" --confirm
    answers 0 audit verify
}

@test "operator reassign: who manages the installation gives another operator another uid; none that is taken" {
    init_store
    view_only
    leaves_store_alone 5 operator reassign helper --user 12346
    answers 0 operator reassign helper --user 12346 --confirm
    answers 0 operator reassign helper --user 12346 --confirm
    has "$stderr" "operator helper has uid 12346 already"
    answers 3 operator reassign helper --user "$(id -u)" --confirm
    answers 7 operator reassign helpr --user 1 --confirm
    has "$stderr" "did you mean helper?"
}

@test "a user namespace shows any account under any uid: nothing is believed of one" {
    needs_users
    setpriv --reuid=12345 --regid=12345 --clear-groups unshare --user --map-user=12346 true 2> /dev/null ||
        skip "user namespaces are not allowed here"
    init_store
    "$MARQUE" operator add mallory --user 12345 --all-workspaces --confirm 2> /dev/null
    "$MARQUE" operator add bob --user 12346 --all-workspaces --confirm 2> /dev/null
    give_store_to 12345
    user_gets 12345 0 list
    before=$(log_size)
    run --separate-stderr setpriv --reuid=12345 --regid=12345 --clear-groups unshare --user --map-user=12346 \
        "$MARQUE" workspace pause default --reason r --confirm
    equal "$status" 4
    has "$stderr" "uid 12346 is that of a user namespace, which can show any account under it"
    equal "$(log_size)" $((before + 1))
    equal "$(newest_event '.actor | .uid, .name' | paste -sd' ')" "12346 null"
}

@test "invariant 10: who manages one workspace learns no operator's name of another by a hint" {
    needs_users
    init_store
    "$MARQUE" operator add secretary --user 12346 --all-workspaces --confirm 2> /dev/null
    "$MARQUE" operator add helper --user 12345 --workspace default --confirm 2> /dev/null
    give_store_to 12345
    user_gets 12345 7 operator grant secretar --permission view -w default --confirm
    lacks "$stderr" secretary
    user_gets 12345 3 operator add other --user 12346 -w default --confirm
    lacks "$stderr" secretary
}
