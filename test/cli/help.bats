#!/usr/bin/env bats
# marque help, and what is said of commands elsewhere: in help, messages and documents

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

ROOT="$BATS_TEST_DIRNAME/../.."

@test "help: is what --help prints, of the program, a command and a subcommand" {
    for command in "" create audit "audit verify"; do
        # shellcheck disable=SC2086
        equal "$("$MARQUE" help $command)" "$("$MARQUE" $command --help)"
    done
}

@test "help: of what there isn't is 2, with which was meant" {
    answers 2 help crate
    equal "$output" ""
    equal "$stderr" "marque: 'crate' is no command of marque
  did you mean create?"
    answers 2 help audit verfy
    has "$stderr" "did you mean verify?"
    answers 2 help create codex
    has "$stderr" "see marque create --help"
}

@test "help: begins with what to do first, and has every command in a group" {
    answers 0 --help
    has "$output" $'\nWhat to do first:\n'
    has "$(grep -n -m 1 'marque init' <<< "$output" | cut -d: -f1)" "7"
    listed=$("$MARQUE" complete fish -- "" | cut -f1 | sort)
    equal "$(grep -o '^  [a-z]\+ \+' <<< "$output" | tr -d ' ' | sort)" "$listed"
}

@test "help: without a command it says what to do first, and ends with 2" {
    answers 2
    equal "$output" ""
    has "$stderr" "marque init --confirm"
    has "$stderr" "marque --help"
}

@test "help: a group of commands shows an example of each" {
    answers 0 owner --help
    for command in add remove policy list; do has "$output" "    marque owner $command"; done
}

@test "help: every example of every command does what help says of it; no line is longer than 80 columns" {
    command -v ssh-keygen > /dev/null || skip "ssh-keygen is not installed"
    run python3 "$BATS_TEST_DIRNAME/examples.py"
    [ "$status" -eq 0 ] || { printf '%s\n' "$output" >&2 && return 1; }
}

@test "help: commands that messages name are there, with their options" {
    python3 "$BATS_TEST_DIRNAME/named_commands.py" --self-test
    mapfile -t files < <(find "$ROOT/src" -name '*.cpp' ! -name '*_test.cpp' -o -name '*.h')
    run python3 "$BATS_TEST_DIRNAME/named_commands.py" "${files[@]}"
    [ "$status" -eq 0 ] || { printf '%s\n' "$output" >&2 && return 1; }
}

@test "help: commands that documents name are there, with their options" {
    run python3 "$BATS_TEST_DIRNAME/named_commands.py" "$ROOT"/README.md "$ROOT"/docs/*.md "$ROOT"/packaging/*.md
    [ "$status" -eq 0 ] || { printf '%s\n' "$output" >&2 && return 1; }
}
