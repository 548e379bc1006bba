#!/usr/bin/env bats
# marque completion, and marque complete, which the shells ask

# shellcheck disable=SC2154,SC2030,SC2031,SC1111  # status, output, stderr and lines are set by run; a test is a subshell
load helpers

# The program under its own name, where the scripts look for it.
path_to_marque() {
    mkdir "$WORK/bin"
    ln -s "$MARQUE" "$WORK/bin/marque"
    PATH="$WORK/bin:$PATH"
}

# offered WORD…: what may follow; the last word is being typed. Nothing may be said on standard error.
offered() {
    "$MARQUE" complete fish -- "$@" 2> "$WORK/said" | cut -f1
    [ ! -s "$WORK/said" ]
}
# offers LINE WORD…: exactly these words, in one line.
offers() {
    equal "$(offered "${@:2}" | paste -sd' ')" "$1"
}

# What bash would insert. It splits words at : and =, and so does whoever calls this.
in_bash() {
    # shellcheck disable=SC2016
    bash -c 'source <(marque completion bash)
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _marque
        printf "%s\n" "${COMPREPLY[@]}"' bash marque "$@"
}

@test "complete: commands, subcommands and options, of every command that there is" {
    offers create cre
    offers checkpoint audit ch
    offers --filter revoke --fil
    offers "--max-lifetime" environment add --max
    offers --workspace --works
    offers "" list --colour
    offers "" crate ""
    offers verify help audit verif
    has "$(offered revoke codex "")" --reason
    lacks "$(offered revoke codex --reason r "")" --reason
    has "$(offered revoke --filter env=dev --)" --filter
    for command in init create list audit store; do has "$(offered "")" "$command"; done
    lacks "$(offered "")" complete
}

@test "complete: values that the program knows without a store" {
    offers "json text" -o ""
    offers "json text" list -o ""
    offers "--output=json" list --output=j
    offers "no yes" owner policy --sole-owner ""
    offers "agent ci service" create codex --kind ""
    offers "paused pending" list --state p
    offers manage operator grant ops --permission m
    offers "workspace:manage workspace:view" operator grant ops --permission workspace
    offers "bash fish man zsh" completion ""
    offers "kan" create codex --scope ka
    offers "card:edit" create codex --scope card:ed
    offers "card:view,card:edit" create codex --scope card:view,card:ed
    lacks "$(offered create codex --scope card:view,)" card:view,card:view
    offers "env= expiring= kind= label. state= unused=" revoke --filter ""
    offers "kind=ci" revoke --filter kind=c
}

@test "complete: files and folders where they are expected" {
    offers :files audit verify --checkpoint ""
    offers :files owner add x
    offers :files approval import 4ygg40s8 ""
    offers :files serve --config=/e
    offers :folders --store ""
    offers :folders store copy a ""
}

@test "complete: what the store has, with --store, --workspace and their variables" {
    init_store
    "$MARQUE" create codex --env staging --scope rocket:launch --confirm > /dev/null 2>&1
    create hermes
    "$MARQUE" revoke hermes --reason r --confirm 2> /dev/null
    offers codex inspect co
    for command in pause resume rotate issue revoke; do offers codex "$command" ""; done
    offers "codex hermes" inspect ""
    offers "codex hermes" audit list --identity ""
    offers "dev production staging" list --env ""
    offers "env=staging" revoke --filter env=s
    offers rocket:launch verify --scope rock
    offers ops operator remove o
    offers default list -w ""
    id=$(credential_of codex)
    offers "$id" inspect "${id:0:11}"
    "$MARQUE" workspace add acme --confirm 2> /dev/null
    offers "" inspect c
    offers codex --workspace default inspect co
    offers codex inspect --workspace=default co
    offers "acme default" workspace remove ""
    MARQUE_WORKSPACE=default offers codex inspect co
    mv "$MARQUE_STORE" "$WORK/elsewhere"
    offers "" -w default inspect c
    offers codex --store "$WORK/elsewhere" -w default inspect co
    # shellcheck disable=SC2088  # as it was typed
    HOME=$WORK offers codex --store '~/elsewhere' -w default inspect co
}

@test "complete: approvals that are open, and owners' keys" {
    command -v ssh-keygen > /dev/null || skip "ssh-keygen is not installed"
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/key"
    "$MARQUE" init --operator ops --owner-key "$WORK/key.pub" --confirm 2> /dev/null
    answers 6 create board --env production --scope card:view --confirm
    id=$("$MARQUE" approval list -o json | jq -r '.approvals[0].id')
    offers "$id" approval sign ""
    offers "$id" create board --approval ""
    has "$("$MARQUE" complete fish -- approval deny "")" "asked by ops"
    offers "$("$MARQUE" owner list -o json | jq -r '.owners[0].fingerprint')" owner remove SHA
    "$MARQUE" approval withdraw "$id" --confirm 2> /dev/null
    offers "" approval sign "$id"
}

@test "complete: whoever is no operator is offered nothing of the store, and leaves no entry" {
    needs_users
    init_store
    create codex
    size=$(log_size)
    give_store_to 12345
    chmod 755 "$WORK"
    equal "$(as_user 12345 complete fish -- inspect "" 2>&1 | grep -c codex)" 0
    equal "$(as_user 12345 complete fish -- list --env "" 2>&1)" ""
    give_store_to 0
    equal "$(log_size)" "$size"
}

@test "complete: whoever sees one workspace is offered nothing of another" {
    needs_users
    init_store
    "$MARQUE" workspace add acme --confirm 2> /dev/null
    create codex -w default
    "$MARQUE" operator add eve --user 12345 --permission view -w acme --confirm 2> /dev/null
    give_store_to 12345
    chmod 755 "$WORK"
    equal "$(as_user 12345 complete fish -- workspace pause "" | cut -f1)" acme
    equal "$(as_user 12345 complete fish -- -w default inspect "" | cut -f1 | grep -c codex)" 0
    equal "$(as_user 12345 complete fish -- operator remove "" | cut -f1 | grep -c ops)" 0
}

@test "complete: never fails, says nothing, and runs nothing: no store, garbage, odd words, a token" {
    for word in '$(touch hit)' '`touch hit`' "'" '"' $'\n' $'\e[31m' '--' '--=' '-' '=' ':' $'\xff' '../..' "$(printf 'a%.0s' {1..70000})"; do
        for before in inspect "create x --scope" "list --env" "--store" "help"; do
            # shellcheck disable=SC2086
            "$MARQUE" complete bash -- $before "$word" > "$WORK/out" 2>&1
            equal "$(grep -vc '^[-a-zA-Z0-9_.:=,/+@]*$' "$WORK/out")" 0
        done
    done
    [ ! -e hit ]
    mkdir "$MARQUE_STORE"
    echo garbage > "$MARQUE_STORE/marque.db"
    offers "" list --env ""
    token=mrq_test_702aexnm68vw_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf0AWwnc
    offers "" inspect "$token"
    answers 2 complete powershell -- ""
    answers 2 complete
}

@test "completion bash: words are put together where bash splits them, and cut where it does" {
    path_to_marque
    init_store
    create codex
    equal "$(in_bash cre)" create
    equal "$(in_bash inspect co)" codex
    equal "$(in_bash create x --scope card : ed)" edit
    equal "$(in_bash create x --scope card : view,card : ed)" edit
    equal "$(in_bash list --env = prod)" production
    equal "$(in_bash revoke --filter env = prod)" production
    equal "$(in_bash audit verify --checkpoint x)" ""
}

@test "completion bash: in a real one, by the tab key" {
    path_to_marque
    init_store
    create codex
    PS1='$ ' TERM=dumb INPUTRC=/dev/null HOME=$WORK "$BATS_TEST_DIRNAME/at_a_terminal.py" bash --norc --noprofile -i << 'KEYS'
source <(marque completion bash); echo rea''dy\n => ready
marque inspect co\t => codex\x20
--ev\t => --events\x20
\x15marque create x --scope card:ed\t => card:edit
KEYS
}

@test "completion zsh: offers the same, at the tab key" {
    command -v zsh > /dev/null || skip "zsh is not installed"
    path_to_marque
    init_store
    create codex
    "$MARQUE" completion zsh > "$WORK/_marque"
    zsh -n "$WORK/_marque"
    equal "$(head -n 1 "$WORK/_marque")" "#compdef marque"
    PS1='% ' TERM=dumb HOME=$WORK "$BATS_TEST_DIRNAME/at_a_terminal.py" zsh -f -i << 'KEYS'
unsetopt zle_bracketed_paste; fpath=($HOME $fpath); autoload -U compinit; compinit -u -d $HOME/dump; echo rea''dy\n => ready
marque inspect co\t => codex\x20
--ev\t => --events\x20
\x15marque create x --scope card:ed\t => card:edit\x20
KEYS
}

@test "completion fish: offers the same, with what each is" {
    command -v fish > /dev/null || skip "fish is not installed"
    path_to_marque
    init_store
    create codex
    "$MARQUE" completion fish > "$WORK/marque.fish"
    export HOME="$WORK"
    fish --no-execute "$WORK/marque.fish"
    in_fish() {
        fish -c "source $WORK/marque.fish; complete -C '$1'"
    }
    equal "$(in_fish 'marque cre')" $'create\tCreate an identity with its first credential; prints the token'
    equal "$(in_fish 'marque audit che' | cut -f1)" checkpoint
    equal "$(in_fish 'marque revoke --fil' | cut -f1)" --filter
    equal "$(in_fish 'marque inspect ')" $'codex\tagent in dev'
    equal "$(in_fish 'marque list --env=prod' | cut -f1)" --env=production
    equal "$(in_fish 'marque create x --scope card:ed' | cut -f1)" card:edit
    has "$(in_fish "marque audit verify --checkpoint $WORK/mar")" marque.fish
}

@test "completion man: a page that is well formed, and has every command, its examples, and the exit codes" {
    "$MARQUE" completion man > "$WORK/marque.1"
    page=$(cat "$WORK/marque.1")
    for command in init create issue rotate activate pause resume revoke inspect list verify "audit verify" \
        "operator grant" "owner add" "environment protect" "workspace add" "store backup" doctor help; do
        has "$page" ".SS marque $command"
    done
    for title in "IDENTITIES AND TOKENS" "EXIT STATUS" ENVIRONMENT FILES; do has "$page" ".SH $title"; done
    has "$page" "outcome unknown"
    command -v mandoc > /dev/null || skip "mandoc is not installed"
    equal "$(mandoc -T lint -W warning "$WORK/marque.1" 2>&1)" ""
    rendered=$(mandoc -T utf8 "$WORK/marque.1" | col -b)
    has "$rendered" "marque revoke codex --reason 'laptop lost' --confirm"
    has "$rendered" "source <(marque completion bash)"
}

@test "completion: which shells there are; no store is needed" {
    for shell in bash zsh fish man; do
        answers 0 completion "$shell"
        [ "${#lines[@]}" -gt 5 ]
    done
    answers 2 completion powershell
    has "$stderr" "fish"
    answers 2 completion
}
