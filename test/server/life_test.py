"""Its life: saying that it is ready, ending in good order, and giving up on clients that waste its time."""

import os
import select
import signal
import socket
import time
import unittest

from harness import WAIT_S, Connection, StoreTest
from wire import all_read

SOON_S = 5  # a bound for what is to take one second


class LifeTest(StoreTest):
    def setUp(self):
        super().setUp()
        self.token = self.create("codex")
        self.text = f"GET /auth HTTP/1.1\r\nHost: marque\r\nAuthorization: Bearer {self.token}\r\n\r\n"

    def works(self, server):
        self.assertEqual(server.connect().auth(self.token).status, 200)

    def half_asked(self, server, text=None):
        """A connection on which all but the last byte of a request was sent, and read."""
        connection = server.connect()
        connection.send((text or self.text)[:-1])
        all_read(connection)
        return connection


class Notify(LifeTest):
    def notified(self, listener, word):
        """Waits for the word. A message may have several lines."""
        listener.settimeout(WAIT_S)
        lines = []
        while word not in lines:
            lines += listener.recv(4096).decode().splitlines()
        return lines

    def test_ready_and_stopping(self):
        for name in (str(self.folder / "notify"), f"@marque-test-{os.getpid()}"):
            with self.subTest(name), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
                listener.bind(name.replace("@", "\0"))
                server = self.serve(wait=False, prefix=("env", f"NOTIFY_SOCKET={name}"))
                self.assertNotIn("STOPPING=1", self.notified(listener, "READY=1"))
                self.works(server)
                held = self.half_asked(server)
                server.process.send_signal(signal.SIGTERM)
                self.notified(listener, "STOPPING=1")
                self.assertIsNone(server.process.poll(), "it says so before it is gone")
                held.close()
                self.assertEqual(server.stop(), 0)

    def test_nobody_listens(self):
        self.works(self.serve(prefix=("env", f"NOTIFY_SOCKET={self.folder}/none")))


class Ending(LifeTest):
    def test_a_request_in_flight_is_answered(self):
        for sent in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(sent.name):
                server = self.serve()
                connection = self.half_asked(server)
                server.process.send_signal(sent)
                server.wait_for("stopping")
                connection.send(self.text[-1])
                self.assertEqual(connection.read().status, 200)
                self.assertTrue(connection.is_closed())
                connection.close()
                self.assertEqual(server.stop(), 0)
                server.wait_for("stopped")

    def test_nobody_new_is_let_in(self):
        server = self.serve("--tcp", "127.0.0.1:0")
        held = self.half_asked(server)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("stopping")
        for address in (server.path, server.address()):
            try:
                connection = Connection(address)
                connection.send(self.text)
                answer = connection.read()
            except (ConnectionError, FileNotFoundError):
                answer = None
            self.assertIsNone(answer)
        held.close()
        self.assertEqual(server.stop(), 0)

    def test_idle_connections_do_not_hold_it_up(self):
        server = self.serve("--set", "limits.shutdown_grace=60s", "--tcp", "127.0.0.1:0")
        idle = [Connection(address) for address in (server.path, server.address()) for _ in range(5)]
        for connection in idle[::2]:
            self.assertEqual(connection.auth(self.token).status, 200)
        started = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - started, SOON_S)

    def test_a_request_that_does_not_end_has_its_grace(self):
        server = self.serve("--set", "limits.shutdown_grace=1s")
        connection = self.half_asked(server)
        started = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertTrue(0.9 < time.monotonic() - started < SOON_S)
        self.assertTrue(connection.is_closed())

    def test_killed_and_started_again(self):
        server = self.serve("--set", "uses.flush_interval=1h")
        connection = server.connect()
        for _ in range(10):
            connection.auth(self.token)
        server.stop(signal.SIGKILL)
        self.marque("audit", "verify")
        self.marque("revoke", "codex", "--reason", "a test", "--confirm")
        server = self.serve()
        self.assertEqual(server.connect().auth(self.token).status, 401)
        self.assertEqual(server.stop(), 0)


class Patience(LifeTest):
    def until_closed(self, connection, feed=b""):
        """Seconds until the server closes, while a byte of `feed` is sent ten times a second; and what it said."""
        started, said = time.monotonic(), b""
        while time.monotonic() - started < WAIT_S:
            if select.select([connection.socket], [], [], 0.1)[0]:
                try:
                    data = connection.socket.recv(4096)
                except ConnectionResetError:
                    data = b""
                said += data
                if not data:
                    return time.monotonic() - started, said
            elif feed:
                connection.send(feed[:1])
                feed = feed[1:]
        self.fail("not closed")

    def test_a_request_that_drips_is_ended(self):
        server = self.serve("--set", "limits.request_timeout=1s", "--tcp", "127.0.0.1:0")
        head = ("POST /v1/verify HTTP/1.1\r\nHost: marque\r\nContent-Type: application/json\r\n"
                "Content-Length: 400\r\n\r\n")
        for address in (server.path, server.address()):
            for because, begin, rest in [("its head", "G", self.text[1:]), ("its body", head, "{" + " " * 300)]:
                with self.subTest(because, over=str(address)):
                    connection = Connection(address)
                    connection.send(begin)
                    seconds, said = self.until_closed(connection, rest.encode())
                    self.assertTrue(0.5 < seconds < SOON_S, seconds)
                    self.assertTrue(said == b"" or said.startswith(b"HTTP/1.1 408 "), said)
                    self.works(server)

    def test_slow_is_not_too_slow(self):
        server = self.serve("--set", "limits.request_timeout=10s", "--set", "limits.idle_timeout=1s")
        connection = server.connect()
        for at in range(0, len(self.text), 8):
            connection.send(self.text[at:at + 8])
            time.sleep(0.1)  # a slow client; in all longer than the idle time, which does not run meanwhile
        self.assertEqual(connection.read().status, 200)

    def test_an_idle_connection_is_closed(self):
        server = self.serve("--set", "limits.idle_timeout=1s", "--tcp", "127.0.0.1:0")
        for address in (server.path, server.address()):
            with self.subTest(str(address)):
                used, silent = Connection(address), Connection(address)
                self.assertEqual(used.auth(self.token).status, 200)
                for connection in (used, silent):
                    seconds, said = self.until_closed(connection)
                    self.assertEqual(said, b"")
                    self.assertLess(seconds, SOON_S)

    def test_an_idle_connection_is_kept_a_while(self):
        server = self.serve("--set", "limits.idle_timeout=1s")
        connection = server.connect()
        self.assertEqual(connection.auth(self.token).status, 200)
        seconds, _ = self.until_closed(connection)
        self.assertGreater(seconds, 0.5)

    def test_a_client_that_never_reads_is_dropped(self):
        # No other limit can be what ends it.
        server = self.serve("--set", "limits.write_timeout=1s", "--set", "limits.request_timeout=1h",
                            "--set", "limits.idle_timeout=1h")
        connection = server.connect()
        started = time.monotonic()
        with self.assertRaises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() - started < WAIT_S:
                connection.send(self.text * 100)
        self.assertLess(time.monotonic() - started, SOON_S)
        self.works(server)

    def test_a_client_that_leaves_early(self):
        server = self.serve("--tcp", "127.0.0.1:0")
        for address in (server.path, server.address()):
            for _ in range(20):
                connection = Connection(address)
                connection.send(self.text * 100)
                connection.close()
        self.works(server)

    def test_as_many_connections_as_the_limit(self):
        server = self.serve("--set", "limits.connections=3", "--tcp", "127.0.0.1:0")
        held = [server.connect(), Connection(server.address()), server.connect()]
        self.assertEqual([c.auth(self.token).status for c in held], [200] * 3)
        for address in (server.path, server.address()):
            one_more = Connection(address)
            try:
                one_more.send(self.text)
                answer = one_more.read()
            except ConnectionError:
                answer = None
            self.assertTrue(answer is None or answer.status == 503)
            one_more.close()
        self.assertEqual([c.auth(self.token).status for c in held], [200] * 3, "who is there stays")
        text = held[0].request("GET", "/metrics").body.decode()
        self.assertIn("\nmarque_connections_refused_total 2\n", text)
        self.assertIn("\nmarque_connections 3\n", text)
        held.pop().close()
        self.assertTrue(self.let_in_again(server))

    def let_in_again(self, server):
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            try:
                if (answer := server.connect().auth(self.token)) and answer.status == 200:
                    return True
            except ConnectionError:
                pass
        return False

    def test_out_of_descriptors(self):
        server = self.serve(prefix=("prlimit", "--nofile=48:48"))
        first = server.connect()
        self.assertEqual(first.auth(self.token).status, 200)
        crowd = []
        for _ in range(100):
            connection = Connection(server.path)
            connection.socket.setblocking(False)
            crowd.append(connection)
        self.assertEqual(first.auth(self.token).status, 200, "who is there stays")
        for connection in crowd:
            connection.close()
        self.assertTrue(self.let_in_again(server))
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
