"""An installation over the hosts: databases, verifiers, operators and the load, and phases in which things befall them.

Everything is written down while it happens; the verdict on it comes at the end (`finish`). What can be said at once is
checked at once.
"""

import contextlib
import random
import shutil
import subprocess
import threading
import time
from collections import Counter

import harness
import verifiers
from callers import Callers
from changes import Changes, Credential, Identity
from database import Database
from history import History, Switch
from network import make_hosts
from operators import Operators
from verifiers import Verifier

STEADY = 12       # tokens that nobody takes away
WAIT_S = 45       # a bound for what should take a second or two, never a pause
SOURCES = 3       # of tokens: two operators' hosts, and this process


class Report:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, what, holds, detail=""):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        print(f"   {'ok' if holds else 'NOT OK'}  {what}{f': {detail}' if detail and not holds else ''}", flush=True)

    def skip(self, what):
        self.skipped += 1
        print(f"   skipped  {what}", flush=True)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


class Installation:
    def __init__(self, folder, seed, plant, report):
        self.choose, self.report, self.plant = random.Random(seed), report, plant
        self.hosts = make_hosts(folder)
        self.databases = [Database(self.hosts["db1"]), Database(self.hosts["db2"])]
        self.primary, self.standby = self.databases
        self.dark, self.nobody, self.least_taken = {}, threading.Event(), 0
        self.primary.make().configure().start()
        addresses = ",".join(database.address for database in self.databases)
        self.stores = {name: self.hosts[name].folder / "store" for name in ("op1", "op2", "v1", "v2", "v3")}
        self.marque("init", "--operator", "ops", "--postgresql",
                    f"host={addresses} user=marque dbname=postgres target_session_attrs=read-write", "--confirm")
        for name, store in self.stores.items():
            if name != "op1":
                shutil.copytree(self.stores["op1"], store)
        clock = verifiers.slow_clock(0.5) if plant == "slow-clock" else []
        self.verifiers = [Verifier(self.hosts[name], self.stores[name]) for name in ("v1", "v2", "v3")]
        for verifier in self.verifiers:
            verifier.clock = clock
            verifier.start()
        for verifier in self.verifiers:
            verifier.ready()
        self.callers = Callers(self.verifiers, seed, 2)
        self.operators = Operators([self.hosts["op1"], self.hosts["op2"]], [self.stores["op1"], self.stores["op2"]],
                                   self.callers.feeds, SOURCES, seed, plant)
        self.make_steady()

    def marque(self, *words):
        """On the first operator's host."""
        done = subprocess.run([*self.hosts["op1"].within, harness.MARQUE, *words], env=harness.environment(self.stores["op1"]),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"marque {' '.join(words)}: {done.returncode} {done.stdout}{done.stderr}")
        return done.stdout

    def make_steady(self):
        self.changes, environment = Changes(), Switch().give(0, 1)
        for at in range(STEADY):
            begun = time.monotonic_ns()
            token = self.marque("create", f"steady-{at}", "--scope", "card:view,card:edit", "--confirm").strip()
            returned = time.monotonic_ns()
            Credential(self.changes, Identity(f"steady-{at}", environment, begun, returned), token, begun, returned)
        self.callers.ask("steady", [(number * SOURCES + SOURCES - 1, token) for number, token in self.changes.tokens])

    # Phases.

    @contextlib.contextmanager
    def phase(self, name):
        """What happens in it is counted; it ends when all is healed and every verifier answers. What is yielded has the
        counts afterwards."""
        seen = Seen(name)
        begun = time.monotonic_ns()
        self.callers.ask("mark", begun)
        self.operators.ask("mark")
        print(f"== {name}", flush=True)
        yield seen
        self.heal()
        self.count(seen, begun)

    def heal(self):
        for host in self.hosts.values():
            host.heal()

    def expect_answers(self, seen, since=None, names=None):
        """Every verifier accepts again what was asked after that instant, or after now."""
        since = time.monotonic_ns() if since is None else since
        names = names or [verifier.name for verifier in self.verifiers]
        came = self.callers.ask_witness(WAIT_S, "answering", names, since)
        if came is None:
            reasons = {verifier.name: verifier.reasons()[-1:] for verifier in self.verifiers}
            raise AssertionError(f"not all of {', '.join(names)} answer after {WAIT_S} s: {reasons}")
        seen.recovered_s.append((came - since) / 1e9)

    def count(self, seen, begun):
        for answer in self.callers.ask("mark", begun):
            for name, counts in answer.items():
                seen.answers[name] += counts
        for made, codes, times_ms, errors in self.operators.ask("mark"):
            seen.made, seen.codes = seen.made + made, seen.codes + codes
            seen.times_ms += times_ms
            self.report.failed += len(errors)
            for error in errors:
                raise AssertionError(error)
        seen.lasted_s = (time.monotonic_ns() - begun) / 1e9
        seen.tell()

    def go_on(self, seconds):
        """With all that goes on."""
        self.nobody.wait(seconds)

    def wait_for_taken(self, number):
        """Until so many more were taken away."""
        goal = self.operators.taken.value + number
        self.until(f"{number} more are taken away", lambda: self.operators.taken.value >= goal)

    def is_dark(self, verifier, since, until):
        """It can have had no lease from a while after `since`."""
        after = since + int(verifiers.CLOSED_AFTER_S * 1e9)
        if after < until:
            self.dark.setdefault(verifier.name, []).append((after, until))

    def without_database(self, verifier, seconds, lose, taken=0):
        """For so long, and until so many were taken away meanwhile; `lose()` takes it from it, and the host's healing gives
        it back."""
        lose()
        since, goal = time.monotonic_ns(), self.operators.taken.value + taken
        self.go_on(seconds)
        self.until(f"{taken} are taken away", lambda: self.operators.taken.value >= goal)
        self.is_dark(verifier, since, time.monotonic_ns())
        verifier.host.heal()

    def shuffled(self):
        return self.choose.sample(self.verifiers, len(self.verifiers))

    def others(self, verifier):
        return [other.name for other in self.verifiers if other is not verifier]

    # The databases.

    def add_standby(self, is_waited_for):
        """The other database follows the primary; `is_waited_for`: by every commit."""
        if self.standby.process is not None:
            self.standby.stop_at_once()
        self.standby.host.heal()
        self.standby.make_standby_of(self.primary).configure().start()
        self.primary.configure(standby=self.standby.host.name if is_waited_for else "")
        self.until("the standby follows", lambda: self.primary.query(
            "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'") == ("sync" if is_waited_for else "async"))

    def have_standby(self):
        if self.standby.process is None:
            self.add_standby(is_waited_for=True)

    def promote_standby(self):
        self.standby.host.heal()
        self.standby.configure()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def make_more(self, number):
        """Identities, so that the log grows."""
        roster, tokens = self.hosts["op1"].folder / "more", self.hosts["op1"].folder / "more-tokens"
        roster.write_text("".join(f"more-{at}\n" for at in range(number)))
        tokens.mkdir()
        self.marque("create", "--from", str(roster), "--token-dir", str(tokens), "--scope", "card:view", f"--confirm={number}")

    def until(self, what, holds, most_s=WAIT_S):
        end = time.monotonic() + most_s
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"not within {most_s} s: {what}")
            self.nobody.wait(0.01)

    def wait_for_reasons(self, known):
        """Until each verifier's log says more than the `known` lines on why it does not answer."""
        self.until("every log says why", lambda: all(len(verifier.reasons()) > number
                                                     for verifier, number in zip(self.verifiers, known)))

    # The end.

    def finish(self):
        histories, errors = self.operators.finish()
        for error in errors:
            self.report.check("an operator's host", False, error)
        history = History()
        histories.append(self.changes.history)
        longest = max(len(one.tokens) for one in histories)
        history.tokens = [one.tokens[at] if at < len(one.tokens) else () for at in range(longest) for one in histories]
        history.revisions = [revision for one in histories for revision in one.revisions]
        verdicts = self.callers.ask("judge", history, self.dark)
        print("== the history", flush=True)
        all_answers, accepted = 0, Counter()
        for verifier in self.verifiers:
            findings, counts, gaps, meanwhile = merge([verdict[verifier.name] for verdict in verdicts])
            all_answers += sum(counts.values())
            accepted.update(counts)
            print(f"   {verifier.name}  {told(counts)}; {len(gaps):,} tokens asked about after their end,"
                  f" first within {quantiles(gaps.values(), 1e6)} ms")
            self.report.check(f"{verifier.name}: every answer can be true", not findings, "\n      ".join(["", *findings[:12]]))
            self.report.check(f"{verifier.name}: had commands returned when they began, it would have been found",
                              meanwhile > 20, str(meanwhile))
        return all_answers, accepted


def merge(verdicts):
    findings = [finding for found, _, _, _ in verdicts for finding in found]
    counts = sum((counts for _, counts, _, _ in verdicts), Counter())
    gaps = {}
    for _, _, more, _ in verdicts:
        for token, gap in more.items():
            gaps[token] = min(gap, gaps.get(token, gap))
    return findings, counts, gaps, sum(meanwhile for _, _, _, meanwhile in verdicts)


class Seen:
    """What a phase has shown."""

    def __init__(self, name):
        self.name, self.made, self.codes = name, Counter(), Counter()
        self.answers = {"v1": Counter(), "v2": Counter(), "v3": Counter()}
        self.times_ms, self.recovered_s, self.lasted_s = [], [], 0.0

    def closed(self, name):
        return self.answers[name][503]

    def tell(self):
        print(f"   {self.lasted_s:.1f} s; {told(self.made)}; ends {told(self.codes)};"
              f" a command took {quantiles(self.times_ms)} ms")
        if self.recovered_s:
            print(f"   answered again within {quantiles(self.recovered_s)} s")
        for name, counts in self.answers.items():
            share = counts[503] / max(1, sum(counts.values()))
            print(f"   {name}  {told(counts)}; closed {share:.1%}", flush=True)


def told(counter):
    return ", ".join(f"{number:,} {what}" for what, number in sorted(counter.items(), key=str)) or "nothing"


def quantiles(values, unit=1):
    ordered = sorted(values)
    if not ordered:
        return "(none)"
    at = [ordered[min(len(ordered) - 1, int(share * len(ordered)))] / unit for share in (0.5, 0.99)]
    return f"{at[0]:.3g} (median), {at[1]:.3g} (99 %), {ordered[-1] / unit:.3g} (most)"
