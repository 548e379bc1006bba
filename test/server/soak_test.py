"""All kinds of traffic at once, for a while: good and bad tokens, bad HTTP, slow and rude clients, reconnects.

What must not grow does not: memory, file descriptors. What must go on does: right answers, a revocation that holds, and
no work when nobody asks. MARQUE_SOAK_S (default 15) says for how many seconds; MARQUE_SEED repeats the choices.
"""

import os
import random
import socket
import struct
import threading
import time
import unittest
from collections import Counter

import harness
from load import Loads

SEED = int(os.environ.get("MARQUE_SEED") or random.SystemRandom().randrange(2**32))
SOAK_S = float(os.environ.get("MARQUE_SOAK_S") or 15)
RUDE = 6                 # threads of clients that behave badly, beside those that don't
MEMORY_MIB = 4           # what may be added between warm and the end, whatever the time
IDLE_CPU_S = 0.05        # in a second without requests
POLL_S = 0.02

GET = "GET /auth HTTP/1.1\r\nHost: m\r\n"
POST = "POST /v1/verify HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"
# What is sent, the statuses that may come back, and whether the connection is closed after it.
BAD = [
    (GET + "Authorization: Bearer nonsense\r\n\r\n", {401}, False),
    (GET + "\r\n", {401}, False),
    (GET + "Authorization: Bearer mrq_test_" + "0" * 62 + "\r\n\r\n", {401}, False),
    (GET + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", {400}, True),
    (GET + "X: a\r\n folded\r\n\r\n", {400}, True),
    (GET.replace("\r\n", "\n") + "\n", {400}, True),
    ("GET /auth HTTP/1.1\r\n\r\n", {400}, True),
    ("GET http://m/auth HTTP/1.1\r\nHost: m\r\n\r\n", {400}, True),
    ("GET /auth HTTP/2.0\r\nHost: m\r\n\r\n", {400, 505}, True),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00" * 32, {400}, True),
    ("\x00" * 64, {400}, True),
    (GET + "Expect: 100-continue\r\n\r\n", {417}, True),
    (GET + "X: " + "x" * 20000 + "\r\n\r\n", {431}, True),
    (GET + "".join(f"X-{at}: 1\r\n" for at in range(150)) + "\r\n", {431}, True),
    (POST + "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}, True),
    (POST + "Content-Length: 99999999\r\n\r\n", {413}, True),
    (POST + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", {400}, True),
    (POST + "Content-Length: 7\r\n\r\n{\"toke\"", {400}, False),
    (POST.replace("json", "xml") + "Content-Length: 2\r\n\r\n{}", {415}, False),
    ("DELETE /auth HTTP/1.1\r\nHost: m\r\n\r\n", {405}, True),
    ("GET /nowhere HTTP/1.1\r\nHost: m\r\n\r\n", {404}, False),
    ("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {200}, False),
    ("GET /readyz HTTP/1.1\r\nHost: m\r\n\r\n", {200}, False),
]


class Rude(threading.Thread):
    """Chooses what to do wrong, again and again."""

    def __init__(self, test, seed):
        super().__init__(daemon=True)
        self.addresses = [test.server.path, test.server.address()]
        self.choose, self.over, self.counts, self.error = random.Random(seed), test.over, Counter(), None

    def run(self):
        acts = [(self.bad, 60), (self.leave, 4), (self.reset, 4), (self.half, 4), (self.bytewise, 1), (self.linger, 1)]
        try:
            while not self.over.is_set():
                act = self.choose.choices([a for a, _ in acts], [weight for _, weight in acts])[0]
                connection = harness.Connection(self.choose.choice(self.addresses))
                try:
                    act(connection)
                finally:
                    connection.close()
                self.counts[act.__name__] += 1
        except Exception as error:
            self.error = error
            self.over.set()

    def bad(self, connection):
        """One of BAD; where the connection lives on, another, as a well-behaved client would be served."""
        is_closed = False
        while not is_closed and self.choose.random() < 0.9:
            data, statuses, is_closed = self.choose.choice(BAD)
            connection.send(data)
            answer = connection.read()
            assert answer is not None and answer.status in statuses, f"{data[:80]!r}: {answer and answer.status}"
            if is_closed:
                assert connection.is_closed(), f"{data[:80]!r}: not closed"
            is_closed = is_closed or answer.header("Connection") == "close"

    def leave(self, connection):
        """Without a word, or without waiting for the answer."""
        if self.choose.random() < 0.5:
            connection.send(GET + "\r\n")

    def reset(self, connection):
        connection.send((GET + "\r\n") * 20)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def half(self, connection):
        data = self.choose.choice(BAD)[0].encode("latin-1")
        connection.send(data[:self.choose.randrange(len(data))])

    def bytewise(self, connection):
        """Slower than the request may take, or just not: cut off, or answered."""
        data = (GET + "\r\n").encode()
        pause = self.choose.choice((0.001, 0.05))
        try:
            for at in range(len(data)):
                if self.over.wait(pause):
                    return
                connection.send(data[at:at + 1])
            answer = connection.read()
            assert answer is None or answer.status in (401, 408), answer.status
        except (BrokenPipeError, ConnectionResetError):
            pass

    def linger(self, connection):
        """Says nothing until the server has had enough."""
        answer = connection.read()
        assert answer is None or answer.status == 408, answer.status


class SoakTest(harness.StoreTest):
    def test_mixed_traffic(self):
        loads = Loads(SEED, 1, 32)
        self.addCleanup(loads.kill)
        self.over = threading.Event()
        self.addCleanup(self.over.set)
        good = [self.create(f"good-{at}") for at in range(50)]
        gone = [self.create(f"gone-{at}", "card:view", "--label", "is=gone") for at in range(20)]
        self.marque("revoke", "--filter", "label.is=gone", "--reason", "test", "--confirm=20")
        settings = ["log.requests=none", "limits.request_timeout=1s", "limits.idle_timeout=2s",
                    "uses.flush_interval=1s"]
        self.server = self.serve("--tcp", "127.0.0.1:0", *(word for setting in settings for word in ("--set", setting)))
        self.ask_until_written_down(good[0])
        self.have_its_files_examined()
        files_before = self.files()
        loads.tell("tokens", "all", list(enumerate(good + gone)))
        loads.tell("addresses", {"unix": str(self.server.path), "tcp": self.server.address()})
        everyone = [Rude(self, SEED + at) for at in range(RUDE)]
        for rude in everyone:
            rude.start()

        self.over.wait(SOAK_S / 3)
        warm = self.memory_mib()
        self.over.wait(SOAK_S * 2 / 3)
        files_under_load, end = self.files(), self.memory_mib()
        self.over.set()
        done = Counter()
        for rude in everyone:
            rude.join()
            done += rude.counts
            if rude.error:
                raise rude.error
        answers = loads.count()
        print(f"# seed {SEED}: {sum(answers.values()):,} answers to good clients ({self.told(answers)}); "
              f"by bad ones {self.told(done)}\n"
              f"# memory {warm:.1f} MiB when warm, {end:.1f} at the end; files {files_before}, then {files_under_load}",
              flush=True)
        self.assertEqual(set(answers), {200, 401, 403})
        self.assertGreater(answers[200], 1000)
        self.assertLess(end - warm, MEMORY_MIB)
        self.assert_files_are(files_before)
        self.assert_it_answers(good, gone)
        self.assert_it_rests()
        self.assertEqual(self.server.stop(), 0)

    @staticmethod
    def told(counter):
        return ", ".join(f"{number:,} {what}" for what, number in sorted(counter.items(), key=str))

    def memory_mib(self):
        with open(f"/proc/{self.server.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def files(self, name=""):
        """How many the server has open; with a name, of those."""
        folder = f"/proc/{self.server.process.pid}/fd"
        return sum(not name or os.path.basename(os.readlink(f"{folder}/{fd}")) == name for fd in os.listdir(folder))

    def ask_until_written_down(self, token):
        """One use: what is opened for the first of them stays open."""
        connection = self.server.connect()
        self.assertEqual(connection.auth(token).status, 200)
        connection.close()
        self.until(lambda: "last_used_at" in self.inspect("good-0")["credentials"][0])

    def have_its_files_examined(self):
        """A file that changes without a commit is examined, through a connection that is closed again. SQLite keeps its
        descriptor for the next, because closing it would drop the locks of the others: however often, it is one."""
        self.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        self.until(lambda: self.files("marque.db") == 3)
        self.assertEqual(self.files("marque.db"), 3)

    def assert_files_are(self, number):
        """Soon: the server has to notice first who is gone."""
        self.until(lambda: self.files() <= number)
        self.assertLessEqual(self.files(), number)

    @staticmethod
    def until(is_so):
        end = time.monotonic() + harness.WAIT_S
        while not is_so() and time.monotonic() < end:
            threading.Event().wait(POLL_S)

    def assert_it_answers(self, good, gone):
        connection = self.server.connect()
        self.addCleanup(connection.close)
        self.assertEqual({connection.auth(token).status for token in good}, {200})
        self.assertEqual({connection.auth(token).status for token in gone}, {401})
        self.marque("revoke", "good-0", "--reason", "test", "--confirm")
        self.assertEqual(connection.auth(good[0]).status, 401)
        self.assertEqual({connection.auth(token).status for token in good[1:]}, {200})

    def assert_it_rests(self):
        clock = ~self.server.process.pid << 3 | 2  # the clock of a process's CPU time, clock_getcpuclockid(3)
        before = time.clock_gettime(clock)
        threading.Event().wait(1)
        used = time.clock_gettime(clock) - before
        print(f"# {used * 1000:.1f} ms of CPU in a second without requests", flush=True)
        self.assertLess(used, IDLE_CPU_S)


if __name__ == "__main__":
    unittest.main()
