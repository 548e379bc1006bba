#!/usr/bin/env python3
"""Types README's session, in an empty folder with a store of its own, and compares what is said with what README says.

    session.py README     MARQUE_STORE and PATH say which store and which program

README's output is trimmed: its lines have to be there, in that order; `…` stands for any. Names of operators, ids,
digests and times differ from run to run, and so does the width of columns.
"""

import re
import subprocess
import sys
from pathlib import Path

DIFFERENT = [
    (r"\boperator \S+ with uid \d+", "operator NAME with uid N"),
    (r"^Plan: (\w+) as \S+", r"Plan: \1 as NAME"),
    (r"SHA256:\S+", "FINGERPRINT"),
    (r"--confirm=[0-9a-f]{16}", "--confirm=DIGEST"),
    (r"\binstallation [0-9a-z]{26}\b", "installation ID"),
    (r"\bcredential [0-9a-z]{12}\b", "credential ID"),
    (r"^[0-9a-z]{12}\b", "ID"),
    (r"\b(approval|sign|--approval) [0-9a-z]{8}\b", r"\1 ID"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME"),
    (r"\bin \d+ (second|minute|hour|day)s?\b", "in A WHILE"),
    (r"\b(just now|\d+ \w+ ago)\b", "LATELY"),
    (r"\broot \S{44}$", "root HASH"),
    (r"\s+", " "),
]


def steps(readme):
    """(command, lines README shows for it) for each `$ marque …` in the section."""
    section = re.search(r"^## A session\n(.*?)^## ", readme, re.M | re.S)[1]
    found = []
    for line in re.search(r"^```\n(.*?)^```", section, re.M | re.S)[1].splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def plain(line):
    line = line.strip()
    for pattern, instead in DIFFERENT:
        line = re.sub(pattern, instead, line)
    return line


def missing(wanted, said):
    """The first line of `wanted` that is not in `said` after those before it."""
    rest = iter([plain(line) for line in said])
    for line in wanted:
        if line != "…" and plain(line) not in rest:
            return line
    return None


def main(readme):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "owner", "-f", "owner"], check=True)
    commands = steps(Path(readme).read_text())
    failed = 0
    for command, wanted in commands:
        run = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False)
        line = missing(wanted, run.stdout.splitlines())
        if line is not None:
            failed += 1
            print(f"README: {command}\nsays:   {line}\nit said:\n{run.stdout}")
    print(f"{len(commands) - failed} passed, {failed} failed")
    return 1 if failed or not commands else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
