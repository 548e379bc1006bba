#!/usr/bin/env python3
"""Checks the models in this folder with spin, every variant and every mutant, two at a time, and counts them.

usage: run.py [--list | --trace] [PATTERN…]

  PATTERN   only runs whose name contains one, such as lifecycle, REAPER or 'lease M_SEQ'; all by default
  --list    say what would be run
  --trace   show the steps that lead to each violation

What there is to run stands in the comment that a model begins with: the model itself, which must hold, and below the
headings of SECTIONS a line for each variant, "-DNAME…  what it is". To hold means that the whole space of states was
searched, nothing was wrong in it, and every statement of the model was reached; to be violated, that an assertion
failed (with LIVE: that something can go on for ever without it). The comment and the names that the model's #if lines
ask for must agree, which counts as a run of its own.
"""

import concurrent.futures
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
HOLDS, VIOLATED = "holds", "violated"
SECTIONS = {"Must hold too:": HOLDS, "Can't be promised:": VIOLATED, "Mutants:": VIOLATED}

AT_A_TIME = 2
LONGEST_S = 600
DEEPEST = 100_000
# No bit-state hashing and no hash compaction: they would leave states out.
SAFETY = ["-DSAFETY", "-DNOFAIR"]
LIVENESS = ["-DNFAIR=3"]
MEMORY = "-DMEMLIM=6000"

# What pan says when it has not searched everything.
TRUNCATED = re.compile(r"Search not completed|max search depth too small|out of memory|MEMLIM|Bit statespace|"
                       r"hash-compact|VECTORSZ|resource limit", re.I)
UNREACHED = re.compile(r"^\t\S+:(\d+), state \d+, \"(?!-end-)(.*)\"", re.M)


@dataclass(frozen=True)
class Run:
    model: Path
    defines: tuple
    expected: str

    @property
    def name(self):
        return " ".join([self.model.stem, *self.defines])

    @property
    def of_liveness(self):
        return "LIVE" in self.defines


@dataclass(frozen=True)
class Outcome:
    wrong: str  # why it failed, or nothing
    states: int = 0
    said: str = ""
    trace: str = ""


def header(text):
    return text.partition("*/")[0]


def runs_of(model):
    yield Run(model, (), HOLDS)
    expected = None
    for line in header(model.read_text()).splitlines():
        expected = SECTIONS.get(line.removeprefix(" * "), expected)
        listed = re.match(r" \*   (-D\w+(?: -D\w+)*)(?=  |$)", line)
        if expected and listed:
            yield Run(model, tuple(re.findall(r"-D(\w+)", listed[1])), expected)


def disagreements(model):
    """Between the comment and the #if lines. A name that the model itself may define needs not be listed."""
    text = model.read_text()
    listed = {define for run in runs_of(model) for define in run.defines}
    mutants = {define for run in runs_of(model) for define in run.defines if define.startswith("M_")}
    asked_for = {name for line in re.findall(r"^#\s*(?:el)?if(?:n?def)?\b(.*)", text, re.M)
                 for name in re.findall(r"\b[A-Z]\w*", line)}
    defined = set(re.findall(r"^#\s*define (\w+)", text, re.M))
    mentioned = set(re.findall(r"-D(\w+)", header(text)))
    for name in sorted(listed - asked_for):
        yield f"{name} is listed, but no #if asks for it"
    for name in sorted(asked_for - listed - defined | {name for name in asked_for - mutants if name.startswith("M_")}):
        yield f"an #if asks for {name}, which is not listed"
    for name in sorted(mentioned - listed):
        yield f"{name} is mentioned in the comment, but not in a line below a heading"


def judge(run, code, said):
    """Why the run is not what it should be, or nothing."""
    errors = re.search(r"errors: (\d+)", said)
    if errors is None:
        return f"pan ended with {code} and no count of errors"
    if run.expected == VIOLATED:
        if ("acceptance cycle" if run.of_liveness else "assertion violated") in said and errors[1] != "0":
            return ""
        return "nothing was violated" + (", and not everything was searched" if TRUNCATED.search(said) else "")
    if errors[1] != "0":
        return "violated"
    if code != 0 or TRUNCATED.search(said) or "Full statespace search" not in said:
        return "not everything was searched"
    if run.of_liveness and not re.search(r"acceptance\s+cycles\s+\+ \(fairness enabled\)", said):
        return "no search for cycles"
    if not run.of_liveness and not re.search(r"assertion violations\s+\+", said):
        return "assertions were not looked at"
    if found := UNREACHED.search(said):
        return f"never reached: line {found[1]}, {found[2]}"
    return ""


def search(run, folder, with_trace):
    def call(*command):
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=LONGEST_S)
        return done.returncode, done.stdout

    defines = [f"-D{define}" for define in run.defines]
    code, said = call("spin", "-a", *defines, str(run.model))
    if code != 0 or not (folder / "pan.c").exists() or "rror:" in said:
        return Outcome("spin does not take it", said=said)
    code, said = call("gcc", "-O2", "-w", MEMORY, *(LIVENESS if run.of_liveness else SAFETY), "-o", "pan", "pan.c")
    if code != 0:
        return Outcome("it does not compile", said=said)
    code, said = call("./pan", f"-m{DEEPEST}", "-w24", *(["-a", "-f"] if run.of_liveness else []))
    states = re.search(r"(\d+) states, stored", said)
    trail = folder / f"{run.model.name}.trail"
    trace = ""
    if with_trace and trail.exists():
        trace = call("spin", "-t", "-p", "-g", "-k", str(trail), *defines, str(run.model))[1]
    return Outcome(judge(run, code, said), int(states[1]) if states else 0, said, trace)


def timed(run, with_trace):
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            outcome = search(run, Path(folder), with_trace)
        except subprocess.TimeoutExpired:
            outcome = Outcome(f"not done after {LONGEST_S} s")
    return outcome, time.monotonic() - start


def main(arguments):
    options = {argument for argument in arguments if argument.startswith("-")}
    patterns = [argument for argument in arguments if not argument.startswith("-")]
    if "--help" in options:
        print(__doc__)
        return 0
    if options - {"--list", "--trace"}:
        print(__doc__, file=sys.stderr)
        return 2

    models = sorted(FOLDER.glob("*.pml"))
    # What must hold is searched to its end and takes longest: first.
    runs = sorted((run for model in models for run in runs_of(model)), key=lambda run: run.expected != HOLDS)
    runs = [run for run in runs if not patterns or any(pattern in run.name for pattern in patterns)]
    if "--list" in options:
        for run in runs:
            print(f"{run.name}: {run.expected}")
        return 0
    for program in "spin", "gcc":
        if not shutil.which(program):
            print(f"{program} is not installed, so nothing was checked (tools/setup installs it)")
            print("0 passed, 1 failed")
            return 1

    passed = failed = 0
    for model in models:
        if any(run.model == model for run in runs):
            found = list(disagreements(model))
            passed, failed = passed + (not found), failed + bool(found)
            print("\n   ".join([f"{model.stem}, its list: {'FAILED' if found else 'agrees with the #if lines'}", *found]))
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for run, (outcome, seconds) in zip(runs, pool.map(lambda run: timed(run, "--trace" in options), runs)):
            passed, failed = passed + (not outcome.wrong), failed + bool(outcome.wrong)
            verdict = f"FAILED, {outcome.wrong}" if outcome.wrong else run.expected
            print(f"{run.name}: {verdict}, {outcome.states} states, {seconds:.1f} s", flush=True)
            if outcome.wrong:
                print("\n".join("   " + line for line in outcome.said.splitlines()[:40]))
            if outcome.trace:
                print(outcome.trace)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
