#!/usr/bin/env bats
# What nobody should type, stores that aren't, disks that are full

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

# Names

@test "bad names: control characters, escapes, blanks and capitals are refused and shown escaped" {
    init_store
    for name in $'a\nb' $'a\tb' $'\e[31mred' $'a\x7f' "a b" "A" "-a" ".a" "_a" "a/b" "../a" 'a"b' "a'b" 'a;b' a\$b ""; do
        leaves_store_alone 2 create --scope card:edit --confirm -- "$name"
        equal "$output" ""
        lacks "$stderr" $'\e'
        lacks "$stderr" $'\x7f'
    done
    answers 2 create --scope card:edit --confirm -- $'\e[31mred'
    has "$stderr" '\u{1b}[31mred'
    equal "$("$MARQUE" list --names)" ""
}

@test "bad names: letters that look alike are refused, and shown for what they are" {
    init_store
    leaves_store_alone 2 create --scope card:edit --confirm -- "cоdex" # Cyrillic о
    leaves_store_alone 2 create --scope card:edit --confirm -- "codex‮gpj"
    has "$stderr" '\u{202e}'
    leaves_store_alone 2 create --scope card:edit --confirm -- "code​x"
    has "$stderr" '\u{200b}'
    leaves_store_alone 2 create --scope card:edit --confirm -- "codéx"
}

@test "bad names: 63 characters are a name, 64 are none" {
    init_store
    long=$(printf 'a%.0s' $(seq 63))
    answers 0 create "$long" --scope card:edit --confirm
    leaves_store_alone 2 create "${long}a" --scope card:edit --confirm
    leaves_store_alone 2 environment add "${long}a" --confirm
    leaves_store_alone 2 workspace add "${long}a" --confirm
}

@test "bad names: of environments, workspaces, operators and label keys alike" {
    init_store
    for bad in $'a\nb' "A" "a b" ""; do
        leaves_store_alone 2 environment add --confirm -- "$bad"
        leaves_store_alone 2 workspace add --confirm -- "$bad"
        leaves_store_alone 2 operator add --user 1 --all-workspaces --confirm -- "$bad"
        leaves_store_alone 2 create codex --scope card:edit --label "$bad=x" --confirm
    done
    leaves_store_alone 2 create codex --scope card:edit --label nothing --confirm
    leaves_store_alone 2 create codex --scope card:edit --env "A b" --confirm
    leaves_store_alone 2 -w "A b" list
}

@test "unknown names: 7, whom was meant, and no event" {
    init_store
    create codex
    for command in "inspect codx" "issue codx --confirm" "rotate codx --confirm" "pause codx --reason r --confirm" \
        "resume codx --confirm" "revoke codx --reason r --confirm"; do
        # shellcheck disable=SC2086
        leaves_store_alone 7 $command
        equal "$output" ""
        has "$stderr" "there is no identity codx in workspace default"
        has "$stderr" "did you mean codex?"
    done
    leaves_store_alone 7 inspect quite-another
    lacks "$stderr" "did you mean"
    leaves_store_alone 7 create x1 --scope card:edit --env stagng --confirm
    has "$stderr" "did you mean staging?"
    leaves_store_alone 7 -w defalt list
}

# Files and long input

@test "--from: a name of a megabyte is refused with its line, quickly and in few words" {
    init_store
    mkdir "$WORK/tokens"
    { echo good; head -c 1048576 /dev/zero | tr '\0' a; } > "$WORK/roster"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=2
    has "$stderr" "line 2:"
    [ "${#stderr}" -lt 500 ]
}

@test "--from: NUL, tab, carriage return and invalid UTF-8 are refused with their line" {
    init_store
    mkdir "$WORK/tokens"
    for bytes in 'a\0b' 'a\tscope=card:view' 'a\rscope=card:view' 'a contact=\377'; do
        # shellcheck disable=SC2059
        printf "good\n$bytes\n" > "$WORK/roster"
        leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=2
        has "$stderr" "line 2:"
        lacks "$stderr" $'\r'
    done
}

@test "--from: an empty file, a folder and a device without end are refused" {
    init_store
    mkdir "$WORK/tokens"
    : > "$WORK/empty"
    leaves_store_alone 2 create --from "$WORK/empty" --token-dir "$WORK/tokens" --scope kan --confirm=1
    leaves_store_alone 2 create --from "$WORK/tokens" --token-dir "$WORK/tokens" --scope kan --confirm=1
    leaves_store_alone 2 create --from /dev/zero --token-dir "$WORK/tokens" --scope kan --confirm=1
    has "$stderr" "too large"
}

@test "scopes: 128 are taken, 129 are not, nor what is no scope" {
    init_store
    scopes=$(seq -f 's%g:view' -s, 128)
    answers 0 create codex --scope "$scopes" --confirm
    leaves_store_alone 2 create pilot --scope "$scopes,one:more" --confirm
    has "$stderr" "more than 128 scopes"
    for bad in card "card:" ":edit" "card:edit:all" "card:*" "*" "card edit" "Card:edit" "card:edit,,card:view" $'card:\e'; do
        leaves_store_alone 2 create pilot --scope "$bad" --confirm
        has "$stderr" "is not a scope"
    done
    # Twice the same is once.
    answers 0 create pilot --scope card:edit,card:edit --confirm
    equal "$("$MARQUE" inspect pilot -o json | jq -c .scopes)" '["card:edit"]'
}

@test "scopes: a list of a hundred thousand is refused, not taken in" {
    init_store
    mkdir "$WORK/tokens"
    { printf 'codex scope='; seq -f 's%g:view' -s, 100000; } > "$WORK/roster"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --confirm=1
    has "$stderr" "line 1:"
}

# Times

@test "--expires: 0, the past, nonsense and more than a hundred years are refused; 0 does not mean never" {
    init_store
    for bad in 0 0d 0s 2020-01-01 2020-01-01T00:00:00.000000Z 2026-02-30 soon -1d 1.5h 90 d 101y 36601d "90 d" 1h1d 99999999999999999999d; do
        leaves_store_alone 2 create codex --scope card:edit --expires="$bad" --confirm
    done
    answers 2 create codex --scope card:edit --expires 0d --confirm
    has "$stderr" "0 does not mean without end"
    answers 2 create codex --scope card:edit --expires 2020-01-01 --confirm
    has "$stderr" "is in the past"
    answers 2 create codex --scope card:edit --expires soon --confirm
    has "$stderr" "90d, 2h30m, 2027-01-31 or never"
    equal "$("$MARQUE" list --names)" ""
}

@test "--expires: empty is refused, not taken for the default" {
    init_store
    leaves_store_alone 2 create codex --scope card:edit --expires "" --confirm
}

# Tokens where they don't belong

@test "invariant 2: a token on the command line is refused with 2, wherever it stands, and never repeated" {
    init_store
    create codex
    token=$(cat "$WORK/codex.token")
    for arguments in "revoke $token --reason r --confirm" "verify $token" "inspect $token" \
        "revoke codex --reason=$token --confirm" "create x --scope card:edit --contact=$token --confirm" "$token"; do
        # shellcheck disable=SC2086
        leaves_store_alone 2 $arguments
        equal "$output" ""
        has "$stderr" "a token is never given on the command line"
        has "$stderr" "treat it as leaked"
        lacks "$stderr" "${token:9:12}"
        lacks "$stderr" "${token:22}"
    done
}

@test "invariant 2: a token as a name in --from is refused, and never repeated" {
    init_store
    create codex
    mkdir "$WORK/tokens"
    { cat "$WORK/codex.token"; echo "x contact=$(cat "$WORK/codex.token")"; } > "$WORK/roster"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=2
    lacks "$stderr" "$(cut -c 23-65 "$WORK/codex.token")"
}

@test "invariant 2: a token as a contact or label in --from is refused, so that no log ever holds it" {
    init_store
    create codex
    mkdir "$WORK/tokens"
    echo "x contact=$(cat "$WORK/codex.token")" > "$WORK/roster"
    answers 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=1
    lacks "$("$MARQUE" audit export)" "$(cut -c 23-65 "$WORK/codex.token")"
}

@test "verify: more than one token, or another text, is refused; what people paste around one is not looked at" {
    init_store
    create codex
    token=$(cat "$WORK/codex.token")
    for input in "$token"$'\n'"$token" "$token $token" "Bearer" "\"$token" "x$token" "${token^^}"; do
        printf '%s' "$input" > "$WORK/input"
        refused "$WORK/input"
    done
    printf '%s\0' "$token" > "$WORK/input"
    refused "$WORK/input"
    for input in "$token" " $token" "$token "$'\r\n\n' "Bearer $token" "'$token'"; do
        printf '%s' "$input" > "$WORK/input"
        accepted "$WORK/input"
    done
    head -c 1000000 /dev/urandom > "$WORK/input"
    refused "$WORK/input"
}

# Reasons

@test "reasons: escape sequences are stored and shown escaped, in inspect, audit and plans" {
    init_store
    create codex
    "$MARQUE" pause codex --reason $'odd\e[2J\e]0;title\a\nnext' --confirm 2> "$WORK/words"
    lacks "$(cat "$WORK/words")" $'\e'
    for command in "inspect codex" "audit list" "audit tail" "audit show $(log_size)" "list"; do
        # shellcheck disable=SC2086
        answers 0 $command
        lacks "$output$stderr" $'\e'
        lacks "$output$stderr" $'\a'
    done
    has "$("$MARQUE" inspect codex)" 'odd\u{1b}[2J\u{1b}]0;title\u{7}\nnext'
    equal "$(newest_event .reason)" $'odd\e[2J\e]0;title\a\nnext'
    lacks "$("$MARQUE" audit export)" $'\e'
    answers 5 revoke codex --reason $'odd\e[2J'
    lacks "$stderr" $'\e'
}

@test "contacts and label values: shown escaped, everywhere" {
    init_store
    "$MARQUE" create codex --scope card:edit --contact $'\e[31mred' --description $'\e[31mred' --label team=$'\e[31mred' --confirm > /dev/null 2> "$WORK/words"
    lacks "$(cat "$WORK/words")" $'\e'
    answers 0 inspect codex
    lacks "$output" $'\e'
    has "$output" '\u{1b}[31mred'
    answers 5 create pilot --scope card:edit --contact $'\e[31mred' --label team=$'\e[31mred'
    lacks "$stderr" $'\e'
}

@test "reasons: invalid UTF-8 and more than 500 bytes are refused; text in any language is taken" {
    init_store
    create codex
    leaves_store_alone 2 pause codex --reason $'\xff\xfe' --confirm
    has "$stderr" "the reason is not valid UTF-8 text"
    leaves_store_alone 2 pause codex --reason $'\xc0\xaf' --confirm
    leaves_store_alone 2 pause codex --reason $'\xed\xa0\x80' --confirm
    leaves_store_alone 2 pause codex --reason "$(head -c 501 /dev/zero | tr '\0' a)" --confirm
    has "$stderr" "the reason has 501 bytes; at most 500 are kept"
    leaves_store_alone 2 pause codex --reason "$(head -c 120000 /dev/zero | tr '\0' a)" --confirm
    [ "${#stderr}" -lt 500 ]
    answers 0 pause codex --reason "笔记本丢了 – « perdu »" --confirm
    has "$("$MARQUE" inspect codex)" "笔记本丢了 – « perdu »"
    answers 0 revoke codex --reason "$(head -c 500 /dev/zero | tr '\0' a)" --confirm
}

@test "reasons: an empty one is none" {
    init_store
    create codex
    leaves_store_alone 2 revoke codex --reason "" --confirm
    leaves_store_alone 2 pause codex --reason "   " --confirm
}

# Stores that aren't

@test "invariant 7: no store: 8 for every command, and verify never exits 0" {
    for command in "list" "inspect codex" "create codex --scope card:edit --confirm" "revoke codex --reason r --confirm" \
        "audit verify" "audit list" "operator list" "store status"; do
        # shellcheck disable=SC2086
        answers 8 $command
        equal "$output" ""
        has "$stderr" "marque init"
        [ ! -e "$MARQUE_STORE" ]
    done
    run --separate-stderr "$MARQUE" verify <<< "mrq_test_000000000000_0000000000000000000000000000000000000000000000000"
    equal "$status" 8
    equal "$output" ""
    run --separate-stderr "$MARQUE" verify <<< "nonsense"
    [ "$status" -ne 0 ]
    [ ! -e "$MARQUE_STORE" ]
}

@test "no store: doctor says what is missing, and doesn't exit 0" {
    run --separate-stderr "$MARQUE" doctor
    [ "$status" -ne 0 ]
    has "$output$stderr" "$MARQUE_STORE"
}

@test "a store of a newer schema is refused with 3, by verify with 8, and not changed" {
    init_store
    create codex
    sqlite3 "$MARQUE_STORE/marque.db" "PRAGMA user_version = 99"
    for command in "list" "create pilot --scope card:edit --confirm" "revoke codex --reason r --confirm"; do
        # shellcheck disable=SC2086
        leaves_store_alone 3 $command
        has "$stderr" "the store has schema 99, and this marque knows none above"
        has "$stderr" "use the marque that wrote it, or a newer one"
    done
    # 3 would say that the token is not accepted.
    run --separate-stderr "$MARQUE" verify < "$WORK/codex.token"
    equal "$status" 8
    equal "$output" ""
    leaves_store_alone 3 store migrate --confirm
    leaves_store_alone 3 init --confirm
}

@test "a store that is garbage, cut short or empty: never 0, nothing written to it" {
    init_store
    create codex
    rm -f "$MARQUE_STORE"/marque.db-*
    head -c 100000 /dev/urandom > "$MARQUE_STORE/marque.db"
    before=$(sha256sum < "$MARQUE_STORE/marque.db")
    answers 10 list
    has "$stderr" "not a database"
    run --separate-stderr "$MARQUE" verify < "$WORK/codex.token"
    equal "$status" 10
    answers 10 init --confirm
    answers 10 create pilot --scope card:edit --confirm
    equal "$output" ""
    equal "$(sha256sum < "$MARQUE_STORE/marque.db")" "$before"
    : > "$MARQUE_STORE/marque.db"
    answers 8 list
    run --separate-stderr "$MARQUE" verify < "$WORK/codex.token"
    equal "$status" 8
}

@test "a store whose pages are damaged: verify never exits 0 for a token it can't read" {
    init_store
    create codex
    sqlite3 "$MARQUE_STORE/marque.db" "PRAGMA wal_checkpoint(TRUNCATE)" > /dev/null
    rm -f "$MARQUE_STORE"/marque.db-*
    size=$(stat -c %s "$MARQUE_STORE/marque.db")
    dd if=/dev/zero of="$MARQUE_STORE/marque.db" bs=4096 seek=1 count=$((size / 4096 - 1)) conv=notrunc status=none
    run --separate-stderr "$MARQUE" verify < "$WORK/codex.token"
    equal "$status" 10
    run --separate-stderr "$MARQUE" doctor
    equal "$status" 10
}

@test "another program's database is not taken for a store: 10, and left alone" {
    init_store
    rm -f "$MARQUE_STORE"/marque.db*
    sqlite3 "$MARQUE_STORE/marque.db" "CREATE TABLE note (text TEXT); INSERT INTO note VALUES ('mine')"
    chmod 600 "$MARQUE_STORE/marque.db"
    leaves_store_alone 10 list
    has "$stderr" "not a Marque store"
    leaves_store_alone 10 init --confirm
    leaves_store_alone 10 store migrate --confirm
    leaves_store_alone 10 create codex --scope card:edit --confirm
    equal "$(sqlite3 "$MARQUE_STORE/marque.db" "SELECT text FROM note")" mine
}

@test "a store that is a folder, a link to nothing, or a device: never 0" {
    init_store
    rm -f "$MARQUE_STORE"/marque.db*
    mkdir "$MARQUE_STORE/marque.db"
    answers 10 list
    rmdir "$MARQUE_STORE/marque.db"
    ln -s "$WORK/nothing" "$MARQUE_STORE/marque.db"
    answers 10 list
    run --separate-stderr "$MARQUE" init --confirm
    [ "$status" -ne 0 ]
    [ ! -e "$WORK/nothing" ]
    rm "$MARQUE_STORE/marque.db"
    mkfifo "$MARQUE_STORE/marque.db"
    run --separate-stderr timeout 5 "$MARQUE" list
    equal "$status" 10
}

# Keys

@test "root.key that is missing: 8, and verify never exits 0" {
    init_store
    create codex
    mv "$MARQUE_STORE/root.key" "$WORK/kept"
    leaves_store_alone 8 list
    has "$stderr" "there is no root key at"
    lacks "$stderr" "marque init"
    answers 8 list --store "$WORK/nowhere"
    has "$stderr" "there is no store in '$WORK/nowhere'"
    run --separate-stderr "$MARQUE" verify < "$WORK/codex.token"
    equal "$status" 8
    mv "$WORK/kept" "$MARQUE_STORE/root.key"
    accepted "$WORK/codex.token"
}

@test "init does not make a new root.key for a store that has lost its own" {
    init_store
    create codex
    mv "$MARQUE_STORE/root.key" "$WORK/kept"
    answers 3 init --confirm
    [ ! -e "$MARQUE_STORE/root.key" ]
}

@test "root.key that others may read: 3, for verify 8, with what to do" {
    init_store
    create codex
    for mode in 644 640 604 660; do
        chmod "$mode" "$MARQUE_STORE/root.key"
        leaves_store_alone 3 list
        has "$stderr" "can be used by others (mode 0$mode)"
        has "$stderr" "chmod 600"
        run --separate-stderr "$MARQUE" verify < "$WORK/codex.token"
        equal "$status" 8
        equal "$output" ""
    done
    chmod 600 "$MARQUE_STORE/root.key"
    accepted "$WORK/codex.token"
}

@test "root.key that is cut, empty, a folder or a link is refused" {
    init_store
    cp "$MARQUE_STORE/root.key" "$WORK/kept"
    head -c 40 "$WORK/kept" > "$MARQUE_STORE/root.key"
    leaves_store_alone 10 list
    has "$stderr" "is not a root key"
    lacks "$stderr" "$(head -c 20 "$WORK/kept")"
    : > "$MARQUE_STORE/root.key"
    leaves_store_alone 10 list
    tr 'a-f' 'A-F' < "$WORK/kept" | sed 's/^./x/' > "$MARQUE_STORE/root.key"
    leaves_store_alone 10 list
    rm "$MARQUE_STORE/root.key"
    ln -s "$WORK/kept" "$MARQUE_STORE/root.key"
    run --separate-stderr "$MARQUE" list
    [ "$status" -ne 0 ]
    rm "$MARQUE_STORE/root.key"
    mkdir -m 700 "$MARQUE_STORE/root.key"
    run --separate-stderr "$MARQUE" list
    [ "$status" -ne 0 ]
}

@test "invariant 12: another installation's root.key: no token is accepted, no change is made" {
    init_store
    create codex
    own=$MARQUE_STORE
    export MARQUE_STORE="$WORK/other"
    init_store
    cp "$own/root.key" "$WORK/kept"
    cp "$MARQUE_STORE/root.key" "$own/root.key"
    export MARQUE_STORE=$own
    code=0
    "$MARQUE" verify < "$WORK/codex.token" > "$WORK/said" 2> /dev/null || code=$?
    equal "$code $(cat "$WORK/said")" "10 "
    leaves_store_alone 10 create pilot --scope card:edit --confirm
    equal "$output" ""
    has "$stderr" "the key file is another's"
    leaves_store_alone 10 revoke codex --reason r --confirm
    has "$stderr" "NOT REVOKED"
    answers 10 audit verify
    answers 10 doctor
    cp "$WORK/kept" "$own/root.key"
    accepted "$WORK/codex.token"
}

# Other users, full and read-only disks

@test "a store that I may not read: 4, nothing shown" {
    needs_users
    init_store
    create codex
    chmod 755 "$WORK"
    user_gets 12345 4 list
    equal "$output" ""
    run --separate-stderr as_user 12345 verify < "$WORK/codex.token"
    equal "$status" 4
    equal "$output" ""
    user_gets 12345 4 revoke codex --reason r --confirm
    has "$stderr" "ermission denied"
}

on_a_small_disk() {
    [ "$(id -u)" -eq 0 ] || skip "only root can mount a small disk"
    mkdir -p "$WORK/disk"
    mount -t tmpfs -o "size=$1,mode=700" tmpfs "$WORK/disk" 2> /dev/null || skip "mounting is refused here"
    export MARQUE_STORE="$WORK/disk/store"
}

teardown() {
    if mountpoint -q "$WORK/disk" 2> /dev/null; then umount -l "$WORK/disk"; fi
    rm -rf "$WORK"
}

@test "invariant 1: a full disk: 8, one clear sentence, nothing changed; old tokens verify, and it goes on after making space" {
    on_a_small_disk 400k
    init_store
    create codex
    head -c 1000000 /dev/zero > "$WORK/disk/ballast" 2> /dev/null || true
    for n in $(seq 60); do
        before=$(contents)
        run --separate-stderr "$MARQUE" environment add "e$n" --confirm
        [ "$status" -eq 0 ] || break
    done
    equal "$status" 8
    equal "$stderr" "marque: the store: database or disk is full
  free some space on the store's disk and try again"
    equal "$(contents)" "$before"
    "$MARQUE" verify < "$WORK/codex.token" 2> /dev/null
    run --separate-stderr "$MARQUE" revoke codex --reason r --confirm
    equal "$status" 8
    has "$stderr" "NOT REVOKED: what worked before still works"
    rm "$WORK/disk/ballast"
    equal "$("$MARQUE" audit verify -o json | jq .sound)" true
    answers 0 environment add "e$n" --confirm
    answers 0 revoke codex --reason r --confirm
    refused "$WORK/codex.token"
}

@test "invariant 3: a disk that fills up within create: nothing happened (8), or what was delivered works after one command (9)" {
    for size in 400k 408k 416k 420k 424k; do
        on_a_small_disk "$size"
        init_store
        head -c 200000 /dev/zero > "$WORK/disk/ballast"
        for n in $(seq 60); do
            run --separate-stderr "$MARQUE" create "agent-$n" --scope kan --confirm
            [ "$status" -eq 0 ] || break
        done
        rm "$WORK/disk/ballast"
        if [ "$status" -eq 9 ]; then
            has "$stderr" "the token was delivered, but could not be brought into force"
            has "$stderr" "marque activate --token-stdin --confirm"
            printf '%s\n' "$output" > "$WORK/token"
            refused "$WORK/token"
            "$MARQUE" activate --token-stdin --confirm < "$WORK/token" 2> /dev/null
            accepted "$WORK/token"
        else
            equal "$status" 8
            equal "$output" ""
            answers 7 inspect "agent-$n"
        fi
        equal "$("$MARQUE" audit verify -o json | jq .sound)" true
        umount "$WORK/disk"
    done
}

@test "a full disk: --token-file on it: 8, no half file, and the name is not used up" {
    on_a_small_disk 64k
    export MARQUE_STORE="$WORK/store"
    init_store
    head -c 100000 /dev/zero > "$WORK/disk/ballast" 2> /dev/null || true
    leaves_store_alone 8 create codex --scope card:edit --token-file "$WORK/disk/token" --confirm
    has "$stderr" "No space left on device"
    equal "$(ls -A "$WORK/disk")" ballast
}

@test "a full disk: --token-dir on it: 8 before anything is created, and none of the files stays" {
    on_a_small_disk 64k
    export MARQUE_STORE="$WORK/store"
    init_store
    head -c 40000 /dev/zero > "$WORK/disk/ballast"
    seq -f 'a%g' 40 > "$WORK/roster"
    leaves_store_alone 8 create --from "$WORK/roster" --token-dir "$WORK/disk" --scope kan --confirm=40
    has "$stderr" "there is no room for 40 files"
    equal "$(ls -A "$WORK/disk")" ballast
}

@test "a read-only disk: changes are 8 with a clear sentence, nothing changed; works again after" {
    on_a_small_disk 2m
    init_store
    create codex
    before=$(contents)
    mount -o remount,ro "$WORK/disk" || skip "remounting is refused here"
    run --separate-stderr "$MARQUE" create pilot --scope card:edit --confirm
    equal "$status" 8
    equal "$output" ""
    has "$stderr" "attempt to write a readonly database"
    has "$stderr" "must be writable"
    run --separate-stderr "$MARQUE" revoke codex --reason r --confirm
    equal "$status" 8
    has "$stderr" "NOT REVOKED: what worked before still works"
    equal "$("$MARQUE" list --names)" codex
    accepted "$WORK/codex.token" 2> /dev/null
    mount -o remount,rw "$WORK/disk"
    equal "$(contents)" "$before"
    accepted "$WORK/codex.token"
    answers 0 create pilot --scope card:edit --confirm
}

# Options and environment

@test "MARQUE_STORE may be relative; --store goes before it" {
    cd "$WORK"
    MARQUE_STORE=relative "$MARQUE" init --operator ops --confirm 2> /dev/null
    [ -f "$WORK/relative/marque.db" ]
    MARQUE_STORE=relative "$MARQUE" list
    MARQUE_STORE=nowhere "$MARQUE" --store relative list
    MARQUE_STORE=nowhere "$MARQUE" list --store "$WORK/relative"
    MARQUE_STORE=./relative/../relative/ "$MARQUE" list
}

@test "without MARQUE_STORE: XDG_DATA_HOME, then HOME, then the user's home from the system" {
    unset MARQUE_STORE
    XDG_DATA_HOME="$WORK/data" "$MARQUE" init --operator ops --confirm 2> /dev/null
    [ -f "$WORK/data/marque/marque.db" ]
    HOME="$WORK/home" "$MARQUE" init --operator ops --confirm 2> /dev/null
    [ -f "$WORK/home/.local/share/marque/marque.db" ]
    XDG_DATA_HOME=relative HOME="$WORK/home" "$MARQUE" list
    run --separate-stderr env -u HOME -u XDG_DATA_HOME "$MARQUE" doctor
    has "$output$stderr" "$(getent passwd "$(id -u)" | cut -d: -f6)/.local/share/marque"
}

@test "MARQUE_STORE set to nothing is as if it weren't set" {
    XDG_DATA_HOME="$WORK/data" "$MARQUE" init --store "" --operator ops --confirm 2> /dev/null || true
    MARQUE_STORE="" XDG_DATA_HOME="$WORK/data2" "$MARQUE" init --operator ops --confirm 2> /dev/null
    [ -f "$WORK/data2/marque/marque.db" ]
}

@test "MARQUE_WORKSPACE says the workspace; -w goes before it" {
    init_store
    "$MARQUE" workspace add other --confirm 2> /dev/null
    answers 2 list
    has "$stderr" "there is more than one workspace: default, other"
    MARQUE_WORKSPACE=other answers 0 list -o json
    equal "$(json .workspace)" other
    MARQUE_WORKSPACE=other answers 0 list -w default -o json
    equal "$(json .workspace)" default
}

@test "-o yaml is 2, with what there is" {
    init_store
    answers 2 list -o yaml
    equal "$output" ""
    has "$stderr" "text"
    has "$stderr" "json"
}

@test "errors as JSON: one document on stderr, nothing on stdout" {
    init_store
    run --separate-stderr "$MARQUE" inspect codex -o json
    equal "$status" 7
    equal "$output" ""
    equal "$(jq -c '[.schema, .error.code, .error.error]' <<< "$stderr")" '["marque/1",7,"not_found"]'
}

@test "errors as JSON: of a command line that can't be understood too" {
    init_store
    run --separate-stderr "$MARQUE" -o json inspect codex --colour
    equal "$status" 2
    equal "$(jq -c '[.schema, .error.code]' <<< "$stderr")" '["marque/1",2]'
}

@test "stdout that is full: data that could not be written is an error, not a success" {
    init_store
    create codex
    for command in "list" "inspect codex" "audit export" "audit checkpoint" "completion bash" "operator list" "doctor"; do
        code=0
        # shellcheck disable=SC2086
        "$MARQUE" $command > /dev/full 2> "$WORK/words" || code=$?
        equal "$code" 8
        has "$(cat "$WORK/words")" "standard output could not be written to: No space left on device"
    done
}

@test "verify into a full stdout is not a success" {
    init_store
    create codex
    code=0
    "$MARQUE" verify < "$WORK/codex.token" > /dev/full 2> /dev/null || code=$?
    [ "$code" -ne 0 ]
}
