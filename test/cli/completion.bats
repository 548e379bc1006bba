#!/usr/bin/env bats
# marque completion

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

# What bash would offer for the words given; the last one is being typed.
offered() {
    # shellcheck disable=SC2016
    bash -c 'source /dev/stdin
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _marque
        printf "%s\n" "${COMPREPLY[@]}"' bash marque "$@" < <("$MARQUE" completion bash)
}

@test "completion bash: commands, subcommands and options, of every command that there is" {
    equal "$(offered cre)" create
    equal "$(offered audit ch)" checkpoint
    equal "$(offered revoke --fil)" --filter
    equal "$(offered environment add --max)" --max-lifetime
    "$MARQUE" --help | sed -n '/^Subcommands/,/^$/p' | awk 'NR > 1 && NF {print $1}' | while read -r command; do
        [[ "$command" =~ ^[a-z]+$ ]] || continue
        has "$(offered "$command")" "$command"
    done
}

@test "completion bash: names of identities, for the commands that take one" {
    init_store
    create codex
    PATH="$(dirname "$MARQUE"):$PATH"
    [ "$(basename "$MARQUE")" = marque ] || skip "the program is not called marque here"
    for command in inspect revoke pause resume rotate issue; do
        equal "$(offered "$command" cod)" codex
    done
    equal "$(offered create cod)" ""
}

@test "completion zsh: is a script that zsh can read" {
    command -v zsh > /dev/null || skip "zsh is not installed"
    "$MARQUE" completion zsh > "$WORK/_marque"
    zsh -n "$WORK/_marque"
    has "$(head -n 1 "$WORK/_marque")" "#compdef marque"
}

@test "completion fish: completes commands, subcommands and options" {
    command -v fish > /dev/null || skip "fish is not installed"
    "$MARQUE" completion fish > "$WORK/marque.fish"
    export HOME="$WORK"
    fish --no-execute "$WORK/marque.fish"
    has "$(fish -c "source $WORK/marque.fish; complete -C 'marque cre'")" "create"
    has "$(fish -c "source $WORK/marque.fish; complete -C 'marque audit che'")" "checkpoint"
    has "$(fish -c "source $WORK/marque.fish; complete -C 'marque revoke --fil'")" "--filter"
}

@test "completion man: a page that is well formed and names every command" {
    "$MARQUE" completion man > "$WORK/marque.1"
    for command in init create issue rotate activate pause resume revoke inspect list verify "audit verify" \
        "operator grant" "owner add" "environment protect" "workspace add" "store backup" doctor; do
        has "$(cat "$WORK/marque.1")" ".SS marque $command"
    done
    has "$(cat "$WORK/marque.1")" "outcome unknown"
    command -v mandoc > /dev/null || skip "mandoc is not installed"
    equal "$(mandoc -T lint -W error "$WORK/marque.1" 2>&1)" ""
    equal "$(grep -c -v '^[ -~]*$' "$WORK/marque.1")" "$(grep -c '…' "$WORK/marque.1")"
}

@test "completion: which shells there are; no store is needed" {
    for shell in bash zsh fish man; do
        answers 0 completion "$shell"
        [ "${#lines[@]}" -gt 20 ]
    done
    answers 2 completion powershell
    has "$stderr" "fish"
    answers 2 completion
}
