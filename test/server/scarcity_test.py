"""Too few descriptors, too little memory: the server refuses, goes on living, accepts nobody it should not, and is well
again when there is enough.
"""

import os
import resource
import time
import unittest
from pathlib import Path

from harness import WAIT_S, Connection, StoreTest
from wire import is_all_read

MOST_CONNECTIONS = 8_000  # fewer than limits.connections
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def seconds_of_processor(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def virtual_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmSize:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmSize")


def ask(server, token, connection=None):
    """A status; None when there was no connection to be had, or it was closed."""
    try:
        answer = (connection or server.connect()).auth(token)
    except OSError:
        return None
    return answer.status if answer else None


def revoke_by_holder(server, token):
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    try:
        answer = server.connect().request("POST", "/oauth2/revoke", form, f"token={token}")
    except OSError:
        return None
    return answer.status if answer else None


class Scarcity(StoreTest):
    def setUp(self):
        super().setUp()
        self.token, self.stopped = self.create("codex"), self.create("lost")

    def revoke(self):
        self.marque("revoke", "lost", "--reason", "a test", "--confirm")

    def assert_lives(self, server):
        self.assertIsNone(server.process.poll(), f"it has died: {server.log[-5:]}")

    def assert_well_again(self, server):
        """Both are judged again, on a connection of their own; what is on its way out may take a moment."""
        deadline = time.monotonic() + WAIT_S
        while (statuses := (ask(server, self.token), ask(server, self.stopped))) != (200, 401):
            self.assert_lives(server)
            self.assertNotEqual(statuses[1], 200)
            self.assertLess(time.monotonic(), deadline, (statuses, [line for line in server.log if line["event"] in ("not_fresh", "fresh")][-5:]))
        while (status := revoke_by_holder(server, self.token)) != 200:
            self.assertIn(status, (503, None))
            self.assert_lives(server)
            self.assertLess(time.monotonic(), deadline, server.log[-3:])
        self.assertEqual(ask(server, self.token), 401)
        self.assertEqual(server.stop(), 0)


class Descriptors(Scarcity):
    def serve_with(self, descriptors, *options):
        server = self.serve("--workers", "1", *options, prefix=("prlimit", f"--nofile={descriptors}:{descriptors}"))
        room = server.wait_for("few_descriptors")["connections"]
        self.assertGreater(room, 0)
        return server, room

    def fill(self, server, room):
        held = [server.connect() for _ in range(room)]
        for connection in held:
            self.assertEqual(ask(server, self.token, connection), 200)
        return held

    def test_whoever_comes_too_many_is_sent_away(self):
        server, room = self.serve_with(40)
        held = self.fill(server, room)
        for _ in range(3 * room):
            self.assertTrue(server.connect().is_closed())
        server.wait_for("too_many_connections")
        self.revoke()
        for connection in held:
            self.assertEqual(ask(server, self.stopped, connection), 401)
        held.pop().close()
        self.assertIn(ask(server, self.token), (200, None))
        for connection in held:
            connection.close()
        self.assert_well_again(server)

    @unittest.skipIf(os.environ.get("MARQUE_TEST_STORE") == "postgres", "the store is no folder to be moved")
    def test_the_store_can_be_opened_again_all_the_same(self):
        server, room = self.serve_with(40, "--set", "uses.flush_interval=1s")
        held = self.fill(server, room)
        self.store.rename(self.folder / "away")
        self.assertEqual(ask(server, self.token, held[0]), 503)
        (self.folder / "away").rename(self.store)
        deadline = time.monotonic() + WAIT_S
        while (status := ask(server, self.token, held[0])) != 200:
            self.assertEqual(status, 503)
            self.assertLess(time.monotonic(), deadline)
        while self.inspect("codex")["credentials"][0].get("last_used_at") is None:
            self.assertLess(time.monotonic(), deadline, "the recorder has no store")
        self.revoke()
        self.assertEqual(ask(server, self.stopped, held[1]), 401)
        for connection in held:
            connection.close()
        self.assert_well_again(server)

    def test_without_any_it_waits_and_does_not_spin(self):
        server = self.serve("--workers", "1")
        pid = server.process.pid
        taken = len(os.listdir(f"/proc/{pid}/fd")) if os.access(f"/proc/{pid}/fd", os.R_OK) else 0
        if not taken:
            self.skipTest("only root may count the server's descriptors")
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (taken, hard))
        waiting = [server.connect() for _ in range(8)]
        server.wait_for("cannot_accept")
        begin, spent = time.monotonic(), seconds_of_processor(pid)
        after = len(server.log)
        for _ in range(10):  # tries to accept, a tenth of a second apart
            server.wait_for("cannot_accept", after=after)
            after = len(server.log)
        passed = time.monotonic() - begin
        self.assertLess(seconds_of_processor(pid) - spent, 0.2 * passed + 0.05)
        self.revoke()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
        # The revocation may not have been read for want of a descriptor; that is tried again in a tenth of a second.
        deadline = time.monotonic() + WAIT_S
        while (status := ask(server, self.stopped, waiting[0])) == 503:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual([status, *(ask(server, self.stopped, one) for one in waiting[1:])], [401] * 8)
        for one in waiting:
            one.close()
        self.assert_well_again(server)


class Memory(Scarcity):
    HEAD = "GET /auth HTTP/1.1\r\nHost: marque\r\nX-Filler: "

    def begin(self, server, held, size, count):
        """Requests of that size that begin and do not end; how many of them were refused at once."""
        refused = 0
        for _ in range(count):
            try:
                connection = Connection(server.path)
                connection.socket.setblocking(False)
                connection.send(self.HEAD + "a" * size)
                held.append(connection)
            except OSError:
                refused += 1
        return refused

    def fill(self, server, held):
        """Until there is no memory for a long request, then none for shorter ones."""
        deadline = time.monotonic() + WAIT_S
        for size in (60_000, 8_000, 1_000):
            before = len(server.log)

            def has_ended(before=before):
                return any(line["event"] == "no_memory" for line in server.log[before:])

            while not has_ended() and len(held) <= MOST_CONNECTIONS:
                self.begin(server, held, size, 50)
                # On a busy machine it reads later than it accepts, and has no need of memory before.
                while held and not has_ended() and not is_all_read(held[-1], 0):
                    self.assert_lives(server)
                    self.assertLess(time.monotonic(), deadline, "memory did not end")
            self.assertTrue(has_ended() or size < 60_000, "memory did not end")

    # Less and less is left, down to nothing at all; the limit stays when the load goes.
    def test_four_mebibytes(self):
        self.squeeze(4 << 20)

    def test_one_mebibyte(self):
        self.squeeze(1 << 20)

    def test_a_quarter_of_one(self):
        self.squeeze(256 << 10)

    def test_nothing(self):
        self.squeeze(0)

    def squeeze(self, spare):
        server = self.serve("--workers", "2", "--set", "limits.header_bytes=65536", "--set", "limits.request_timeout=60s", "--set", "uses.flush_interval=1s",
                            "--tcp", "127.0.0.1:0")
        pid = server.process.pid
        self.assertEqual([ask(server, token) for token in (self.token, self.stopped)], [200, 200])
        resource.prlimit(pid, resource.RLIMIT_AS, (virtual_bytes(pid) + spare, resource.RLIM_INFINITY))
        held, asking = [], [server.connect() for _ in range(4)]
        self.fill(server, held)
        self.revoke()
        said = {self.token: set(), self.stopped: set()}
        for turn in range(40):
            self.begin(server, held, 100, 5)
            for token, answers in said.items():
                for connection in (asking[turn % 4], None):
                    answers.add(ask(server, token, connection))
            self.assert_lives(server)
        self.assertLessEqual(said[self.stopped], {401, 503, None})
        self.assertLessEqual(said[self.token], {200, 503, None})
        print(f"# {spare >> 10} KiB to spare: {len(held)} requests begun; "
              f"{sorted(map(str, said[self.token]))} and, revoked, {sorted(map(str, said[self.stopped]))}", flush=True)
        for connection in held + asking:
            connection.close()
        self.assert_well_again(server)


if __name__ == "__main__":
    unittest.main()
