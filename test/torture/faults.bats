# A disk that fails: each call that writes or syncs fails, with the error it would have.
# The exit code must be true afterwards: 0 means done, 8 that no new token works, 9 that either can be.

load ../cli/helpers
load helpers

setup_file() {
    command -v strace > /dev/null || skip "there is no strace"
}

make_base() {
    mkdir "$WORK/base"
    export MARQUE_STORE="$WORK/base/store"
    init_store
    "$MARQUE" create old --scope card:view --token-file "$WORK/base/old.token" --confirm 2> /dev/null
    log_size > "$WORK/size"
}

create() { "${STRIKE[@]}" "$MARQUE" create new --scope card:view --token-file "$D/new.token" --confirm; }
rotate() { "${STRIKE[@]}" "$MARQUE" rotate old --token-file "$D/new.token" --confirm; }
revoke() { "${STRIKE[@]}" "$MARQUE" revoke old --reason over --confirm; }

said() { cat "$D/operate.stderr"; }
grew() { [ "$(log_size)" -ne "$(cat "$WORK/size")" ]; }
was_withdrawn() { # the newest entry tells of a delivery that failed
    "$MARQUE" audit export | tail -n 1 | jq -e '.action == "credential.deliver" and .outcome == "failed"' > /dev/null
}

check_delivered() { # check_delivered IDENTITY
    local answer
    check_store
    answer=$REPLY
    echo "$CODE" >> "$WORK/codes"
    case $CODE in
        0)
            has_whole_token "$D/new.token" && is_in_force "$D/new.token" || complain "exit 0, and no token that works"
            ;;
        9)
            ! has_whole_token "$D/new.token" || is_in_force "$D/new.token" || activate "$D/new.token" ||
                complain "exit 9, and a token that can't be activated; it said: $(said)"
            ;;
        *)
            [ ! -e "$D/new.token" ] || complain "exit $CODE, and there is a token file"
            [[ $answer =~ \ $1=[a-z,]*active,active ]] && complain "exit $CODE, and two in force: $answer"
            if grew && ! was_withdrawn; then complain "exit $CODE, and the log grew without a withdrawal; it said: $(said)"; fi
            ;;
    esac
    case $CODE in
        0 | 8 | 9) ;;
        *) complain "exit $CODE; it said: $(said)" ;;
    esac
    is_in_force "$D/old.token" || complain "the old token does not work"
}
check_created() {
    check_delivered new
    [ "$CODE" -eq 0 ] || has_whole_token "$D/new.token" || ! replayed "$MARQUE_STORE" ||
        [[ " $(states_of new) " != *active* ]] || complain "exit $CODE, and an undelivered credential is in force: $REPLY"
}
check_rotated() { check_delivered old; }

check_revoked() {
    local before
    check_store
    echo "$CODE" >> "$WORK/codes"
    before="$(verdict "$D/old.token")"
    case $CODE in
        0) [ "$before" = refused ] || complain "revoke said done, and its token is $before" ;;
        8)
            [ "$before" = accepted ] || complain "revoke said that nothing changed, and its token is $before"
            ! grew || complain "revoke said that nothing changed, and the log grew"
            [ -s "$D/operate.stderr" ] || complain "no word of the failure"
            ;;
        9) [ "$before" = accepted ] || [ "$before" = refused ] || complain "exit 9, and its token is $before" ;;
        *) complain "exit $CODE; it said: $(said)" ;;
    esac
    "$MARQUE" revoke old --reason over --confirm 2> "$D/err" || complain "the repeated revoke: $(cat "$D/err")"
    [ "$(verdict "$D/old.token")" = refused ] || complain "accepted after the repeated revoke"
}

codes() {
    sort -n "$WORK/codes" | uniq -c | awk '{ printf "%sexit %s: %s", n++ ? ", " : "", $2, $1 }'
    : > "$WORK/codes"
}

# fail OPERATE CHECK ERROR KINDS…: each call of these kinds fails with ERROR.
fail() {
    local operate=$1 check=$2 error=$3 WRITING
    shift 3
    WRITING="$*"
    [ -e "$WORK/base" ] || make_base
    strike "error=$error" "$operate" "$check"
    tell "$operate, $error${ONWARDS:+ from then on}: $STRIKES faults; $(codes)"
    rm -f "$WORK/eight-after-delivery"
}
SYNCING='pwrite64 fsync fdatasync syncfs renameat2'

@test "3, 9: create on a full disk says what is true, and leaves the store sound" {
    fail create check_created ENOSPC pwrite64 write ftruncate
}

@test "3, 9: create on a disk that fails once says what is true, and leaves the store sound" {
    fail create check_created EIO $SYNCING
}

@test "3, 9: create on a disk that fails for good says what is true, and leaves the store sound" {
    ONWARDS=+ fail create check_created EIO $SYNCING
}

@test "4: rotate on a disk that fails once keeps a working token, and leaves the store sound" {
    fail rotate check_rotated EIO $SYNCING
}

@test "5, 6: revoke on a full disk says what is true; repeated, it succeeds and holds" {
    fail revoke check_revoked ENOSPC pwrite64 ftruncate
}

@test "5, 6: revoke on a disk that fails once says what is true; repeated, it succeeds and holds" {
    fail revoke check_revoked EIO $SYNCING
}

@test "5, 6: revoke on a disk that fails for good says what is true; repeated, it succeeds and holds" {
    ONWARDS=+ fail revoke check_revoked EIO $SYNCING
}
