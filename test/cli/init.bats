#!/usr/bin/env bats
# marque init

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

owner_key() {
    ssh-keygen -q -t ed25519 -N '' -C 'owner@example.org' -f "$WORK/owner"
}

@test "init: makes a store for its owner alone: folder 0700, files 0600" {
    answers 0 init --operator ops --confirm
    equal "$output" ""
    has "$stderr" "added operator ops with uid $(id -u)"
    has "$stderr" "added environment production, protected"
    has "$stderr" "The store is $MARQUE_STORE"
    equal "$(stat -c %a "$MARQUE_STORE")" 700
    equal "$(stat -c %a "$MARQUE_STORE"/* | sort -u)" 600
    equal "$(stat -c %s "$MARQUE_STORE/root.key")" 65
    equal "$("$MARQUE" audit verify -o json | jq -c '[.sound, .size]')" "[true,6]"
}

@test "init: with a mask that gives everything away the store is still for its owner alone" {
    umask 000
    init_store
    equal "$(stat -c %a "$MARQUE_STORE")" 700
    equal "$(stat -c %a "$MARQUE_STORE"/* | sort -u)" 600
}

@test "init: without --confirm it says what it would do, exits 5, and there is no store" {
    answers 5 init --operator ops
    equal "$output" ""
    has "$stderr" "Plan: init as ops"
    has "$stderr" "operator ops"
    has "$stderr" "workspace default"
    has "$stderr" "environment production: active, protected true"
    has "$stderr" "Nothing has changed. To apply it, add --confirm"
    [ ! -e "$MARQUE_STORE" ]
}

@test "init: the plan names the folder" {
    answers 5 init --operator ops
    has "$stderr" "$MARQUE_STORE"
}

@test "invariant 9: init --confirm=DIGEST: the plan that was shown, and no other" {
    answers 5 init --operator ops
    digest=$(shown_digest)
    answers 5 init --operator other --confirm="$digest"
    run "$MARQUE" list
    [ "$status" -ne 0 ]
    answers 0 init --operator ops --confirm="$digest"
}

@test "invariant 9: --dry-run is the command: init exits 0 and makes nothing" {
    answers 0 init --operator ops --dry-run
    [ ! -e "$MARQUE_STORE" ]
    answers 0 init --operator ops --dry-run --confirm
    [ ! -e "$MARQUE_STORE" ]
}

@test "invariant 9: --dry-run is the command: init where there is a store meets the same refusal" {
    init_store
    leaves_store_alone 3 init --operator ops --dry-run
    leaves_store_alone 3 init --operator ops
}

@test "invariant 9: --dry-run is the command: init into a folder that is open to others meets the same refusal" {
    mkdir -m 755 "$MARQUE_STORE"
    answers 3 init --operator ops --confirm
    answers 3 init --operator ops --dry-run
}

@test "init: -o json is one document: plan and result" {
    answers 5 init --operator ops -o json
    equal "$(json .result)" shown
    answers 0 init --operator ops --confirm -o json
    equal "$(json .result)" applied
}

@test "init: applied, -o json is one document on stdout" {
    answers 0 init --operator ops --confirm -o json
    equal "$(json .result)" applied
    equal "$(json .revision)" 6
}

@test "init: a second time is 3, and changes nothing" {
    init_store
    create codex
    key=$(sha256sum < "$MARQUE_STORE/root.key")
    leaves_store_alone 3 init --operator other --confirm
    has "$stderr" "already"
    equal "$(sha256sum < "$MARQUE_STORE/root.key")" "$key"
    accepted "$WORK/codex.token"
}

@test "init: of two at the same time, one makes the store and the other is refused" {
    "$MARQUE" init --operator a --confirm 2> "$WORK/a" &
    one=$!
    "$MARQUE" init --operator b --confirm 2> "$WORK/b" &
    two=$!
    first=0 second=0
    wait "$one" || first=$?
    wait "$two" || second=$?
    [ $((first == 0 ? 1 : 0)) -ne $((second == 0 ? 1 : 0)) ]
    equal "$("$MARQUE" operator list -o json | jq '.operators | length')" 1
    equal "$("$MARQUE" audit verify -o json | jq -c '[.sound, .size]')" "[true,6]"
}

@test "init: a folder that is open to others is refused with 3" {
    mkdir -m 755 "$MARQUE_STORE"
    answers 3 init --operator ops --confirm
    has "$stderr" "is open to others (mode 0755)"
    has "$stderr" "chmod 700"
    equal "$(ls -A "$MARQUE_STORE")" ""
}

@test "init: an empty folder of one's own is taken; where a file is, it is refused" {
    mkdir -m 700 "$MARQUE_STORE"
    answers 0 init --operator ops --confirm
    echo mine > "$WORK/file"
    answers 2 init --store "$WORK/file" --operator ops --confirm
    equal "$(cat "$WORK/file")" mine
    run --separate-stderr "$MARQUE" init --store "$WORK/file/below" --operator ops --confirm
    [ "$status" -ne 0 ]
}

@test "init: folders above are made" {
    export MARQUE_STORE="$WORK/a/b/c"
    init_store
    equal "$(stat -c %a "$MARQUE_STORE")" 700
}

@test "init: what was cut short is finished by a second one" {
    init_store
    cp "$MARQUE_STORE/root.key" "$WORK/key"
    rm "$MARQUE_STORE"/marque.db*
    : > "$MARQUE_STORE/marque.db"
    answers 0 init --operator ops --confirm
    cmp "$MARQUE_STORE/root.key" "$WORK/key"
    create codex
    accepted "$WORK/codex.token"
}

@test "init: -w names the first workspace; names that are none are refused" {
    answers 2 init -w "No Name" --operator ops --confirm
    answers 2 init --operator "No Name" --confirm
    [ ! -e "$MARQUE_STORE" ]
    answers 0 init -w board --operator ops --confirm
    equal "$("$MARQUE" workspace list -o json | jq -c '[.workspaces[].workspace]')" '["board"]'
}

@test "init --owner-key: registers the owners' OpenSSH keys" {
    owner_key
    answers 0 init --operator ops --owner-key "$WORK/owner.pub" --confirm
    has "$stderr" "registered owner key $(ssh-keygen -l -f "$WORK/owner.pub" | cut -d' ' -f2)"
    lacks "$stderr" "no owner key is given"
    equal "$("$MARQUE" owner list -o json | jq -r '.owners[0].fingerprint')" "$(ssh-keygen -l -f "$WORK/owner.pub" | cut -d' ' -f2)"
}

@test "init --owner-key: what is no public key is refused, a private one before all, and no store is made" {
    owner_key
    answers 2 init --operator ops --owner-key "$WORK/owner" --confirm
    has "$stderr" "is not an OpenSSH public key"
    lacks "$stderr" PRIVATE
    answers 2 init --operator ops --owner-key "$WORK/none" --confirm
    echo "ssh-ed25519 AAAAnonsense" > "$WORK/bad.pub"
    answers 2 init --operator ops --owner-key "$WORK/bad.pub" --confirm
    ssh-keygen -q -t rsa -b 2048 -N '' -f "$WORK/short"
    answers 2 init --operator ops --owner-key "$WORK/short.pub" --confirm
    has "$stderr" "2048 bits is too short"
    sed 's/^/command="x" /' "$WORK/owner.pub" > "$WORK/options.pub"
    answers 2 init --operator ops --owner-key "$WORK/options.pub" --confirm
    [ ! -e "$MARQUE_STORE" ]
}

@test "init --owner-key: the same key twice is one owner, or refused in our words" {
    owner_key
    run --separate-stderr "$MARQUE" init --operator ops --owner-key "$WORK/owner.pub" --owner-key "$WORK/owner.pub" --confirm
    lacks "$stderr" "UNIQUE"
    lacks "$stderr" "constraint"
}
