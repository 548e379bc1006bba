#!/usr/bin/env python3
"""Runs the tests of `marque serve` in this folder, two at a time, and counts them.

usage: run.py [PATTERN…]     the files to run: *_test.py, or those whose name contains a PATTERN

MARQUE is the binary under test.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SUM = re.compile(r"^Ran (\d+) tests? in", re.M)


def run(path):
    done = subprocess.run([sys.executable, "-m", "unittest", "-v", path.name], cwd=FOLDER, capture_output=True, text=True,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    return path, done.returncode, done.stdout + done.stderr


def count(word, text):
    found = re.findall(rf"\b{word}=(\d+)", text.splitlines()[-1] if text else "")
    return int(found[0]) if found else 0


def main(patterns):
    paths = [p for p in sorted(FOLDER.glob("*_test.py")) if not patterns or any(word in p.name for word in patterns)]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for path, code, text in pool.map(run, paths):
            ran = SUM.search(text)
            bad = count("failures", text) + count("errors", text)
            if code != 0 and bad == 0 or ran is None:
                bad += 1
            skipped = count("skipped", text)
            good = (int(ran[1]) if ran else 0) - bad - skipped
            passed, failed = passed + max(good, 0), failed + bad
            print(f"{path.name}: {good} passed, {bad} failed, {skipped} skipped", flush=True)
            for line in text.splitlines():
                if " ... skipped " in line or line.startswith("#"):
                    print("   " + line)
            if bad:
                print(text)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
