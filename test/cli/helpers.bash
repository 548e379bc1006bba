# Shared by the scripts in this folder. Each test has a store of its own; nothing outlives it.
#
#   MARQUE   the binary under test (absolute path)
# shellcheck shell=bash disable=SC2154  # status, output and stderr are set by run

bats_require_minimum_version 1.5.0

setup() {
    : "${MARQUE:?set MARQUE to the binary under test}"
    WORK="$(mktemp -d)"
    export MARQUE_STORE="$WORK/store"
    export NO_COLOR=1
    unset MARQUE_WORKSPACE XDG_DATA_HOME
}

teardown() {
    rm -rf "$WORK"
}

# An installation with operator `ops`.
init_store() {
    "$MARQUE" init --operator ops --confirm 2>/dev/null
}

# create NAME [OPTION…]: an identity, its token in $WORK/NAME.token
create() {
    local name=$1
    shift
    "$MARQUE" create "$name" --scope card:view,card:edit "$@" --token-file "$WORK/$name.token" --confirm 2>/dev/null
}

# accepted FILE, refused FILE: what the gate says of the token in the file.
accepted() {
    "$MARQUE" verify < "$1" > /dev/null
}
refused() {
    local code=0
    "$MARQUE" verify < "$1" > /dev/null || code=$?
    [ "$code" -eq 3 ]
}

# How many entries the log has.
log_size() {
    "$MARQUE" audit verify -o json | jq .size
}

# --- saying what is expected; each prints what it found instead

# equal ACTUAL EXPECTED
equal() {
    [ "$1" = "$2" ] && return
    printf 'expected: %s\n   found: %s\n' "$2" "$1" >&2
    return 1
}
# has TEXT PART, lacks TEXT PART
has() {
    [[ "$1" == *"$2"* ]] && return
    printf 'expected somewhere: %s\n             found: %s\n' "$2" "$1" >&2
    return 1
}
lacks() {
    [[ "$1" != *"$2"* ]] && return
    printf 'not expected: %s\n       found: %s\n' "$2" "$1" >&2
    return 1
}

# answers CODE ARG…: runs marque; leaves $output and $stderr.
answers() {
    local code=$1
    shift
    run --separate-stderr "$MARQUE" "$@"
    [ "$status" -eq "$code" ] && return
    printf 'expected exit %s, got %s of: marque %s\nstdout: %s\nstderr: %s\n' \
        "$code" "$status" "$*" "$output" "$stderr" >&2
    return 1
}

# Everything that the store holds, as one word. Needs no marque.
contents() {
    sqlite3 -readonly "$MARQUE_STORE/marque.db" .dump | sha256sum
}
# leaves_store_alone CODE ARG…: as `answers`, and not a row of the store has changed.
leaves_store_alone() {
    local before
    before=$(contents)
    answers "$@"
    equal "$(contents)" "$before"
}
# writes_no_event CODE ARG…: as `answers`, and the log is as long as before.
writes_no_event() {
    local before
    before=$(log_size)
    answers "$@"
    equal "$(log_size)" "$before"
}
# json FILTER: of $output; fails when $output is not one document of our schema.
json() {
    jq -e -s 'length == 1 and .[0].schema == "marque/1"' <<< "$output" > /dev/null || {
        printf 'not one document of schema marque/1: %s\n' "$output" >&2
        return 1
    }
    jq -c -r "$1" <<< "$output"
}
# newest_event FILTER: of the log's last entry.
newest_event() {
    "$MARQUE" audit export | tail -n 1 | jq -c -r "$1"
}
# The digest that the plan just shown wants.
shown_digest() {
    grep -o -- '--confirm=[0-9a-f]\{16\}' <<< "$stderr" | tail -n 1 | cut -d= -f2
}
# credential_of NAME: the id of its only credential. credentials_of NAME FILTER: of the list.
credential_of() {
    "$MARQUE" inspect "$1" -o json | jq -r '.credentials | if length == 1 then .[0].credential else error("not one") end'
}
credential_in() {
    cut -d_ -f3 "$1"
}
# state_of NAME, state_of_credential ID
state_of() {
    "$MARQUE" inspect "$1" -o json | jq -r .state
}
state_of_credential() {
    "$MARQUE" inspect "$1" -o json | jq -r --arg id "$1" '.credentials[] | select(.credential == $id).state'
}

# --- other clocks, other users

# needs_clock, then at INSTANT: from then on marque runs at that moment. MARQUE_AT is the same
# program, with the clock that MARQUE_TEST_NOW says.
needs_clock() {
    [ -n "${MARQUE_AT:-}" ] || skip "MARQUE_AT, the program with a clock that can be set, is not there"
    MARQUE=$MARQUE_AT
}
at() {
    export MARQUE_TEST_NOW=$1
}

# needs_users, then as_user UID ARG…: marque as another user of the machine. The store has to be
# theirs as far as files go: give_store_to UID.
needs_users() {
    [ "$(id -u)" -eq 0 ] || skip "only root can act as other users"
    command -v setpriv > /dev/null || skip "setpriv is not installed"
    as_user 12345 --version > /dev/null || skip "other users may not run $MARQUE"
}
as_user() {
    local uid=$1
    shift
    setpriv --reuid="$uid" --regid="$uid" --clear-groups "$MARQUE" "$@"
}
user_gets() {
    local uid=$1 code=$2
    shift 2
    run --separate-stderr as_user "$uid" "$@"
    [ "$status" -eq "$code" ] && return
    printf 'expected exit %s, got %s of uid %s: marque %s\nstdout: %s\nstderr: %s\n' \
        "$code" "$status" "$uid" "$*" "$output" "$stderr" >&2
    return 1
}
give_store_to() {
    chown -R "$1:$1" "$WORK"
}

# cut_off ARG…: runs marque, kills it when its token is delivered and not yet in force, and
# prints the token. Its stdout is a pipe with room for the token and not for the newline.
cut_off() {
    python3 - "$MARQUE" "$@" << 'PYTHON'
import fcntl, os, signal, struct, subprocess, sys, termios, time
reader, writer = os.pipe()
room = fcntl.fcntl(writer, 1032)  # F_GETPIPE_SZ
os.write(writer, b"." * (room - 71))
marque = subprocess.Popen(sys.argv[1:], stdout=writer, stderr=subprocess.DEVNULL)
held = lambda: struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, b"\0" * 4))[0]
while held() < room:
    if marque.poll() is not None:
        sys.exit("marque ended before it delivered anything")
    time.sleep(0.001)
marque.send_signal(signal.SIGKILL)
marque.wait()
print(os.read(reader, room)[-71:].decode())
PYTHON
}

# The version of the store's tables.
schema() {
    sqlite3 -readonly "$MARQUE_STORE/marque.db" "PRAGMA user_version"
}
