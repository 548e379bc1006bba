"""The store is moved, replaced, damaged while the server runs: then nobody is accepted, until it is well again.

Invariant 7: no answer is a denial. And one that has gone back in time stays shut.
"""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

from changes_test import WHY, FreshTest
from harness import MARQUE, environment
from routes_test import with_checksum
from wire import all_read


class StoreAway(FreshTest):
    def setUp(self):
        super().setUp()
        self.spare = self.create("spare", "marque:introspect")

    def ask(self, path, method="GET", body="", kind="json", headers=()):
        headers = [*headers, ("Content-Type", f"application/{kind}")] if body else headers
        return self.server.connect().request(method, path, headers, body)

    def closed(self, because=""):
        """Nobody is accepted: on every connection 503, and every route says so in its own way."""
        answers = [c.auth(self.token) for c in self.connections]
        self.assertEqual({(a.status, a.header("Retry-After"), a.body) for a in answers}, {(503, "1", b"")}, because)
        self.assertEqual({a.header("Cache-Control") for a in answers}, {"no-store"})
        verdict = self.ask("/v1/verify", "POST", json.dumps({"token": self.token}))
        self.assertEqual((verdict.status, verdict.json()["error"]), (503, "temporarily_unavailable"))
        bearer = [("Authorization", f"Bearer {self.spare}")]
        for path in ("/oauth2/introspect", "/oauth2/revoke"):
            # Nor is anything revoked in a store that is not the store.
            answer = self.ask(path, "POST", f"token={self.spare}", "x-www-form-urlencoded", bearer)
            self.assertEqual((answer.status, answer.header("Retry-After")), (503, "1"), path)
        revoked = self.ask("/oauth2/revoke", "POST", f"token={self.spare}", "x-www-form-urlencoded")
        self.assertEqual((revoked.status, revoked.header("Retry-After")), (503, "1"))
        self.assertEqual(self.ask("/v1/whoami", headers=bearer).status, 503)
        ready = self.ask("/readyz")
        self.assertEqual(ready.status, 503)
        self.assertTrue(ready.body.startswith(b"not ready: "), ready.body)
        self.assertEqual(self.ask("/healthz").status, 200, "the process lives")
        self.assertIn(b"\nmarque_fresh 0\n", self.ask("/metrics").body)
        return self.server.wait_for("not_fresh")

    def open_again(self):
        """It recovers by itself."""
        self.wait_status(200)
        self.assertEqual(self.ask("/readyz").body, b"ready\n")
        self.assertIn(b"\nmarque_fresh 1\n", self.ask("/metrics").body)
        self.server.wait_for("fresh")

    def closes(self, because=""):
        """For damage that no commit tells of, the first requests may still be told what was true."""
        self.wait_status(503)
        return self.closed(because)

    def said(self, event):
        return [line for line in self.server.log if line.get("event") == event]

    def copy(self, name):
        """A copy of the store as it is. Nobody writes meanwhile."""
        return shutil.copytree(self.store, self.folder / name, ignore=shutil.ignore_patterns("*-shm"))

    def swap(self, path):
        self.store.rename(self.folder / f"old-{len(list(self.folder.iterdir()))}")
        path.rename(self.store)

    def test_moved_away_and_back(self):
        self.start()
        for n in range(3):
            self.store.rename(self.folder / "elsewhere")
            self.assertTrue(self.closed()["reason"])
            self.closed()
            self.assertEqual(len(self.said("not_fresh")), n + 1, self.said("not_fresh"))
            (self.folder / "elsewhere").rename(self.store)
            told = len(self.server.log)
            self.open_again()
            self.server.wait_for("fresh", after=told)
            self.assertEqual(len(self.said("fresh")), n + 1)
        self.marque("revoke", "codex", *WHY)
        self.assert_status(401)

    def test_the_file_moved_away(self):
        self.start()
        (self.store / "marque.db").rename(self.folder / "marque.db")
        self.closed()
        (self.folder / "marque.db").rename(self.store / "marque.db")
        self.open_again()

    def test_the_newest_changes_moved_away(self):
        """They are in the write-ahead log alone. What was known of them stays known."""
        self.start()
        self.marque("pause", "hermes", *WHY)
        (self.store / "marque.db-wal").rename(self.folder / "marque.db-wal")
        for _ in range(50):
            self.assertNotIn(200, self.statuses(self.other))

    def test_a_backup_is_copied_over_the_file(self):
        """Neither its inode nor the wal-index tells. Within the three seconds that docs/serve.md states nobody is
        accepted, and a revocation says at once that it is none."""
        backup = self.folder / "backup.db"
        self.marque("store", "backup", str(backup), "--confirm")
        self.marque("pause", "hermes", *WHY)
        self.start()
        self.assert_status(200)
        shutil.copyfile(backup, self.store / "marque.db")
        started = time.monotonic()
        self.wait_status(503)
        self.assertLess(time.monotonic() - started, 3)
        started = time.monotonic()
        run = subprocess.run([MARQUE, "revoke", "codex", *WHY], env=environment(self.store), capture_output=True,
                             text=True, check=False)
        self.assertLess(time.monotonic() - started, 10)
        for _ in range(50):
            statuses = self.statuses(self.token)
            self.assertNotIn(200, statuses, run.stderr)

    def test_a_table_that_is_not_ours(self):
        self.start()
        self.sql("CREATE TABLE mine (x)")
        self.assertEqual(self.closed()["reason"], "the table mine in the store's database is not as Marque makes it:"
                                                  " somebody wrote to the database")
        self.sql("DROP TABLE mine")
        self.open_again()

    def test_restored_from_a_copy_of_itself(self):
        self.start()
        self.swap(self.copy("copy"))
        self.open_again()
        self.marque("revoke", "codex", *WHY)
        self.assert_status(401, because="it is asked, not the one that was moved away")
        self.assert_status(200, self.other)
        self.server.stop()
        self.assertEqual(self.inspect("hermes")["credentials"][0]["use_count"], 6, "uses are noted in it too")

    def test_changed_while_away(self):
        self.start()
        copy = self.copy("copy")
        subprocess.run([os.environ["MARQUE"], "--store", str(copy), "revoke", "codex", *WHY], check=True,
                       env={"PATH": os.environ["PATH"]}, capture_output=True)
        self.swap(copy)
        self.assertNotIn(200, self.statuses())
        self.wait_status(200, self.other)
        self.assert_status(401)

    def test_an_older_copy(self):
        """A revocation must not be undone by a backup."""
        self.start()
        older = self.copy("older")
        self.marque("revoke", "hermes", *WHY)
        self.assert_status(401, self.other)
        self.swap(older)
        for _ in range(50):
            self.closed()
        self.assertEqual(len(self.said("not_fresh")), 1)
        self.assertEqual(self.said("fresh"), [])

    def test_an_older_copy_that_caught_up(self):
        """As many entries and more, but others: a fork."""
        self.start()
        older = self.copy("older")
        self.marque("revoke", "hermes", *WHY)
        self.assert_status(401, self.other)
        for n in range(3):
            subprocess.run([os.environ["MARQUE"], "--store", str(older), "create", f"new-{n}", "--scope", "card:view",
                            "--confirm"], check=True, env={"PATH": os.environ["PATH"]}, capture_output=True)
        self.swap(older)
        for _ in range(50):
            self.closed()
        self.assertEqual(self.said("fresh"), [])

    def test_another_installation(self):
        self.start()
        mine = self.store
        self.store = self.folder / "another"
        self.marque("init", "--operator", "ops", "--confirm")
        self.create("codex")
        another, self.store = self.store, mine
        self.swap(another)
        for _ in range(50):
            self.closed()
        self.assertEqual(len(self.said("not_fresh")), 1)

    def test_a_revocation_is_not_lost_in_another_store(self):
        """Done in a store that is not the one it would be undone when the right one is back."""
        self.start()
        older = self.copy("older")
        self.marque("pause", "hermes", *WHY)
        self.assert_status(401, self.other)
        self.store.rename(self.folder / "right")
        older.rename(self.store)
        size = self.sql("SELECT size FROM log_head")
        answer = self.ask("/oauth2/revoke", "POST", f"token={self.token}", "x-www-form-urlencoded")
        self.assertEqual((answer.status, answer.header("Retry-After")), (503, "1"))
        self.assertEqual(self.sql("SELECT size FROM log_head"), size, "nothing is written to it")
        self.store.rename(older)
        (self.folder / "right").rename(self.store)
        self.wait_status(200)
        answer = self.ask("/oauth2/revoke", "POST", f"token={self.token}", "x-www-form-urlencoded")
        self.assertEqual(answer.status, 200)
        self.assert_status(401)

    def test_another_key(self):
        """With another key every token is unknown; that is no verdict on any of them."""
        key = self.store / "root.key"
        good = key.read_text()
        key.write_text("0" * 64 + "\n")
        for options in ([], ["--tcp", "127.0.0.1:0"]):
            server = self.serve(*options, wait=False)
            code = None
            try:
                code = server.process.wait(3)
            except subprocess.TimeoutExpired:
                self.assertEqual(server.connect().auth(self.token).status, 503)
                server.stop()
            self.assertNotEqual(code, 0)
        key.write_text(good)
        self.start()

    def test_a_file_that_may_not_be_written(self):
        """Nothing could be revoked in it. Root could write all the same, but the others can't."""
        self.start()
        path = self.store / "marque.db"
        for mode in (0o400, 0o000):
            path.chmod(mode)
            self.closes()
            path.chmod(0o600)
            self.open_again()
        self.marque("revoke", "codex", *WHY)
        self.assert_status(401)

    def test_damage(self):
        self.start()
        path = self.store / "marque.db"
        subprocess.run(["sqlite3", str(path), "PRAGMA wal_checkpoint(TRUNCATE)"], check=True, capture_output=True)
        self.assert_status(200)
        whole = path.read_bytes()

        def write(data):
            with open(path, "r+b") as file:  # in place: the same file, as a failing disk would have it
                file.truncate(0)
                file.write(data)

        for n, (because, data) in enumerate([
            ("empty", b""),
            ("cut in half", whole[:len(whole) // 2]),
            ("cut by a page", whole[:-4096]),
            ("garbage", os.urandom(len(whole))),
            ("zeros", bytes(len(whole))),
            ("not a database", b"hello"),
            ("its head is garbage", os.urandom(4096) + whole[4096:]),
        ]):
            with self.subTest(because):
                write(data)
                self.assertTrue(self.closes(because)["reason"])
                for _ in range(20):
                    self.statuses()
                self.assertEqual(len(self.said("not_fresh")), n + 1, "why, once")
                write(whole)
                self.open_again()

    def test_an_entry_that_was_rewritten_before_it_was_seen(self):
        self.start()
        for because, change in [
            ("its words", "bytes = replace(bytes, 'hermes', 'codexx')"),
            ("its seal", "seal = zeroblob(32)"),
        ]:
            with self.subTest(because):
                self.marque("pause", "hermes", *WHY)
                newest = "seq = (SELECT max(seq) FROM entry)"
                self.sql(f"CREATE TABLE kept.rows AS SELECT * FROM entry WHERE {newest};"
                         f"UPDATE entry SET {change} WHERE {newest}")
                self.closes("the log does not verify")
                self.assertIn(b"\nmarque_log_verifies 0\n", self.ask("/metrics").body)
                self.sql("UPDATE entry SET bytes = (SELECT bytes FROM kept.rows), seal = (SELECT seal FROM kept.rows)"
                         f" WHERE {newest}; DROP TABLE kept.rows")
                self.open_again()
                self.assertIn(b"\nmarque_log_verifies 1\n", self.ask("/metrics").body)
                self.assert_status(401, self.other)
                self.marque("resume", "hermes", "--confirm")
                self.assert_status(200, self.other)

    def test_an_entry_that_nobody_sealed(self):
        """A revocation that is undone with an entry that says so."""
        self.start()
        self.marque("pause", "hermes", *WHY)
        self.assert_status(401, self.other)
        self.sql("INSERT INTO entry SELECT seq + 1, bytes, seal, workspace, identity FROM entry"
                 " WHERE seq = (SELECT max(seq) FROM entry);"
                 "UPDATE identity SET state='active' WHERE name='hermes';"
                 "UPDATE log_head SET size = size + 1")
        for _ in range(50):
            self.assertNotIn(200, self.statuses(self.other))
        self.closed()

    def test_an_entry_that_was_rewritten(self):
        self.start()
        self.sql("UPDATE entry SET bytes = replace(bytes, 'codex', 'codey') WHERE seq = 8")
        self.closes("the log does not verify")
        self.assertIn(b"\nmarque_log_verifies 0\n", self.ask("/metrics").body)
        self.assertEqual(len(self.said("not_fresh")), 1)

    def test_entries_that_were_removed(self):
        self.start()
        self.marque("revoke", "hermes", *WHY)
        self.assert_status(401, self.other)
        self.sql("DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)")
        self.closes("the log is shorter than it was")

    def test_the_log_and_the_head_set_back(self):
        """What an older copy does, within the same file."""
        self.start()
        head = "SELECT size || ',x''' || hex(frontier) || ''',x''' || hex(seal) || '''' FROM log_head"
        size, frontier, seal = self.sql(head).strip().split(",")
        self.marque("revoke", "hermes", *WHY)
        self.assert_status(401, self.other)
        self.sql(f"DELETE FROM entry WHERE seq > {size};"
                 f"UPDATE log_head SET size={size}, frontier={frontier}, seal={seal};"
                 "UPDATE identity SET state='active' WHERE name='hermes'")
        self.closes("a revision does not go back")
        self.assertEqual(self.said("fresh"), [])

    def test_killed_while_others_write(self):
        self.start("--set", "uses.flush_interval=1s")
        for n in range(5):
            token = self.create(f"new-{n}")
            self.assert_status(200, token)
            self.server.stop(signal.SIGKILL)
            self.marque("revoke", f"new-{n}", *WHY)
            self.start("--set", "uses.flush_interval=1s")
            self.assert_status(401, token)
        self.marque("audit", "verify")
        self.assertEqual(self.sql("PRAGMA integrity_check").strip(), "ok")

    def test_a_use_that_can_not_be_noted_changes_no_verdict(self):
        """Invariant 13. A writer that does not end keeps it from being noted."""
        self.start("--set", "uses.flush_interval=1s")
        with contextlib.closing(sqlite3.connect(self.store / "marque.db", isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                self.assert_status(200)
                if b"marque_use_flush_failures_total 0\n" not in self.ask("/metrics").body:
                    break
            self.assertNotIn(b"marque_use_flush_failures_total 0\n", self.ask("/metrics").body)
            writer.execute("ROLLBACK")
        self.assert_status(200)
        self.server.stop()
        self.assertGreater(self.inspect("codex")["credentials"][0]["use_count"], 6, "nothing was lost")

    def test_somebody_writes_and_does_not_end(self):
        """Verdicts wait for no writer (invariant 13); a revocation does, and holds nobody else up."""
        self.start("--set", "uses.flush_interval=1s")
        with contextlib.closing(sqlite3.connect(self.store / "marque.db", isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            for _ in range(50):
                self.assert_status(200)
            form = f"token={self.token}"
            revoking = self.server.connect()
            revoking.send("POST /oauth2/revoke HTTP/1.1\r\nHost: marque\r\nContent-Length: "
                          f"{len(form)}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{form}")
            all_read(revoking)
            for _ in range(50):
                self.assert_status(200)
            self.assertLess(time.monotonic() - started, 5)
            writer.execute("ROLLBACK")
        self.assertEqual(revoking.read().status, 200)
        self.assert_status(401)

    def test_somebody_writes_and_it_is_to_end(self):
        self.start("--set", "uses.flush_interval=1s", "--set", "limits.shutdown_grace=1s")
        with contextlib.closing(sqlite3.connect(self.store / "marque.db", isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            self.assert_status(200)
            started = time.monotonic()
            self.assertEqual(self.server.stop(), 0)
            self.assertLess(time.monotonic() - started, 10, "a use that can't be noted is no reason to stay")

    def test_tokens_that_are_not_ours(self):
        """Without the store nobody knows that one is unknown; a malformed one says so itself."""
        self.start()
        self.store.rename(self.folder / "elsewhere")
        self.assert_status(503, with_checksum(self.token[:9] + "0" * 12 + self.token[21:]))
        self.assertTrue(set(self.statuses("hello")) <= {401, 503})
        (self.folder / "elsewhere").rename(self.store)


if __name__ == "__main__":
    unittest.main()
