"""What befalls the hosts, one thing after another, and what has to hold meanwhile."""

import os
import signal
import time

import verifiers
from callers import VERDICTS
from database import freeze, thaw
from network import DATABASE
from operators import DONE, KILLED
from verifiers import HAS_LEASES, LEASE_ENDED_S, LEASE_S

SOAK_S = float(os.environ.get("MARQUE_SOAK_S") or 6)
BRIEFLY_S, LONG_S = LEASE_S * 0.4, LEASE_ENDED_S + LEASE_S  # shorter and longer than a lease
# A lost process may leave a lock for 15 s (src/store/postgres/connection.cpp). A command may wait for two such locks and a
# lease, and does its own work besides, which takes 5 s on a slow machine.
LONGEST_S = 40
LEAST_ANSWERS, LEAST_TAKEN = 1_000_000, 2_000


def expect_open(at, seen, *names):
    for name in names:
        at.report.check(f"{name} never said 503", seen.closed(name) == 0, f"{seen.closed(name)} times")


def expect_closed(at, seen, name):
    """It has said so. Without leases it may just as well be waiting for its database; what it must not do is seen at the end."""
    if HAS_LEASES:
        at.report.check(f"{name} said 503", seen.closed(name) > 0)


def expect_commands_done(at, seen):
    """While the database can be reached, a verifier that can't be makes a change slow, and no more."""
    others = {code: number for code, number in seen.codes.items() if code not in (DONE, KILLED)}
    at.report.check("every command was done", not others, str(others))
    longest_s = max(seen.times_ms, default=0) / 1000
    at.report.check(f"none took longer than {LONGEST_S} s", longest_s < LONGEST_S or not HAS_LEASES, f"{longest_s:.1f}")


def healthy(at):
    with at.phase("nothing befalls anybody") as seen:
        at.go_on(10)
    expect_open(at, seen, "v1", "v2", "v3")
    expect_commands_done(at, seen)
    at.report.check("all were accepted and refused",
                    all(counts[status] > 100 for counts in seen.answers.values() for status in VERDICTS))


def link_cut(at):
    """The decisive one: no database, but asked all the time."""
    for verifier in at.shuffled():
        lose, how = at.choose.choice(((verifier.host.unplug, "unplugged"),
                                      (lambda v=verifier: v.host.filter("out", "in"), "silent")))
        with at.phase(f"{verifier.name} loses its database, {how}, and is asked on") as seen:
            for seconds, taken in ((BRIEFLY_S, 0), (LONG_S, 8)):
                at.without_database(verifier, seconds, lose, taken)
                at.expect_answers(seen)
        expect_closed(at, seen, verifier.name)
        expect_open(at, seen, *at.others(verifier))
        expect_commands_done(at, seen)


def one_direction(at):
    """Who can't hear is told afterwards of a lease that was given when it was asked for, and not when it is told."""
    dumb, deaf, other = at.shuffled()
    with at.phase(f"{dumb.name} can't send to its database, then {deaf.name} can't hear from it, three times") as seen:
        for verifier, direction in ((dumb, "out"), (deaf, "in"), (deaf, "in"), (deaf, "in")):
            at.without_database(verifier, LONG_S, lambda v=verifier, d=direction: v.host.filter(d))
            at.expect_answers(seen)
    expect_closed(at, seen, dumb.name)
    expect_closed(at, seen, deaf.name)
    expect_open(at, seen, other.name)
    expect_commands_done(at, seen)


def slow_link(at):
    verifier = at.choose.choice(at.verifiers)
    with at.phase(f"{verifier.name} has a slow link to its database") as seen:
        verifier.host.slow_down("100kbit")
        at.go_on(3)
        verifier.host.heal()
        at.expect_answers(seen)
    expect_open(at, seen, *at.others(verifier))
    expect_commands_done(at, seen)


def stopped(at):
    with at.phase("verifiers are stopped and continued") as seen:
        for seconds, many in ((BRIEFLY_S, 1), (LONG_S, 1), (BRIEFLY_S, 3), (LONG_S, 2)):
            chosen = at.shuffled()[:many]
            for verifier in chosen:
                verifier.signal(signal.SIGSTOP)
            at.go_on(seconds)
            for verifier in chosen:
                verifier.signal(signal.SIGCONT)
            at.expect_answers(seen)
    expect_commands_done(at, seen)


def killed(at):
    with at.phase("verifiers are killed, and ended, and started again") as seen:
        for verifier in at.shuffled():
            verifier.kill()
            at.wait_for_taken(3)
            verifier.start().ready()
            at.expect_answers(seen)
        verifier.restart()
        at.expect_answers(seen)
    expect_commands_done(at, seen)


def backends_frozen(at):
    with at.phase("the database's processes that serve a verifier are frozen") as seen:
        for verifier in at.shuffled()[:2]:
            frozen = freeze(at.primary.backends_of(verifier.host))
            at.go_on(LONG_S)
            thaw(frozen)
            at.expect_answers(seen)


def operator_cut(at):
    operator = at.hosts[at.choose.choice(("op1", "op2"))]
    with at.phase(f"{operator.name} loses the database for a while") as seen:
        operator.filter("in", "out")
        at.go_on(LONG_S)
        operator.heal()
        at.wait_for_taken(20)
    expect_open(at, seen, "v1", "v2", "v3")


def clocks(at):
    """Within what is promised: 1 % of drift; the wall's clock and the time of boot are not used. A clock beyond that, or
    one that stands still while others go on, is outside of it."""
    slow, stepped, later = at.shuffled()
    file = stepped.host.folder / "clock"
    verifiers.set_clock(file, "+0")
    prefixes = (verifiers.slow_clock(0.995), verifiers.clock_set_by(file), verifiers.later_boot(100_000))
    expect_tools(at, file)
    verifiers.set_clock(file, "+0")
    with at.phase(f"{slow.name}'s clock is slow by half a percent, {stepped.name}'s wall clock is set, {later.name} was booted"
                  " earlier") as seen:
        for verifier, prefix in zip((slow, stepped, later), prefixes):
            verifier.restart(prefix)
        at.expect_answers(seen)
        for verifier, offset in ((slow, "+1h"), (stepped, "-1h"), (later, "+30d")):
            verifiers.set_clock(file, offset)
            at.without_database(verifier, LONG_S, lambda v=verifier: v.host.filter("in", "out"))
            at.expect_answers(seen)
    expect_commands_done(at, seen)


def expect_tools(at, file):
    """What the prefixes do to clocks, so that nobody believes what is not so."""
    real = verifiers.clocks_under([])
    verifiers.set_clock(file, "+1h")
    for what, prefix, wanted in (("a clock is set: the wall's alone", verifiers.clock_set_by(file), [3600, 0, 0]),
                                 ("booted earlier: the boot-time clock alone", verifiers.later_boot(100_000), [0, 0, 100_000])):
        moved = [round(there - here, -2) for there, here in zip(verifiers.clocks_under(prefix), real)]
        at.report.check(what, moved == wanted, str(moved))
    at.report.check("slow: the boot-time clock too", 0.4 < verifiers.rate_under(verifiers.slow_clock(0.5)) < 0.6)


def mixed(at):
    """Two at a time, in any order; on a slow machine longer, until enough was taken away."""
    with at.phase(f"anything, two at a time, for {SOAK_S:g} s") as seen:
        end = time.monotonic() + SOAK_S
        while time.monotonic() < end or at.operators.taken.value < at.least_taken:
            undo = [befall(at, verifier, at.choose.choice(MISHAPS)) for verifier in at.shuffled()[:2]]
            at.go_on(at.choose.choice((BRIEFLY_S, BRIEFLY_S, LEASE_S, LONG_S)))
            for mend in undo:
                mend()
            at.expect_answers(seen)


MISHAPS = ("unplugged", "silent", "deaf", "dumb", "slow", "stopped", "killed", "ended", "frozen")


def befall(at, verifier, what):
    """It does; and how that is mended."""
    host = verifier.host
    if what == "stopped":
        verifier.signal(signal.SIGSTOP)
        return lambda: verifier.signal(signal.SIGCONT)
    if what in ("killed", "ended"):
        verifier.server.stop(signal.SIGKILL if what == "killed" else signal.SIGTERM)
        return lambda: verifier.start().ready()
    if what == "frozen":
        frozen = freeze(at.primary.backends_of(host))
        return lambda: thaw(frozen)
    {"unplugged": host.unplug, "silent": lambda: host.filter("out", "in"), "deaf": lambda: host.filter("in"),
     "dumb": lambda: host.filter("out"), "slow": lambda: host.slow_down("60kbit")}[what]()
    return host.heal


def database_restarted(at):
    at.have_standby()
    with at.phase("the database dies and is started again, twice") as seen:
        for _ in range(2):
            at.primary.stop_at_once()
            at.go_on(at.choose.choice((BRIEFLY_S, LEASE_ENDED_S)))
            at.primary.start()
            at.wait_for_taken(10)
            at.expect_answers(seen)


def standby_promoted(at):
    at.have_standby()
    with at.phase("the primary dies, and its synchronous standby is promoted") as seen:
        at.primary.stop_at_once()
        at.promote_standby()
        at.wait_for_taken(10)
        at.expect_answers(seen)


def two_primaries(at):
    """The one that is left behind waits for its standby, so nobody can renew a lease at it. Who asks it without a lease
    is told that nothing was committed: there, this is not promised."""
    if not HAS_LEASES:
        at.report.skip("two primaries: without leases this is not promised")
        return
    at.add_standby(is_waited_for=True)
    verifier, left = at.choose.choice(at.verifiers), at.primary
    with at.phase(f"the primary is lost to all but {verifier.name}, and its synchronous standby is promoted") as seen:
        left.host.filter("out", "in", but=verifier.host.address[DATABASE])
        since = time.monotonic_ns()
        at.promote_standby()
        at.wait_for_taken(10)
        at.is_dark(verifier, since, time.monotonic_ns())
        left.stop_at_once()
        at.expect_answers(seen)
    expect_closed(at, seen, verifier.name)


def sum_up(at):
    """All that was asked is asked once more."""
    at.operators.ask("hold")
    with at.phase("every token there ever was, at every verifier"):
        at.report.check("all were asked about", at.callers.ask_witness(60, "sweep") is not None)
    at.marque("audit", "verify")
    if HAS_LEASES:
        listed = at.marque("verifiers", "-o", "json")
        at.report.check("marque verifiers names them", all(name in listed for name in ("v1", "v2", "v3")), listed)


def standby_behind(at):
    """An asynchronous standby that has not got all that was acknowledged: nobody may go by what it says."""
    at.add_standby(is_waited_for=False)
    at.operators.ask("go")
    with at.phase("a standby is promoted that has less than was acknowledged") as seen:
        at.standby.host.filter("out", "in", only=at.primary.address)
        at.wait_for_taken(20)
        at.operators.ask("hold")
        begun = [len(verifier.reasons()) for verifier in at.verifiers]
        at.primary.stop_at_once()
        since = time.monotonic_ns()
        at.promote_standby()
        at.wait_for_reasons(begun)
        at.go_on(1)
        at.make_more(300)  # now its log is longer than theirs, and another
        at.go_on(2)
        for verifier in at.verifiers:
            at.is_dark(verifier, since, time.monotonic_ns())
        reasons = {verifier.name: verifier.reasons()[-1] for verifier in at.verifiers}
        for verifier in at.verifiers if HAS_LEASES else ():  # a new process knows what the one before it knew
            verifier.server.stop()
            verifier.start()
        for verifier in at.verifiers if HAS_LEASES else ():
            at.report.check(f"{verifier.name}, started again, ends at once", verifier.ends_by_itself(),
                            str(verifier.server.log[-3:]))
    for name, reason in reasons.items():
        at.report.check(f"{name}'s log says that the log is another", "the log" in reason, reason)
    for verifier in at.verifiers:
        at.report.check(f"{verifier.name} said 503", seen.closed(verifier.name) > 10)


PHASES = (healthy, link_cut, one_direction, slow_link, stopped, killed, backends_frozen, operator_cut, clocks, mixed,
          database_restarted, standby_promoted, two_primaries, sum_up, standby_behind)


def play(at, patterns):
    at.least_taken = 0 if patterns else LEAST_TAKEN
    at.operators.ask("go")
    for phase in PHASES:
        if not patterns or any(pattern in phase.__name__ for pattern in patterns):
            phase(at)


def conclude(at, patterns):
    at.heal()
    answers, counts = at.finish()
    taken = at.operators.taken.value
    print(f"   {answers:,} answers, {taken:,} taken away; closed {counts[503] / max(1, answers):.1%}")
    if not patterns:
        at.report.check(f"at least {LEAST_ANSWERS:,} answers", answers >= LEAST_ANSWERS, f"{answers:,}")
        at.report.check(f"at least {LEAST_TAKEN:,} taken away", taken >= LEAST_TAKEN, f"{taken:,}")
