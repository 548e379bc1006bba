"""Operators that make and take away as fast as they can, and write down when (history.py).

Each has an environment of its own, so that every switch has one worker, and goes round: it makes a group of identities,
does everything to them that there is, and ends them.
"""

import array
import json
import random
import subprocess
import threading
import time
from collections import Counter

import harness
from history import NEVER, History, Switch
from load import a_request, credential_of, take_answer, write_down

GROUP = 200  # identities that an operator makes at once
FORM = ("Content-Type", "application/x-www-form-urlencoded")
SECOND = 10**9
SLACK = SECOND // 20  # what the wall's clock and the monotonic one may drift apart within a second


class Changes:
    """What all operators share: the history, how many changes there were, and word of each."""

    def __init__(self):
        self.history, self.lock = History(), threading.Condition()
        self.counts, self.done, self.tokens, self.answers = Counter(), 0, [], array.array("q")
        self.over = threading.Event()

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number
            self.done += 1
            self.lock.notify_all()

    def stop(self):
        with self.lock:
            self.over.set()
            self.lock.notify_all()

    def wait_for_more(self, number, most_s=harness.WAIT_S):
        """Until `number` more changes were made, or failed; whether they were."""
        with self.lock:
            goal = self.done + number
            self.lock.wait_for(lambda: self.done >= goal or self.over.is_set(), most_s)
            return self.done >= goal


class Identity:
    def __init__(self, name, environment, begun, returned):
        self.name, self.environment = name, environment
        self.end, self.pause = Switch().give(begun, returned), Switch().give(begun, returned)


class Credential:
    def __init__(self, changes, identity, token, begun, returned):
        self.token, self.id = token, credential_of(token).decode()
        self.identity = identity
        self.end, self.pause = Switch().give(begun, returned), Switch().give(begun, returned)
        with changes.lock:
            self.number = changes.history.add_token(
                (self.end, self.pause, identity.end, identity.pause, identity.environment))
            changes.tokens.append((self.number, token))


class Operator(threading.Thread):
    """`connections`: to a server that is healthy; none: to one that may be stopped or dead at any moment."""

    def __init__(self, test, number, seed, connections):
        super().__init__(name=f"operator-{number}", daemon=True)
        self.test, self.number, self.connections = test, number, connections
        self.changes = test.changes
        self.choose, self.environment_name = random.Random(seed), f"e{number}"
        self.folder = test.folder / self.environment_name
        self.folder.mkdir()
        self.error, self.round, self.hot = None, 0, []
        test.marque("environment", "add", self.environment_name, "--confirm")
        self.environment = Switch().give(0, 1)

    def run(self):
        try:
            while not self.changes.over.is_set():
                self.go_round()
        except Exception as error:  # told by the test, which is in another thread
            self.error = error
            self.changes.stop()

    def marque(self, *words, count=1, what=None, is_repeated=True):
        """When it had begun and returned. A server stopped in the middle of a write keeps others from the store: they
        say so (8: nothing has changed) and are repeated, or else NEVER returned."""
        begun = time.monotonic_ns()
        while True:
            run = subprocess.run([harness.MARQUE, *words, "-o", "json"], env=harness.environment(self.test.store),
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True)
            returned = time.monotonic_ns()
            if run.returncode != 8 or self.connections:
                break
            self.changes.count("unavailable")
            if not is_repeated:
                return begun, NEVER
        if run.returncode != 0:
            raise AssertionError(f"marque {' '.join(words)}: {run.returncode} {run.stderr}")
        with self.changes.lock:
            self.changes.history.revisions.append((returned, json.loads(run.stdout).get("revision", 0)))
        self.changes.count(what or words[0], count)
        return begun, returned

    def take(self, switch, *words, credentials=(), **more):
        begun, returned = self.marque(*words, "--reason", "test", **more)
        switch.take(begun, returned)
        self.ask(credentials)
        return begun, returned

    def give(self, switch, *words):
        begun, returned = self.marque(*words)
        switch.give(begun, returned)

    def ask(self, credentials):
        """At once, on connections of its own, so that no time is left to notice."""
        for connection in self.connections:
            ask(connection, [(c.number, c.token) for c in credentials], self.choose, self.changes)

    def heat(self, credentials):
        """Has the load ask about these too, and forget what is older than a round."""
        self.hot += [(c.number, c.token) for c in credentials]
        self.test.loads.tell("tokens", self.number, self.hot)

    def go_round(self):
        held = None
        while held is None:
            self.round += 1
            self.group = f"g{self.number}-{self.round}"
            held = self.create(self.group)
        self.hot = self.hot[-GROUP:]
        self.heat(held.values())
        names = list(held)
        self.choose.shuffle(names)
        acts = [(act, [names.pop() for _ in range(number)]) for act, number in (
            (self.pause_identity, 1), (self.pause_identity, 1), (self.pause_credential, 1), (self.pause_for, 1),
            (self.rotate, 1), (self.rotate, 1), (self.replace, 1), (self.pause_environment, 4),
            *([(self.revoke_over_http, 30)] if self.connections else []))]
        self.choose.shuffle(acts)
        for act, chosen in acts:
            act([(name, held[name]) for name in chosen])
        for name in names[:2]:
            self.take(held[name].identity.end, "revoke", name, "--confirm", credentials=[held[name]])
        self.revoke_group(held, set(names[:2]))

    def create(self, group):
        roster, tokens = self.folder / "roster", self.folder / group
        names = [f"{group}-{at}" for at in range(GROUP)]
        roster.write_text("".join(f"{name} label=g={group}\n" for name in names))
        tokens.mkdir()
        words = ("create", "--from", str(roster), "--token-dir", str(tokens), "--env", self.environment_name, "--scope",
                 "card:view,card:edit", f"--confirm={GROUP}")
        begun, returned = self.marque(*words, count=GROUP, is_repeated=False)
        if returned == NEVER:
            return None  # the names may be taken, the tokens are none
        return {name: Credential(self.changes, Identity(name, self.environment, begun, returned),
                                 (tokens / name).read_text().strip(), begun, returned) for name in names}

    def pause_identity(self, chosen):
        for name, credential in chosen:
            switch = credential.identity.pause
            self.take(switch, "pause", name, "--confirm", credentials=[credential])
            self.give(switch, "resume", name, "--confirm")

    def pause_credential(self, chosen):
        for _, credential in chosen:
            self.take(credential.pause, "pause", credential.id, "--confirm", credentials=[credential])
            self.give(credential.pause, "resume", credential.id, "--confirm")

    def pause_environment(self, chosen):
        self.take(self.environment, "pause", "--env", self.environment_name, "--confirm",
                  credentials=[credential for _, credential in chosen])
        self.give(self.environment, "resume", "--env", self.environment_name, "--confirm")

    def pause_for(self, chosen):
        for name, credential in chosen:
            switch = credential.identity.pause
            begun, returned = self.take(switch, "pause", name, "--for", "1s", "--confirm", credentials=[credential])
            switch.give(begun + SECOND - SLACK, returned + SECOND + SLACK)

    def rotate(self, chosen):
        """The old one is revoked when this returns; the new one is another token of the same identity."""
        self._rotate(chosen, "rotate --compromised", ["--compromised"], 0)

    def replace(self, chosen):
        """The old one goes on for a second."""
        self._rotate(chosen, "rotate", ["--overlap", "1s"], SECOND)

    def _rotate(self, chosen, what, options, overlap):
        for name, old in chosen:
            file = self.folder / f"{old.id}-next"
            words = ("rotate", name, *options, "--token-file", str(file), "--confirm")
            begun, returned = self.marque(*words, what=what, is_repeated=False)
            slack = SLACK if overlap else 0
            old.end.take(begun + overlap - slack, returned + overlap + slack)
            if returned != NEVER:
                new = Credential(self.changes, old.identity, file.read_text().strip(), begun, returned)
                self.heat([new])
                self.ask([old, new])

    def revoke_over_http(self, chosen):
        """By their holders; the first connection tells, the others are asked."""
        connection = self.connections[0]
        for _, credential in chosen:
            begun = time.monotonic_ns()
            answer = connection.request("POST", "/oauth2/revoke", [FORM], f"token={credential.token}")
            returned = time.monotonic_ns()
            assert answer is not None and answer.status == 200, answer and (answer.status, answer.body)
            credential.end.take(begun, returned)
            self.changes.count("revoke over HTTP")
            self.ask([credential])

    def revoke_group(self, held, ended):
        """What is left of the group, in one commit."""
        rest = [name for name in held if name not in ended]
        begun, returned = self.marque("revoke", "--filter", f"label.g={self.group}", "--reason", "test",
                                         f"--confirm={len(rest)}", count=len(rest), what="revoke --filter")
        for name in rest:
            held[name].identity.end.take(begun, returned)
        self.ask([held[name] for name in rest[:8]])


def ask(connection, tokens, choose, changes):
    """Asks about all of `tokens` in one go, and writes the answers down."""
    begun = time.monotonic_ns()
    connection.send(b"".join(a_request(token, choose, False) for _, token in tokens))
    read_answers(connection, tokens, begun, changes)


def read_answers(connection, tokens, begun, changes):
    for number, token in tokens:
        while (found := take_answer(connection.buffer)) is None:
            assert connection._fill(), "the server has closed instead of answering"
        head, body, connection.buffer = found
        with changes.lock:
            write_down(changes.answers, number, begun, time.monotonic_ns(), head, body, credential_of(token))
