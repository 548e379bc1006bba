#!/usr/bin/env python3
"""Real power cuts: what was acknowledged is there afterwards.

usage: power_cut.py

MARQUE is the binary under test. A store and its tokens lie on XFS, on an image behind a loop device. While two
operators work as fast as they can, `xfs_io -x -c shutdown` takes the file system away without its log being flushed:
what was not synced is lost, as when the power goes. Then it is mounted again, recovers, and everything is looked at.
What was acknowledged is kept outside, by this process.

MARQUE_POWER_CUTS (default 200) says how many cuts, MARQUE_SEED repeats what is done and how long each round lasts;
where exactly a cut strikes is the machine's to say. Needs root, loop devices and XFS: else it is skipped, with why.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "torture"))
sys.dont_write_bytecode = True

import replay  # noqa: E402

TOOLS = {"xfs_io": "xfsprogs", "mkfs.xfs": "xfsprogs", "losetup": "mount", "mount": "mount"}
NEW_MOUNTS, RECURSIVE, PRIVATE = 0x20000, 0x4000, 0x40000
OPERATORS = 2
ENOUGH = 100  # cuts, for everything that can befall a command to have befallen one
TOKEN = re.compile(r"mrq_(live|test)_[0-9a-z]{12}_[0-9A-Za-z]{49}\n")

IN_THE_LOG = "what was acknowledged is in the log"
GOES_ON = "the log goes on from what it was after the cut before"
ROWS = "the rows are those that the log tells of"
SOUND = "audit verify finds it sound"
WELL = "doctor finds it well"
WORKS = "a token that was acknowledged is there, and works"
REFUSED = "the token of a revoked identity is refused"
ONE_COMMAND = "a token that was delivered before the cut works after one command"
UNCHANGED = "where a command ended with 8, nothing changed"
NOTHING_ELSE = "nothing is in force whose token is not there"


class Missing(Exception):
    """Why this can't be done here."""


def tool(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True)


class Disk:
    """XFS on an image on a loop device, in a namespace of mounts that ends with this process."""

    def __init__(self, folder):
        self.image, self.place, self.device = folder / "image", folder / "disk", None
        if os.geteuid() != 0:
            raise Missing("power cuts need root, to mount")
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        for name, package in TOOLS.items():
            if shutil.which(name) is None:
                raise Missing(f"{name} is not there: install {package} (tools/setup)")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(NEW_MOUNTS) != 0 or libc.mount(b"none", b"/", None, RECURSIVE | PRIVATE, None) != 0:
            raise Missing(f"no namespace of mounts: {os.strerror(ctypes.get_errno())}")
        self.place.mkdir()
        with self.image.open("wb") as file:
            file.truncate(320 << 20)
        try:
            tool("mkfs.xfs", "-q", str(self.image))
            self.device = tool("losetup", "--find", "--show", str(self.image)).stdout.strip()
            self.mount()
            self.cut()  # so that it is skipped where the kernel refuses
            self.recover()
        except subprocess.CalledProcessError as error:
            self.close()
            raise Missing(f"{' '.join(error.cmd)}: {error.stderr.strip()}") from error

    def mount(self):
        tool("mount", "-t", "xfs", self.device, str(self.place))

    def cut(self):
        tool("xfs_io", "-x", "-c", "shutdown", str(self.place))

    def recover(self):
        tool("umount", str(self.place))
        self.mount()

    def close(self):
        subprocess.run(["umount", str(self.place)], capture_output=True, check=False)
        if self.device:
            subprocess.run(["losetup", "--detach", self.device], capture_output=True, check=False)


class Marque:
    def __init__(self, store):
        self.store = str(store)

    def __call__(self, *words, stdin=""):
        """The exit code, standard output and standard error."""
        done = subprocess.run([os.environ["MARQUE"], "--store", self.store, *words], input=stdin, capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout, done.stderr


class Token:
    def __init__(self, path):
        self.path, self.text = path, path.read_text()
        self.credential = self.text[9:21]


class Change:
    """One command, and which entry tells of it: that of the revision it names."""

    def __init__(self, words, action, identity, path=None):
        self.words, self.action, self.identity, self.path = words, action, identity, path
        self.revision = None  # when it was acknowledged

    def is_told_by(self, lines):
        return self.revision <= len(lines) and self.is_entry(json.loads(lines[self.revision - 1]))

    def is_entry(self, entry):
        about = entry["target"].get("identity", entry["target"].get("name"))
        return entry["action"] == self.action and about == self.identity


class Operator:
    """Changes identities of its own, one command after the other, until one fails."""

    def __init__(self, number, marque, tokens, power_is_off, seed):
        self.number, self.marque, self.tokens, self.power_is_off = number, marque, tokens, power_is_off
        self.random = random.Random(seed)
        self.made = 0
        self.alive, self.revoked = {}, {}  # identity to its newest token
        self.paused = set()
        self.begin()

    def begin(self):
        self.acknowledged, self.under_way = [], None

    def choose(self):
        kind = self.random.choice(("create", "rotate", "rotate", "compromised", "revoke", "pause", "pause"))
        self.made += 1
        path = self.tokens / f"{self.number}-{self.made}"
        into = ["--token-file", str(path)]
        awake = sorted(self.alive.keys() - self.paused)
        if kind == "create" or not awake:
            name = f"id-{path.name}"
            return Change(["create", name, "--scope", "card:view", *into], "credential.activate", name, path)
        if kind == "pause" and self.paused:
            name = min(self.paused)
            return Change(["resume", name], "identity.resume", name)
        name = self.random.choice(awake)
        if kind == "pause":
            return Change(["pause", name, "--reason", "power"], "identity.pause", name)
        if kind == "revoke":
            return Change(["revoke", name, "--reason", "power"], "identity.revoke", name)
        rotate = ["rotate", self.alive[name].credential, *into]
        if kind == "compromised":
            return Change([*rotate, "--compromised"], "credential.revoke", name, path)
        return Change(rotate, "credential.retire", name, path)

    def step(self):
        self.under_way = change = self.choose()
        code, _, told = self.marque(*change.words, "--confirm")
        self.failure, self.code = told, code
        if code != 0 or self.power_is_off.is_set():
            return False
        named = re.search(r"^revision (\d+)", told, re.M)
        if named is None:
            raise AssertionError(f"{change.words}: done, and no revision: {told}")
        change.revision = int(named.group(1))
        self.acknowledged.append(change)
        self.believe(change)
        self.under_way = None
        return True

    def believe(self, change):
        if change.path is not None:
            self.alive[change.identity] = Token(change.path)
        elif change.action == "identity.revoke":
            self.revoked[change.identity] = self.alive.pop(change.identity)
        elif change.action == "identity.pause":
            self.paused.add(change.identity)
        else:
            self.paused.discard(change.identity)

    def work(self, has_moved):
        with contextlib.suppress(OSError):  # its token, acknowledged and not to be read: the disk is gone meanwhile
            while self.step():
                has_moved.release()
        has_moved.release()


class Findings:
    """What each cut must leave true; a failure is kept with the cut that showed it."""

    def __init__(self):
        self.counts = dict.fromkeys(
            (IN_THE_LOG, GOES_ON, ROWS, SOUND, WELL, WORKS, REFUSED, ONE_COMMAND, NOTHING_ELSE,
             UNCHANGED), 0)
        self.failures = []

    def check(self, name, is_so, what=""):
        self.counts[name] += 1
        if not is_so:
            self.failures.append((name, what))

    def report(self, cuts):
        unseen = {name for name, count in self.counts.items() if not count and cuts >= ENOUGH}
        bad = {name for name, _ in self.failures} | unseen
        for name, what in self.failures[:20]:
            print(f"   {name}: {what}")
        for name, count in self.counts.items():
            print(f"{'not ok' if name in bad else 'ok'} {name} (looked at {count} times)")
        print(f"{len(self.counts) - len(bad)} passed, {len(bad)} failed")
        return 1 if bad else 0


class Rounds:
    def __init__(self, disk, seed):
        self.disk, self.random = disk, random.Random(seed)
        self.marque = Marque(disk.place / "store")
        tokens = disk.place / "tokens"
        tokens.mkdir()
        code, _, told = self.marque("init", "--operator", "ops", "--confirm")
        if code != 0:
            sys.exit(f"init ended with {code}: {told}")
        tool("sync", "--file-system", str(disk.place))
        # Set before the cut begins. What ends after it is not acknowledged: with the power its process would have gone
        # too, and a sync that the cut meets may be told that there is nothing left to do.
        self.power_is_off = threading.Event()
        self.operators = [Operator(i, self.marque, tokens, self.power_is_off, self.random.random())
                          for i in range(OPERATORS)]
        self.findings = Findings()
        self.cuts = self.acknowledged = self.lost = self.cut_off = self.cut_off_and_done = 0
        self.log_before = []
        self.where = ""

    def work_until_the_cut(self):
        self.power_is_off.clear()
        has_moved = threading.Semaphore(0)
        threads = [threading.Thread(target=one.work, args=(has_moved,)) for one in self.operators]
        for one in self.operators:
            one.begin()
        for thread in threads:
            thread.start()
        for _ in range(self.random.randrange(1, 8)):
            while not has_moved.acquire(timeout=0.05) and any(thread.is_alive() for thread in threads):
                pass
        time.sleep(self.random.random() * 0.02)  # where in a command it strikes
        self.power_is_off.set()
        self.disk.cut()
        for thread in threads:
            thread.join()
        self.disk.recover()
        self.cuts += 1
        self.where = f"cut {self.cuts}"

    def check(self, name, is_so, what=""):
        self.findings.check(name, is_so, f"{self.where}: {what}")

    def look(self):
        code, out, told = self.marque("audit", "export")
        lines = out.splitlines()
        self.check(GOES_ON, code == 0 and lines[:len(self.log_before)] == self.log_before,
                   f"{len(self.log_before)} entries were there, now {len(lines)}, or they differ; {code}: {told}")
        for change in (one for operator in self.operators for one in operator.acknowledged):
            self.acknowledged += 1
            is_there = change.is_told_by(lines)
            self.lost += not is_there
            self.check(IN_THE_LOG, is_there, f"{change.action} of {change.identity}, revision {change.revision}, is lost")
        answer = self.replayed()
        self.check(ROWS, answer.startswith("same"), answer)
        for command, name in ((("audit", "verify"), SOUND), (("doctor",), WELL)):
            code, out, told = self.marque(*command)
            self.check(name, code == 0, f"{code}: {out}{told}")
        for operator in self.operators:
            if operator.under_way is not None:
                self.settle(operator, lines)
            self.look_at_tokens(operator)
        self.log_before = self.marque("audit", "export")[1].splitlines()

    def replayed(self):
        try:
            return replay.examine(self.marque.store)
        except replay.Differs as difference:
            return f"differs: {difference}"

    def is_accepted(self, token):
        return self.marque("verify", stdin=token)[0] == 0

    def look_at_tokens(self, operator):
        for name in {change.identity for change in operator.acknowledged}:
            if name in operator.revoked:
                self.check(REFUSED, not self.is_accepted(operator.revoked[name].text), name)
            elif name in operator.alive.keys() - operator.paused:
                token = operator.alive[name]
                is_whole = token.path.exists() and token.path.read_text() == token.text
                self.check(WORKS, is_whole and self.is_accepted(token.text), f"{name}, its token whole: {is_whole}")

    def settle(self, operator, lines):
        """What was under way happened, or did not; either is right, but not half of it."""
        change = operator.under_way
        if change.revision is not None:  # acknowledged, and the disk went before its token could be read
            is_there = change.path is None or change.path.exists()
            self.check(WORKS, is_there, f"{change.path} is lost")
            if is_there:
                operator.believe(change)
            return
        if change.path is None:
            known = max([len(self.log_before), *(one.revision for one in operator.acknowledged)])
            is_done = any(change.is_entry(json.loads(line)) for line in lines[known:])
            if is_done:
                operator.believe(change)
        else:
            is_done = change.path.exists() and TOKEN.fullmatch(change.path.read_text()) is not None
            if is_done:
                token = change.path.read_text()
                if not self.is_accepted(token):
                    code, _, told = self.marque("activate", "--token-stdin", "--confirm", stdin=token)
                    self.check(ONE_COMMAND, code == 0 and self.is_accepted(token),
                               f"{change.words}: activate ended with {code}: {told}; it had said: {operator.failure}")
                operator.believe(change)
            else:
                self.check(NOTHING_ELSE, *self.in_force_without_token(change, operator))
        if operator.code == 8:
            self.check(UNCHANGED, not is_done, f"{change.words}: {operator.failure}")
        self.cut_off += 1
        self.cut_off_and_done += is_done

    def in_force_without_token(self, change, operator):
        code, out, _ = self.marque("-o", "json", "inspect", change.identity)
        credentials = json.loads(out)["credentials"] if code == 0 else []
        in_force = {one["credential"] for one in credentials if one["state"] == "active"}
        known = {operator.alive[change.identity].credential} if change.identity in operator.alive else set()
        return in_force <= known, f"{change.words}: {in_force} in force, delivered {known}"


def play(folder):
    seed = int(os.environ.get("MARQUE_SEED") or random.SystemRandom().randrange(2**32))
    cuts = int(os.environ.get("MARQUE_POWER_CUTS") or 200)
    disk = Disk(folder)
    with contextlib.closing(disk):
        print(f"# seed {seed}", flush=True)
        rounds = Rounds(disk, seed)
        began = time.monotonic()
        while rounds.cuts < cuts and len(rounds.findings.failures) < 20:
            rounds.work_until_the_cut()
            rounds.look()
        print(f"# {rounds.cuts} power cuts in {time.monotonic() - began:.0f} s, {len(rounds.log_before)} entries; "
              f"acknowledged {rounds.acknowledged}, lost {rounds.lost}; cut off {rounds.cut_off}, "
              f"of which {rounds.cut_off_and_done} had happened")
        return rounds.findings.report(rounds.cuts)


def main():
    if len(sys.argv) > 1:
        print(__doc__)
        return 0 if sys.argv[1] == "--help" else 2
    if not os.environ.get("MARQUE"):
        sys.exit("set MARQUE to the binary under test")
    os.environ["MARQUE"] = str(Path(os.environ["MARQUE"]).resolve())
    with tempfile.TemporaryDirectory(prefix="marque-power-") as folder:
        try:
            return play(Path(folder))
        except Missing as missing:
            print(f"skipped: {missing}\n0 passed, 0 failed, 1 skipped")
            return 0


if __name__ == "__main__":
    sys.exit(main())
