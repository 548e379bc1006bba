"""An operator's host: a process with many workers that run `marque`, take away, and write down when.

Each worker has identities of its own, so that every switch (history.py) has one worker. Whom it will take away from is
told to the load (callers.py) a while before, and at once when it is done. What a command's end says is taken at its
word: 0, it is so from now on; 8, nothing has changed; 9, nobody knows, and the same when the command was killed, as
some are: then the move never returned, and is repeated until one says 0.
"""

import json
import multiprocessing
import random
import signal
import subprocess
import threading
import time
import traceback
from collections import Counter, deque

import harness
from changes import Changes, Credential, Identity
from history import NEVER, Switch
from machine import enter_network

WORKERS = 10
TOGETHER = 40              # identities that are revoked by one command, in one commit
ALONE, BUNDLES = 120, 6    # made at once: for commands of their own, and to be revoked together
LOW = 80                   # turns: more are made when fewer are left
AHEAD = 20                 # turns that the load knows of before they come
KILLED_SHARE = 0.05
PATIENCE_S = (0.002, 0.9)  # before a command is killed: while it works, or while it waits for verifiers
DONE, UNAVAILABLE, UNKNOWN, KILLED = 0, 8, 9, "killed"
MOST_LEFT_S = 8            # for commands under way at the end
BREATH_S = 0.2             # between a command that said 8 and the next


class OperatorHost:
    def __init__(self, control, feeds, taken, at, many, seed, store, folder, plant):
        self.control, self.feeds, self.taken, self.at, self.many = control, feeds, taken, at, many
        self.choose, self.store, self.folder, self.plant = random.Random(seed), store, folder, plant
        self.changes, self.feeding = Changes(), threading.Lock()
        self.known, self.next = deque(), deque()  # credentials of a turn that has not come; the load knows of `next`
        self.codes, self.times_ms, self.errors, self.groups = Counter(), [], [], 0
        self.goes_on, self.busy, self.running = threading.Event(), 0, set()
        self.environment = Switch().give(0, 1)
        self.folder.mkdir()

    # The commands.

    def marque(self, *words, may_be_killed=False):
        """(when it had begun, when it had returned, its end, the standard output)"""
        patience = None
        if may_be_killed and self.choose.random() < KILLED_SHARE:
            shortest, longest = PATIENCE_S
            patience = shortest * (longest / shortest) ** self.choose.random()
        begun = time.monotonic_ns()
        process = subprocess.Popen([harness.MARQUE, *words, "-o", "json"], env=harness.environment(self.store), close_fds=False,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with self.changes.lock:
            self.running.add(process)
        try:
            out, err = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        returned = begun + 1 if self.plant == "lie" else time.monotonic_ns()
        code = KILLED if process.returncode == -signal.SIGKILL else process.returncode
        if code not in (DONE, UNAVAILABLE, UNKNOWN, KILLED):
            raise AssertionError(f"marque {' '.join(words)}: {code} {out}{err}")
        with self.changes.lock:
            self.running.discard(process)
            self.codes[code] += 1
            if code == DONE:
                self.times_ms.append((returned - begun) / 1e6)
                if revision := revision_in(out):
                    self.changes.history.revisions.append((returned, revision))
        if code == UNAVAILABLE:
            self.changes.over.wait(BREATH_S)
        return begun, returned, code

    def until_done(self, move, what, credential, *words):
        """Repeats it until it is done, or all is over; whether it is. `move` is told of each time that may have been one."""
        while not self.changes.over.is_set():
            begun, returned, code = self.marque(*words, may_be_killed=True)
            if code == DONE:
                move(begun, returned)
                self.changes.count(what)
                self.tell("taken", [self.number(credential)])
                return True
            if code != UNAVAILABLE:
                move(begun, NEVER)
        return False

    def take(self, switch, what, credential, *words):
        if not self.until_done(switch.take, what, credential, *words, "--reason", "test", "--confirm"):
            return False
        self.have_taken(1)
        return True

    def have_taken(self, number):
        with self.taken.get_lock():
            self.taken.value += number

    # What the load is told.

    def number(self, credential):
        """Of all hosts' tokens together."""
        return credential.number * self.many + self.at

    def tell(self, *word):
        with self.feeding:
            for feed in self.feeds:
                feed.send(word)

    def announce(self, credentials):
        self.tell("soon", [(self.number(credential), credential.token) for credential in credentials])

    # The workers.

    def supply(self):
        while not self.changes.over.is_set():
            with self.changes.lock:
                self.changes.lock.wait_for(lambda: len(self.known) < LOW or self.changes.over.is_set())
            self.when_going(self.make_group)

    def make_group(self):
        self.groups += 1
        roster, tokens = self.folder / f"roster-{self.groups}", self.folder / f"tokens-{self.groups}"
        turns = [[f"h{self.at}-{self.groups}-{n}"] for n in range(ALONE)]
        turns += [[f"h{self.at}-{self.groups}-{n}-{m}" for m in range(TOGETHER)] for n in range(BUNDLES)]
        self.choose.shuffle(turns)
        names = [name for turn in turns for name in turn]
        roster.write_text("".join(f"{name} label=turn={turn[0]}\n" for turn in turns for name in turn))
        tokens.mkdir()
        begun, returned, code = self.marque("create", "--from", str(roster), "--token-dir", str(tokens), "--scope",
                                            "card:view,card:edit", f"--confirm={len(names)}")
        if code != DONE:
            return  # the names may be taken; these tokens are never asked about
        made = [[Credential(self.changes, Identity(name, self.environment, begun, returned), (tokens / name).read_text().strip(),
                            begun, returned) for name in turn] for turn in turns]
        with self.changes.lock:
            self.changes.counts["create"] += len(names)
            self.known.extend(made)
            self.changes.lock.notify_all()

    def next_turn(self):
        with self.changes.lock:
            self.changes.lock.wait_for(lambda: self.known or self.next or not self.goes_on.is_set() or
                                       self.changes.over.is_set())
            if not (self.known or self.next) or self.changes.over.is_set():
                return None
            fresh = [self.known.popleft() for _ in range(min(len(self.known), AHEAD - len(self.next) + 1))]
            self.announce([credential for turn in fresh for credential in turn])
            self.next.extend(fresh)
            self.changes.lock.notify_all()
            return self.next.popleft()

    def when_going(self, body):
        """Runs it, unless all hold still; they do when nobody is busy."""
        with self.changes.lock:
            self.changes.lock.wait_for(lambda: self.goes_on.is_set() or self.changes.over.is_set())
            self.busy += 1
        try:
            if not self.changes.over.is_set():
                body()
        finally:
            with self.changes.lock:
                self.busy -= 1
                self.changes.lock.notify_all()

    def work(self):
        while not self.changes.over.is_set():
            self.when_going(self.treat_next)

    def treat_next(self):
        turn = self.next_turn()
        if turn is None:
            return
        if len(turn) > 1:
            self.revoke_together(turn)
        else:
            self.treat(turn[0])

    def treat(self, credential):
        identity, fate = credential.identity, self.choose.random()
        if fate < 0.15:
            if not (self.take(identity.pause, "pause", credential, "pause", identity.name) and
                    self.until_done(identity.pause.give, "resume", credential, "resume", identity.name, "--confirm")):
                return
        elif fate < 0.3:
            credential = self.rotate(credential) or credential
        elif fate < 0.4:
            self.take(credential.end, "revoke a credential", credential, "revoke", credential.id)
            return
        self.take(identity.end, "revoke", credential, "revoke", identity.name)

    def revoke_together(self, turn):
        """With one command. When nobody can say whether it did, they are revoked one by one: it passes over those who are
        revoked, and so a repeat of it would find nobody, and wait for nothing."""
        begun, returned, code = self.marque("revoke", "--filter", f"label.turn={turn[0].identity.name}", "--reason", "test",
                                            f"--confirm={len(turn)}", may_be_killed=True)
        if code != UNAVAILABLE:
            for credential in turn:
                credential.identity.end.take(begun, returned if code == DONE else NEVER)
        if code == DONE:
            self.changes.count("revoke --filter", len(turn))
            self.tell("taken", [self.number(credential) for credential in turn])
            self.have_taken(len(turn))
        else:
            for credential in turn:
                self.take(credential.identity.end, "revoke", credential, "revoke", credential.identity.name)

    def rotate(self, old):
        """The new credential; none when nobody can say whether there is one."""
        file = self.folder / f"{old.id}-next"
        begun, returned, code = self.marque("rotate", old.identity.name, "--compromised", "--token-file", str(file), "--confirm",
                                            may_be_killed=True)
        if code == UNAVAILABLE:
            return None
        old.end.take(begun, returned if code == DONE else NEVER)
        if code != DONE:
            return None
        self.tell("taken", [self.number(old)])
        self.changes.count("rotate --compromised")
        self.have_taken(1)
        fresh = Credential(self.changes, old.identity, file.read_text().strip(), begun, returned)
        self.announce([fresh])
        return fresh

    # The other end.

    def guard(self, body):
        try:
            body()
        except Exception:
            self.errors.append(traceback.format_exc())
            self.changes.stop()

    def finish(self, workers):
        self.changes.stop()
        end = time.monotonic() + MOST_LEFT_S
        for worker in workers:
            worker.join(max(0, end - time.monotonic()))
        with self.changes.lock:
            for process in self.running:
                process.kill()
        for worker in workers:
            worker.join()

    def run(self):
        workers = [threading.Thread(target=self.guard, args=(body,), daemon=True)
                   for body in [self.supply] + [self.work] * WORKERS]
        for worker in workers:
            worker.start()
        while True:
            try:
                word = self.control.recv()
            except EOFError:  # the run was broken off
                return
            if word in ("go", "hold"):
                with self.changes.lock:
                    self.goes_on.set() if word == "go" else self.goes_on.clear()
                    self.changes.lock.notify_all()
                    if word == "hold":
                        self.changes.lock.wait_for(lambda: self.busy == 0 or self.errors)
                self.control.send(word)
            elif word == "mark":
                with self.changes.lock:
                    self.control.send((self.changes.counts, self.codes, self.times_ms, self.errors))
                    self.changes.counts, self.codes, self.times_ms = Counter(), Counter(), []
            elif word == "finish":
                self.finish(workers)
                self.control.send((self.changes.history, self.errors))
                return


def revision_in(text):
    for line in text.splitlines():
        try:
            if found := json.loads(line).get("revision"):
                return found
        except (ValueError, AttributeError):
            pass  # a line for people
    return 0


def _process(control, feeds, taken, host, *more):
    enter_network(host)
    OperatorHost(control, feeds, taken, *more).run()


class Operators:
    """Both hosts' processes, from the other end."""

    def __init__(self, hosts, stores, feeds, sources, seed, plant):
        context = multiprocessing.get_context("spawn")
        self.taken = context.Value("q", 0)
        self.controls, self.processes = [], []
        for at, (host, store) in enumerate(zip(hosts, stores)):
            here, there = context.Pipe()
            process = context.Process(daemon=True, target=_process, args=(
                there, feeds[at], self.taken, host.name, at, sources, seed + at, store, host.folder / "work", plant))
            process.start()
            there.close()
            self.controls.append(here)
            self.processes.append(process)

    def tell(self, word):
        for control in self.controls:
            control.send(word)

    def ask(self, word):
        self.tell(word)
        return [control.recv() for control in self.controls]

    def finish(self):
        """The histories of all hosts, and what went wrong there."""
        words = self.ask("finish")
        for process in self.processes:
            process.join()
        return [history for history, _ in words], [error for _, errors in words for error in errors]
