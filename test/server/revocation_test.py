"""The promise itself: what was taken away before a request began is never accepted, whatever else goes on.

Operators create, pause, resume, rotate and revoke as fast as they can (changes.py), by the command line and over HTTP,
while other processes ask about those very tokens on many connections (load.py). Nothing is asserted about a moment:
everything is written down, and afterwards every single answer is held against what was done (history.py). The same with
the server stopped and continued, and with it killed and started again, across the changes.

MARQUE_SEED repeats the choices of a run; MARQUE_SOAK_S (default 18) is for how many seconds there is load, in all.
"""

import os
import random
import signal
import time
import unittest

import harness
from changes import Changes, Credential, Identity, Operator, ask, read_answers
from history import ACCEPTED, NEVER, REFUSED, SCOPE_MISSING, UNAVAILABLE, History, Switch
from load import Loads, a_request

SEED = int(os.environ.get("MARQUE_SEED") or random.SystemRandom().randrange(2**32))
SOAK_S = float(os.environ.get("MARQUE_SOAK_S") or 18)
OPERATORS, PROCESSES, CONNECTIONS = 3, 2, 24
STEADY = 8  # tokens that nobody touches


class RevocationTest(harness.StoreTest):
    def begin(self, is_healthy):
        self.choose = random.Random(SEED)
        self.changes = Changes()
        self.addCleanup(self.changes.stop)
        self.loads = Loads(SEED, PROCESSES, CONNECTIONS)
        self.addCleanup(self.loads.kill)
        self.start_server()
        self.operators = [Operator(self, at, SEED + at, self.some_connections() if is_healthy else [])
                          for at in range(OPERATORS)]
        self.make_steady()
        for operator in self.operators:
            operator.start()

    def start_server(self):
        # Not every refusal to the log: this process would be reading it instead of noting times.
        self.server = self.serve("--tcp", "127.0.0.1:0", "--set", "log.requests=none")
        self.loads.tell("addresses", {"unix": str(self.server.path), "tcp": self.server.address()})

    def some_connections(self):
        """Over both kinds of socket, and more of them than there are workers."""
        connections = [harness.Connection(address) for address in (self.server.path, self.server.address()) * 3]
        for connection in connections:
            self.addCleanup(connection.close)
        return connections

    def make_steady(self):
        environment = Switch().give(0, 1)
        for at in range(STEADY):
            begun = time.monotonic_ns()
            token = self.create(f"steady-{at}")
            returned = time.monotonic_ns()
            Credential(self.changes, Identity(f"steady-{at}", environment, begun, returned), token, begun, returned)
        self.loads.tell("tokens", "steady", list(self.changes.tokens))

    def finish(self, title):
        """Asks about every token there ever was, and judges all that was answered. The counts."""
        self.changes.stop()
        for operator in self.operators:
            operator.join()
        for operator in self.operators:
            if operator.error:
                raise AssertionError(f"{title}: the server's log: {self.server.log[-5:]}") from operator.error
        connection = self.some_connections()[0]
        for at in range(0, len(self.changes.tokens), 50):
            ask(connection, self.changes.tokens[at:at + 50], self.choose, self.changes)
        findings, counts = self.loads.judge(self.changes.history)
        own_findings, own_counts = self.changes.history.judge(self.changes.answers)
        counts += own_counts
        made = self.changes.counts
        told = [", ".join(f"{number:,} {what}" for what, number in counter.items()) for counter in (made, counts)]
        print(f"# {title}, seed {SEED}: {sum(made.values()):,} changes ({told[0]})\n"
              f"# {title}: in {self.changes.done:,} operations; {sum(counts.values()):,} answers ({told[1]})",
              flush=True)
        if findings or own_findings:
            self.fail("\n".join(findings + own_findings))
        self.assertGreater(counts[ACCEPTED], 1000)
        self.assertGreater(counts[REFUSED], 1000)
        self.assertGreater(counts[SCOPE_MISSING], 100)
        self.marque("audit", "verify")
        return counts

    def test_healthy(self):
        self.begin(is_healthy=True)
        self.changes.over.wait(SOAK_S / 2)
        while sum(self.changes.counts.values()) < 1000 and self.changes.wait_for_more(1):
            pass  # on a slow machine, however long that takes
        counts = self.finish("healthy")
        self.assertGreaterEqual(sum(self.changes.counts.values()), 1000)
        self.assertEqual(counts[UNAVAILABLE], 0, f"a healthy server says 503 to nobody; it said: {self.server.log[:20]}")

    def test_stopped_and_continued(self):
        """Asked while it is stopped, about what was taken away while it is stopped."""
        self.begin(is_healthy=False)
        end, rounds = time.monotonic() + SOAK_S / 4, 0
        connections = self.some_connections()
        while (time.monotonic() < end or rounds < 6) and self.changes.wait_for_more(self.choose.randrange(4)):
            self.server.process.send_signal(signal.SIGSTOP)
            # Stopped in the middle of a write, it keeps everybody from the store: then none comes until it goes on.
            self.changes.wait_for_more(self.choose.randrange(1, 5), most_s=1)
            asked = [self.ask_about_some(connection) for connection in connections]
            self.server.process.send_signal(signal.SIGCONT)
            for connection, (tokens, begun) in zip(connections, asked):
                read_answers(connection, tokens, begun, self.changes)
            rounds += 1
        self.finish(f"stopped {rounds} times")
        self.assertGreater(rounds, 5)

    def ask_about_some(self, connection):
        hot = [token for operator in self.operators for token in list(operator.hot)]
        tokens = self.choose.choices(hot or self.changes.tokens, k=30)
        begun = time.monotonic_ns()
        connection.send(b"".join(a_request(token, self.choose, False) for _, token in tokens))
        return tokens, begun

    def test_killed_and_started_again(self):
        self.begin(is_healthy=False)
        end, rounds = time.monotonic() + SOAK_S / 4, 0
        while (time.monotonic() < end or rounds < 6) and self.changes.wait_for_more(self.choose.randrange(6)):
            self.server.stop(signal.SIGKILL)
            self.changes.wait_for_more(self.choose.randrange(3))
            self.start_server()
            rounds += 1
        self.finish(f"killed {rounds} times")
        self.assertGreater(rounds, 5)


A, B, C, D = 100, 200, 300, 400  # instants, in order
TAKEN = [("give", 1, 2), ("take", A, B)]
CASES = [
    # the moves of a switch, an answer's (begun, ended, status, revision), what is found, because
    (TAKEN, (B + 1, C, ACCEPTED, 9), "accepted after", "the request began after the taking-away had returned"),
    (TAKEN, (B + 1, C, SCOPE_MISSING, 9), "accepted after", "403 says as well that the token is good"),
    (TAKEN, (B, C, ACCEPTED, 9), "", "in the same instant nobody knows which was first"),
    (TAKEN, (A + 1, C, ACCEPTED, 9), "", "the taking-away had not returned"),
    (TAKEN, (B + 1, C, REFUSED, 9), "", "as it is to be"),
    (TAKEN, (B + 1, C, UNAVAILABLE, -1), "", "no answer is a denial"),
    (TAKEN, (A + 1, C, REFUSED, 9), "", "the taking-away had begun"),
    (TAKEN, (50, A - 1, REFUSED, 9), "refused while", "it was in force from before the request to after the answer"),
    (TAKEN, (50, A, REFUSED, 9), "", "the taking-away may have been quicker than its instants"),
    (TAKEN, (B + 1, C, 500, -1), "not an answer", "an error is none"),
    (TAKEN, (B + 1, C, 900, 9), "not an answer", "another credential was named"),
    (TAKEN, (B + 1, C, REFUSED, 4), "older than", "revision 5 was made by what had returned"),
    (TAKEN, (A + 1, C, REFUSED, 4), "", "revision 5 had not been returned yet"),
    (TAKEN, (B + 1, C, REFUSED, -1), "without a revision", "a verdict has one"),
    ([("take", A, NEVER)], (C, D, ACCEPTED, 9), "accepted after", "it was never given"),
    ([("give", A, B)], (50, A - 1, ACCEPTED, 9), "accepted after", "nobody had begun to make it"),
    ([("give", A, B)], (50, A, ACCEPTED, 9), "", "it may just have come into force"),
    ([("give", A, B)], (A + 1, C, REFUSED, 9), "", "it may not have been in force yet"),
    ([("give", 1, 2), ("take", A, NEVER)], (C, D, ACCEPTED, 9), "", "nobody was told that it is taken away"),
    ([("give", 1, 2), ("take", A, NEVER)], (C, D, REFUSED, 9), "", "it may have been taken away all the same"),
    ([*TAKEN, ("give", C, D)], (B + 1, C - 1, ACCEPTED, 9), "accepted after", "the resume had not begun"),
    ([*TAKEN, ("give", C, D)], (B + 1, C, ACCEPTED, 9), "", "a later resume had begun"),
    ([*TAKEN, ("give", C, D)], (D + 1, D + 2, REFUSED, 9), "refused while", "the resume had returned"),
    ([*TAKEN, ("give", C, D), ("take", D + 5, D + 6)], (D + 7, D + 9, ACCEPTED, 9), "accepted after", "paused again"),
    ([*TAKEN, ("give", C, D), ("take", D + 5, D + 6)], (D + 1, D + 9, ACCEPTED, 9), "", "between two pauses"),
]


class HistoryTest(unittest.TestCase):
    """The judge itself: it finds what is wrong, and nothing else."""

    def test_each_case(self):
        for moves, (begun, ended, status, revision), wanted, because in CASES:
            history, switch = History(), Switch()
            for move, *instants in moves:
                getattr(switch, move)(*instants)
            history.revisions = [(B, 5), (2, 3)]
            number = history.add_token([Switch().give(0, 0), switch])
            findings, counts = history.judge([number, begun, ended, status, revision])
            with self.subTest(because=because):
                self.assertEqual(counts[status], 1)
                self.assertEqual(len(findings), 1 if wanted else 0, findings)
                self.assertTrue(all(found.startswith(wanted) for found in findings), findings)


if __name__ == "__main__":
    unittest.main()
