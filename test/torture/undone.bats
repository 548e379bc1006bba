# Invariant 20: an attacker with SQL access undoes a revocation. It is never both reported as done and without effect.

load ../cli/helpers

setup() {
    command -v sqlite3 > /dev/null || skip "there is no sqlite3"
    PYTHON="$(PATH="/usr/bin:$PATH" command -v python3)"
    export PYTHON
    : "${MARQUE:?set MARQUE to the binary under test}"
    WORK="$(mktemp -d)"
    export MARQUE_STORE="$WORK/store" NO_COLOR=1
    unset MARQUE_WORKSPACE XDG_DATA_HOME
    init_store
    create codex
}

db() {
    sqlite3 "$MARQUE_STORE/marque.db" "$@"
}

@test "triggers that put the old rows, tree, head and log back are refused by name" {
    db "CREATE TRIGGER z2 AFTER UPDATE ON identity BEGIN
            UPDATE identity SET state = OLD.state, revision = OLD.revision WHERE name = OLD.name; END;
        CREATE TRIGGER z5 AFTER UPDATE ON log_head BEGIN
            UPDATE log_head SET size = OLD.size, frontier = OLD.frontier, seal = OLD.seal, row_root = OLD.row_root;
            DELETE FROM entry WHERE seq > OLD.size; END"
    answers 10 revoke codex --reason 'laptop lost' --confirm
    has "$stderr" "NOT REVOKED"
    has "$stderr" "the trigger z2 in the store's database is not as Marque makes it"
    answers 10 verify < "$WORK/codex.token"
    answers 10 doctor
    has "$output" "trigger z2"
    answers 10 store backup "$WORK/backup" --confirm
    db "DROP TRIGGER z2; DROP TRIGGER z5"
    answers 0 revoke codex --reason 'laptop lost' --confirm
    refused "$WORK/codex.token"
}

@test "tables, views, indexes and changed definitions are refused by name" {
    for object in "TABLE mine|CREATE TABLE mine (x)|DROP TABLE mine" \
        "VIEW mine|CREATE VIEW mine AS SELECT 1|DROP VIEW mine" \
        "INDEX mine|CREATE INDEX mine ON credential (lower(identity))|DROP INDEX mine" \
        "TABLE owner|ALTER TABLE owner ADD COLUMN more TEXT|ALTER TABLE owner DROP COLUMN more"; do
        IFS='|' read -r name make drop <<< "$object"
        db "$make"
        answers 10 list
        has "$stderr" "the ${name,,} in the store's database"
        db "$drop"
        answers 0 list
    done
}

@test "a second commit that puts everything back: the command says so, or its verifiers do" {
    cat > "$WORK/undo.py" <<'P'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
tables = ["identity", "row_seal", "row_tree", "log_head", "row_write"]
old = {t: db.execute(f"SELECT * FROM {t}").fetchall() for t in tables}
size = db.execute("SELECT size FROM log_head").fetchone()[0]
print("ready", flush=True)
while db.execute("SELECT size FROM log_head").fetchone()[0] == size:
    pass
db.execute("BEGIN IMMEDIATE")
db.execute("DELETE FROM entry WHERE seq > ?", (size,))
for t in tables:
    db.execute(f"DELETE FROM {t}")
    db.executemany(f"INSERT INTO {t} VALUES ({','.join('?' * len(old[t][0]))})", old[t])
db.execute("DELETE FROM row_write")
db.executemany("INSERT INTO row_write VALUES (?,?,?)", old["row_write"])
db.execute("COMMIT")
P
    for _ in 1 2 3 4 5; do
        coproc UNDO { exec "$PYTHON" "$WORK/undo.py" "$MARQUE_STORE/marque.db" 3>&-; }
        local undo=$UNDO_PID line
        IFS= read -r line <&"${UNDO[0]}"
        equal "$line" ready
        local code=0
        "$MARQUE" revoke codex --reason 'laptop lost' --confirm 2> "$WORK/said" || code=$?
        wait "$undo"
        if [ "$code" -eq 0 ]; then
            answers 10 verify < "$WORK/codex.token"
            has "$stderr" "the log went back"
            return
        fi
        equal "$code" 10
        has "$(cat "$WORK/said")" "NOT REVOKED"
        has "$(cat "$WORK/said")" "is NOT in force"
    done
    answers 0 revoke codex --reason 'laptop lost' --confirm
    refused "$WORK/codex.token"
}

@test "a change that this machine's verifiers could not be told of stands, and the command says so" {
    command -v flock > /dev/null || skip "there is no flock"
    exec 9< "$MARQUE_STORE"
    flock 9
    answers 0 pause codex --reason "the folder is locked" --confirm 9<&-
    exec 9<&-
    has "$stderr" "was not brought forward: another process keeps"
    refused "$WORK/codex.token"
}
