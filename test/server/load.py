"""Load: a process with many connections that ask about tokens as fast as they are answered, and write down when.

It is told over a pipe which tokens to ask about and where; it answers with what it saw, held against the history
(history.py). The connections differ: unix or TCP, kept alive or not, one request at a time or sixteen.
"""

import array
import errno
import multiprocessing
import os
import random
import re
import select
import socket
import threading
import time
from collections import Counter

from history import ACCEPTED, ANOTHERS, COLUMNS, NO_REVISION, REFUSED, SCOPE_MISSING

LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
REVISION = re.compile(rb'(?i)(?:x-marque-revision: *|"revision": *)(\d+)')
SCOPE_HELD, SCOPE_LACKING = "card:view", "board:delete"


def credential_of(token):
    return token[9:21].encode()


def a_request(token, choose, is_last):
    """A request about `token` in one of the forms there are; `is_last`: the connection is not kept."""
    close = "Connection: close\r\n" if is_last else ""
    form = choose.randrange(8)
    if form < 2:
        scope = choose.choice(("", f',"scope":"{SCOPE_HELD}"', f',"scope":"{SCOPE_LACKING}"'))
        body = f'{{"token":"{token}"{scope}}}'
        return (f"POST /v1/verify HTTP/1.1\r\nHost: marque\r\n{close}Content-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
    path = {2: f"/auth?scope={SCOPE_HELD}", 3: f"/auth?scope={SCOPE_LACKING}"}.get(form, "/auth")
    return f"GET {path} HTTP/1.1\r\nHost: marque\r\n{close}Authorization: Bearer {token}\r\n\r\n".encode()


def meaning(head, body, credential):
    """The status that an answer amounts to, whatever route it came from."""
    status = int(head[9:12])
    if status == 200 and body:
        if b'"accepted":true' not in body:
            return SCOPE_MISSING if b"insufficient_scope" in body else REFUSED
    if status == ACCEPTED and credential not in (body or head):
        return ANOTHERS
    return status


def take_answer(buffer):
    """(head, body, the rest) of the first whole answer in `buffer`, or None."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = buffer[:end]
    length = LENGTH.search(head)
    after = end + 4 + (int(length[1]) if length else 0)
    return (head, buffer[end + 4:after], buffer[after:]) if len(buffer) >= after else None


def write_down(answers, token, begun, ended, head, body, credential):
    found = REVISION.search(head) or REVISION.search(body)
    revision = int(found[1]) if found else NO_REVISION
    answers.extend((token, begun, ended, meaning(head, body, credential), revision))


class Caller:
    """One connection of the load, made again whenever it is gone. No call blocks."""

    def __init__(self, load, kind, depth, is_kept):
        self.load, self.kind, self.depth, self.is_kept = load, kind, depth, is_kept
        self.socket = None

    def connect(self):
        address = self.load.addresses.get(self.kind)
        if address is None or not self.load.tokens:
            return
        self.socket = socket.socket(socket.AF_UNIX if self.kind == "unix" else socket.AF_INET)
        self.socket.setblocking(False)
        if self.socket.connect_ex(address) not in (0, errno.EINPROGRESS):
            self.socket.close()
            self.socket = None
            return
        self.pending, self.buffer = [], b""
        self.load.callers[self.socket.fileno()] = self
        self.load.poll.register(self.socket, select.EPOLLOUT)

    def drop(self):
        """What was asked and not answered is no answer."""
        del self.load.callers[self.socket.fileno()]
        self.socket.close()
        self.socket = None
        self.connect()

    def ask(self):
        depth = self.depth if self.is_kept else 1
        asked = [self.load.choose.choice(self.load.tokens) for _ in range(depth)]
        data = b"".join(a_request(token, self.load.choose, not self.is_kept) for _, token in asked)
        self.begun = time.monotonic_ns()
        if self.socket.send(data) != len(data):
            raise ConnectionError("a request does not fit into an empty socket")
        self.pending = asked

    def on_event(self, events):
        try:
            if not self.pending:
                self.ask()
                self.load.poll.modify(self.socket, select.EPOLLIN)
                return
            data = self.socket.recv(65536)
            ended = time.monotonic_ns()
            if not data:
                return self.drop()
            self.buffer += data
            while self.pending and (found := take_answer(self.buffer)):
                head, body, self.buffer = found
                number, token = self.pending.pop(0)
                write_down(self.load.answers, number, self.begun, ended, head, body, credential_of(token))
            if not self.pending:
                if self.is_kept:
                    self.ask()
                else:
                    self.drop()
        except BlockingIOError:
            pass
        except OSError:
            self.drop()


class Load:
    def __init__(self, control, seed):
        self.control, self.choose = control, random.Random(seed)
        self.poll, self.callers = select.epoll(), {}
        self.addresses, self.groups, self.tokens = {}, {}, []
        self.answers = array.array("q")

    def run(self, connections):
        os.nice(5)  # so that changes come through even where load and server have all processors to themselves
        everyone = [Caller(self, ("unix", "tcp")[at % 2], self.choose.choice((1, 1, 4, 16)), at % 8 != 7)
                    for at in range(connections)]
        self.poll.register(self.control, select.EPOLLIN)
        while True:
            for fd, events in self.poll.poll(0.02):
                if fd == self.control.fileno():
                    if not self.on_word(*self.control.recv()):
                        return
                elif fd in self.callers:
                    self.callers[fd].on_event(events)
            for caller in everyone:
                if caller.socket is None:
                    caller.connect()

    def on_word(self, word, *rest):
        if word == "addresses":
            self.addresses = rest[0]
        elif word == "tokens":
            group, tokens = rest
            self.groups[group] = tokens  # (number, text) each; none: forget the group
            self.tokens = [token for group in self.groups.values() for token in group]
        elif word == "judge":
            self.control.send(rest[0].judge(self.answers))
            return False
        elif word == "count":
            self.control.send(Counter(self.answers[3::COLUMNS]))
            return False
        return True


def _process(control, seed, connections):
    Load(control, seed).run(connections)


class Loads:
    """Several of these processes, from the other end."""

    def __init__(self, seed, processes, connections):
        context = multiprocessing.get_context("spawn")  # this process has threads, which a fork would cut short
        self.controls, self.processes, self.lock = [], [], threading.Lock()
        for at in range(processes):
            here, there = context.Pipe()
            process = context.Process(target=_process, args=(there, seed + at, connections), daemon=True)
            process.start()
            there.close()
            self.controls.append(here)
            self.processes.append(process)

    def tell(self, *word):
        with self.lock:
            for control in self.controls:
                control.send(word)

    def judge(self, history):
        """What `History.judge` says of all that was answered, all processes together. They end."""
        self.tell("judge", history)
        judgements = self._last_words()
        findings = [finding for found, _ in judgements for finding in found]
        return findings, sum((counts for _, counts in judgements), Counter())

    def count(self):
        """How many answers there were of each status. They end."""
        self.tell("count")
        return sum(self._last_words(), Counter())

    def _last_words(self):
        words = [control.recv() for control in self.controls]
        for process in self.processes:
            process.join()
        return words

    def kill(self):
        for process in self.processes:
            if process.is_alive():
                process.kill()
                process.join()
