#!/usr/bin/env bats
# The command line as such: help, suggestions, output

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

@test "usage: --version and --help go to stdout with 0, of every command" {
    answers 0 --version
    [[ "$output" =~ ^marque\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    answers 0 --help
    has "$output" $'Exit codes:\n  0 '
    for command in init create issue rotate activate pause resume revoke inspect list verify audit operator owner \
        environment workspace store doctor completion "audit prove" "operator add" "store backup"; do
        # shellcheck disable=SC2086
        answers 0 $command --help
        has "$output" "Usage: marque $command"
        equal "$stderr" ""
    done
}

@test "usage: without a command: 2, and where help is" {
    answers 2
    equal "$output" ""
    has "$stderr" "marque --help"
    answers 2 -o json
    equal "$(jq -r .error.message <<< "$stderr")" "say what to do: marque COMMAND"
    answers 2 audit
    has "$stderr" "say what to do: marque audit COMMAND"
}

@test "usage: an unknown command or option is 2, with which was meant" {
    answers 2 crate codex
    has "$stderr" "'crate' is no command of marque"
    has "$stderr" "did you mean create?"
    answers 2 audit verfy
    has "$stderr" "did you mean verify?"
    answers 2 revoke codex --resaon x
    has "$stderr" "'--resaon' is no option of marque revoke"
    has "$stderr" "did you mean --reason?"
    answers 2 create codex --scopes card:edit
    has "$stderr" "did you mean --scope?"
    answers 2 list --colour
    answers 2 $'\e[31m'
    lacks "$stderr" $'\e'
    answers 2 "$(head -c 100000 /dev/zero | tr '\0' a)"
    [ "${#stderr}" -lt 1000 ]
}

@test "usage: too many words, and an option without its value, are 2" {
    answers 2 inspect a b
    answers 2 create codex --scope
    answers 2 revoke codex --reason
    answers 2 pause codex --for --reason r
}

@test "usage: an option given twice is refused, of every command, flags too" {
    python3 "$BATS_TEST_DIRNAME/every_command.py" options
}

@test "usage: -o json, of every command: one document or none, JSON on stderr, the code; and when nobody reads it" {
    python3 "$BATS_TEST_DIRNAME/every_command.py" json
}

@test "usage: what goes on ends in silence when its reader has gone; -o json holds for usage errors, too" {
    init_store
    create codex
    for command in "list" "audit export" "audit list" "audit tail" "--help" "help list" "completion man"; do
        # shellcheck disable=SC2086
        run --separate-stderr bash -o pipefail -c '"$MARQUE" "$@" | head -c 1 > /dev/null' -- $command
        equal "$command: $status: $stderr" "$command: 0: "
    done
    answers 2 lisst -o json
    equal "$(jq -r .error.hint <<< "$stderr")" "did you mean list?"
}

@test "usage: a path in a message is escaped, of success too" {
    init_store
    answers 0 create codex --scope card:view --token-file "$WORK/"$'a\e[31mb' --confirm
    lacks "$stderr" $'\e'
    has "$stderr" "a\\u{1b}[31mb'"
    answers 0 create kimi --scope card:view --token-file "$WORK/"$'\xff' --confirm -o json
    equal "$(json .token_path)" "$WORK/\\xff"
}

@test "usage: of two values none is taken: --confirm, a setting, a label, a word of a roster" {
    init_store
    create codex --label team=a
    leaves_store_alone 2 revoke codex --reason r --confirm=000000000000 --confirm
    leaves_store_alone 2 create kimi --scope card:view --scope card:edit --confirm
    answers 2 serve --check-config --set workers=1 --set workers=2
    has "$stderr" "workers is given twice"
    answers 2 serve --check-config --set workers=1 --workers 2
    answers 2 list --label team=a --label team=b
    has "$stderr" "'label.team' is given twice"
    mkdir "$WORK/tokens"
    for words in "env=dev env=staging" "label=team=a label=team=b" "scope=card:view scope=card:view"; do
        echo "kimi $words" > "$WORK/roster"
        leaves_store_alone 2 create --from "$WORK/roster" --token-dir "$WORK/tokens" --scope card:view --confirm=1
        has "$stderr" "given twice"
    done
    MARQUE_WORKSPACE=nowhere answers 0 list --workspace default
}

@test "usage: options of every command stand before and behind it" {
    init_store
    create codex
    equal "$("$MARQUE" -o json list | jq -r .schema)" marque/1
    equal "$("$MARQUE" list -o json | jq -r .schema)" marque/1
    equal "$("$MARQUE" list --output=json | jq -r .schema)" marque/1
    equal "$("$MARQUE" audit -o json verify | jq -r .schema)" marque/1
}

@test "usage: --confirm takes its value behind = alone" {
    init_store
    answers 5 create codex --scope card:edit
    digest=$(shown_digest)
    leaves_store_alone 2 create codex --scope card:edit --confirm "$digest"
}

@test "invariant 9: --confirm= with nothing behind it confirms nothing" {
    init_store
    leaves_store_alone 2 create codex --scope card:edit --confirm=
}

@test "usage: no colours into a pipe, with NO_COLOR, nor with --no-color; some on a terminal" {
    init_store
    create codex
    unset NO_COLOR
    answers 0 list
    lacks "$output" $'\e'
    command -v script > /dev/null || skip "script is not installed"
    export TERM=xterm
    has "$(script -qec "'$MARQUE' list" /dev/null)" $'\e['
    lacks "$(script -qec "'$MARQUE' list --no-color" /dev/null)" $'\e['
    lacks "$(NO_COLOR=1 script -qec "'$MARQUE' list" /dev/null)" $'\e['
    lacks "$(TERM=dumb script -qec "'$MARQUE' list" /dev/null)" $'\e['
}

@test "usage: data goes to stdout, words to stderr" {
    init_store
    create codex
    for command in "create pilot --scope card:edit" "pause codex --reason r" "revoke codex --reason r" "operator remove ops" \
        "inspect nobody"; do
        # shellcheck disable=SC2086
        run --separate-stderr "$MARQUE" $command
        equal "$output" ""
        [ -n "$stderr" ]
    done
    for command in "list" "inspect codex" "audit list" "operator list" "environment list" "doctor" "store status"; do
        # shellcheck disable=SC2086
        answers 0 $command
        [ -n "$output" ]
        equal "$stderr" ""
    done
}

@test "usage: -o json: every command that shows gives one document of schema marque/1" {
    init_store
    create codex
    for command in "list" "inspect codex" "operator list" "owner list" "environment list" "workspace list" "doctor" \
        "store status" "audit verify" "audit checkpoint" "audit key" "audit prove --entry 1"; do
        # shellcheck disable=SC2086
        answers 0 $command -o json
        json . > /dev/null
    done
    for command in "create pilot --scope card:edit" "issue codex" "rotate codex" "pause codex --reason r" "revoke codex --reason r" \
        "operator add x --user 77 --all-workspaces" "environment add e" "workspace add w" "store backup $WORK/b"; do
        # shellcheck disable=SC2086
        answers 5 $command -o json
        equal "$(json '.result, (.plan.digest | length)' | paste -sd' ')" "shown 64"
        equal "$stderr" ""
    done
}

@test "usage: -o json: store migrate and rollback as well" {
    init_store
    for command in "store migrate" "store rollback"; do
        # shellcheck disable=SC2086
        run --separate-stderr "$MARQUE" $command -o json
        json . > /dev/null
    done
}

@test "usage: errors have one form: marque: what, then what to do" {
    init_store
    create codex
    answers 7 inspect codx
    equal "$stderr" "marque: there is no identity codx in workspace default
  did you mean codex?"
    answers 5 revoke codex --reason r --confirm=0123456789abcdef
    has "$stderr" "Note: the plan is no longer the one that was shown; nothing changed"
}

@test "usage: 5 means that the plan was shown: after a digest or a count that is not right, too" {
    init_store
    create codex
    answers 5 revoke codex --reason r --confirm=0123456789abcdef
    has "$stderr" "identity codex: active → revoked"
    answers 5 revoke --filter env=dev --reason r --confirm=2
    has "$stderr" "identity codex: active → revoked"
}

@test "usage: what is missing is called by the name that help gives it" {
    answers 2 completion
    has "$stderr" "SHELL"
    answers 2 issue
    has "$stderr" "NAME"
}

@test "usage: an unknown short option is named" {
    answers 2 list -x
    has "$stderr" "-x"
    answers 2 -x
    has "$stderr" "-x"
}

@test "usage: is not made to be set-user-id" {
    needs_users
    cp "$MARQUE" "$WORK/marque"
    chmod 4755 "$WORK/marque"
    chmod 755 "$WORK"
    run --separate-stderr setpriv --reuid=12345 --regid=12345 --clear-groups "$WORK/marque" --store "$WORK/mine" init --confirm
    [ "$status" -ne 0 ]
    has "$stderr" "set-user-id"
    [ ! -e "$WORK/mine" ]
}
