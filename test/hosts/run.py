#!/usr/bin/env python3
"""The promise over many hosts: what was taken away before a request began is accepted by no verifier, whatever befalls
links, processes, clocks and databases.

usage: run.py [--plant lie|slow-clock] [PATTERN…]     the phases whose name in phases.py contains a PATTERN, or all

MARQUE is the binary under test. Two operators' hosts revoke, pause and rotate as fast as they can (operators.py), a
load's host asks three verifiers' about those very tokens (callers.py), the hosts are network namespaces (network.py),
and phases.py says what befalls them. Afterwards every answer is held against what was done (test/server/history.py).

MARQUE_SEED repeats the choices of a run. MARQUE_SOAK_S (default 6) is for how long faults come in any order, two at a
time. MARQUE_HOSTS_MODE=strict has the verifiers ask before each round of answers, instead of by a lease.
--plant: a fault that has to be found, and so a run that has to fail: commands that are said to have returned when they
began, or clocks at half their speed.
"""

import argparse
import os
import random
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "server"))
sys.dont_write_bytecode = True

import machine  # noqa: E402


def play(folder, seed, plant, patterns):
    import phases
    from installation import Installation, Report
    from verifiers import MODE

    report = Report()
    print(f"# seed {seed}, mode {MODE}{f', planted: {plant}' if plant else ''}", flush=True)
    installation = Installation(folder, seed, plant, report)
    try:
        phases.play(installation, patterns)
    except AssertionError as error:
        report.check("it all went as it was planned", False, str(error))
    phases.conclude(installation, patterns)
    print(report)
    return 1 if report.failed or not report.passed else 0


def main():
    parser = argparse.ArgumentParser(usage="run.py [--plant lie|slow-clock] [PATTERN…]")
    parser.add_argument("--plant", choices=("lie", "slow-clock"))
    parser.add_argument("patterns", nargs="*")
    given = parser.parse_args()
    if not os.environ.get("MARQUE"):
        sys.exit("set MARQUE to the binary under test")
    os.environ["MARQUE"] = str(Path(os.environ["MARQUE"]).resolve())
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    seed = int(os.environ.get("MARQUE_SEED") or random.SystemRandom().randrange(2**32))
    try:
        return machine.run_within(lambda folder: play(folder, seed, given.plant, given.patterns))
    except machine.Missing as missing:
        print(f"skipped: {missing}\n0 passed, 0 failed, 1 skipped")
        return 0


if __name__ == "__main__":
    sys.exit(main())
