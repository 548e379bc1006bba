#!/usr/bin/env bats
# marque store copy: an installation moves, from SQLite to PostgreSQL and back, and is never open in both. Death at every
# write is in test/torture/copy.bats, every column in test/store/copy_test.cpp.
# shellcheck disable=SC2154

load helpers
load postgres

teardown() {
    [ -z "${SERVE:-}" ] || kill "$SERVE"
    [ -z "${IS_WAITING:-}" ] || go_on_without_standby
    rm -rf "$WORK"
}

# An installation with something of all that a store can hold; of `bot` and `other-bot` the owners were asked.
fill_store() {
    local id
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/owner"
    "$MARQUE" init --operator ops --owner-key "$WORK/owner.pub" --confirm 2> /dev/null
    create codex --label team=red --contact "Ünï \"x\" 'y' \\z" --expires never
    create gone
    create worn
    accepted "$WORK/codex.token"
    accepted "$WORK/codex.token"
    "$MARQUE" revoke gone --reason over --confirm 2> /dev/null
    # As marque serve notes it.
    sqlite3 "$MARQUE_STORE/marque.db" "INSERT INTO refused_use (credential, reason, since, at, source, count, untold)
        VALUES ('$(credential_in "$WORK/gone.token")', 'identity_revoked', 20, 1700000000000000, 'somewhere', 3, 2)"
    "$MARQUE" rotate worn --until-used --token-file "$WORK/worn2.token" --confirm 2> /dev/null
    "$MARQUE" pause worn --for 2h --reason r --confirm 2> /dev/null
    "$MARQUE" operator add viewer --user 4711 --permission workspace:view -w default --confirm 2> /dev/null
    id=$("$MARQUE" create bot --env production --scope card:view --confirm -o json 2> /dev/null | jq -r .approval.id)
    "$MARQUE" approval sign "$id" --key "$WORK/owner" --confirm 2> /dev/null
    "$MARQUE" create bot --env production --scope card:view --approval "$id" --token-file "$WORK/bot.token" --confirm 2> /dev/null
    "$MARQUE" create other-bot --env production --scope card:view --confirm > /dev/null 2>&1 || [ $? -eq 6 ]
}
# All that the commands say of it.
all_of_it() {
    local name
    "$MARQUE" list -o json
    for name in $("$MARQUE" list --names); do "$MARQUE" inspect "$name" -o json | jq -c 'del(.events)'; done
    for command in "workspace list" "environment list" "operator list" "owner list" "approval list --all"; do
        # shellcheck disable=SC2086
        "$MARQUE" $command -o json
    done
}
# copy FROM TO [OPTION…]: from there on the commands are about TO.
copy() {
    "$MARQUE" store copy "$@" --confirm 2> /dev/null
    export MARQUE_STORE=$2
}
# serve [OPTION…]: marque serve on a socket, ready; it ends with the test. says TOKENFILE: the status of its answer.
serve() {
    : > "$WORK/serve.log"
    "$MARQUE" serve --unix "$WORK/socket" "$@" 2> "$WORK/serve.log" 3>&- &
    SERVE=$!
    timeout 20 tail -f -n +1 "$WORK/serve.log" 3>&- | grep -q -m 1 ' ready '
}
says() {
    curl -s -o /dev/null -w '%{http_code}' --unix-socket "$WORK/socket" -H "Authorization: Bearer $(cat "$1")" http://marque/auth
}
go_on_without_standby() {
    psql -qX "$CONNINFO" -c "ALTER SYSTEM RESET synchronous_standby_names" -c "SELECT pg_reload_conf()" > /dev/null
    IS_WAITING=
}
# hold: the next copy to the database waits when it begins to write there; is_held: until it does. let_go.
hold() {
    coproc HOLD { psql -qXAt "$CONNINFO" 3>&-; }
    echo "SELECT pg_advisory_lock(7886448);" >&"${HOLD[1]}"
    read -r _ <&"${HOLD[0]}"
}
is_held() {
    until [ "$(sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")" -eq 1 ]; do kill -0 "$1"; done
}
let_go() {
    eval "exec ${HOLD[1]}>&-"
}
schemas() {
    sql "SELECT nspname FROM pg_namespace WHERE nspname ~ '^marque' ORDER BY 1" | paste -sd' '
}

@test "store copy: to PostgreSQL and back, everything is as it was" {
    fill_store
    all_of_it > "$WORK/before"
    "$MARQUE" audit export > "$WORK/log"
    new_database
    from=$MARQUE_STORE
    answers 0 store copy "$from" "$WORK/there" --postgresql "$CONNINFO" --reason 'a second machine' --confirm
    has "$stderr" "moved the store from $from/marque.db to "
    export MARQUE_STORE="$WORK/there"
    equal "$(ls "$MARQUE_STORE" | paste -sd' ') $(ls "$from" | paste -sd' ')" "known_log postgresql.conninfo root.key known_log marque.db.moved root.key"
    equal "$(stat -c %a "$MARQUE_STORE" "$MARQUE_STORE"/* | paste -sd' ')" "700 600 600 600"
    all_of_it | diff "$WORK/before" -
    equal "$("$MARQUE" audit export | head -n -1 | diff "$WORK/log" - | wc -l)" 0
    equal "$(newest_event '.action, .outcome, .reason, .change.before.backend, .change.after.backend' | paste -sd' ')" \
        "store.copy done a second machine sqlite postgresql"
    answers 0 audit verify
    has "$output" "owners' signatures: 1"
    copy "$WORK/there" "$WORK/back"
    all_of_it | diff "$WORK/before" -
    equal "$("$MARQUE" audit export | head -n -2 | diff "$WORK/log" - | wc -l)" 0
    answers 0 audit verify
    has "$output" "owners' signatures: 1"
    answers 0 doctor
    accepted "$WORK/codex.token"
    accepted "$WORK/bot.token"
    refused "$WORK/gone.token"
    refused "$WORK/worn2.token"
    answers 0 resume worn --confirm
    accepted "$WORK/worn2.token"
    refused "$WORK/worn.token"
    equal "$("$MARQUE" inspect codex -o json | jq '.credentials[0].use_count')" 3
}

@test "invariant 9: store copy: a plan first, the same in a dry run, and a digest for it; nothing is written" {
    fill_store
    new_database
    for form in "" "--postgresql $CONNINFO"; do
        set -- store copy "$MARQUE_STORE" "$WORK/there"
        [ -z "$form" ] || set -- "$@" --postgresql "$CONNINFO"
        leaves_store_alone 5 "$@"
        has "$stderr" "Plan: store copy as ops"
        has "$stderr" "the store at the old place is closed for good"
        digest=$(shown_digest)
        leaves_store_alone 0 "$@" --dry-run
        leaves_store_alone 5 "$@" --confirm=0123456789abcdef
        [ ! -e "$WORK/there" ]
        equal "$(schemas)" ""
    done
    answers 0 "$@" --confirm="$digest" -o json
    equal "$(json '.result, .plan.changes[0].after.backend' | paste -sd' ')" "applied postgresql"
}

@test "store copy: refuses what is not new, and what is no store" {
    init_store
    mkdir -m 700 "$WORK/used" "$WORK/empty"
    mkdir -m 755 "$WORK/open"
    touch "$WORK/used/x" "$WORK/file"
    leaves_store_alone 3 store copy "$MARQUE_STORE" "$WORK/used" --confirm
    has "$stderr" "is not empty"
    leaves_store_alone 3 store copy "$MARQUE_STORE" "$WORK/open" --confirm
    leaves_store_alone 2 store copy "$MARQUE_STORE" "$WORK/file" --confirm
    leaves_store_alone 3 store copy "$MARQUE_STORE" "$MARQUE_STORE" --confirm
    leaves_store_alone 8 store copy "$MARQUE_STORE" "$WORK/no/where" --confirm
    answers 8 store copy "$WORK/empty" "$WORK/new" --confirm
    answers 2 store copy "$MARQUE_STORE" --confirm
    [ ! -e "$WORK/new" ]
    answers 0 store copy "$MARQUE_STORE" "$WORK/empty/" --confirm
}

@test "store copy: refuses a database with an installation in it, or with a copy of another's; no password, and no way there" {
    init_store
    new_database
    leaves_store_alone 2 store copy "$MARQUE_STORE" "$WORK/there" --postgresql "$CONNINFO password=x" --confirm
    leaves_store_alone 8 store copy "$MARQUE_STORE" "$WORK/there" --postgresql "host=$WORK" --confirm
    "$MARQUE" init --store "$WORK/other" --operator ops --postgresql "$CONNINFO" --confirm 2> /dev/null
    leaves_store_alone 3 store copy "$MARQUE_STORE" "$WORK/there" --postgresql "$CONNINFO" --confirm
    sql "ALTER SCHEMA marque RENAME TO marque_part"
    leaves_store_alone 3 store copy "$MARQUE_STORE" "$WORK/there" --postgresql "$CONNINFO" --confirm
    has "$stderr" "is no copy of this store"
    equal "$(schemas)" marque_part
    sql "CREATE ROLE narrow LOGIN"
    leaves_store_alone 4 store copy "$MARQUE_STORE" "$WORK/there" --postgresql "$CONNINFO user=narrow" --confirm
    [ ! -e "$WORK/there" ]
}

@test "invariant 10: store copy: who does not manage everything is refused with 4, in a dry run too, and with an event" {
    needs_users
    fill_store
    "$MARQUE" operator add mate --user 12345 --permission workspace:manage -w default --confirm 2> /dev/null
    give_store_to 12345
    before=$(log_size)
    user_gets 12345 4 store copy "$MARQUE_STORE" "$WORK/there" --confirm
    user_gets 12345 4 store copy "$MARQUE_STORE" "$WORK/there" --dry-run
    equal "$(log_size)" $((before + 1))
    equal "$(newest_event '.action, .outcome' | paste -sd' ')" "store.copy refused"
    [ ! -e "$WORK/there" ]
}

@test "store copy: the old place refuses everything, and says why; on other machines too" {
    init_store
    create codex
    old=$MARQUE_STORE
    new_database
    copy "$old" "$WORK/there" --postgresql "$CONNINFO"
    cp -a "$WORK/there" "$WORK/machine"
    copy "$WORK/there" "$WORK/back"
    for folder in "$old" "$WORK/there" "$WORK/machine"; do
        export MARQUE_STORE=$folder
        for words in "list" "create x --scope a:b --confirm" "store status" "store migrate --confirm" "store backup $WORK/b --confirm" \
            "audit verify" "init --confirm"; do
            # shellcheck disable=SC2086
            answers 3 $words
            has "$stderr" "the store was moved elsewhere, and is closed here"
        done
        answers 3 revoke codex --reason r --confirm
        has "$stderr" "NOT REVOKED"
        answers 8 verify < "$WORK/codex.token"
    done
    answers 3 store copy "$old" "$WORK/again" --confirm
    has "$stderr" "was moved to "
    answers 3 store copy "$WORK/machine" "$WORK/again" --confirm
    has "$stderr" "was moved to '$WORK/back/marque.db', and that is not there"
    export MARQUE_STORE=$WORK/back
    accepted "$WORK/codex.token"
    answers 0 store copy "$WORK/there" "$WORK/back" --confirm
    has "$stderr" "nothing to do: it was moved before"
    answers 0 store copy "$WORK/machine" "$WORK/back" --confirm
}

@test "store copy: a verifier of the old SQLite store answers 503 from then on, one of the new one goes on" {
    init_store
    create codex
    serve
    equal "$(says "$WORK/codex.token")" 200
    copy "$MARQUE_STORE" "$WORK/there"
    equal "$(says "$WORK/codex.token")" 503
    grep -q 'not_fresh .*the store was moved elsewhere' "$WORK/serve.log"
    kill "$SERVE"
    wait "$SERVE" || :
    serve
    equal "$(says "$WORK/codex.token")" 200
}

@test "store copy: out of PostgreSQL it returns when no lease is in force any more: a verifier answers 503" {
    new_database
    "$MARQUE" init --operator ops --postgresql "$CONNINFO" --confirm 2> /dev/null
    create codex
    for mode in lease strict; do
        serve --set freshness.mode=$mode
        equal "$(says "$WORK/codex.token")" 200
        folder=$(mktemp -d -p "$WORK")
        copy "$MARQUE_STORE" "$folder/there"
        equal "$(says "$WORK/codex.token")" 503
        kill "$SERVE"
        wait "$SERVE" || :
        grep -q 'not_fresh' "$WORK/serve.log"
        copy "$folder/there" "$folder/back" --postgresql "$CONNINFO"
    done
}

@test "store copy: a database that can't say whether the closing holds is 9, each time, and nothing is open until it can" {
    init_there
    create codex
    old=$MARQUE_STORE
    psql -qX "$CONNINFO" -c "ALTER SYSTEM SET synchronous_standby_names = 'nobody'" -c "SELECT pg_reload_conf()" > /dev/null
    IS_WAITING=yes
    for turn in first second; do
        "$MARQUE" store copy "$old" "$WORK/there" --confirm 2> "$WORK/err" 3>&- &
        copying=$!
        until [ -n "$(sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")" ]; do kill -0 "$copying"; done
        code=0
        wait "$copying" || code=$?
        equal "$code" 9
        has "$(cat "$WORK/err")" "repeat"
        answers 3 list
        answers 3 list --store "$WORK/there"
        equal "$(ls "$WORK/there" | paste -sd' ')" "marque.db.part root.key"
    done
    go_on_without_standby
    answers 0 store copy "$old" "$WORK/there" --confirm
    export MARQUE_STORE=$WORK/there
    accepted "$WORK/codex.token"
}

@test "store copy: not while a verifier answers until it is told (ack-only)" {
    new_database
    "$MARQUE" init --operator ops --postgresql "$CONNINFO" --confirm 2> /dev/null
    serve --set freshness.mode=ack-only
    answers 3 store copy "$MARQUE_STORE" "$WORK/there" --confirm
    has "$stderr" "stop it first"
    [ ! -e "$WORK/there" ]
    kill "$SERVE"
    wait "$SERVE" || :
    SERVE=
    answers 0 store copy "$MARQUE_STORE" "$WORK/there" --confirm
}

@test "store copy: a difference in what arrived is found: 10, nothing is left there, and the old store is as it was" {
    fill_store
    accepted "$WORK/codex.token"
    new_database
    for table in last_use refused_use entry installation approval_signature; do
        sql "CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN IF TG_ARGV[0] IN (''last_use'', ''refused_use'') THEN NEW.count := NEW.count + 1;
                  ELSIF TG_ARGV[0] = ''entry'' THEN NEW.identity := NULL;
                  ELSIF TG_ARGV[0] = ''installation'' THEN NEW.quorum := 2;
                  ELSE RETURN NULL; END IF; RETURN NEW; END';
             CREATE OR REPLACE FUNCTION plant() RETURNS event_trigger LANGUAGE plpgsql AS
                 'BEGIN IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() WHERE object_identity = ''marque.$table'') THEN
                  CREATE TRIGGER change BEFORE INSERT ON marque.$table FOR EACH ROW EXECUTE FUNCTION public.change($table);
                  END IF; END';
             DROP EVENT TRIGGER IF EXISTS plant;
             CREATE EVENT TRIGGER plant ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION plant()"
        leaves_store_alone 10 store copy "$MARQUE_STORE" "$WORK/there" --postgresql "$CONNINFO" --confirm
        has "$stderr" "the table $table arrived with other rows than it has"
        equal "$(schemas)" ""
        [ ! -e "$WORK/there" ]
    done
    accepted "$WORK/codex.token"
    answers 0 issue codex --confirm
    sql "DROP EVENT TRIGGER plant"
    answers 0 store copy "$MARQUE_STORE" "$WORK/there" --postgresql "$CONNINFO" --confirm
}

@test "store copy: a log that is not sound is not copied: 10, before anything is written" {
    fill_store
    sqlite3 "$MARQUE_STORE/marque.db" "UPDATE entry SET bytes = replace(bytes, 'codex', 'codec') WHERE seq = 9"
    leaves_store_alone 10 store copy "$MARQUE_STORE" "$WORK/there" --confirm
    has "$stderr" "is not sound: entry 9 was rewritten"
    leaves_store_alone 10 store copy "$MARQUE_STORE" "$WORK/there" --dry-run
    [ ! -e "$WORK/there" ]
}

@test "invariant 11: store copy: an older copy, which this machine's verifiers refuse, can't be moved out of their sight" {
    init_store
    cp -a "$MARQUE_STORE" "$WORK/older"
    create codex
    serve
    kill "$SERVE"
    wait "$SERVE" || :
    SERVE=
    rm "$MARQUE_STORE"/marque.db*
    cp "$WORK/older/marque.db" "$MARQUE_STORE"
    answers 10 store copy "$MARQUE_STORE" "$WORK/there" --dry-run
    answers 10 store copy "$MARQUE_STORE" "$WORK/there" --confirm
    [ ! -e "$WORK/there" ]
}

@test "invariant 5: store copy: a revocation while it copies is refused, from SQLite and from PostgreSQL; none is lost, nor a use" {
    init_store
    create codex
    accepted "$WORK/codex.token"
    for turn in first second; do
        old=$MARQUE_STORE from_database=${CONNINFO:-}
        new_database "$turn"
        hold
        "$MARQUE" store copy "$old" "$WORK/$turn" --postgresql "$CONNINFO" --confirm 2> "$WORK/copy.err" 3>&- &
        copying=$!
        is_held "$copying"
        { code=0; "$MARQUE" revoke codex --reason r --confirm 2> "$WORK/revoke.err" 3>&- || code=$?; echo "$code" > "$WORK/code"; } &
        revoking=$!
        "$MARQUE" verify < "$WORK/codex.token" 2> "$WORK/verify.err" > "$WORK/verdict" 3>&- &
        verifying=$!
        if [ -n "$from_database" ]; then
            until [ "$(psql -qXAt "$from_database" -c "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted")" -eq 2 ]; do
                kill -0 "$revoking" "$verifying"
            done
        fi
        until [ -s "$WORK/verdict" ]; do kill -0 "$verifying"; done
        "$MARQUE" list > /dev/null # reading goes on
        let_go
        wait "$copying" "$revoking" "$verifying"
        has "$(cat "$WORK/verdict")" "accepted: codex"
        has "$(cat "$WORK/verify.err")" "this use could not be noted"
        equal "$(cat "$WORK/code")" "$([ -z "$from_database" ] && echo 3 || echo 8)"
        has "$(cat "$WORK/revoke.err")" "NOT REVOKED"
        export MARQUE_STORE=$WORK/$turn
        equal "$("$MARQUE" inspect codex -o json | jq '.credentials[0].use_count')" 1
    done
    accepted "$WORK/codex.token"
    answers 0 revoke codex --reason r --confirm
    refused "$WORK/codex.token"
}

@test "store copy: cut short before the old store is closed, it is worth nothing, and is begun anew" {
    command -v strace > /dev/null || skip "there is no strace"
    init_store
    create codex
    run strace -f -qq -o "$WORK/trace" -e trace=fdatasync -e inject=fdatasync:signal=KILL:when=3 \
        "$MARQUE" store copy "$MARQUE_STORE" "$WORK/there" --confirm
    equal "$status" 137
    accepted "$WORK/codex.token"
    answers 3 list --store "$WORK/there"
    has "$stderr" "a store is being copied to here, or that was cut short"
    answers 3 init --store "$WORK/there" --confirm
    answers 0 revoke codex --reason r --confirm
    answers 0 store copy "$MARQUE_STORE" "$WORK/there" --confirm
    export MARQUE_STORE=$WORK/there
    refused "$WORK/codex.token"
    equal "$("$MARQUE" audit list --action store.copy -o json | jq '.entries | length')" 1
}

@test "store copy: cut short when the old store is closed and the new one not open, a repeat goes on" {
    command -v strace > /dev/null || skip "there is no strace"
    init_store
    create codex
    old=$MARQUE_STORE
    # The second name that is given: the new store's, after the key's.
    run strace -f -qq -o "$WORK/trace" -e trace=renameat2 -e inject=renameat2:signal=KILL:when=2 \
        "$MARQUE" store copy "$old" "$WORK/there" --confirm
    equal "$status" 137
    for folder in "$old" "$WORK/there"; do
        answers 3 list --store "$folder"
        answers 8 verify --store "$folder" < "$WORK/codex.token"
    done
    answers 3 store copy "$old" "$WORK/elsewhere" --confirm
    [ ! -e "$WORK/elsewhere" ]
    answers 5 store copy "$old" "$WORK/there"
    answers 3 list --store "$WORK/there"
    answers 0 store copy "$old" "$WORK/there" --confirm
    export MARQUE_STORE=$WORK/there
    accepted "$WORK/codex.token"
    answers 0 audit verify
    answers 0 store copy "$old" "$WORK/there" --confirm -o json
    equal "$(json .result)" already_so
}

@test "store copy: closed and not yet put away, the old store is refused to a verifier that has it open" {
    command -v strace > /dev/null || skip "there is no strace"
    init_store
    create codex
    serve
    equal "$(says "$WORK/codex.token")" 200
    # The third name that is given: the old store's.
    run strace -f -qq -o "$WORK/trace" -e trace=renameat2 -e inject=renameat2:signal=KILL:when=3 \
        "$MARQUE" store copy "$MARQUE_STORE" "$WORK/there" --confirm
    equal "$status" 137
    [ -e "$MARQUE_STORE/marque.db" ]
    equal "$(says "$WORK/codex.token")" 503
    answers 3 list
    MARQUE_STORE=$WORK/there accepted "$WORK/codex.token"
    answers 0 store copy "$MARQUE_STORE" "$WORK/there" --confirm
    [ ! -e "$MARQUE_STORE/marque.db" ] && [ -e "$MARQUE_STORE/marque.db.moved" ]
    equal "$(says "$WORK/codex.token")" 503
}

@test "store copy: a part of an earlier try is not what the store was moved to" {
    command -v strace > /dev/null || skip "there is no strace"
    init_store
    # Whole, compared, durable; and the old store's last commit did not happen.
    run strace -f -qq -o "$WORK/trace" -P "$MARQUE_STORE/marque.db-wal" -e trace=pwrite64 \
        -e inject=pwrite64:signal=KILL:when=1 "$MARQUE" store copy "$MARQUE_STORE" "$WORK/first" --confirm
    equal "$status" 137
    create codex
    old=$MARQUE_STORE
    copy "$old" "$WORK/second"
    answers 3 store copy "$old" "$WORK/first" --confirm
    has "$stderr" "was moved to '$WORK/second/marque.db', and that is not there"
    answers 3 list --store "$WORK/first"
    accepted "$WORK/codex.token"
}

@test "store copy: the old store is taken back by hand when the new one is lost (docs/store.md)" {
    init_store
    create codex
    newest=$(schema)
    old=$MARQUE_STORE
    new_database
    copy "$old" "$WORK/there" --postgresql "$CONNINFO"
    copy "$WORK/there" "$WORK/back"
    rm -r "$WORK/back"
    sql "ALTER SCHEMA $(schemas) RENAME TO marque"
    mv "$WORK/there/postgresql.conninfo.moved" "$WORK/there/postgresql.conninfo"
    MARQUE_STORE=$WORK/there accepted "$WORK/codex.token"
    rm -r "$WORK/there"
    equal "$(sqlite3 "$old/marque.db.moved" "PRAGMA user_version")" "-$newest"
    has "$(cat "$BATS_TEST_DIRNAME/../../docs/store.md")" "'PRAGMA user_version = $newest'"
    sqlite3 "$old/marque.db.moved" "PRAGMA user_version = $newest"
    mv "$old/marque.db.moved" "$old/marque.db"
    export MARQUE_STORE=$old
    accepted "$WORK/codex.token"
    answers 0 audit verify
    answers 0 revoke codex --reason r --confirm
}

@test "store copy: a part that was changed meanwhile is not opened" {
    command -v strace > /dev/null || skip "there is no strace"
    init_store
    create codex
    run strace -f -qq -o "$WORK/trace" -e trace=renameat2 -e inject=renameat2:signal=KILL:when=2 \
        "$MARQUE" store copy "$MARQUE_STORE" "$WORK/there" --confirm
    equal "$status" 137
    sqlite3 "$WORK/there/marque.db.part" "UPDATE credential SET scopes = 'card:view'"
    answers 10 store copy "$MARQUE_STORE" "$WORK/there" --confirm
    has "$stderr" "the table credential arrived with other rows than it has"
    answers 3 list --store "$WORK/there"
    [ -e "$WORK/there/marque.db.part" ]
}
