# Where a token may be: in the one place it was asked for. Everything else is searched, for the
# text and for parts of it (seek.py).

load ../cli/helpers
load helpers

seek() { "$PYTHON" "$TORTURE/seek.py" "$@"; }

# Runs a command and keeps all it says, for the search.
kept() {
    CODE=0
    RUNS=$((RUNS + 1))
    "$@" > "$WORK/out/$RUNS.stdout" 2> "$WORK/out/$RUNS.stderr" || CODE=$?
    [ -z "${EXPECTED:-}" ] || [ "$CODE" -eq "$EXPECTED" ] ||
        { echo "exit $CODE, not $EXPECTED, of: ${*//mrq_*/TOKEN}"; cat "$WORK/out/$RUNS.stderr"; return 1; }
}
RUNS=0

prepare() {
    mkdir "$WORK/out" "$WORK/tokens" "$WORK/given"
    init_store
    T="$WORK/tokens"
}

# create NAME: its token in $T/NAME
make() { EXPECTED=0 kept "$MARQUE" create "$1" --scope card:view,card:edit --token-file "$T/$1" --confirm; }

pending_token() { # in $T/NAME, of a create that dies between delivery and activation
    strace -f -qq -o /dev/null -e trace=renameat2,fsync -e inject=fsync:signal=KILL:when=4 \
        "$MARQUE" create "$1" --scope card:view --token-file "$T/$1" --confirm > /dev/null 2>&1 || true
    [ -s "$T/$1" ]
}

@test "the search finds a token, its secret part, pieces of it and its entropy, wherever they are hidden" {
    prepare
    make lost
    local token
    token="$(cat "$T/lost")"
    head -c 100000 /dev/urandom > "$WORK/clean"
    seek "$T/lost" -- "$WORK/clean"
    { cat "$WORK/clean"; printf 'x%sx' "$token"; } > "$WORK/dirty-whole"
    { cat "$WORK/clean"; printf '%s' "${token:22:43}"; cat "$WORK/clean"; } > "$WORK/dirty-secret"
    { cat "$WORK/clean"; printf '%s' "${token:30:16}"; } > "$WORK/dirty-piece"
    "$PYTHON" - "${token:22:43}" "$WORK/dirty-entropy" <<'PY'
import string, sys
digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
number = 0
for character in sys.argv[1]:
    number = number * 62 + digits.index(character)
open(sys.argv[2], "wb").write(b"\0\1" + number.to_bytes(32, "big") + b"\2")
PY
    local dirty
    for dirty in whole secret piece entropy; do
        run ! seek "$T/lost" -- "$WORK/dirty-$dirty"
        [ "$status" -eq 1 ]
    done
    printf '%s' "${token:9:12}" > "$WORK/public"  # the public id is none
    seek "$T/lost" -- "$WORK/public"
}

@test "2: no command leaves a token anywhere but where it was asked for" {
    prepare
    local name token code
    # given: to stdout, to stdout as JSON, to a file, many at once
    "$MARQUE" create a-stdout --scope card:view --confirm > "$T/a-stdout" 2> "$WORK/out/stdout.stderr"
    "$MARQUE" create a-json --scope card:view -o json --confirm > "$WORK/given/json" 2> "$WORK/out/json.stderr"
    jq -r .token "$WORK/given/json" > "$T/a-json"
    make a-file
    EXPECTED=0 kept "$MARQUE" create a-file-json --scope card:view --token-file "$T/a-file-json" -o json --confirm
    printf 'many-%s scope=card:view\n' {1..20} > "$WORK/roster"
    EXPECTED=0 kept "$MARQUE" create --from "$WORK/roster" --token-dir "$T" --confirm=20
    EXPECTED=0 kept "$MARQUE" issue a-file --token-file "$T/issued" --confirm
    "$MARQUE" issue a-file --confirm > "$T/issued-stdout" 2> "$WORK/out/issued.stderr"
    EXPECTED=0 kept "$MARQUE" rotate a-stdout --token-file "$T/rotated" --confirm
    "$MARQUE" rotate a-json --compromised --confirm > "$T/rotated-stdout" 2> "$WORK/out/rotated.stderr"
    "$MARQUE" rotate a-json --until-used -o json --confirm > "$WORK/given/rotated" 2> "$WORK/out/rotated-json.stderr"
    jq -r .token "$WORK/given/rotated" > "$T/rotated-json"
    # plans only: no token is made that could come out
    EXPECTED=0 kept "$MARQUE" create b-plan --scope card:view --dry-run
    EXPECTED=5 kept "$MARQUE" create b-plan --scope card:view
    EXPECTED=5 kept "$MARQUE" rotate a-file --token-file "$T/none" || [ "$CODE" -eq 3 ]

    # shown again: by its holder, in every way
    for name in a-stdout a-file rotated many-7; do
        EXPECTED=0 kept "$MARQUE" verify < "$T/$name"
        EXPECTED=0 kept "$MARQUE" verify -o json < "$T/$name"
        EXPECTED=0 kept "$MARQUE" verify --scope card:view < "$T/$name"
        EXPECTED=3 kept "$MARQUE" verify --scope member:remove < "$T/$name"
        EXPECTED=0 kept "$MARQUE" inspect --token-stdin < "$T/$name"
        EXPECTED=0 kept "$MARQUE" inspect --token-stdin -o json < "$T/$name"
        EXPECTED=5 kept "$MARQUE" revoke --token-stdin --reason r < "$T/$name"
        EXPECTED=0 kept "$MARQUE" revoke --token-stdin --reason r --dry-run -o json < "$T/$name"
    done
    EXPECTED=0 kept "$MARQUE" pause --token-stdin --reason r --confirm < "$T/many-1"
    EXPECTED=3 kept "$MARQUE" verify < "$T/many-1"
    EXPECTED=3 kept "$MARQUE" rotate many-1 --token-file "$T/none" --confirm
    EXPECTED=0 kept "$MARQUE" resume --token-stdin --confirm < "$T/many-1"
    EXPECTED=0 kept "$MARQUE" revoke --token-stdin --reason r --confirm < "$T/many-2"
    EXPECTED=0 kept "$MARQUE" revoke --token-stdin --reason r --confirm < "$T/many-2"
    EXPECTED=3 kept "$MARQUE" resume --token-stdin --confirm < "$T/many-2"
    EXPECTED=3 kept "$MARQUE" verify -o json < "$T/many-2"
    EXPECTED=3 kept "$MARQUE" activate --token-stdin --confirm < "$T/many-2"
    EXPECTED=0 kept "$MARQUE" activate --token-stdin --confirm < "$T/many-3"
    if command -v strace > /dev/null; then
        pending_token a-pending
        EXPECTED=5 kept "$MARQUE" activate --token-stdin < "$T/a-pending"
        EXPECTED=0 kept "$MARQUE" activate --token-stdin --confirm < "$T/a-pending"
    fi

    # failing: mistyped, cut, doubled, of nobody, in the wrong workspace, in the wrong place
    token="$(cat "$T/many-4")"
    for name in "${token}x" "${token:0:70}" "$token$token" "${token^^}" "${token:22}" "${token/test/live}" "$token
$token"; do
        EXPECTED=3 kept "$MARQUE" verify <<< "$name"
        kept "$MARQUE" inspect --token-stdin <<< "$name"
        [ "$CODE" -ne 0 ]
        kept "$MARQUE" revoke --token-stdin --reason r --confirm <<< "$name"
        [ "$CODE" -ne 0 ]
        kept "$MARQUE" activate --token-stdin --confirm -o json <<< "$name"
        [ "$CODE" -ne 0 ]
    done
    kept "$MARQUE" verify -w nowhere < "$T/many-4"
    kept "$MARQUE" revoke -w nowhere --token-stdin --reason r --confirm < "$T/many-4"
    kept "$MARQUE" create "failed" --scope card:view --token-file /nowhere/token --confirm
    kept "$MARQUE" create "failed" --scope card:view --token-file "$T/many-4" --confirm
    [ "$(cat "$T/many-4")" = "$token" ]
    # on the command line, where others may have seen it: not accepted, and not said again
    EXPECTED=2 kept "$MARQUE" verify "$token"
    EXPECTED=2 kept "$MARQUE" inspect "$token"
    EXPECTED=2 kept "$MARQUE" revoke "$token" --reason r --confirm
    EXPECTED=2 kept "$MARQUE" revoke many-4 --reason "it is $token" --confirm
    EXPECTED=2 kept "$MARQUE" revoke many-4 "--reason=$token" --confirm -o json
    EXPECTED=2 kept "$MARQUE" create "$token" --scope card:view --confirm
    EXPECTED=2 kept "$MARQUE" "$token"
    accepted "$T/many-4"

    # and all that looks
    EXPECTED=0 kept "$MARQUE" list
    EXPECTED=0 kept "$MARQUE" list -o json
    EXPECTED=0 kept "$MARQUE" inspect a-stdout
    EXPECTED=0 kept "$MARQUE" inspect a-file -o json
    EXPECTED=0 kept "$MARQUE" audit list
    EXPECTED=0 kept "$MARQUE" audit tail -n 500 -o json
    EXPECTED=0 kept "$MARQUE" audit verify
    EXPECTED=0 kept "$MARQUE" audit checkpoint
    EXPECTED=0 kept "$MARQUE" audit prove --entry 3
    EXPECTED=0 kept "$MARQUE" audit export
    EXPECTED=0 kept "$MARQUE" doctor
    EXPECTED=0 kept "$MARQUE" store backup "$WORK/backup.db" --confirm
    EXPECTED=0 kept "$MARQUE" doctor --backup "$WORK/backup.db"
    [ -s "$WORK/backup.db" ]

    ls "$MARQUE_STORE"/marque.db "$MARQUE_STORE"/marque.db-wal "$MARQUE_STORE"/marque.db-shm
    seek "$T"/* -- "$WORK/out" "$MARQUE_STORE" "$WORK/backup.db" "$WORK/roster"
    # Positive control: the search does find them where they were asked for.
    run ! seek "$T/a-json" -- "$WORK/given"
    [ "$status" -eq 1 ]
    tell "$(find "$T" -type f | wc -l) tokens, $RUNS commands kept, $(find "$WORK/out" "$MARQUE_STORE" -type f | wc -l) files searched: nothing"
}

@test "2: a token in a file that is read for something else, or in the environment, is neither repeated nor stored" {
    prepare
    local token where i=0
    make lost
    token="$(cat "$T/lost")"
    # a token file taken for a roster, an owner key, a checkpoint
    kept "$MARQUE" create --from "$T/lost" --token-dir "$WORK" --scope card:view --confirm
    kept "$MARQUE" audit verify --checkpoint "$T/lost"
    kept "$MARQUE" owner add "$T/lost" --confirm
    # a roster with a token in it, wherever free text goes
    for where in "contact=$token" "label=note=$token" "scope=$token" "env=$token" "$token" "kind=$token" "expires=$token"; do
        echo "in-roster-$((++i)) scope=card:view $where" > "$WORK/roster-with-token"
        kept "$MARQUE" create --from "$WORK/roster-with-token" --token-dir "$WORK" --confirm
    done
    MARQUE_WORKSPACE="$token" kept "$MARQUE" list
    "$MARQUE" audit export > "$WORK/out/export"
    tell "$RUNS commands; found: $(seek "$T/lost" -- "$WORK/out" "$MARQUE_STORE" | wc -l)"
    seek "$T/lost" -- "$WORK/out" "$MARQUE_STORE" > "$WORK/found" || {
        while IFS=: read -r where _; do
            echo "found in ${where#"$WORK"/}: $(grep -a -o -m 1 '.\{0,60\}mrq_test_' "$where" | head -n 1 | tr -d '\0')"
        done < "$WORK/found"
        false
    }
}

# --- Running processes -------------------------------------------------------------------------

# hold stdout|stderr COMMAND…: runs it until it stands still writing there. Its process: $HELD.
# hold stdin COMMAND…: until it stands still reading more than the token in $TOKEN.
hold() {
    local where=$1
    shift
    rm -f "$WORK/fifo"
    mkfifo "$WORK/fifo"
    exec 8<> "$WORK/fifo"
    case $where in
        stdout) head -c 65536 /dev/zero >&8; "$@" < "${TOKEN:-/dev/null}" >&8 2> /dev/null 3>&- & ;;
        stderr) head -c 65536 /dev/zero >&8; "$@" < "${TOKEN:-/dev/null}" > /dev/null 2>&8 3>&- & ;;
        stdin) cat "$TOKEN" >&8; "$@" <&8 > /dev/null 2>&1 3>&- & ;;
    esac
    HELD=$!
    local tries still=0
    for ((tries = 0; tries < 200 && still < 3; tries++)); do
        sleep 0.02
        if grep -q '^State:.S' "/proc/$HELD/status" && grep -q "^Name:.marque" "/proc/$HELD/status" &&
            [[ ! -r /proc/$HELD/wchan || "$(cat "/proc/$HELD/wchan")" == *pipe* ]]; then
            still=$((still + 1))
        else
            still=0
        fi
    done
    [ "$still" -eq 3 ]
}

# Lets it go on; the rest of what it writes is in $WORK/rest.
release() {
    case $1 in
        stdin) exec 8>&- ;;
        *) head -c 65536 <&8 > /dev/null ;;
    esac
    if [ "$1" = stdin ]; then kill -KILL "$HELD"; fi
    wait "$HELD" || true
    if [ "$1" != stdin ]; then
        echo >&8
        timeout 1 head -n 1 <&8 > "$WORK/rest" || true
        exec 8>&-
    fi
}

# A core of the held process, as gdb writes it by itself (it honours MADV_DONTDUMP).
core_of_held() {
    gdb --readnever -nx -batch -p "$HELD" "${@:2}" -ex "generate-core-file $1" > "$WORK/gdb" 2>&1 < /dev/null
    [ -s "$1" ] || { cat "$WORK/gdb"; return 1; }
}

look_into_held() { # look_into_held NAME
    local limits
    cat "/proc/$HELD/environ" > "$WORK/out/$1.environ"
    cat "/proc/$HELD/cmdline" > "$WORK/out/$1.cmdline"
    limits="$(awk '/^Max core file size/ { print $5, $6 }' "/proc/$HELD/limits")"
    [ "$limits" = "0 0" ] || { echo "$1: core file size is limited to $limits"; return 1; }
    core_of_held "$WORK/out/$1.core"
}

@test "2: no token is in the environment, arguments or a forced core of any command at work" {
    command -v gdb > /dev/null || skip "there is no gdb"
    [ "$(id -u)" -eq 0 ] || skip "only root can force a core of a process that is not dumpable"
    prepare
    unset TOKEN
    make held
    make other

    # It has made a token and can't get rid of it.
    hold stdout "$MARQUE" create making --scope card:view --confirm
    look_into_held create
    core_of_held "$WORK/given/create.core" -ex 'set dump-excluded-mappings on' -ex 'set use-coredump-filter off'
    release stdout
    cp "$WORK/rest" "$T/making"
    has_whole_token "$T/making"
    hold stdout "$MARQUE" rotate held -o json --confirm
    look_into_held rotate-json
    release stdout
    hold stderr "$MARQUE" create made --scope card:view --token-file "$T/made" --confirm
    look_into_held created
    release stderr
    printf 'many-%s scope=card:view\n' {1..30} > "$WORK/roster"
    hold stderr "$MARQUE" create --from "$WORK/roster" --token-dir "$T" --confirm=30
    look_into_held created-many
    release stderr

    # It was given a token.
    TOKEN="$T/held"
    hold stdin "$MARQUE" verify
    look_into_held verify-reading
    core_of_held "$WORK/given/verify.core" -ex 'set dump-excluded-mappings on' -ex 'set use-coredump-filter off'
    release stdin
    hold stdout "$MARQUE" verify
    look_into_held verified
    release stdout
    hold stdout "$MARQUE" inspect --token-stdin
    look_into_held inspect
    release stdout
    hold stderr "$MARQUE" activate --token-stdin --confirm
    look_into_held activate
    release stderr
    TOKEN="$T/other"
    hold stderr "$MARQUE" revoke --token-stdin --reason r --confirm
    look_into_held revoke
    release stderr

    seek "$T"/* -- "$WORK/out"
    # Positive control: they had the tokens, and the search finds them in a core of all memory.
    run ! seek "$T/making" -- "$WORK/given/create.core"
    [ "$status" -eq 1 ]
    run ! seek "$T/held" -- "$WORK/given/verify.core"
    [ "$status" -eq 1 ]
    tell "$(find "$WORK/out" -name '*.core' | wc -l) forced cores ($(du -ch "$WORK"/out/*.core | tail -n 1 | cut -f 1)) without one of $(find "$T" -type f | wc -l) tokens; both controls with"
}

@test "2: the kernel writes no core of marque, and other processes of its user can't look into it" {
    local as=() user=$UID pattern found=0
    prepare
    pattern="$(cat /proc/sys/kernel/core_pattern)"
    if [ "$UID" -eq 0 ]; then
        # The account `nobody` will not do: the kernel shows its uid for many accounts, and marque refuses it.
        user="$(id -u daemon)" || skip "there is no user daemon to be"
        as=(setpriv --reuid "$user" --regid "$user" --clear-groups --)
        chmod -R a+rX "$WORK"
        chmod a+x "$(dirname "$WORK")" 2> /dev/null || true
        "${as[@]}" test -x "$MARQUE" || skip "user daemon can't run $MARQUE"
        mkdir -m 777 "$WORK/daemon"
    else
        mkdir "$WORK/daemon"
    fi
    cd "$WORK/daemon"
    export MARQUE_STORE="$WORK/daemon/store" HOME="$WORK/daemon"
    "${as[@]}" "$MARQUE" init --operator me --confirm 2> /dev/null
    "${as[@]}" "$MARQUE" create held --scope card:view --confirm > "$T/held" 2> /dev/null
    ulimit -c unlimited 2> /dev/null || true

    # Positive control: another process does belong to its user, and does leave a core.
    "${as[@]}" sleep 60 3>&- &
    HELD=$!
    sleep 0.3
    [ "$(stat -c %u "/proc/$HELD/fd")" -eq "$user" ]
    kill -ABRT "$HELD"
    wait "$HELD" || true
    if [[ $pattern != \|* && $pattern != */* ]] && compgen -G "$WORK/daemon/core*" > /dev/null; then
        found=1
        rm -f "$WORK"/daemon/core*
    fi

    rm -f "$WORK/fifo"
    mkfifo -m 666 "$WORK/fifo"
    exec 8<> "$WORK/fifo"
    cat "$T/held" >&8
    "${as[@]}" "$MARQUE" verify <&8 > /dev/null 2>&1 3>&- &
    HELD=$!
    sleep 0.5
    grep -q '^Name:.marque' "/proc/$HELD/status"
    [ "$(awk '/^Max core file size/ { print $5, $6 }' "/proc/$HELD/limits")" = "0 0" ]
    [ "$(stat -c %u "/proc/$HELD/fd")" -eq 0 ]  # root's, that is: not dumpable
    if [ "$user" -ne 0 ]; then
        run ! "${as[@]}" cat "/proc/$HELD/environ"
        run ! "${as[@]}" head -c 1 "/proc/$HELD/mem"
    fi
    kill -ABRT "$HELD"
    wait "$HELD" || true
    exec 8>&-
    ! compgen -G "$WORK/daemon/core*" || false
    tell "not dumpable, core size 0; $( ((found)) && echo 'the control left a core, marque none' || echo "cores go to '$pattern' here: by limit and dumpability only")"
}
