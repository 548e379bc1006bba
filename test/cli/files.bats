#!/usr/bin/env bats
# Small files as editors, pipes and disks leave them; new files on file systems that lack something; the store's folder.

# shellcheck disable=SC2154,SC2030,SC2031,SC2012,SC2016  # status, output and stderr are set by run; a test is a subshell
load helpers

# key NAME: an owner's key pair in $WORK
key() {
    ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$WORK/$1"
}
needs_strace() {
    command -v strace > /dev/null || skip "there is no strace"
    strace -o /dev/null true 2> /dev/null || skip "strace may not trace here"
}
# with_fault FAULT… -- ARG…: marque, with calls that fail as strace's inject= says.
with_fault() {
    local faults=()
    while [ "$1" != -- ]; do faults+=(-e "inject=$1"); shift; done
    shift
    run --separate-stderr strace -f -qq -o "$WORK/trace" "${faults[@]}" "$MARQUE" "$@"
    grep -q INJECTED "$WORK/trace"
}

# Files that are read

@test "owner add: a key file as editors leave it, from a file, a pipe and standard input; two keys are refused" {
    init_store
    key bob
    key eve
    printf '\xef\xbb\xbf%s \r\n\r\n' "$(cat "$WORK/bob.pub")" > "$WORK/edited.pub"
    answers 0 owner add "$WORK/edited.pub" --confirm
    equal "$("$MARQUE" owner list -o json | jq -r '.owners[].comment')" bob
    cat "$WORK/bob.pub" "$WORK/eve.pub" > "$WORK/two.pub"
    answers 2 owner add "$WORK/two.pub" --confirm
    equal "$stderr" "marque: '$WORK/two.pub', line 2: more follows, and one line is expected
  register each key by itself"
    run --separate-stderr "$MARQUE" owner add - --confirm < "$WORK/eve.pub"
    equal "$status" 6
    has "$stderr" "it needs an owner's approval"
    answers 6 owner add <(cat "$WORK/eve.pub") --confirm
    answers 2 owner add "$WORK/none.pub" --confirm
    has "$stderr" "cannot read '$WORK/none.pub': No such file or directory"
    answers 2 owner add /dev/zero --confirm
    has "$stderr" "too large"
}

@test "audit verify --checkpoint: a byte order mark, CR LF and no newline are no tampering; - is standard input" {
    init_store
    "$MARQUE" audit checkpoint > "$WORK/note"
    { printf '\xef\xbb\xbf'; sed 's/$/\r/' "$WORK/note"; } > "$WORK/edited"
    answers 0 audit verify --checkpoint "$WORK/edited"
    has "$output" "an extension of the checkpoint"
    run --separate-stderr "$MARQUE" audit verify --checkpoint - < <(printf %s "$(cat "$WORK/note")")
    equal "$status" 0
    answers 0 audit verify --checkpoint <(cat "$WORK/note")
    answers 2 audit verify --checkpoint "$WORK/none"
    has "$stderr" "cannot read '$WORK/none': No such file or directory"
}

@test "create --from: a read error in the middle is an error, not the end; - is standard input" {
    init_store
    mkdir "$WORK/tokens"
    seq -f 'bot-%g' 3000 > "$WORK/roster"
    needs_strace
    run --separate-stderr strace -f -qq -o "$WORK/trace" -P "$WORK/roster" -e inject=read:error=EIO:when=2 \
        "$MARQUE" create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=3000
    equal "$status" 8
    equal "$stderr" "marque: cannot read '$WORK/roster': Input/output error"
    equal "$("$MARQUE" list --names)" ""
    printf '\xef\xbb\xbfa1\r\n\r\na2' > "$WORK/roster"
    run --separate-stderr "$MARQUE" create --from - --token-dir "$WORK/tokens" --scope kan --confirm=2 < "$WORK/roster"
    equal "$status" 0
    equal "$("$MARQUE" list --names | paste -sd' ')" "a1 a2"
}

@test "--token-stdin: what is pasted around a token does not keep anybody from stopping a leak" {
    init_store
    local n=0 form token
    for form in '%s \n' ' %s\r\n\r\n' '"%s"\n' "'%s'" 'Bearer %s' '\xef\xbb\xbf%s\n' '\n“%s”\n' '"Bearer %s"\n' '`%s`'; do
        create "bot-$((++n))"
        token=$(cat "$WORK/bot-$n.token")
        # shellcheck disable=SC2059
        printf "$form" "$token" > "$WORK/pasted"
        run --separate-stderr "$MARQUE" revoke --token-stdin --reason leak --confirm < "$WORK/pasted"
        equal "$status" 0
        refused "$WORK/bot-$n.token"
    done
    create last
    token=$(cat "$WORK/last.token")
    for form in '%s\n%s\n' '%s %s' '"%s" "%s"'; do
        # shellcheck disable=SC2059
        printf "$form" "$token" "$token" > "$WORK/pasted"
        run --separate-stderr "$MARQUE" revoke --token-stdin --reason leak --confirm < "$WORK/pasted"
        equal "$status" 2
        has "$stderr" expected
        lacks "$stderr" "${token:9:12}"
    done
    accepted "$WORK/last.token"
}

@test "serve --config: a file without end is refused" {
    init_store
    run --separate-stderr timeout 10 "$MARQUE" serve --config /dev/zero --check-config
    equal "$status" 2
    has "$stderr" "too large"
    answers 2 serve --config "$WORK/none" --check-config
    has "$stderr" "No such file or directory"
    run -0 --separate-stderr "$MARQUE" serve --check-config --config <(printf '\xef\xbb\xbfworkers = 3\r\n')
    has "$output" "workers = \"3\""
}

@test "root.key: without its newline, with CR LF and with a byte order mark it is the key; two keys are none" {
    init_store
    create codex
    local hex
    hex=$(cat "$MARQUE_STORE/root.key")
    for form in '%s' '%s\r\n' '\xef\xbb\xbf%s\n\n'; do
        # shellcheck disable=SC2059
        printf "$form" "$hex" > "$MARQUE_STORE/root.key"
        accepted "$WORK/codex.token"
    done
    printf '%s\n%s\n' "$hex" "$hex" > "$MARQUE_STORE/root.key"
    answers 10 list
    has "$stderr" "line 2: more follows"
    lacks "$stderr" "${hex:0:16}"
}

# Files that are made

@test "new files: where a rename can't be told not to replace, a link does it, and where no link can be made, a copy" {
    needs_strace
    local fault
    for fault in EINVAL ENOSYS EOPNOTSUPP; do
        rm -rf "$MARQUE_STORE" "$WORK"/*.token "$WORK/backup"
        with_fault "renameat2:error=$fault" -- init --operator ops --confirm
        equal "$status" 0
        with_fault "renameat2:error=$fault" -- create codex --scope kan --token-file "$WORK/codex.token" --confirm
        equal "$status" 0
        equal "$(stat -c '%a %h' "$WORK/codex.token")" "600 1"
        accepted "$WORK/codex.token"
        with_fault "renameat2:error=$fault" "linkat:error=EPERM" -- create pilot --scope kan --token-file "$WORK/pilot.token" --confirm
        equal "$status" 0
        equal "$(stat -c '%a %h' "$WORK/pilot.token")" "600 1"
        accepted "$WORK/pilot.token"
        with_fault "renameat2:error=$fault" "linkat:error=EOPNOTSUPP" -- store backup "$WORK/backup" --confirm
        equal "$status" 0
        answers 0 doctor --backup "$WORK/backup"
        echo mine > "$WORK/mine"
        run --separate-stderr strace -f -qq -o /dev/null -e "inject=renameat2:error=$fault" \
            "$MARQUE" create other --scope kan --token-file "$WORK/mine" --confirm
        equal "$status $(cat "$WORK/mine")" "3 mine"
    done
    equal "$(find "$WORK" -name '.marque-*')" ""
}

@test "new files: no synced folder, no syncfs, no files in memory" {
    needs_strace
    init_store
    mkdir "$WORK/tokens"
    printf 'a1\na2\n' > "$WORK/roster"
    with_fault syncfs:error=ENOSYS -- create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope kan --confirm=2
    equal "$status $(ls "$WORK/tokens" | paste -sd' ')" "0 a1 a2"
    key owner
    answers 0 owner add "$WORK/owner.pub" --confirm
    answers 6 create bot --env production --scope kan --confirm -o json
    id=$(json .approval.id)
    "$MARQUE" approval export "$id" > "$WORK/request"
    ssh-keygen -q -Y sign -n marque-approval -f "$WORK/owner" "$WORK/request" 2> /dev/null
    with_fault memfd_create:error=ENOSYS -- approval import "$id" "$WORK/request.sig" --confirm
    equal "$status" 0
}

@test "create: a folder where no file can be made is known before the name is used up" {
    init_store
    leaves_store_alone 8 create codex --scope kan --token-file /proc/self/token --confirm
    leaves_store_alone 2 create codex --scope kan --token-file "$WORK/none/token" --confirm
    has "$stderr" "'$WORK/none' is not a folder"
    leaves_store_alone 8 create codex --scope kan --token-file "$WORK/$(printf 'n%.0s' $(seq 300))" --confirm
    has "$stderr" "File name too long"
    printf 'a1\na2\n' > "$WORK/roster"
    leaves_store_alone 8 create --from "$WORK/roster" --token-dir /proc/self --scope kan --confirm=2
    needs_users
    give_store_to 12345
    chmod 755 "$WORK"
    mkdir "$WORK/theirs"
    cd "$WORK/theirs"
    user_gets 12345 4 create codex --scope kan --token-file token --confirm
    has "$stderr" "cannot create a file in '.': Permission denied"
    has "$stderr" "without --token-file the token goes to standard output"
    chmod 700 "$WORK/theirs"
    user_gets 12345 4 create codex --scope kan --token-file token --confirm
    has "$stderr" "cannot open the folder '.': Permission denied"
    equal "$("$MARQUE" list --names)" ""
}

@test "create: --token-file - is standard output, and --token-dir can't be" {
    init_store
    for name in - /dev/stdout; do
        answers 0 create "bot${name//[^a-z]/}" --scope kan --token-file "$name" --confirm
        [[ "$output" == mrq_test_* ]]
        lacks "$stderr" "token written to"
    done
    [ ! -e - ]
    echo a1 > "$WORK/roster"
    leaves_store_alone 2 create --from "$WORK/roster" --token-dir - --scope kan --confirm=1
    has "$stderr" "--token-dir is a folder"
}

@test "a limit on the size of files is as a full disk, and not the end of the process" {
    init_store
    run --separate-stderr bash -c 'ulimit -f 1; "$MARQUE" create codex --scope kan --confirm'
    [ "$status" -eq 8 ] || [ "$status" -eq 9 ]
    equal "$output" ""
    has "$stderr" "File too large"
    "$MARQUE" audit verify > /dev/null
    export WORK
    run --separate-stderr bash -c 'ulimit -f 0; "$MARQUE" init --store "$WORK/new" --confirm'
    equal "$status" 8
    [ ! -e "$WORK/new" ]
}

@test "init that fails leaves nothing: no folder, no root.key" {
    answers 2 init --postgresql "host=h service=marque" --confirm
    has "$stderr" "holds a service"
    [ ! -e "$MARQUE_STORE" ]
    answers 8 init --postgresql "host=$WORK dbname=d user=u" --confirm
    [ ! -e "$MARQUE_STORE" ]
    mkdir -m 700 "$MARQUE_STORE"
    answers 8 init --postgresql "host=$WORK dbname=d user=u" --confirm
    equal "$(ls -A "$MARQUE_STORE")" ""
}

# The store's folder

@test "a database with two names is refused by both stores, and doctor says so" {
    init_store
    create codex
    cp -al "$MARQUE_STORE" "$WORK/two"
    rm -f "$WORK"/two/marque.db-*
    for store in "$MARQUE_STORE" "$WORK/two"; do
        run --separate-stderr "$MARQUE" --store "$store" revoke codex --reason r --confirm
        equal "$status" 3
        has "$stderr" "marque.db' has 2 names (hard links)"
    done
    answers 10 doctor
    has "$output" "has 2 names (hard links)"
    rm -r "$WORK/two"
    answers 0 revoke codex --reason r --confirm
}

@test "files that others could write are not believed, by whatever command" {
    init_store
    create codex
    local file
    for file in marque.db known_log root.key.next; do
        touch "$MARQUE_STORE/$file"
        chmod 622 "$MARQUE_STORE/$file"
        for command in list "revoke codex --reason r --confirm" "store status" "audit verify"; do
            # shellcheck disable=SC2086
            answers 3 $command
            has "$stderr" "$MARQUE_STORE/$file' c"
        done
        answers 10 doctor
        has "$output" "$MARQUE_STORE/$file' c"
        if [ "$file" = marque.db ]; then chmod 600 "$MARQUE_STORE/$file"; else rm "$MARQUE_STORE/$file"; fi
    done
    chmod 777 "$MARQUE_STORE"
    answers 3 list
    has "$stderr" "could be written by others (mode 0777), so no store in it is believed"
    run --separate-stderr "$MARQUE" verify < "$WORK/codex.token"
    equal "$status" 8
    chmod 700 "$MARQUE_STORE"
    accepted "$WORK/codex.token"
}

@test "root in another account's store: what it makes is the account's, which goes on" {
    needs_users
    mkdir -m 755 "$WORK/home"
    chmod 755 "$WORK"
    install -d -m 700 -o 12345 -g 12345 "$WORK/home/store"
    export MARQUE_STORE="$WORK/home/store"
    # Made by root in a folder of the account's, and used by both.
    init_store
    "$MARQUE" operator add them --user 12345 --all-workspaces --confirm 2> /dev/null
    user_gets 12345 0 create codex --scope kan --confirm
    rm -f "$MARQUE_STORE"/marque.db-*
    "$MARQUE" pause codex --reason r --confirm 2> /dev/null
    timeout 5 "$MARQUE" serve --unix "$WORK/socket" > /dev/null 2>&1 & server=$!
    until [ -e "$MARQUE_STORE/known_log" ] || ! kill -0 "$server" 2> /dev/null; do sleep 0.05; done
    kill "$server" && wait "$server" || true
    [ -e "$MARQUE_STORE/known_log" ]
    equal "$(stat -c '%u:%g' "$MARQUE_STORE"/* | sort -u)" "12345:12345"
    user_gets 12345 0 resume codex --confirm
    user_gets 12345 0 audit verify
}

@test "root follows no instruction in another account's folder" {
    needs_users
    init_store
    rm "$MARQUE_STORE"/marque.db*
    chmod 755 "$WORK"
    echo "host=127.0.0.1 port=1" > "$MARQUE_STORE/postgresql.conninfo"
    chmod 600 "$MARQUE_STORE/postgresql.conninfo"
    chown -R 12345:12345 "$MARQUE_STORE"
    for command in "store status" list doctor; do
        # shellcheck disable=SC2086
        run --separate-stderr "$MARQUE" $command
        [ "$status" -ne 0 ]
        has "$stderr" "postgresql.conninfo' could be written by others, so it is not used: it belongs to uid 12345"
        has "$stderr" "sudo -u '#12345' marque"
    done
    printf '#!/bin/sh\ntouch %s/ran\ncat %s/kept\n' "$WORK" "$WORK" > "$MARQUE_STORE/command"
    chmod 755 "$MARQUE_STORE/command"
    mv "$MARQUE_STORE/root.key" "$WORK/kept"
    echo "$MARQUE_STORE/command" > "$MARQUE_STORE/root.key.command"
    chmod 600 "$MARQUE_STORE/root.key.command"
    chown -R 12345:12345 "$MARQUE_STORE"
    answers 3 list
    has "$stderr" "root.key.command' could be written by others"
    [ ! -e "$WORK/ran" ]
}

@test "the service's account and root find its store without --store; nobody is told to make a second one" {
    needs_users
    unshare --mount true 2> /dev/null || skip "mounting is refused here"
    chmod 755 "$WORK"
    mkdir -m 755 "$WORK/home"
    chown 12345:12345 "$WORK/home"
    cat > "$WORK/script" << 'SCRIPT'
set -eu
unset MARQUE_STORE XDG_DATA_HOME
export HOME="$WORK/home"
mount -t tmpfs tmpfs /var/lib
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "$MARQUE" "${@:2}"; }
install -d -m 700 -o 12345 -g 12345 /var/lib/marque
as 12345 init --operator ops --confirm 2> /dev/null
[ -e /var/lib/marque/store/marque.db ] && [ ! -e "$HOME/.local" ]
as 12345 create codex --scope kan --confirm > /dev/null 2>&1
"$MARQUE" store status
as 23456 list || echo "exit $?"
# A store of one's own goes first.
mkdir -p "$WORK/other"
HOME="$WORK/other" "$MARQUE" --store "$WORK/other/.local/share/marque" init --operator ops --confirm 2> /dev/null
HOME="$WORK/other" "$MARQUE" list --names
SCRIPT
    export WORK
    run --separate-stderr unshare --mount bash "$WORK/script"
    equal "$status" 0
    has "$output" "sqlite store at /var/lib/marque/store/marque.db"
    has "$output" "exit 8"
    has "$stderr" "this machine's store is /var/lib/marque/store: sudo -u"
    lacks "$stderr" "marque init"
    lacks "$output" codex
}
