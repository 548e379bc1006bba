"""Freshness: a change is what the very next request is told, whoever wrote it.

Invariant 6. Nothing here waits for a change to be seen: the request after it must see it.
"""

import json
import subprocess
import time
import unittest

from harness import WAIT_S, StoreTest
from wire import all_read
from routes_test import id_of

WHY = ("--reason", "a test", "--confirm")


class FreshTest(StoreTest):
    def setUp(self):
        super().setUp()
        self.token = self.create("codex")
        self.other = self.create("hermes")

    def start(self, *options):
        self.server = self.serve("--workers", "2", *options)
        # Several connections, so that every worker is asked, and one that has been answered before.
        self.connections = [self.server.connect() for _ in range(6)]
        self.assert_status(200)

    def statuses(self, token=None):
        return [c.auth(token or self.token).status for c in self.connections]

    def wait_status(self, status, token=None):
        """For what no commit tells of, and what takes another try."""
        deadline = time.monotonic() + WAIT_S
        while (found := self.statuses(token)) != [status] * len(self.connections):
            self.assertLess(time.monotonic(), deadline, f"still {found}")
            time.sleep(0.01)

    def assert_status(self, status, token=None, because=""):
        self.assertEqual(self.statuses(token), [status] * len(self.connections), because)

    def issue(self, name):
        return self.marque("issue", name, "--confirm").strip()


class Changes(FreshTest):
    def test_changes_by_the_operator(self):
        """Each command, and what the very next request is told."""
        self.start()
        mine = id_of(self.token)
        for status, command in [
            (401, ("pause", mine, *WHY)),
            (200, ("resume", mine, "--confirm")),
            (401, ("pause", "codex", *WHY)),
            (200, ("resume", "codex", "--confirm")),
            (401, ("pause", "--env", "dev", *WHY)),
            (200, ("resume", "--env", "dev", "--confirm")),
            (401, ("workspace", "pause", "default", *WHY)),
            (200, ("workspace", "resume", "default", "--confirm")),
            (200, ("revoke", "hermes", *WHY)),
            (200, ("rotate", "codex", "--confirm")),
            (401, ("revoke", mine, *WHY)),
        ]:
            self.marque(*command)
            self.assert_status(status, because=" ".join(command))

    def test_what_is_made_can_be_used_at_once(self):
        self.start()
        for n in range(10):
            token = self.create(f"new-{n}")
            self.assert_status(200, token)
            second = self.issue(f"new-{n}")
            self.assert_status(200, second)
            self.marque("revoke", f"new-{n}", *WHY)
            self.assert_status(401, token)
            self.assert_status(401, second)

    def test_rotations(self):
        self.start()
        new = self.marque("rotate", "codex", "--confirm").strip()
        self.assert_status(200, because="the overlap")
        self.assert_status(200, new)
        newer = self.marque("rotate", id_of(new), "--compromised", "--confirm").strip()
        self.assert_status(401, new, "compromised is over at once")
        self.assert_status(200, newer)

    def test_many_at_once(self):
        tokens = [self.create(f"ci-{n}", "card:view", "--kind", "ci") for n in range(20)]
        self.start()
        for token in tokens:
            self.assert_status(200, token)
        self.marque("revoke", "--filter", "kind=ci", "--reason", "a test", "--confirm=20")
        for token in tokens:
            self.assert_status(401, token)
        self.assert_status(200)

    def test_a_whole_environment_and_workspace(self):
        self.marque("workspace", "add", "other", "--confirm")
        away = self.create("codex", "card:view", "-w", "other", "--env", "staging")
        self.start()
        self.assert_status(200, away)
        self.marque("revoke", "codex", "-w", "other", *WHY)
        self.marque("environment", "remove", "staging", "-w", "other", "--confirm")
        self.assert_status(401, away)
        self.marque("workspace", "remove", "other", "--confirm")
        self.assert_status(401, away)
        self.assert_status(200)

    def test_a_request_that_began_before_and_ended_after(self):
        """It is whole after the revocation, so it starts after it."""
        self.start()
        text = f"GET /auth HTTP/1.1\r\nHost: marque\r\nAuthorization: Bearer {self.token}\r\n\r\n"
        for at in (1, len(text) // 2, len(text) - 1):
            connection = self.server.connect()
            connection.send(text[:at])
            all_read(connection)
            self.connections.append(connection)
        self.marque("revoke", "codex", *WHY)
        for connection, at in zip(self.connections[-3:], (1, len(text) // 2, len(text) - 1), strict=True):
            connection.send(text[at:])
            self.assertEqual(connection.read().status, 401)

    def test_changes_by_hand(self):
        """Written by SQL, past the log, by somebody without the key: seen by the next request, and nobody is accepted
        on its account, nor anybody else. It is in the log; and when the row is what it was, all goes on."""
        self.start()
        mine = id_of(self.token)
        refused = 0
        for because, change, back in [
            ("revoked", f"UPDATE credential SET state='revoked' WHERE id='{mine}'", "state='active'"),
            ("no end", f"UPDATE credential SET expires_at=NULL WHERE id='{mine}'", None),
            ("wider", f"UPDATE credential SET scopes='board:delete' WHERE id='{mine}'", None),
            ("another hash", f"UPDATE credential SET hash=zeroblob(32) WHERE id='{mine}'", None),
            ("the identity", "UPDATE identity SET state='revoked' WHERE name='codex'", None),
            ("the environment", "UPDATE environment SET state='paused' WHERE name='dev'", None),
            ("the workspace", "UPDATE workspace SET state='paused'", None),
            ("taken away", f"DELETE FROM last_use; DELETE FROM credential WHERE id='{mine}'", None),
        ]:
            with self.subTest(because, sql=change):
                table = next(t for t in ("credential", "identity", "environment", "workspace") if f" {t} " in change)
                self.sql(f"CREATE TABLE kept.rows AS SELECT * FROM {table}")
                self.sql(change)
                self.assert_status(503)
                self.assert_status(503, self.other)
                self.wait_told(refused := refused + 1)
                columns = "*" if table == "credential" else None
                if columns:
                    self.sql("DELETE FROM credential; INSERT INTO credential SELECT * FROM kept.rows")
                else:
                    self.sql(f"UPDATE {table} SET (state, paused_until) = "
                             f"(SELECT state, paused_until FROM kept.rows WHERE rows.name = {table}.name)")
                self.sql("DROP TABLE kept.rows")
                self.wait_status(200)
                self.wait_status(200, self.other)

    def test_a_row_that_makes_no_sense(self):
        """What no command could have written is refused like the rest, and is nobody's end."""
        self.start()
        self.sql("CREATE TABLE kept.rows AS SELECT * FROM identity")
        columns = "environment, kind, scopes, contact, labels, state, paused_until, created_at, revision"
        self.sql(f"INSERT INTO identity (workspace, name, {columns})"
                 f" SELECT workspace, printf('%0100d', 1), {columns} FROM identity WHERE name = 'codex'")
        self.assert_status(503)
        self.wait_told(1)
        self.sql("DELETE FROM identity WHERE length(name) > 63")
        self.wait_status(200)
        self.sql("UPDATE identity SET scopes = 'no scopes at all' WHERE name = 'hermes'")
        self.assert_status(503)
        self.wait_told(2)

    def wait_told(self, count):
        """The log has that many entries of what was found, written by the server."""
        deadline = time.monotonic() + WAIT_S
        told = "SELECT count(*) FROM entry WHERE json_extract(bytes, '$.action') = 'store.read'"
        while int(self.sql(told)) < count:
            self.assertLess(time.monotonic(), deadline, "nothing is recorded")
            time.sleep(0.01)

    def test_by_hand_and_by_the_operator_at_once(self):
        """A change by hand that hides behind one in the log."""
        self.start()
        self.sql(f"UPDATE credential SET scopes='board:delete' WHERE id='{id_of(self.token)}'")
        self.marque("pause", "hermes", *WHY)
        self.assert_status(503)
        self.assert_status(503, self.other)
        self.marque("resume", "hermes", "--confirm")
        self.assert_status(503)

    def test_by_hand_before_it_starts(self):
        """Who starts later takes it no more than who was there."""
        self.sql("UPDATE identity SET scopes='board:delete'")
        server = self.serve(wait=False)
        self.assertEqual(server.process.wait(WAIT_S), 10)
        server.stop()
        self.assertIn("somebody wrote to the database", json.dumps(server.log))
        self.wait_told(1)

    def test_what_is_no_change_reloads_nothing(self):
        self.start()
        for _ in range(20):
            self.assert_status(200)
        before = self.metric("marque_reloads_total")
        self.marque("verify", stdin=self.token)
        self.sql("UPDATE last_use SET source='elsewhere'")
        self.assert_status(200)
        self.assertEqual(self.metric("marque_reloads_total"), before)

    def metric(self, name):
        text = self.server.connect().request("GET", "/metrics").body.decode()
        return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name} ")))


if __name__ == "__main__":
    unittest.main()
