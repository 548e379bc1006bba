#!/usr/bin/env bash
# One of the processes of concurrency.bats: changes and verifies, at random, for a while.
#
#   worker.bash NUMBER SEED SECONDS
#
# In $WORK (its own files end in its number):
#   done.N      `ACTION IDENTITY` for each event that a command reported as done; credential.revoke with the credential
#   ended.N     the same for credentials that a rotation replaced as compromised: it or another command revoked them
#   codes.N     `COMMAND CODE` for each command
#   stderr.N    everything it was told
#   wrong.N     what must not be
#   tokens/     the tokens it was given: IDENTITY.N.COUNT
#   revoked/    an empty file for each identity and credential whose revocation was reported
set -u
number=$1 seconds=$3
RANDOM=$(($2 + number))
own=() count=0
shared=(shared-{1..10})
end=$((SECONDS + seconds))

log_done() { # ACTION… IDENTITY
    local identity=${*: -1} action
    for action in "${@:1:$#-1}"; do echo "$action $identity" >> "$WORK/done.$number"; done
}

# Runs a command; $code, and whether it said that it changed something.
run() {
    code=0
    answer="$("$MARQUE" -o json "$@" 2>> "$WORK/stderr.$number")" || code=$?
    echo "$1 $code" >> "$WORK/codes.$number"
    case $code in 0 | 3 | 5 | 7) ;; *) echo "exit $code: $*" >> "$WORK/wrong.$number" ;; esac
    [ "$code" -eq 0 ] && [[ $answer == *'"result":"applied"'* ]]
}

# Whose token is in the file, and is it as it must be? What was revoked before this began is refused.
verify() {
    local id must_be_refused=no code=0
    id="$(head -c 21 "$1" | tail -c 12)"
    [ -e "$WORK/revoked/$id" ] || [ -e "$WORK/revoked/$(identity_of "$1")" ] && must_be_refused=yes
    "$MARQUE" verify < "$1" > /dev/null 2>> "$WORK/stderr.$number" || code=$?
    echo "verify $code" >> "$WORK/codes.$number"
    case $code in 0 | 3) ;; *) echo "verify: exit $code" >> "$WORK/wrong.$number" ;; esac
    [ "$must_be_refused" = no ] || [ "$code" -eq 3 ] ||
        echo "verify of $1: exit $code, and it was revoked before" >> "$WORK/wrong.$number"
}
identity_of() { local name=${1##*/}; echo "${name%%.*}"; }

new_token_file() { file="$WORK/tokens/$1.$number.$((++count))"; }
some_token() { local all=("$WORK/tokens/$1".*); file=${all[RANDOM % ${#all[@]}]}; [ -e "$file" ]; }

issued() { # IDENTITY ACTION…: of a command that gives a token
    local identity=$1
    shift
    [ "$code" -ne 0 ] || log_done credential.issue credential.activate "$@" "$identity"
}

while [ "$SECONDS" -lt "$end" ]; do
    who=${shared[RANDOM % ${#shared[@]}]}
    if [ "${#own[@]}" -gt 0 ] && [ $((RANDOM % 3)) -eq 0 ]; then who=${own[RANDOM % ${#own[@]}]}; fi
    case $((RANDOM % 16)) in
        0 | 1)
            who="own-$number-$((++count))"
            new_token_file "$who"
            run create "$who" --scope card:view --token-file "$file" --confirm && own+=("$who")
            [ "$code" -ne 0 ] || log_done identity.create "$who"
            issued "$who"
            ;;
        2)
            new_token_file "$who"
            run issue "$who" --token-file "$file" --confirm
            issued "$who"
            ;;
        3 | 4)
            new_token_file "$who"
            run rotate "$who" --token-file "$file" --confirm
            issued "$who" credential.retire
            ;;
        5)
            some_token "$who" && id="$(head -c 21 "$file" | tail -c 12)" || continue
            new_token_file "$who"
            if run rotate "$id" --compromised --token-file "$file" --confirm; then
                : > "$WORK/revoked/$id"
            fi
            issued "$who"
            [ "$code" -ne 0 ] || echo "credential.revoke $id" >> "$WORK/ended.$number"
            ;;
        6 | 7) run pause "$who" --reason torture --confirm && log_done identity.pause "$who" ;;
        8 | 9) run resume "$who" --confirm && log_done identity.resume "$who" ;;
        10)
            [[ $who == own-* || $((RANDOM % 4)) -eq 0 ]] || continue
            run revoke "$who" --reason torture --confirm && log_done identity.revoke "$who"
            [ "$code" -ne 0 ] || : > "$WORK/revoked/$who"
            some_token "$who" && verify "$file"
            ;;
        11)
            some_token "$who" && id="$(head -c 21 "$file" | tail -c 12)" || continue
            run revoke "$id" --reason torture --confirm && log_done credential.revoke "$id"
            [ "$code" -ne 0 ] || : > "$WORK/revoked/$id"
            verify "$file"
            ;;
        *) some_token "$who" && verify "$file" ;;
    esac
done
exit 0
