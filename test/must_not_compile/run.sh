#!/bin/sh
# The wrong calls that the types rule out: each file here must fail to compile, and for the reason in its first line.
set -eu

usage='usage: run.sh CXX INCLUDE_DIR   compile each file here with CXX (g++), the sources being in INCLUDE_DIR'

case "${1-}" in --help) echo "$usage"; exit 0 ;; esac
[ $# -eq 2 ] || { echo "$usage" >&2; exit 2; }
compiler=$1
include=$2
cd "$include"
include=$PWD
cd "$OLDPWD"
cd "$(dirname "$0")"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

# LC_ALL: the expected words are English, with plain quotation marks.
compiles() {
    LC_ALL=C "$compiler" -std=c++23 -fsyntax-only -Werror=unused-result -I "$include" "$1" >"$log" 2>&1
}

failed=0
wrong() {
    echo "$1: $2"
    sed 's/^/    /' "$log" | head -n 20
    failed=$((failed + 1))
}

compiles compiles.cpp || wrong compiles.cpp 'does not compile, so the failures of the others prove nothing'

count=0
for file in *.cpp; do
    [ "$file" != compiles.cpp ] || continue
    count=$((count + 1))
    expected=$(sed -n '1s|^// expect: ||p' "$file")
    if [ -z "$expected" ]; then
        wrong "$file" 'has no "// expect: …" in its first line'
    elif compiles "$file"; then
        wrong "$file" 'compiles, and must not'
    elif ! grep -F 'error: ' "$log" | grep -qF -- "$expected"; then
        wrong "$file" "fails for another reason than: $expected"
    fi
done

echo "$count files that must not compile, $failed wrong"
[ "$failed" -eq 0 ]
