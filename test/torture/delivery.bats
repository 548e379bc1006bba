# Tokens that can't be delivered: nothing comes into force, the log says so, and a rotation
# leaves what there was.

load ../cli/helpers
load helpers

teardown() {
    if [ -d "$WORK/full" ]; then umount "$WORK/full" 2> /dev/null || true; fi
    rm -rf "$WORK"
}

prepare() {
    init_store
    create old
    size="$(log_size)"
}

state() { sqlite3 -readonly "$MARQUE_STORE/marque.db" "SELECT state FROM credential WHERE identity = '$1' ORDER BY created_at" | paste -sd' '; }
newest() { "$MARQUE" audit export | tail -n "${1:-1}"; }

# One more change was begun and taken back: issued, then a `failed` entry, and nothing in force.
withdrawn() { # withdrawn IDENTITY STATES
    newest | jq -e --arg name "$1" '.action == "credential.deliver" and .outcome == "failed" and .target.identity == $name' > /dev/null
    [ "$(state "$1")" = "$2" ]
    sound
}
sound() {
    "$MARQUE" audit verify > /dev/null
    "$PYTHON" "$TORTURE/replay.py" "$MARQUE_STORE"
}
unchanged() { [ "$(log_size)" -eq "$size" ]; }

# fails COMMAND…: with the code for it; $CODE
fails() {
    CODE=0
    "$@" 2> "$WORK/stderr" || CODE=$?
    echo "exit $CODE: $(cat "$WORK/stderr")" >&2
    [ "$CODE" -ne 0 ]
    CASES="${CASES:-}${CASES:+, }exit $CODE"
}

# A pipe that nobody reads any more, at file descriptor 9.
broken_pipe() {
    exec 9> >(exec true)
    wait $!
}

mount_full() { # a file system of its own at $WORK/full, with OPTIONS
    [ "$(id -u)" -eq 0 ] || skip "only root can make a file system to fill"
    mkdir "$WORK/full"
    mount -t tmpfs -o "$1" tmpfs "$WORK/full" 2> /dev/null || skip "no tmpfs can be mounted here"
}

@test "3: create to a full, a closed and a broken standard output: nothing usable, and a failed entry" {
    prepare
    fails "$MARQUE" create to-full --scope card:view --confirm > /dev/full
    withdrawn to-full revoked
    fails "$MARQUE" create to-full-json --scope card:view -o json --confirm > /dev/full
    withdrawn to-full-json revoked
    fails "$MARQUE" create to-closed --scope card:view --confirm >&-
    [ -z "$(state to-closed)" ] || withdrawn to-closed revoked
    broken_pipe
    fails "$MARQUE" create to-broken --scope card:view --confirm >&9
    withdrawn to-broken revoked
    fails "$MARQUE" issue old --confirm >&9
    withdrawn old "active revoked"
    tell "$CASES"
}

@test "4: rotate to a full, a closed and a broken standard output leaves the old one working" {
    prepare
    local how
    for how in "" --compromised --until-used; do
        fails "$MARQUE" rotate old $how --confirm > /dev/full
        withdrawn old "$(state old)"
        fails "$MARQUE" rotate old $how --confirm >&-
        broken_pipe
        fails "$MARQUE" rotate old $how --confirm >&9
        withdrawn old "$(state old)"
        accepted "$WORK/old.token"
    done
    [[ "$(state old)" =~ ^active(\ revoked)+$ ]]
    "$MARQUE" rotate old --token-file "$WORK/new.token" --confirm 2> /dev/null  # and can still be rotated
    accepted "$WORK/new.token"
    tell "$CASES"
}

@test "3, 4: a token file on a full disk: found before anything changes; rotate leaves the old one working" {
    prepare
    mount_full size=8k
    head -c 100000 /dev/zero > "$WORK/full/filler" 2> /dev/null || true
    fails "$MARQUE" create new --scope card:view --token-file "$WORK/full/new.token" --confirm
    fails "$MARQUE" rotate old --token-file "$WORK/full/old.token" --confirm
    fails "$MARQUE" rotate old --compromised --token-file "$WORK/full/old.token" --confirm
    unchanged
    accepted "$WORK/old.token"
    [ "$(ls -A "$WORK/full")" = filler ]
    tell "$CASES"
}

@test "3: fifty tokens for which there is no room: found before anything changes" {
    prepare
    mount_full size=1m,nr_inodes=31
    mkdir "$WORK/full/tokens"
    printf 'many-%s scope=card:view\n' {1..50} > "$WORK/roster"
    fails "$MARQUE" create --from "$WORK/roster" --token-dir "$WORK/full/tokens" --confirm=50
    [ -z "$(ls -A "$WORK/full/tokens")" ]
    unchanged
    tell "$CASES"
}

@test "3: of fifty token files one can't be given its name or synced: none comes into force, and none remains" {
    command -v strace > /dev/null || skip "there is no strace"
    prepare
    local fault round=0
    for fault in renameat2:error=EACCES:when=1 renameat2:error=EACCES:when=25 renameat2:error=EIO:when=50 \
        syncfs:error=EIO:when=1 fsync:error=EIO:when=3 openat:error=EMFILE:when=40; do
        mkdir "$WORK/tokens$((++round))"
        printf "many-$round-%s scope=card:view\n" {1..50} > "$WORK/roster"
        fails strace -f -qq -o "$WORK/trace" -e "trace=${fault%%:*}" -e "inject=$fault" \
            "$MARQUE" create --from "$WORK/roster" --token-dir "$WORK/tokens$round" --confirm=50
        grep -q INJECTED "$WORK/trace"
        [ -z "$(ls -A "$WORK/tokens$round")" ]
        [ "$(newest 50 | jq -s 'map(select(.action == "credential.deliver" and .outcome == "failed")) | length')" -eq 50 ]
    done
    [ "$(sqlite3 -readonly "$MARQUE_STORE/marque.db" "SELECT count(*) FROM credential WHERE state <> 'revoked' AND identity LIKE 'many-%'")" -eq 0 ]
    sound
    tell "$round faults: $CASES"
}

@test "3, 4: a token file that is there, as a file or as a link to anywhere, is refused before anything changes" {
    prepare
    local kind
    echo mine > "$WORK/file"
    ln -s "$WORK/elsewhere" "$WORK/dangling"
    ln -s "$WORK/file" "$WORK/link"
    ln -s dangling-loop "$WORK/dangling-loop"
    mkfifo "$WORK/fifo"
    mkdir "$WORK/folder"
    for kind in file dangling link dangling-loop fifo folder; do
        fails "$MARQUE" create new --scope card:view --token-file "$WORK/$kind" --confirm
        fails "$MARQUE" rotate old --compromised --token-file "$WORK/$kind" --confirm
        unchanged
    done
    ln -s "$WORK/elsewhere" "$WORK/folder/many-2"
    printf 'many-%s scope=card:view\n' {1..3} > "$WORK/roster"
    fails "$MARQUE" create --from "$WORK/roster" --token-dir "$WORK/folder" --confirm=3
    unchanged
    [ "$(cat "$WORK/file")" = mine ]
    [ ! -e "$WORK/elsewhere" ]
    accepted "$WORK/old.token"
    tell "$CASES"
}

# What stands at the token's place is put there between the plan and the delivery: the process is
# held at the sync of its first commit, until the log file has grown, which is after `prepare`.
meanwhile() { # meanwhile CHANGE COMMAND…
    local change=$1 log="$MARQUE_STORE/marque.db-wal" before
    shift
    before="$(stat -c '%s %y' "$log")"
    { strace -f -qq -o /dev/null -e trace=fdatasync -e inject=fdatasync:delay_enter=700000:when=1 "$@" 2> "$WORK/stderr" ||
        echo "$?" > "$WORK/code"; } 3>&- &
    while [ "$(stat -c '%s %y' "$log")" = "$before" ]; do sleep 0.01; done
    sleep 0.1
    eval "$change"
    wait $!
    echo "exit $(cat "$WORK/code"): $(cat "$WORK/stderr")"
    CASES="${CASES:-}${CASES:+, }exit $(cat "$WORK/code")"
    rm "$WORK/code"
}

@test "3, 4: a folder that vanishes, or a file that appears, before the delivery: nothing usable, nothing overwritten" {
    command -v strace > /dev/null || skip "there is no strace"
    prepare
    mkdir "$WORK/there"
    meanwhile 'rmdir "$WORK/there"' "$MARQUE" create new --scope card:view --token-file "$WORK/there/new.token" --confirm
    withdrawn new revoked
    mkdir "$WORK/there"
    meanwhile 'rmdir "$WORK/there"' "$MARQUE" rotate old --token-file "$WORK/there/new.token" --confirm
    withdrawn old "active revoked"
    accepted "$WORK/old.token"
    mkdir "$WORK/there"
    meanwhile 'echo mine > "$WORK/there/new.token"' "$MARQUE" rotate old --compromised --token-file "$WORK/there/new.token" --confirm
    withdrawn old "active revoked revoked"
    [ "$(cat "$WORK/there/new.token")" = mine ]
    meanwhile 'ln -s "$WORK/elsewhere" "$WORK/there/linked.token"' "$MARQUE" rotate old --token-file "$WORK/there/linked.token" --confirm
    withdrawn old "active revoked revoked revoked"
    [ ! -e "$WORK/elsewhere" ]
    accepted "$WORK/old.token"
    [ "$(ls -A "$WORK/there" | sort | paste -sd' ')" = "linked.token new.token" ]
    tell "$CASES"
}
