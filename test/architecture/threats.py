#!/usr/bin/env python3
"""Whether every test that docs/threat-model.md names is there: unit tests, scripts and parts of their titles, Python
files and functions, folders. A row must name one, or say `none`.

    threats.py [--self-test]
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = re.compile(r"TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)")


class Tests:
    def __init__(self, root):
        self.root = root
        sources = [*root.glob("src/**/*_test.cpp"), *root.glob("test/store/*_test.cpp")]
        self.units = {m for path in sources for m in UNIT.findall(path.read_text())}
        self.scripts = {}
        for path in [*root.glob("test/cli/*.bats"), *root.glob("test/torture/*.bats")]:
            self.scripts.setdefault(path.name, "")
            self.scripts[path.name] += "\n".join(re.findall(r"^@test .*", path.read_text(), re.M))
        self.python = {p.name: p.read_text() for p in root.glob("test/*/*.py")}

    def has_unit(self, suite, name):
        return any(s == suite and (name == "*" or n == name) for s, n in self.units)

    def judge(self, words, quoted):
        """What is named and is not there."""
        is_python = ""
        for word in words:
            if match := re.fullmatch(r"([A-Z]\w+)\.([A-Z]\w*|\*)", word):
                found = self.has_unit(*match.groups())
            elif word.endswith(".bats"):
                found = word in self.scripts
            elif word.startswith("test/"):
                found = (self.root / word).exists()
            elif word.endswith(".py"):
                found, is_python = word in self.python, self.python.get(word, "")
            elif word.startswith("test_"):
                found = f"def {word}(" in is_python
            else:
                continue
            if not found:
                yield word
        titles = "\n".join(self.scripts.values())
        for title in quoted:
            if title not in titles:
                yield f'"{title}"'


def findings(text, tests):
    rows = 0
    for line in text.splitlines():
        match = re.match(r"\| (\d+[a-z]?) \|.*\|([^|]*)\|$", line)
        if not match:
            continue
        rows += 1
        number, named = match.groups()
        words = re.findall(r"`([^`]+)`", named)
        if not words and not named.strip().startswith("none"):
            yield f"row {number} names no test, and does not say none"
        for missing in tests.judge(words, re.findall(r'"([^"]+)"', named)):
            yield f"row {number}: {missing} is no test that there is"
    if rows < 10:
        yield "there are no rows of attacks"


def self_test(tests):
    row = "| 1 | an attack | T1 | outcome | {} |"
    filler = "\n".join(row.format("none") for _ in range(10))
    for named, is_well in [
        ("`Seals.Invariant12_NothingIsAdded`; `revoke.bats`", True),
        ("`Seals.NoSuchTest`", False),
        ("`no_such.bats`", False),
        ("`changes_test.py`, `test_changes_by_hand`", True),
        ("`changes_test.py`, `test_no_such`", False),
        ('`revoke.bats`, "whoever can write SQL"', True),
        ('`revoke.bats`, "no such title at all"', False),
        ("trust me", False),
        ("none", True),
    ]:
        found = list(findings(filler + "\n" + row.format(named), tests))
        if bool(found) == is_well:
            sys.exit(f"self-test: {named}: {found}")


def main():
    tests = Tests(ROOT)
    if "--self-test" in sys.argv[1:]:
        return self_test(tests)
    found = list(findings((ROOT / "docs/threat-model.md").read_text(), tests))
    for finding in found:
        print(f"docs/threat-model.md: {finding}")
    return sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
