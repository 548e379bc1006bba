#!/usr/bin/env bats
# marque approval: the owner's gate, with OpenSSH's own keys, signatures and agent. The rules by themselves are in
# src/authority/approving_test.cpp.
# shellcheck disable=SC2154

load helpers

# key NAME [OPTION…]: an SSH key $WORK/NAME.
key() {
    local name=$1
    shift
    [ $# -gt 0 ] || set -- -t ed25519
    ssh-keygen -q -N '' -C "$name" -f "$WORK/$name" "$@"
}
fingerprint_of() {
    ssh-keygen -l -f "$WORK/$1.pub" | cut -d' ' -f2
}
# An installation of operator `ops`, and owners with the keys named.
init_with() {
    local name keys=()
    for name in "$@"; do keys+=(--owner-key "$WORK/$name.pub"); done
    "$MARQUE" init --operator ops "${keys[@]}" --confirm 2> /dev/null
}
# ask [ARG…]: a request for `prod-bot` in production; leaves its id in $id.
ask() {
    answers 6 create prod-bot --env production --scope card:view "$@" --confirm -o json
    id=$(json .approval.id)
}
redeem() {
    answers "$1" create prod-bot --env production --scope card:view --approval "$id" --confirm "${@:2}"
}
# signed_elsewhere KEY [NAMESPACE]: the text exported, signed without Marque; in $WORK/request.txt.sig.
signed_elsewhere() {
    "$MARQUE" approval export "$id" > "$WORK/request.txt"
    rm -f "$WORK/request.txt.sig"
    ssh-keygen -q -Y sign -n "${2:-marque-approval}" -f "$WORK/$1" "$WORK/request.txt" 2> /dev/null
}
# not_counted SENTENCE [FILE]: the signature is not taken, for that reason, and that is an event.
not_counted() {
    answers 4 approval import "$id" "${2:-$WORK/request.txt.sig}" --confirm
    has "$stderr" "$1"
    equal "$(newest_event '.action, .outcome, .change.error' | paste -sd' ')" "approval.sign refused permission_denied"
    equal "$("$MARQUE" approval show "$id" -o json | jq -r '.state, (.signatures | length)' | paste -sd' ')" "waiting 0"
}

setup_owner() {
    key owner
    init_with owner
}

# `prod-bot`, and in $id a signed approval to issue it one more credential.
approved_issue() {
    setup_owner
    ask
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    redeem 0
    answers 6 issue prod-bot --confirm -o json
    id=$(json .approval.id)
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
}

@test "approval: asked, refused, signed by a throwaway key, granted once" {
    setup_owner
    answers 6 create prod-bot --env production --scope card:view --confirm
    equal "$output" ""
    has "$stderr" "no hook approval_requested is set, so nobody is told"
    has "$stderr" "environment production is protected: it needs an owner's approval"
    id=$(sed -n 's/.*asked: approval \([0-9a-z]*\),.*/\1/p' <<< "$stderr")
    has "$stderr" "marque approval sign $id"
    answers 7 inspect prod-bot
    redeem 6
    has "$stderr" "it has 0 of 1 signatures"
    answers 5 approval sign "$id" --key "$WORK/owner"
    has "$stderr" "Whoever signs this text lets operator ops do what it says"
    has "$stderr" "scopes: card:view"
    answers 0 approval sign "$id" --key "$WORK/owner" --confirm
    redeem 0
    equal "${output:0:9}" mrq_live_
    "$MARQUE" verify <<< "$output"
    redeem 3
    equal "$("$MARQUE" audit export | jq -r 'select(.action | startswith("approval.")) | .action' | paste -sd' ')" \
        "approval.request approval.sign approval.redeem"
    answers 0 audit verify
    has "$output" "owners' signatures: 1"
}

@test "approval: the three events have the plan's digest, the log keeps the signature, and OpenSSH alone checks it" {
    setup_owner
    ask
    plan=$("$MARQUE" approval show "$id" -o json | jq -r .plan)
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    redeem 0
    "$MARQUE" audit export > "$WORK/log"
    for action in request sign redeem; do
        equal "$(jq -r "select(.action == \"approval.$action\") | .change.after.plan" "$WORK/log")" "$plan"
    done
    equal "$(jq -r 'select(.action == "credential.activate") | .approval' "$WORK/log")" "$id"
    # An auditor with nothing of ours but the log:
    jq -j 'select(.action == "approval.request") | .change.after.request' "$WORK/log" > "$WORK/text"
    jq -j 'select(.action == "approval.sign") | .change.after.signature' "$WORK/log" > "$WORK/text.sig"
    jq -r 'select(.action == "owner.add") | "owner " + .change.after.public_key' "$WORK/log" > "$WORK/signers"
    ssh-keygen -Y verify -f "$WORK/signers" -I owner -n marque-approval -s "$WORK/text.sig" < "$WORK/text"
    equal "$(tail -n 1 "$WORK/text" | tr -d '\n' | sha256sum | cut -d' ' -f1)" "$plan"
}

@test "approval sign: every kind of key that there is without hardware" {
    key ed25519 -t ed25519
    key ecdsa256 -t ecdsa -b 256
    key ecdsa384 -t ecdsa -b 384
    key ecdsa521 -t ecdsa -b 521
    key rsa -t rsa -b 3072
    init_with ed25519 ecdsa256 ecdsa384 ecdsa521 rsa
    ask
    for name in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa; do
        answers 0 approval sign "$id" --key "$WORK/$name" --confirm
        has "$stderr" "added the signature of $(fingerprint_of "$name")"
    done
    equal "$("$MARQUE" approval show "$id" -o json | jq '.signatures | length')" 5
    redeem 0
}

@test "approval import: hardware keys of both kinds, by a security key in software" {
    for kind in ed25519 ecdsa; do /usr/bin/python3 "$BATS_TEST_DIRNAME/security_key.py" make "$kind" "$WORK/$kind"; done
    init_with ed25519 ecdsa
    ask
    "$MARQUE" approval export "$id" > "$WORK/request.txt"
    for kind in ed25519 ecdsa; do
        /usr/bin/python3 "$BATS_TEST_DIRNAME/security_key.py" sign marque-approval "$WORK/$kind" \
            < "$WORK/request.txt" > "$WORK/$kind.sig"
        answers 0 approval import "$id" "$WORK/$kind.sig" --confirm
    done
    equal "$("$MARQUE" approval show "$id" -o json | jq '.signatures | length')" 2
    ask --label x=y
    "$MARQUE" approval export "$id" > "$WORK/request.txt"
    for kind in ed25519 ecdsa; do
        /usr/bin/python3 "$BATS_TEST_DIRNAME/security_key.py" sign other "$WORK/$kind" \
            < "$WORK/request.txt" > "$WORK/$kind.sig"
        not_counted "its namespace is not marque-approval" "$WORK/$kind.sig"
        /usr/bin/python3 "$BATS_TEST_DIRNAME/security_key.py" sign marque-approval "$WORK/$kind" \
            <<< "another text" > "$WORK/$kind.sig"
        not_counted "not over the text of this request" "$WORK/$kind.sig"
    done
}

@test "approval sign: with a key that only the agent holds" {
    setup_owner
    ask
    eval "$(ssh-agent -s)" > /dev/null
    ssh-add -q "$WORK/owner" 2> /dev/null
    rm "$WORK/owner"
    HOME="$WORK" run --separate-stderr "$MARQUE" approval sign "$id" --confirm
    ssh-agent -k > /dev/null
    equal "$status" 0
    redeem 0
}

@test "approval sign: with a key that lies in ~/.ssh; without any it says how else" {
    setup_owner
    ask
    unset SSH_AUTH_SOCK
    HOME="$WORK" answers 7 approval sign "$id" --confirm
    has "$stderr" "no registered owner's key is held by the agent or lies in ~/.ssh"
    mkdir "$WORK/.ssh"
    cp "$WORK/owner" "$WORK/owner.pub" "$WORK/.ssh/"
    HOME="$WORK" answers 0 approval sign "$id" --confirm
}

@test "approval sign: --confirm=DIGEST signs only the text that was shown; --dry-run signs nothing" {
    setup_owner
    ask
    leaves_store_alone 5 approval sign "$id" --key "$WORK/owner"
    shown=$(shown_digest)
    equal "$shown" "$("$MARQUE" approval export "$id" | sha256sum | cut -c1-16)"
    leaves_store_alone 0 approval sign "$id" --key "$WORK/owner" --dry-run
    leaves_store_alone 5 approval sign "$id" --key "$WORK/owner" --confirm=0123456789abcdef
    leaves_store_alone 5 approval sign "$id" --key "$WORK/owner" --confirm=3
    # What nobody could read is not signed.
    run bash -c '"$MARQUE" approval sign "$1" --key "$2" --confirm 2>&-' -- "$id" "$WORK/owner"
    equal "$status" 1
    equal "$("$MARQUE" approval show "$id" -o json | jq '.signatures | length')" 0
    answers 0 approval sign "$id" --key "$WORK/owner" --confirm="$shown"
}

@test "approval export and import: signed on a machine without Marque" {
    setup_owner
    ask
    signed_elsewhere owner
    sed -i 's/$/\r/' "$WORK/request.txt.sig"  # as mail leaves it
    answers 0 approval import "$id" "$WORK/request.txt.sig" --confirm
    equal "$("$MARQUE" approval show "$id" -o json | jq -r .state)" approved
    run --separate-stderr "$MARQUE" approval import "$id" - --confirm < "$WORK/request.txt.sig"
    equal "$status" 0
    has "$stderr" "has signed it already, and counts once"
    redeem 0
}

@test "approval import: a signature over another plan" {
    setup_owner
    ask --label x=y
    other=$id
    signed_elsewhere owner
    ask
    not_counted "the signature is over the text of approval $other, not of approval $id"
}

@test "approval import: a signature with another namespace" {
    setup_owner
    ask
    signed_elsewhere owner git
    not_counted "its namespace is not marque-approval"
}

@test "approval import: a signature for another installation" {
    setup_owner
    MARQUE_STORE="$WORK/elsewhere" init_with owner
    export MARQUE_STORE="$WORK/elsewhere"
    ask
    signed_elsewhere owner
    export MARQUE_STORE="$WORK/store"
    ask
    not_counted "the signature is not over the text of this request of this installation"
}

@test "approval import: a signature by nobody's key, a text with one byte more, and what is no signature" {
    setup_owner
    key stranger
    ask
    signed_elsewhere stranger
    not_counted "by a key that is no owner's here"
    "$MARQUE" approval export "$id" > "$WORK/request.txt"
    echo >> "$WORK/request.txt"
    rm -f "$WORK/request.txt.sig"
    ssh-keygen -q -Y sign -n marque-approval -f "$WORK/owner" "$WORK/request.txt" 2> /dev/null
    not_counted "not over the text of this request"
    echo hello > "$WORK/none"
    not_counted "this is no SSH signature" "$WORK/none"
    sed 3d "$WORK/request.txt.sig" > "$WORK/none"
    not_counted "the signature is garbled" "$WORK/none"
    { cat "$WORK/request.txt.sig"; printf '\e[2Jhello\n'; } > "$WORK/none"
    not_counted "this is no SSH signature" "$WORK/none"
    answers 2 approval import "$id" "$WORK/nowhere" --confirm
}

@test "approval: a key that was removed since no longer counts, before or after it signed" {
    key owner
    key second
    init_with owner second
    ask
    "$MARQUE" approval sign "$id" --key "$WORK/second" --confirm 2> /dev/null
    first=$id
    answers 6 owner remove "$(fingerprint_of second)" --confirm -o json
    removal=$(json .approval.id)
    "$MARQUE" approval sign "$removal" --key "$WORK/owner" --confirm 2> /dev/null
    answers 0 owner remove "$(fingerprint_of second)" --approval "$removal" --confirm
    redeem 6
    has "$stderr" "it has 0 of 1 signatures; that of $(fingerprint_of second) no longer counts: the key was removed"
    equal "$(newest_event '.action, .outcome, .approval' | paste -sd' ')" "identity.create refused $first"
    id=$first
    ask --label x=y
    signed_elsewhere second
    not_counted "by a key that is no owner's here"
}

@test "approval: nobody approves what they asked for, but a sole owner who is said to be one" {
    key own
    key other
    "$MARQUE" init --operator ops --owner-key "ops=$WORK/own.pub" --owner-key "$WORK/other.pub" --confirm 2> /dev/null
    equal "$("$MARQUE" owner list -o json | jq -r '.owners[0].operator, .sole_owner' | paste -sd' ')" "ops false"
    ask
    answers 4 approval sign "$id" --key "$WORK/own" --confirm
    has "$stderr" "is ops's own key: somebody else has to approve it"
    equal "$(newest_event '.action, .outcome' | paste -sd' ')" "approval.sign refused"
    answers 6 owner policy --sole-owner yes --confirm -o json
    policy=$(json .approval.id)
    answers 4 approval sign "$policy" --key "$WORK/own" --confirm
    "$MARQUE" approval sign "$policy" --key "$WORK/other" --confirm 2> /dev/null
    answers 0 owner policy --sole-owner yes --approval "$policy" --confirm
    equal "$(newest_event '.action, .change.after.sole_owner' | paste -sd' ')" "owner.policy true"
    answers 0 approval sign "$id" --key "$WORK/own" --confirm
    redeem 0
    answers 0 doctor
    has "$output" "there is a sole owner, as the installation was told"
}

@test "init --sole-owner: recorded, said by doctor, and the one person asks and approves" {
    key own
    answers 2 init --operator ops --sole-owner --confirm
    answers 2 init --operator ops --owner-key "bob=$WORK/own.pub" --sole-owner --confirm
    answers 0 init --operator ops --owner-key "$WORK/own.pub" --sole-owner --confirm
    equal "$("$MARQUE" audit export | jq -r 'select(.action == "installation.create") | .change.after.sole_owner')" true
    ask
    answers 0 approval sign "$id" --key "$WORK/own" --confirm
    redeem 0
    answers 0 doctor
    has "$output" "warning  there is a sole owner"
}

@test "approval: one signature counts once towards a quorum of two, and so do two keys of one operator" {
    for name in one two three; do key "$name"; done
    "$MARQUE" init --operator ops --owner-key "bob=$WORK/one.pub" --owner-key "bob=$WORK/two.pub" \
        --owner-key "$WORK/three.pub" --confirm 2> /dev/null
    answers 3 owner policy --quorum 3 --confirm
    has "$stderr" "approvals would need 3 owners, and there would be 2"
    answers 6 owner policy --quorum 2 --confirm -o json
    policy=$(json .approval.id)
    "$MARQUE" approval sign "$policy" --key "$WORK/three" --confirm 2> /dev/null
    answers 0 owner policy --quorum 2 --approval "$policy" --confirm
    ask
    answers 0 approval sign "$id" --key "$WORK/one" --confirm
    answers 0 approval sign "$id" --key "$WORK/one" --confirm
    has "$stderr" "counts once"
    answers 4 approval sign "$id" --key "$WORK/two" --confirm
    has "$stderr" "operator bob has signed it with another key already, and counts once"
    redeem 6
    has "$stderr" "it has 1 of 2 signatures"
    answers 0 approval sign "$id" --key "$WORK/three" --confirm
    redeem 0
    answers 0 audit verify
    answers 3 owner remove "$(fingerprint_of three)" --confirm
}

@test "approval: its time is up after a day; then it can be neither signed nor used" {
    needs_clock
    at 2027-01-01T00:00:00.000000Z
    setup_owner
    ask
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    at 2027-01-02T00:00:00.000000Z
    redeem 6
    has "$stderr" "its time is up, since 2027-01-02 00:00:00 UTC"
    equal "$(newest_event '.action, .outcome' | paste -sd' ')" "identity.create refused"
    answers 3 approval sign "$id" --key "$WORK/owner" --confirm
    answers 0 approval list
    has "$stderr" "nothing waits for an owner"
    equal "$("$MARQUE" approval list --all -o json | jq -r '.approvals[0].state')" expired
}

@test "approval deny: for ever, with who and why; withdraw: for whoever asked" {
    setup_owner
    ask
    answers 2 approval deny "$id" --confirm
    answers 5 approval deny "$id" --reason "not this week"
    answers 0 approval deny "$id" --reason "not this week" --confirm
    equal "$(newest_event '.action, .reason' | paste -sd' ')" "approval.deny not this week"
    redeem 6
    has "$stderr" "it was denied (by ops, "
    has "$stderr" "not this week"
    answers 3 approval sign "$id" --key "$WORK/owner" --confirm
    denied=$id
    ask
    [ "$id" != "$denied" ]
    answers 0 approval withdraw "$id" --confirm
    redeem 6
    has "$stderr" "whoever asked has withdrawn it"
    answers 3 approval deny "$id" --reason late --confirm
    answers 7 approval show 00000000
    answers 2 approval show nonsense
}

@test "approval: used by whoever asked, and by nobody else" {
    needs_users
    setup_owner
    "$MARQUE" operator add guest --user 12345 --permission workspace:manage --workspace default --confirm 2> /dev/null
    ask
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    give_store_to 12345
    user_gets 12345 4 create prod-bot --env production --scope card:view --approval "$id" --confirm
    has "$stderr" "approval $id was asked for by ops, and only they can use it"
    user_gets 12345 4 approval withdraw "$id" --confirm
    redeem 0
}

@test "approval: only for exactly that plan; a scope added, a name, a label, a longer life are another" {
    setup_owner
    ask
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    for other in "prod-bot --scope card:view,card:edit" "prod-bot --scope card:view --expires 89d" \
        "prod-bot --scope card:view --label a=b" "other-bot --scope card:view"; do
        # shellcheck disable=SC2086
        answers 6 create $other --env production --approval "$id" --confirm
        has "$stderr" "approval $id is for another plan than this"
        equal "$(newest_event '.action, .outcome, .approval' | paste -sd' ')" "identity.create refused $id"
    done
    answers 2 create dev-bot --scope card:view --approval "$id" --confirm
    redeem 0
}

@test "approval: not when the world has moved" {
    approved_issue
    "$MARQUE" pause prod-bot --reason r --for 1s --confirm 2> /dev/null
    answers 3 issue prod-bot --approval "$id" --confirm
    has "$stderr" "it is paused"
    equal "$(newest_event '.action, .outcome' | paste -sd' ')" "credential.issue refused"
}

@test "approval: of two that use it at once exactly one does" {
    approved_issue
    for n in 1 2 3 4 5 6; do
        { code=0
          "$MARQUE" issue prod-bot --approval "$id" --token-file "$WORK/token.$n" --confirm 2> "$WORK/stderr.$n" || code=$?
          echo "$code" > "$WORK/code.$n"; } &
    done
    wait
    equal "$(cat "$WORK"/code.* | sort | paste -sd' ')" "0 6 6 6 6 6"
    equal "$(cat "$WORK"/stderr.* | grep -c "it was used already, and works once")" 5
    equal "$(ls "$WORK"/token.* | wc -l)" 1
    answers 0 audit verify
}

@test "approval: neither an operator's name nor a key's comment gets into the allowed signers" {
    key owner
    key evil
    # The comment is a second line of such a file, with a key that would be anybody's.
    printf '%s x\n* %s\n' "$(cut -d' ' -f1,2 "$WORK/owner.pub")" "$(cut -d' ' -f1,2 "$WORK/evil.pub")" > "$WORK/two.pub"
    printf '%s *,!nobody namespaces="git" %s\n' "$(cut -d' ' -f1,2 "$WORK/owner.pub")" \
        "$(cut -d' ' -f1,2 "$WORK/evil.pub")" > "$WORK/comment.pub"
    answers 2 init --operator 'ops *' --owner-key "$WORK/comment.pub" --confirm
    answers 2 init --operator $'ops\n*' --owner-key "$WORK/comment.pub" --confirm
    answers 0 init --operator ops --owner-key "$WORK/comment.pub" --confirm
    ask
    signed_elsewhere evil
    not_counted "by a key that is no owner's here"
    # What is written into the database by hand gets nowhere near them.
    for change in "comment = char(10) || '* $(cut -d' ' -f1,2 "$WORK/evil.pub")'" \
        "fingerprint = '*', public_key = public_key || char(10) || '* $(cut -d' ' -f1,2 "$WORK/evil.pub")'"; do
        sqlite3 "$MARQUE_STORE/marque.db" "UPDATE owner SET $change"
        answers 10 approval import "$id" "$WORK/request.txt.sig" --confirm
        has "$stderr" "somebody wrote to the database"
    done
}

@test "approval: a key's file with more than one line is refused, with the line" {
    key owner
    key evil
    cat "$WORK/owner.pub" "$WORK/evil.pub" > "$WORK/two.pub"
    answers 2 init --operator ops --owner-key "$WORK/two.pub" --confirm
    has "$stderr" "line 2"
}

@test "approval: controls in free text are escaped in what is signed; names with any are refused; what hides is refused" {
    setup_owner
    answers 2 create $'prod\nbot' --env production --scope card:view --confirm
    ask --contact $'bob\n- identity other\e[2K' --reason $'why\rnot'
    "$MARQUE" approval export "$id" > "$WORK/request.txt"
    LC_ALL=C grep -q "contact: 'bob\\\\n- identity other\\\\u{1b}\[2K'" "$WORK/request.txt"
    run ! env LC_ALL=C grep -q '^- identity other' "$WORK/request.txt"
    run ! env LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' "$WORK/request.txt"
    answers 3 create prod-bot --env production --scope card:view --contact $'\u202ebob' --confirm
    has "$stderr" "would hold a character that can't be seen"
    equal "$(newest_event '.action, .outcome' | paste -sd' ')" "identity.create refused"
}

@test "approval: what is rewritten in the database is not what was signed" {
    setup_owner
    ask
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    cp -a "$MARQUE_STORE" "$WORK/whole"
    for change in "not_after = not_after + 1000000" "nonce = '0'" "text = text || char(10)"; do
        rm -rf "$MARQUE_STORE"
        cp -a "$WORK/whole" "$MARQUE_STORE"
        sqlite3 "$MARQUE_STORE/marque.db" "UPDATE approval SET $change"
        redeem 10
        has "$stderr" "approval $id is not as it was written: somebody wrote to the database"
    done
    rm -rf "$MARQUE_STORE"
    cp -a "$WORK/whole" "$MARQUE_STORE"
    sqlite3 "$MARQUE_STORE/marque.db" "UPDATE approval_signature SET signature = replace(signature, 'A', 'B')"
    redeem 10
    has "$stderr" "a signature of approval $id is not as it was written"
    sqlite3 "$MARQUE_STORE/marque.db" "UPDATE approval SET text = text || char(27) || '[2K'"
    answers 10 approval show "$id"
    answers 10 approval export "$id"
}

@test "audit verify: finds a signature in the log that is none, by checking it again" {
    setup_owner
    ask
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    redeem 0
    answers 0 audit verify -o json
    equal "$(json '.sound, .owner_signatures' | paste -sd' ')" "true 1"
}

@test "approval list and show --watch: an owner notices what is asked, and what becomes of it" {
    setup_owner
    "$MARQUE" approval list --watch > "$WORK/seen" &
    watcher=$!
    ask
    "$MARQUE" approval show "$id" --watch > "$WORK/shown" &
    shower=$!
    for _ in $(seq 200); do grep -q "$id  waiting" "$WORK/seen" && break; sleep 0.05; done
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    redeem 0
    wait "$shower"
    for _ in $(seq 200); do grep -q "$id  redeemed" "$WORK/seen" && break; sleep 0.05; done
    kill "$watcher"
    has "$(cat "$WORK/seen")" "$id  waiting (0 of 1)  create identity prod-bot for ops"
    has "$(cat "$WORK/seen")" "$id  redeemed"
    has "$(tail -n 5 "$WORK/shown")" "redeemed"
}

@test "approval: asking again is the same request; without --confirm and in a dry run nobody is asked" {
    setup_owner
    leaves_store_alone 6 create prod-bot --env production --scope card:view --dry-run
    has "$stderr" "nobody was asked"
    answers 6 create prod-bot --env production --scope card:view
    has "$stderr" "To ask the owners, add --confirm"
    equal "$("$MARQUE" approval list -o json | jq '.approvals | length')" 0
    ask
    first=$id
    ask
    equal "$id" "$first"
    equal "$("$MARQUE" approval list -o json | jq '.approvals | length')" 1
    answers 0 approval list
    has "${lines[0]}" "APPROVAL"
    has "${lines[1]}" "$id"
    has "${lines[1]}" "waiting"
}

@test "approval: resume, rotate, protect, unprotect, owners: all behind the gate, all through it" {
    setup_owner
    key second
    ask
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    redeem 0
    token=$output
    through() {
        answers 6 "$@" --confirm -o json
        id=$(json .approval.id)
        "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
        answers 0 "$@" --approval "$id" --confirm
    }
    through rotate prod-bot --compromised
    run "$MARQUE" verify <<< "$token"
    equal "$status" 3
    "$MARQUE" pause prod-bot --reason r --confirm 2> /dev/null
    through resume prod-bot
    has "$("$MARQUE" approval show "$id")" "scopes: card:view"
    "$MARQUE" pause --env production --reason r --confirm 2> /dev/null
    through resume --env production
    has "$("$MARQUE" approval show "$id")" "identities: 1"
    through environment protect dev
    through environment unprotect dev
    through owner add "$WORK/second.pub" --operator bob
    through owner policy --quorum 2
    answers 0 audit verify
    has "$output" "owners' signatures: 8"
    answers 0 doctor
}

@test "approval: a hook is told of a request once, and can neither stop nor delay it for long" {
    setup_owner
    printf '[hooks]\napproval_requested = "%s"\n' "$WORK/hook" > "$MARQUE_STORE/hooks.toml"
    printf '#!/bin/sh\ncat > "%s/told"\nenv > "%s/env"\n' "$WORK" "$WORK" > "$WORK/hook"
    chmod 755 "$WORK/hook"
    ask
    equal "$(jq -r '.schema, .event, .id, .requester, .action' "$WORK/told" | paste -sd' ')" \
        "marque/1 approval_requested $id ops create"
    has "$(jq -r .request "$WORK/told")" "Marque approval request $id"
    lacks "$(cat "$WORK/env")" MARQUE
    rm "$WORK/told"
    ask
    [ ! -e "$WORK/told" ]
    printf '#!/bin/sh\necho no mail >&2\nexit 3\n' > "$WORK/hook"
    answers 6 create hooked --env production --scope card:view --confirm
    has "$stderr" "failed: 'no mail'"
    printf '#!/bin/sh\nsleep 1000\n' > "$WORK/hook"
    begin=$SECONDS
    answers 6 create stuck --env production --scope card:view --confirm
    has "$stderr" "did not end within ten seconds, and was stopped"
    [ $((SECONDS - begin)) -lt 60 ]
    equal "$("$MARQUE" approval list -o json | jq '.approvals | length')" 3
}

@test "approval: whether OpenSSH can judge is not what it judges: a machine without the account's name is told so" {
    needs_users
    setup_owner
    ask
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    signed_elsewhere owner
    "$MARQUE" operator add guest --user 12345 --permission workspace:manage --all-workspaces --confirm 2> /dev/null
    give_store_to 12345
    ! getent passwd 12345 || skip "uid 12345 has a name here"
    user_gets 12345 8 audit verify
    has "$stderr" "ssh-keygen could not judge a signature"
    user_gets 12345 8 approval import "$id" "$WORK/request.txt.sig" --confirm
    user_gets 12345 8 owner add "$WORK/owner.pub" --confirm
}

@test "owner add: what never ends is not read to its end" {
    setup_owner
    run --separate-stderr timeout 20 "$MARQUE" owner add /dev/zero --confirm
    equal "$status" 2
}

@test "approval: a hook that others could write is not run, nor one of a file that makes no sense" {
    setup_owner
    printf '#!/bin/sh\ntouch "%s/ran"\n' "$WORK" > "$WORK/hook"
    refuses() {
        answers 6 create "bot-$1" --env production --scope card:view --confirm
        has "$stderr" "$2"
        [ ! -e "$WORK/ran" ]
    }
    printf '[hooks]\napproval_requested = "%s"\n' "$WORK/hook" > "$MARQUE_STORE/hooks.toml"
    chmod 757 "$WORK/hook"
    refuses 1 "could be written by others"
    chmod 755 "$WORK/hook"
    # Nor one in a folder where others could put their own in its place, or a link to such a one.
    mkdir "$WORK/open"
    chmod 777 "$WORK/open"
    cp "$WORK/hook" "$WORK/open/hook"
    ln -s "$WORK/open/hook" "$WORK/link"
    printf '[hooks]\napproval_requested = "%s"\n' "$WORK/link" > "$MARQUE_STORE/hooks.toml"
    refuses 6 "could be written by others"
    printf '[hooks]\napproval_requested = "%s"\n' "$WORK/hook" > "$MARQUE_STORE/hooks.toml"
    chmod 666 "$MARQUE_STORE/hooks.toml"
    refuses 2 "could be written by others"
    chmod 600 "$MARQUE_STORE/hooks.toml"
    printf '[hooks]\napproval_requested = "hook"\n' > "$MARQUE_STORE/hooks.toml"
    refuses 3 "is not the absolute path of a program"
    printf '[hooks]\napproval_requested_ = "/hook"\n' > "$MARQUE_STORE/hooks.toml"
    refuses 4 "is no hook"
    printf '[hooks\n' > "$MARQUE_STORE/hooks.toml"
    refuses 5 "hooks.toml"
}

@test "invariant 12: with a row away for a moment nothing passes the gate, and what takes away goes on" {
    approved_issue
    sqlite3 "$MARQUE_STORE/marque.db" "DELETE FROM identity"
    answers 0 workspace pause default --reason r --confirm
    has "$stderr" "more may stop than is listed: identity/default/prod-bot was taken away"
    answers 10 workspace resume default --confirm
    has "$stderr" "identity/default/prod-bot was taken away"
    answers 10 revoke --filter kind=agent --reason r --confirm=1
    has "$stderr" "identity/default/prod-bot was taken away"
}
