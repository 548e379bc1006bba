# Killed at every system call that changes anything on disk. SIGKILL comes as the call is
# entered and the call does not happen, so that every prefix of the sequence of calls occurs.

load ../cli/helpers
load helpers

setup_file() {
    command -v strace > /dev/null || skip "there is no strace"
}

# A store with identity `old`, whose token is in $D/old.token.
make_base() {
    mkdir "$WORK/base"
    export MARQUE_STORE="$WORK/base/store"
    init_store
    "$MARQUE" create old --scope card:view --token-file "$WORK/base/old.token" --confirm 2> /dev/null
}

create_to_stdout() { "${STRIKE[@]}" "$MARQUE" create new --scope card:view --confirm > "$D/new.token"; }
create_to_file() { "${STRIKE[@]}" "$MARQUE" create new --scope card:view --token-file "$D/new.token" --confirm; }
create_many() {
    printf 'many-%s scope=card:view\n' 1 2 > "$D/roster"
    mkdir "$D/tokens"
    "${STRIKE[@]}" "$MARQUE" create --from "$D/roster" --token-dir "$D/tokens" --confirm=2
}
rotate_with_overlap() { "${STRIKE[@]}" "$MARQUE" rotate old --token-file "$D/new.token" --confirm; }
rotate_compromised() { "${STRIKE[@]}" "$MARQUE" rotate old --compromised --token-file "$D/new.token" --confirm; }
revoke() { "${STRIKE[@]}" "$MARQUE" revoke old --reason over --confirm; }
init() { "${STRIKE[@]}" "$MARQUE" init --operator ops --confirm; }
migrate() { "${STRIKE[@]}" "$MARQUE" store migrate --confirm; }
rotate_key() { "${STRIKE[@]}" "$MARQUE" store rotate-key --confirm; }

# A whole token is accepted, or is so after one command. Leaves its verdict before that in $BEFORE.
works_after_one_command() {
    BEFORE="$(verdict "$1")"
    [ "$BEFORE" = accepted ] && return
    activate "$1" || complain "a whole token was delivered, but $BEFORE and not to be activated"
    is_in_force "$1" || complain "a whole token was delivered, activated, and is not accepted"
    replayed "$MARQUE_STORE" || complain "after activate: $REPLY"
}

# Of an identity whose token was not delivered whole, nothing is or ever was in force.
nothing_in_force_of() {
    local state
    for state in $(states_of "$1" | tr , ' '); do
        case $state in pending | revoked) ;; *) complain "the token of $1 was not delivered, and its credential is $state" ;; esac
    done
}

check_created() {
    check_store
    if has_whole_token "$D/new.token"; then
        works_after_one_command "$D/new.token"
        [ "$BEFORE" = accepted ] && echo new >> "$WORK/worked" || echo new >> "$WORK/activated"
    else
        nothing_in_force_of new
        if [ -n "$(states_of new)" ]; then  # the way on is one command, too
            "$MARQUE" issue new --token-file "$D/next.token" --confirm 2> /dev/null && is_in_force "$D/next.token" ||
                complain "no credential could be issued to the identity left behind"
        fi
        echo new >> "$WORK/never"
    fi
}

check_created_many() {
    check_store
    local answer=$REPLY name
    for name in many-1 many-2; do
        REPLY=$answer
        if has_whole_token "$D/tokens/$name"; then
            works_after_one_command "$D/tokens/$name"
        else
            nothing_in_force_of "$name"
        fi
    done
}

check_rotated() {
    check_store
    local answer=$REPLY
    local old
    old="$(verdict "$D/old.token")"
    if has_whole_token "$D/new.token"; then
        works_after_one_command "$D/new.token"
        [ "$BEFORE" = accepted ] || [ "$old" = accepted ] || complain "between the two, neither token was accepted"
        [ "$BEFORE" = accepted ] && echo new >> "$WORK/worked" || echo new >> "$WORK/activated"
    else
        [ "$old" = accepted ] || complain "the new token was not delivered, and the old one is $old"
        [[ $answer =~ \ old=(active|active,pending)(\ |$) ]] || complain "old is touched, and nothing delivered: $answer"
        echo new >> "$WORK/never"
    fi
}
check_rotated_with_overlap() {
    check_rotated
    is_in_force "$D/old.token" || complain "the old token is refused within its overlap"
}
check_rotated_compromised() {
    check_rotated
    if has_whole_token "$D/new.token" && is_in_force "$D/old.token"; then
        complain "the new token is in force, and so is the compromised one"
    fi
}

check_revoked() {
    check_store
    local before
    before="$(verdict "$D/old.token")"
    [ "$before" = accepted ] || [ "$before" = refused ] || complain "verify: $before"
    [ "$before" = accepted ] && echo old >> "$WORK/never" || echo old >> "$WORK/worked"
    "$MARQUE" revoke old --reason over --confirm 2> "$D/err" || complain "the repeated revoke: $(cat "$D/err")"
    [ "$(verdict "$D/old.token")" = refused ] || complain "accepted after the repeated revoke"
    replayed "$MARQUE_STORE" || complain "after the repeated revoke: $REPLY"
}

# Under the old key and open; or under the next, and then refused until it is repeated.
check_key_rotated() {
    case "$(verdict "$D/old.token")" in
        accepted) echo key >> "$WORK/never" ;;
        "exit 10") echo key >> "$WORK/worked" ;;
        *) complain "verify in between: $(verdict "$D/old.token")" ;;
    esac
    "$MARQUE" store rotate-key --confirm 2> "$D/err" || complain "the repeated rotation: $(cat "$D/err")"
    [ ! -e "$MARQUE_STORE/root.key.next" ] || complain "the next key is still the next"
    is_in_force "$D/old.token" || complain "the token is refused after the repeat"
    check_store
}

# Of the old version or of the new, and whole in each: a repeat ends with the new one, and every row is as it was sealed.
check_migrated() {
    [ "$(schema)" = "$BEFORE_SCHEMA" ] && echo schema >> "$WORK/never" || echo schema >> "$WORK/worked"
    "$MARQUE" store migrate --confirm 2> "$D/err" || complain "the repeated migration: $(cat "$D/err")"
    [ "$(schema)" = "$NEWEST_SCHEMA" ] || complain "the schema is $(schema) after the repeat"
    is_in_force "$D/old.token" || complain "the token is refused after the repeat"
    check_store
}

check_inited() {
    local code=0
    "$MARQUE" init --operator ops --confirm 2> "$D/err" || code=$?
    case $code in
        0) echo init >> "$WORK/never" ;;
        3) echo init >> "$WORK/worked" ;;
        *) complain "the repeated init: exit $code: $(cat "$D/err")" ;;
    esac
    check_store
    # Half of these are pages of empty tables: every eighth is enough to try the store's use.
    [[ $POINT != pwrite64* || $((${POINT#* } % 8)) -eq 0 ]] || return 0
    "$MARQUE" create first --scope card:view --token-file "$D/first.token" --confirm 2> "$D/err" ||
        complain "create: $(cat "$D/err")"
    is_in_force "$D/first.token" || complain "the first token is not accepted"
}

@test "1: the replay that judges the others finds what no entry tells of" {
    make_base
    local change db="$MARQUE_STORE/marque.db" id
    id="$(head -c 21 "$WORK/base/old.token" | tail -c 12)"
    "$PYTHON" "$TORTURE/replay.py" "$MARQUE_STORE"
    cp -a "$MARQUE_STORE" "$WORK/kept"
    for change in "UPDATE credential SET state = 'revoked' WHERE id = '$id'" \
        "UPDATE credential SET revision = revision + 1" \
        "UPDATE credential SET expires_at = NULL" \
        "UPDATE identity SET state = 'paused'" \
        "UPDATE identity SET scopes = scopes || ',card:edit'" \
        "UPDATE environment SET is_protected = 0" \
        "UPDATE operator SET is_removed = 1" \
        "DELETE FROM permission" \
        "INSERT INTO credential SELECT 'zzzzzzzzzzzz', workspace, identity, hash, scopes, state, created_at, expires_at, paused_until, retire_at, replaces, old_credential, overlap_us, revision FROM credential" \
        "DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)"; do
        rm -rf "$MARQUE_STORE"
        cp -a "$WORK/kept" "$MARQUE_STORE"
        sqlite3 "$db" "$change"
        run -1 "$PYTHON" "$TORTURE/replay.py" "$MARQUE_STORE"
        [[ $output == differs:* ]]
    done
}

count() { [ -e "$WORK/$1" ] && wc -l < "$WORK/$1" || echo 0; }

@test "1, 3: create, token to stdout, survives death at every write: nothing usable, or a token that works after one command" {
    make_base
    strike signal=KILL create_to_stdout check_created
    tell "create to stdout: $STRIKES deaths survived; token never out $(count never), out and activated by one command $(count activated), in force $(count worked)"
}

@test "1, 3: create, token to a file, survives death at every write: nothing usable, or a token that works after one command" {
    make_base
    strike signal=KILL create_to_file check_created
    tell "create to a file: $STRIKES deaths survived; token never out $(count never), out and activated by one command $(count activated), in force $(count worked)"
}

@test "1, 3: create of two survives death at every write: each token apart" {
    make_base
    strike signal=KILL create_many check_created_many
    tell "create of two: $STRIKES deaths survived"
}

@test "1, 3, 4: rotate survives death at every write and never costs the old credential" {
    make_base
    strike signal=KILL rotate_with_overlap check_rotated_with_overlap
    tell "rotate: $STRIKES deaths survived; token never out $(count never), out and activated by one command $(count activated), in force $(count worked)"
}

@test "1, 3, 4: rotate --compromised survives death at every write: the old one ends only as the new one begins" {
    make_base
    strike signal=KILL rotate_compromised check_rotated_compromised
    tell "rotate --compromised: $STRIKES deaths survived; token never out $(count never), out and activated by one command $(count activated), in force $(count worked)"
}

@test "1, 5: revoke survives death at every write; repeated, it succeeds and holds" {
    make_base
    strike signal=KILL revoke check_revoked
    tell "revoke: $STRIKES deaths survived; not yet revoked $(count never), revoked $(count worked)"
}

@test "init survives death at every write: complete, or completed by repeating it" {
    strike signal=KILL init check_inited
    tell "init: $STRIKES deaths survived; completed by repeating $(count never), complete $(count worked)"
}

@test "store rotate-key survives death at every write: one of two keys opens the store, and a repeat finishes" {
    make_base
    strike signal=KILL rotate_key check_key_rotated
    tell "rotate-key: $STRIKES deaths survived; under the old key $(count never), under the next until repeated $(count worked)"
    [ "$(count never)" -gt 0 ] && [ "$(count worked)" -gt 0 ]
}

@test "invariant 15: store migrate survives death at every write: the old schema or the new one, and a repeat finishes" {
    make_base
    NEWEST_SCHEMA=$(schema)
    BEFORE_SCHEMA=$((NEWEST_SCHEMA - 1))
    "$MARQUE" store rollback --confirm 2> /dev/null
    strike signal=KILL migrate check_migrated
    tell "migrate: $STRIKES deaths survived; not yet migrated $(count never), migrated $(count worked)"
    [ "$(count never)" -gt 0 ] && [ "$(count worked)" -gt 0 ]
}
