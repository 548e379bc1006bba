#!/usr/bin/env python3
"""That nobody learns from how long a refusal takes how much of a token was right: counted, not timed.

usage: run.py PROGRAM     PROGRAM: the executable constant_time

Each verification is counted by callgrind, instruction by instruction.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DUMP = re.compile(r"^desc: Trigger: Client Request: ([^\n]+)$.*?^totals: (\d+)$", re.M | re.S)


def counted(program):
    """Instructions by case."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out", program],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
        dumps = (DUMP.search(path.read_text()) for path in Path(folder).iterdir())
        return {dump[1]: int(dump[2]) for dump in dumps if dump}


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, is_so, what):
        self.passed, self.failed = self.passed + is_so, self.failed + (not is_so)
        print(f"{'ok' if is_so else 'not ok'} {what}")


def main(program):
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed: tools/setup")
    counts, checks = counted(program), Checks()
    by_hash = [counts[f"hash byte {i}"] for i in range(32)]
    checks.check(min(by_hash) > 1000, f"a verification is counted: {by_hash[0]} instructions")
    checks.check(by_hash[0] == by_hash[31], f"the hash differs in its first byte, in its last: {by_hash[0]}, {by_hash[31]}")
    checks.check(len(set(by_hash)) == 1, f"the hash differs in any byte: {sorted(set(by_hash))}")
    secrets = [counts["secret byte 0"], counts["secret byte 31"]]
    checks.check(set(secrets) == {by_hash[0]}, f"the secret differs in its first byte, in its last: {secrets}")
    # These may differ, and say so: an unknown id is not compared with anything, and a right secret is judged. What costs
    # most, hashing, each has done.
    for case in ("unknown", "revoked", "accepted"):
        difference = counts[case] - by_hash[0]
        checks.check(abs(difference) * 20 < by_hash[0], f"{case}: {counts[case]}, {difference:+d}")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
