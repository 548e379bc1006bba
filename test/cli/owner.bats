#!/usr/bin/env bats
# marque owner

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

init_with_owner() {
    ssh-keygen -q -t ed25519 -N '' -C 'owner@example.org' -f "$WORK/owner"
    "$MARQUE" init --operator ops --owner-key "$WORK/owner.pub" --confirm 2> /dev/null
    fingerprint=$(ssh-keygen -l -f "$WORK/owner.pub" | cut -d' ' -f2)
}

@test "owner list: fingerprint, type and comment; without owners it says what that means" {
    init_with_owner
    answers 0 owner list
    equal "${#lines[@]}" 2
    has "${lines[1]}" "$fingerprint"
    has "${lines[1]}" "owner@example.org"
    answers 0 owner list -o json
    equal "$(json '.owners[0] | keys | join(" ")')" "comment fingerprint public_key"
    export MARQUE_STORE="$WORK/other"
    init_store
    answers 0 owner list
    equal "$output" ""
    has "$stderr" "the gate of protected environments stays shut"
}

@test "invariant 8: the list of owners does not change without an owner: add and remove are 6, and leave an event" {
    init_with_owner
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/second"
    answers 6 owner add "$WORK/second.pub" --confirm
    has "$stderr" "who the owners are is for the owners to say"
    "$MARQUE" audit export | tail -n 2 > "$WORK/events"
    equal "$(jq -r '.action + " " + .outcome' "$WORK/events" | paste -sd,)" "owner.add refused,approval.request done"
    answers 6 owner policy --sole-owner yes --confirm
    has "$stderr" "what it takes to approve is for the owners to say"
    equal "$("$MARQUE" owner list -o json | jq -c '[(.owners | length), .quorum, .sole_owner]')" '[1,1,false]'
}

@test "owner remove: the last one stays, and so does a quorum" {
    init_with_owner
    answers 3 owner remove "$fingerprint" --confirm
    has "$stderr" "approvals would need 1 owners, and there would be 0"
    answers 3 owner policy --quorum 2 --confirm
    answers 2 owner policy --quorum 0 --confirm
    answers 2 owner policy --confirm
}

@test "invariant 8: the first owner key is registered by whoever manages the installation; every other by the owners" {
    init_store
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/first"
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/second"
    answers 6 environment unprotect production --confirm
    has "$stderr" "this installation has no owner key, so nobody can give it"
    answers 0 owner add "$WORK/first.pub" --confirm
    has "$stderr" "from now on the owners say who the owners are"
    answers 6 owner add "$WORK/second.pub" --confirm
    answers 0 audit verify
}

@test "owner add: an operator's name that is none is refused, one that is nobody's yet is said" {
    init_store
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/first"
    answers 2 owner add "$WORK/first.pub" --operator 'b *' --confirm
    answers 0 owner add "$WORK/first.pub" --operator bob --confirm
    has "$stderr" "there is no operator bob yet"
    answers 0 owner list
    has "${lines[1]}" "bob"
}

@test "invariant 9: --dry-run is the command: owner add and remove" {
    init_with_owner
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/second"
    leaves_store_alone 6 owner add "$WORK/second.pub" --dry-run
    leaves_store_alone 3 owner remove "$fingerprint" --dry-run
    leaves_store_alone 7 owner remove SHA256:nobody --dry-run
}

@test "owner add: a key that is registered already is nothing to do, or 3" {
    init_with_owner
    run --separate-stderr "$MARQUE" owner add "$WORK/owner.pub" --confirm
    [ "$status" -eq 0 ] || [ "$status" -eq 3 ]
}

@test "owner: what is no key is 2, one that there isn't 7" {
    init_with_owner
    leaves_store_alone 2 owner add "$WORK/owner" --confirm
    leaves_store_alone 2 owner add "$WORK/none" --confirm
    leaves_store_alone 2 owner add --confirm
    leaves_store_alone 7 owner remove SHA256:nobody --confirm
    has "$stderr" "there is no such owner key"
}

@test "owner: a comment with escape sequences is shown escaped" {
    ssh-keygen -q -t ed25519 -N '' -C $'\e[31mred' -f "$WORK/owner"
    "$MARQUE" init --operator ops --owner-key "$WORK/owner.pub" --confirm 2> "$WORK/words"
    lacks "$(cat "$WORK/words")" $'\e'
    answers 0 owner list
    lacks "$output" $'\e'
}
