#!/usr/bin/env bats
# What `cmake --install` installs, in an empty folder, and what README tells a newcomer to type with it.
#
# MARQUE is the program of a release build: it is installed from there.

# shellcheck disable=SC2154  # status, output, stderr and lines are set by run
load ../cli/helpers

# Names, sizes and times of everything in the build folder: a file that was written to changes them, and so does a new one.
build_folder() {
    find "$BUILD" -printf '%p %s %T@\n' | sort
}

setup_file() {
    export BUILD ROOT TREE
    BUILD=$(dirname "${MARQUE:?set MARQUE to the binary under test}")
    TREE=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    ROOT=$BATS_FILE_TMPDIR/root
    build_folder >"$BATS_FILE_TMPDIR/before"
    DESTDIR=$ROOT cmake --install "$BUILD" >"$BATS_FILE_TMPDIR/log"
    build_folder >"$BATS_FILE_TMPDIR/after"
}

# The rest of each test sees only what was installed.
setup() {
    WORK=$(mktemp -d)
    PREFIX=$ROOT/usr/local
    export HOME=$WORK MARQUE_STORE=$WORK/store NO_COLOR=1 PATH=$PREFIX/bin:$PATH XDG_DATA_DIRS=$PREFIX/share:/usr/share
    unset MARQUE_WORKSPACE XDG_DATA_HOME
    cd "$WORK" || return
}

@test "install: writes nothing into the build folder" {
    diff "$BATS_FILE_TMPDIR/before" "$BATS_FILE_TMPDIR/after"
}

@test "install: a second time, and under another prefix" {
    DESTDIR=$ROOT cmake --install "$BUILD" >/dev/null
    cmake --install "$BUILD" --prefix "$WORK/opt" >/dev/null
    diff <(cd "$PREFIX" && find . -type f | sort) <(cd "$WORK/opt" && find . -type f | sort)
    cmp "$WORK/opt/bin/marque" "$MARQUE"
}

@test "install: the documents' links to files hold" {
    links=0
    while IFS=: read -r file link; do
        links=$((links + 1))
        [ -e "$(dirname "$file")/${link%%#*}" ] || { echo "$file: $link"; false; }
    done < <(cd "$PREFIX/share/doc/marque" && grep -RoE '\]\([^)]+\)' --include='*.md' "$PWD" | sed 's/](//; s/)$//' |
        grep -vE ':(#|https?://)')
    [ "$links" -gt 20 ]
    for file in LICENSE packaging/nginx/marque.conf packaging/systemd/marque.service packaging/marque.toml; do
        [ -s "$PREFIX/share/doc/marque/$file" ]
    done
}

@test "install: the library's example is built outside the tree, as docs/serve.md says, and verifies" {
    "$PREFIX/bin/marque" init --operator ops --confirm
    "$PREFIX/bin/marque" create codex --scope card:view --token-file "$WORK/token" --confirm
    export PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig CMAKE_PREFIX_PATH=$PREFIX CXX=g++
    commands=$(awk '/^```/ { code = !code; next } code && /verify_in_process.cpp|cmake -S/' "$PREFIX/share/doc/marque/docs/serve.md" |
        sed "s|/usr/local/|$PREFIX/|")
    [ "$(wc -l <<<"$commands")" -eq 2 ]
    cp "$PREFIX/share/doc/marque/examples/verify_in_process.cpp" .
    while read -r command; do
        rm -f verify_in_process
        sh -euc "$command" >log 2>&1 || { cat log; false; }
        [ -x verify_in_process ] || mv build/verify_in_process .
        run ./verify_in_process "$MARQUE_STORE" card:view production <token
        [ "$output" = refused ]
        run ./verify_in_process "$MARQUE_STORE" card:view dev <token
        [ "$output" = "accepted: codex in default" ]
    done <<<"$commands"
}

@test "install: README's session, typed with it" {
    "$TREE/test/install/session.py" "$TREE/README.md"
}

@test "install: README's commands" {
    [ "$BUILD" = "$TREE/build/release" ] || skip "the program is not the release preset's"
    mkdir "$WORK/bin"
    # shellcheck disable=SC2016  # for the stub
    printf '#!/bin/sh\nexec "$@"\n' >"$WORK/bin/sudo"
    chmod +x "$WORK/bin/sudo"
    awk '/^#/ && !code { inside = ($0 == "## Installing"); next }
         /^```/ { code = !code && inside && /^```sh$/; next }
         code' "$TREE/README.md" >"$WORK/commands"
    grep -q 'cmake --install' "$WORK/commands"
    (cd "$TREE" && DESTDIR=$WORK/typed PATH=$WORK/bin:$PATH sh -eu "$WORK/commands" >"$WORK/log" 2>&1) || { cat "$WORK/log"; false; }
    "$WORK/typed/usr/local/bin/marque" --version
}

@test "install: man shows the page" {
    command -v mandoc >/dev/null || skip "mandoc is not installed"
    mandoc -T ascii -W error "$PREFIX/share/man/man1/marque.1" | sed 's/.\x08//g' >page
    grep -q '^ *marque revoke' page
}

@test "install: bash finds the completion and completes a command" {
    [ -e /usr/share/bash-completion/bash_completion ] || skip "bash-completion is not installed"
    # shellcheck disable=SC2016  # for the inner shell
    equal "$(bash --norc -c 'source /usr/share/bash-completion/bash_completion
        if declare -F _comp_load >/dev/null; then _comp_load marque; else _completion_loader marque; fi
        COMP_WORDS=(marque rev) COMP_CWORD=1 COMP_LINE="marque rev" COMP_POINT=10
        complete -p marque >/dev/null && _marque && printf "%s\n" "${COMPREPLY[@]}"')" revoke
}

@test "install: zsh finds the completion and completes a command" {
    command -v zsh >/dev/null || skip "zsh is not installed"
    equal "$(timeout 60 zsh -f "$TREE/test/install/press_tab.zsh" "$PREFIX/share/zsh/site-functions" 'marque rev')" 'marque revoke '
}

@test "install: fish finds the completion and completes a command" {
    command -v fish >/dev/null || skip "fish is not installed"
    has "$(fish -c 'complete -C "marque rev"')" revoke
}
