"""The load's host: processes that ask every verifier about the same tokens, and write down when.

Two of them ask as fast as they are answered, on connections that are kept, up to sixteen requests in one go, about the
tokens whose turn comes, those just taken away, and old ones. A third, the witness, asks about each token at every
verifier as soon as it was taken away and again some times after that, and does not wait for answers first: so a
verifier that was stopped, or cut off, has such requests before it when it goes on. It also asks every verifier about
tokens that nobody takes away, all the time: whether it answers at all.
"""

import array
import heapq
import multiprocessing
import os
import random
import select
import time
from collections import Counter, deque

from history import ACCEPTED, COLUMNS, NEVER, REFUSED, SCOPE_MISSING
from load import Caller, a_request, credential_of, take_answer, write_down
from machine import enter_network

PROCESSES = 2                  # of the load
DEPTHS = (1, 4, 16, 16, 16)    # requests in one go on each of their connections to every verifier
A_SECOND = 2500                # requests that each sends to every verifier, unless it has to wait for answers
HOT = 500                      # tokens that the load asks about
AGAIN_MS = (0, 4, 20, 80, 300, 1200, 3000, 9000)  # after a token was taken away, the witness asks about it
BEAT_MS = 20                   # between its questions whether a verifier answers
LINES = 3                      # connections of the witness to every verifier
MOST_WAITING = 4000            # requests on one of them
VERDICTS = (ACCEPTED, REFUSED, SCOPE_MISSING)
MS = 10**6
BEAT = -1  # in the place of a token's number


class PatientCaller(Caller):
    """One that was turned away comes again a little later, and one that was answered asks again in its turn."""

    BREATH_S = 0.03

    def __init__(self, *more):
        super().__init__(*more)
        self.not_before, self.is_idle = 0, False

    def connect(self):
        if time.monotonic() >= self.not_before:
            super().connect()

    def drop(self):
        self.not_before, self.is_idle = time.monotonic() + self.BREATH_S, False
        super().drop()

    def ask(self):
        """Instead of asking at once."""
        self.is_idle = True
        self.load.idle.append(self)

    def ask_now(self):
        """How many requests went out."""
        if self.socket is None or not self.is_idle:  # it was dropped meanwhile, and is idle again when it is connected
            return 0
        self.is_idle = False
        try:
            super().ask()
        except OSError:
            self.drop()
        return len(self.pending)


class Asked:
    """A verifier as a process of the load sees it: what a Caller has to know, and what was answered."""

    def __init__(self, process, name, address):
        self.name, self.addresses = name, {"tcp": address}
        self.poll, self.callers, self.tokens, self.choose = process.poll, process.callers, process.hot, process.choose
        self.answers, self.marked = array.array("q"), 0
        self.idle, self.may_ask = deque(), 0

    def count_since_mark(self, begun_after):
        fresh = self.answers[self.marked:]
        counts = Counter(status for begun, status in zip(fresh[1::COLUMNS], fresh[3::COLUMNS]) if begun >= begun_after)
        self.marked = len(self.answers)
        return counts

    def judge(self, history, ends, dark):
        """What `History.judge` finds, and verdicts when there should have been none; how soon after its end each token
        was asked about, and how often one was accepted while the command that ended it was running."""
        findings, counts = history.judge(self.answers)
        soonest, meanwhile, unleased = {}, 0, 0
        columns = iter(self.answers)
        for token, begun, ended, status, _ in zip(*[columns] * COLUMNS):
            if status in VERDICTS:
                for after, before in dark:
                    if after < begun and ended < before:
                        unleased += 1
                        if unleased <= 3:
                            findings.append(f"a verdict without a lease: token {token}, {status}, begun"
                                            f" {(begun - after) / MS:.3f} ms after the last could have ended, answered"
                                            f" {(before - ended) / MS:.3f} ms before there could be another")
            end = ends.get(token)
            if end is None:
                continue
            if begun > end[1]:
                soonest[token] = min(soonest.get(token, begun), begun)
            elif begun > end[0] and status == ACCEPTED:
                meanwhile += 1
        if unleased > 3:
            findings.append(f"a verdict without a lease: {unleased} in all")
        gaps = {token: begun - ends[token][1] for token, begun in soonest.items()}
        return [f"{self.name}: {finding}" for finding in findings], counts, gaps, meanwhile


def ends_of(history):
    """By token: when the first command that ended it for good, and said so, had begun and returned."""
    ends = {}
    for number, switches in enumerate(history.tokens):
        moves = [(returned, begun) for switch in switches[0:3:2]
                 for begun, returned, gives in zip(switch.begun, switch.returned, switch.gives) if not gives]
        if moves and min(moves)[0] != NEVER:
            ends[number] = min(moves)[::-1]
    return ends


class Asking:
    """What the processes of the load have in common."""

    def __init__(self, control, feeds, seed, addresses):
        self.control, self.choose = control, random.Random(seed)
        self.poll, self.callers, self.hot = select.epoll(), {}, []
        self.feeds = {feed.fileno(): feed for feed in feeds}
        self.all, self.numbers, self.at, self.steady = {}, [], 0, []
        self.verifiers = {name: Asked(self, name, address) for name, address in addresses.items()}
        for feed in (control, *feeds):
            self.poll.register(feed, select.EPOLLIN)

    def run(self):
        while True:
            for fd, events in self.poll.poll(self.patience_s()):
                if fd == self.control.fileno():
                    tag, word = self.control.recv()
                    if not self.on_word(lambda answer, tag=tag: self.control.send((tag, answer)), *word):
                        return
                elif fd in self.feeds:
                    self.on_feed(fd)
                elif fd in self.callers:
                    self.callers[fd].on_event(events)
            self.on_turn()

    def on_feed(self, fd):
        try:
            word, items = self.feeds[fd].recv()
        except EOFError:
            self.poll.unregister(fd)
            return
        if word == "soon":
            self.on_soon(items)
        else:
            self.on_taken(items)

    def know(self, items):
        for number, token in items:
            self.all[number] = token
            self.numbers.append(number)

    def on_word(self, answer, word, *rest):
        """Whether there is more to come."""
        if word == "steady":
            self.steady = rest[0]
            self.know(rest[0])
            self.hot.extend(rest[0])
            answer(None)
        elif word == "mark":
            answer({name: asked.count_since_mark(rest[0]) for name, asked in self.verifiers.items()})
        elif word == "judge":
            history, dark = rest
            ends = ends_of(history)
            answer({name: asked.judge(history, ends, dark.get(name, [])) for name, asked in self.verifiers.items()})
            return False
        return True


class Load(Asking):
    def __init__(self, *more):
        super().__init__(*more)
        os.nice(5)  # changes and verifiers come first
        self.turned = time.monotonic()
        self.everyone = [PatientCaller(asked, "tcp", depth, True) for asked in self.verifiers.values() for depth in DEPTHS]

    def patience_s(self):
        return 0.005

    def on_turn(self):
        for caller in self.everyone:
            if caller.socket is None:
                caller.connect()
        now = time.monotonic()
        for asked in self.verifiers.values():
            asked.may_ask = min(asked.may_ask + (now - self.turned) * A_SECOND, A_SECOND / 10)
            while asked.may_ask > 0 and asked.idle:
                asked.may_ask -= asked.idle.popleft().ask_now()
        self.turned = now

    def on_soon(self, items):
        self.know(items)
        for item in items:
            self._heat(item)
            if self.choose.random() < 0.3:
                number = self.choose.choice(self.numbers)
                self._heat((number, self.all[number]))

    def _heat(self, item):
        if len(self.hot) < HOT:
            self.hot.append(item)
        else:
            self.at = (self.at + 1) % (HOT - len(self.steady))
            self.hot[len(self.steady) + self.at] = item

    def on_taken(self, numbers):
        pass


class Line(PatientCaller):
    """A connection on which requests are sent whether or not those before were answered."""

    def __init__(self, asked):
        super().__init__(asked, "tcp", 1, True)
        self.pending, self.unsent, self.is_open = deque(), b"", False
        self.beats = set()

    def connect(self):
        super().connect()
        self.pending, self.unsent, self.is_open = deque(), b"", False

    def drop(self):
        self.is_open = False
        super().drop()

    def ask(self, number, token):
        """Whether it was: not on a connection that is gone, or takes no more."""
        if not self.is_open or self.unsent or len(self.pending) >= MOST_WAITING:
            return False
        data = a_request(token, self.load.choose, False)
        begun = time.monotonic_ns()
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            return False
        except OSError:
            self.drop()
            return False
        self.pending.append((number, token, begun))
        if sent < len(data):
            self.unsent = data[sent:]
            self.load.poll.modify(self.socket, select.EPOLLIN | select.EPOLLOUT)
        return True

    def on_event(self, events):
        try:
            if events & select.EPOLLOUT:
                self.is_open = True
                self.unsent = self.unsent[self.socket.send(self.unsent):] if self.unsent else b""
                if not self.unsent:
                    self.load.poll.modify(self.socket, select.EPOLLIN)
            if events & ~select.EPOLLOUT:
                self.on_data(self.socket.recv(65536))
        except BlockingIOError:
            pass
        except OSError:
            self.drop()

    def on_data(self, data):
        ended = time.monotonic_ns()
        if not data:
            self.drop()
            return
        self.buffer += data
        while self.pending and (found := take_answer(self.buffer)):
            head, body, self.buffer = found
            number, token, begun = self.pending.popleft()
            write_down(self.load.answers, number, begun, ended, head, body, credential_of(token))
            if self.load.answers[-2] == ACCEPTED:
                self.load.accepted_begun = max(self.load.accepted_begun, begun)


class Witness(Asking):
    def __init__(self, *more):
        super().__init__(*more)
        self.due, self.turn, self.awaited = [], 0, None
        self.lines = {}
        for name, asked in self.verifiers.items():
            asked.accepted_begun = 0
            self.lines[name] = [Line(asked) for _ in range(LINES)]

    def patience_s(self):
        return max(0.0, min(0.01, (self.due[0][0] - time.monotonic_ns()) / 1e9)) if self.due else 0.01

    def on_soon(self, items):
        self.know(items)

    def on_taken(self, numbers):
        now = time.monotonic_ns()
        for number in numbers:
            for name in self.verifiers:
                self.ask(name, number)
                for after in AGAIN_MS[1:]:
                    heapq.heappush(self.due, (now + after * MS, name, number))

    def ask(self, name, number):
        self.turn += 1
        lines = self.lines[name]
        return any(lines[(self.turn + at) % LINES].ask(number, self.all[number]) for at in range(LINES))

    def on_turn(self):
        for lines in self.lines.values():
            for line in lines:
                if line.socket is None:
                    line.connect()
        now = time.monotonic_ns()
        while self.due and self.due[0][0] <= now:
            _, name, number = heapq.heappop(self.due)
            if number == BEAT:
                self.ask(name, self.choose.choice(self.steady)[0])
                heapq.heappush(self.due, (now + BEAT_MS * MS, name, BEAT))
            else:
                self.ask(name, number)
        if self.awaited and self.awaited[0]():
            self.awaited[1](time.monotonic_ns())
            self.awaited = None

    def on_word(self, answer, word, *rest):
        if word == "answering":  # when all of these have accepted something that was asked after that instant
            names, since = rest
            self.awaited = lambda: all(self.verifiers[name].accepted_begun > since for name in names), answer
        elif word == "sweep":  # once more about every token there ever was
            now = time.monotonic_ns()
            for at, number in enumerate(self.numbers):
                for name in self.verifiers:
                    heapq.heappush(self.due, (now + at * MS // 4, name, number))
            last = now + len(self.numbers) * MS // 4
            self.awaited = lambda: time.monotonic_ns() > last and all(
                line.pending[0][2] > last for lines in self.lines.values() for line in lines if line.pending), answer
        else:
            if word == "steady":
                for name in self.verifiers:
                    heapq.heappush(self.due, (time.monotonic_ns(), name, BEAT))
            return super().on_word(answer, word, *rest)
        return True


def _process(kind, control, feeds, seed, addresses):
    enter_network("load")
    try:
        kind(control, feeds, seed, addresses).run()
    except EOFError:  # the run was broken off
        pass


class Callers:
    """All of these processes, from the other end. `feeds`: by operators' hosts, what each has to tell all of them."""

    def __init__(self, verifiers, seed, sources):
        context = multiprocessing.get_context("spawn")
        addresses = {verifier.name: verifier.address for verifier in verifiers}
        self.feeds, self.controls, self.processes, self.tag = [[] for _ in range(sources)], [], [], 0
        for at, kind in enumerate([Witness] + [Load] * PROCESSES):
            pipes = [context.Pipe(duplex=False) for _ in range(sources)]
            here, there = context.Pipe()
            readers = [reader for reader, _ in pipes]
            process = context.Process(target=_process, args=(kind, there, readers, seed + at, addresses), daemon=True)
            process.start()
            there.close()
            for feed, (reader, writer) in zip(self.feeds, pipes):
                reader.close()
                feed.append(writer)
            self.controls.append(here)
            self.processes.append(process)

    def _send(self, controls, word):
        self.tag += 1  # so that an answer which came too late is not taken for another's
        for control in controls:
            control.send((self.tag, word))

    def _receive(self, control):
        while True:
            tag, answer = control.recv()
            if tag == self.tag:
                return answer

    def ask(self, *word):
        self._send(self.controls, word)
        return [self._receive(control) for control in self.controls]

    def ask_witness(self, most_s, *word):
        """When it had answered; None when it had not within that time."""
        witness = self.controls[0]
        self._send([witness], word)
        end = time.monotonic() + most_s
        while witness.poll(max(0, end - time.monotonic())):
            tag, answer = witness.recv()
            if tag == self.tag:
                return answer
        return None
