# The owner's gate, killed at every system call that changes anything on disk: nothing is half approved.

load ../cli/helpers
load helpers

setup_file() {
    command -v strace > /dev/null || skip "there is no strace"
}

# A store with an owner, whose key is $D/owner.
make_base() {
    mkdir "$WORK/base"
    export MARQUE_STORE="$WORK/base/store"
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/base/owner"
    "$MARQUE" init --operator ops --owner-key "$WORK/base/owner.pub" --confirm 2> /dev/null
}
# and with an open request, whose id is in $D/id and whose signature in $D/sig.
make_asked() {
    make_base
    "$MARQUE" create bot --env production --scope card:view --confirm -o json > "$WORK/asked" 2> /dev/null || true
    jq -r .approval.id "$WORK/asked" > "$WORK/base/id"
    "$MARQUE" approval export "$(cat "$WORK/base/id")" |
        ssh-keygen -q -Y sign -n marque-approval -f "$WORK/base/owner" > "$WORK/base/sig" 2> /dev/null
}
make_signed() {
    make_asked
    "$MARQUE" approval import "$(cat "$WORK/base/id")" "$WORK/base/sig" --confirm 2> /dev/null
}

ask() {
    local code=0
    "${STRIKE[@]}" "$MARQUE" create bot --env production --scope card:view --confirm || code=$?
    [ "$code" -eq 6 ] || return "$code"
}
import() { "${STRIKE[@]}" "$MARQUE" approval import "$(cat "$D/id")" "$D/sig" --confirm; }
deny() { "${STRIKE[@]}" "$MARQUE" approval deny "$(cat "$D/id")" --reason no --confirm; }
redeem() {
    "${STRIKE[@]}" "$MARQUE" create bot --env production --scope card:view --approval "$(cat "$D/id")" \
        --token-file "$D/bot.token" --confirm
}

state_of_approval() { "$MARQUE" approval show "$1" -o json | jq -r .state; }

# Asked whole, or not at all; and repeated, there is one request.
check_asked() {
    check_store
    local before
    before="$("$MARQUE" approval list -o json | jq '.approvals | length')"
    "$MARQUE" create bot --env production --scope card:view --confirm 2> /dev/null
    [ "$("$MARQUE" approval list -o json | jq '.approvals | length')" -eq 1 ] || complain "asked again, there is not one request"
    echo "$before" >> "$WORK/worked"
}

check_imported() {
    check_store
    local state
    state="$(state_of_approval "$(cat "$D/id")")"
    case $state in waiting | approved) ;; *) complain "the approval is $state" ;; esac
    "$MARQUE" approval import "$(cat "$D/id")" "$D/sig" --confirm 2> /dev/null || complain "repeated, it fails"
    [ "$(state_of_approval "$(cat "$D/id")")" = approved ] || complain "repeated, it is not approved"
    echo "$state" >> "$WORK/worked"
}

check_denied() {
    check_store
    "$MARQUE" approval deny "$(cat "$D/id")" --reason no --confirm 2> /dev/null || complain "repeated, it fails"
    [ "$(state_of_approval "$(cat "$D/id")")" = denied ] || complain "repeated, it is not denied"
}

# Used up with what it allows, or neither; and a delivered token works after one command.
check_redeemed() {
    check_store
    local answer=$REPLY state issued
    state="$(state_of_approval "$(cat "$D/id")")"
    issued="$(states_of bot)"
    case "$state $issued" in
        "approved ") redeem_again ;;
        redeemed\ ?*) ;;
        *) complain "the approval is $state, and the credential '$issued'" ;;
    esac
    REPLY=$answer
    echo "$state" >> "$WORK/worked"
    has_whole_token "$D/bot.token" || return 0
    is_in_force "$D/bot.token" || activate "$D/bot.token" || complain "a delivered token can't be activated"
    is_in_force "$D/bot.token" || complain "a delivered token is not accepted"
}
redeem_again() {
    "$MARQUE" create bot --env production --scope card:view --approval "$(cat "$D/id")" --token-file "$D/again.token" \
        --confirm 2> /dev/null || complain "what was not used can't be used"
    is_in_force "$D/again.token" || complain "a token that was approved is not accepted"
}

@test "8: asking the owners survives death at every write: a whole request, or none" {
    make_base
    strike signal=KILL ask check_asked
    tell "asking: $STRIKES deaths survived"
}

@test "8: a signature brought in survives death at every write: it counts, or can be brought again" {
    make_asked
    strike signal=KILL import check_imported
    tell "import: $STRIKES deaths survived"
}

@test "8: a denial survives death at every write; repeated, it holds" {
    make_asked
    strike signal=KILL deny check_denied
    tell "deny: $STRIKES deaths survived"
}

@test "3, 8: an approval's use survives death at every write: used up with what it allows, or neither" {
    make_signed
    strike signal=KILL redeem check_redeemed
    tell "use: $STRIKES deaths survived; used up $(grep -c redeemed "$WORK/worked"), not used $(grep -c approved "$WORK/worked")"
}
