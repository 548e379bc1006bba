# Shared by the scripts in this folder, beside ../cli/helpers.bash (load that first).
# shellcheck shell=bash

TORTURE="$BATS_TEST_DIRNAME"
PYTHON="$(PATH="/usr/bin:$PATH" command -v python3)"
export MARQUE PYTHON TORTURE

tell() { # words for whoever watches the run
    echo "    # $*" >&3
}

# Python's replay beside this shell, so that it starts once and not once per death.
start_replay() {
    coproc REPLAY { exec "$PYTHON" "$TORTURE/replay.py" 3>&- 2>&1; }
}
replayed() { # replayed STORE: its answer in $REPLY, and whether log and tables agree
    echo "$1" >&"${REPLAY[1]}"
    IFS= read -r REPLY <&"${REPLAY[0]}"
    [[ $REPLY == same* ]]
}
states_of() { # states_of IDENTITY: of its credentials, by the last answer of `replayed`
    [[ " $REPLY " =~ \ $1=([a-z,]*)\  ]] && echo "${BASH_REMATCH[1]}"
}

has_whole_token() { # has_whole_token FILE
    local text
    text="$(head -c 4096 "$1" 2>/dev/null | tr -d '\0')"
    [[ $text =~ ^mrq_(test|live)_[0-9a-z]{12}_[0-9A-Za-z]{49}$ ]]
}

verdict() { # verdict FILE: accepted, refused, or the exit code of a verification that did neither
    local code=0
    "$MARQUE" verify < "$1" > /dev/null 2>&1 || code=$?
    case $code in 0) echo accepted ;; 3) echo refused ;; *) echo "exit $code" ;; esac
}
is_in_force() { [ "$(verdict "$1")" = accepted ]; }
activate() { "$MARQUE" activate --token-stdin --confirm < "$1" > /dev/null 2>&1; }

# What the store must be after anything: it opens, its log is sound, it is well, and its tables
# say what its log says. $D holds the store; complaints go to `complain`.
check_store() {
    "$MARQUE" audit verify -o json > "$D/check" 2>&1 || complain "audit verify: $(cat "$D/check")"
    "$MARQUE" doctor > "$D/check" 2>&1 || complain "doctor: $(grep -v '^ok' "$D/check")"
    replayed "$MARQUE_STORE" || complain "$REPLY"
}

complain() { echo "$POINT: $*" >> "$WORK/complaints"; }

# --- Striking at every system call -----------------------------------------------------------
#
# strike INJECTION OPERATE CHECK: runs OPERATE once for each call that it makes of those below,
# each time in a fresh copy of $WORK/base at $D (the store is $D/store), with INJECTION at that
# call; then CHECK. strace counts each kind of call by itself, so each kind is gone through by
# itself, N = 1, 2, 3… until OPERATE ends unharmed. As many at a time as there are processors.
# Messages to a database are many: one of eight is struck, from a random one on, so that every run strikes others.
# MARQUE_EVERY_MESSAGE=1 strikes all.
# In OPERATE, "${STRIKE[@]}" stands before the binary. After it: $CODE, its exit code.
# How many strikes there were: $STRIKES. With ONWARDS=+, every later call of the kind is struck too.
ONWARDS=
WRITING='write pwrite64 writev fsync fdatasync syncfs rename renameat renameat2 unlink unlinkat ftruncate mkdir'

strike() {
    local injection=$1 operate=$2 check=$3 kinds share shares pids=()
    : > "$WORK/strikes"
    : > "$WORK/complaints"
    kinds="$(kinds_of_calls "$operate")"
    [ -n "$kinds" ]
    shares="$(nproc)"
    [ "$shares" -le 8 ] || shares=8
    for ((share = 1; share <= shares; share++)); do
        strike_share "$injection" "$operate" "$check" "$kinds" "$share" "$shares" > "$WORK/share$share" 2>&1 3>&- &
        pids+=($!)
    done
    for share in "${!pids[@]}"; do
        wait "${pids[share]}" || { cat "$WORK/share$((share + 1))"; return 1; }
    done
    STRIKES="$(wc -l < "$WORK/strikes")"
    if [ -s "$WORK/complaints" ]; then
        echo "after $operate, struck by $injection:"
        cat "$WORK/complaints"
        return 1
    fi
    [ "$STRIKES" -gt 0 ] || { echo "$operate was never struck: can strace trace here?"; return 1; }
}

fresh_copy() {
    rm -rf "$D"
    mkdir -p "$D"
    [ ! -e "$WORK/base" ] || cp -a "$WORK/base/." "$D"
    export MARQUE_STORE="$D/store"
}

# The kinds of calls of WRITING that OPERATE makes at all.
kinds_of_calls() {
    local D="$WORK/rehearsal" traced STRIKE
    traced="$(printf ',?%s' $WRITING)"
    fresh_copy
    STRIKE=(strace -f -qq -o "$WORK/calls" -e "trace=${traced#,}")
    "$1" || { echo "the rehearsal of $1 failed" >&2; return 1; }
    sed -E 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/' "$WORK/calls" | sort -u
}

strike_share() {
    set +eE
    trap - DEBUG ERR
    local injection=$1 operate=$2 check=$3 kinds=$4 share=$5 shares=$6 kind n stride
    D="$WORK/struck$share"
    start_replay
    for kind in $kinds; do
        stride=1
        [ "$kind" != sendto ] || [ -n "${MARQUE_EVERY_MESSAGE:-}" ] || stride=8
        for ((n = share + shares * (RANDOM % stride); ; n += shares * stride)); do
            fresh_copy
            STRIKE=(strace -f -qq -o "$D/trace" -e "trace=$kind" -e "inject=$kind:$injection:when=$n$ONWARDS")
            CODE=0
            "$operate" 2> "$D/operate.stderr" || CODE=$?
            [ "$CODE" -eq 137 ] || grep -q INJECTED "$D/trace" || break
            POINT="$kind $n"
            "$check"
            echo "$POINT exit $CODE" >> "$WORK/strikes"
        done
    done
    return 0
}
