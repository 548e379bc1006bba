#!/usr/bin/env python3
"""Whether every test that docs/threat-model.md and docs/invariants.md name is there: unit tests, scripts and parts of
their titles, Python files and functions, files, folders. A row must name one, or say `none`. And whether each
invariant that code or a document cites by its number is listed.

    threats.py [--self-test]
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r"\| (\d+[a-z]?) \|.*\|([^|]*)\|$")
CITED = re.compile(r"invariants? ?(\d+)(?:(?:,| and|, and) (\d+))*", re.I)
UNIT = re.compile(r"TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)")

SOURCES = {".cpp", ".h", ".py", ".bats", ".bash", ".toml", ".md", ".pml", ".sql"}


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
        match = ROW.match(line)
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
        yield "there are no rows"


def cited(text):
    """Numbers of invariants: of "invariants 3 and 4", 3 and 4."""
    for match in CITED.finditer(text):
        yield from re.findall(r"\d+", match.group())


def unlisted(text, root):
    """Where an invariant is cited that `text` does not list."""
    listed = {match.group(1) for match in map(ROW.match, text.splitlines()) if match}
    for folder in ("src", "include", "test", "docs", "bench", "examples", "packaging"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCES and path != pathlib.Path(__file__).resolve():
                for number in sorted(set(cited(path.read_text())) - listed):
                    yield f"{path.relative_to(root)} cites invariant {number}, which is not listed"


NAMED_FILE = re.compile(r"(?<![\w./~-])((?:\w+/)+[\w.-]+\.(?:h|cpp|py|bats|sql|toml|pml|md))(?![\w/*])")
PLACES = ("", "src", "include", "test", "docs", "bench", "packaging")


def missing_files(text, root, beside):
    """Files that `text` names by a path within the tree and that are not there."""
    text = re.sub(r"^#include.*", "", text, flags=re.M)  # the compiler's
    for name in sorted(set(NAMED_FILE.findall(text))):
        if any(c.isupper() for c in name):
            continue  # a part to be filled in
        folder = name.split("/")[0]
        places = [root / place for place in PLACES] + [beside]
        if any((place / folder).is_dir() for place in places) and not any((place / name).exists() for place in places):
            yield name


def comments_and_documents(root):
    for folder in ("src", "include", "test", "docs", "bench", "examples", "packaging"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCES and not {"baseline", "architecture"} & set(path.parts):
                yield path


def wrong_example(text, root):
    """What contributing.md says of the last field: the files that it touched are there, and have it."""
    match = re.search(r"The last one, `(\w+)::(\w+)`, touched:\n\n```\n(.*?)\n```", text, re.S)
    if not match:
        yield "there is no list of the files that the last field touched"
        return
    field, files = match.group(2), match.group(3).split("\n")
    for name in files:
        if not (root / name).is_file() or field not in (root / name).read_text():
            yield f"{name} has no {field}"
    if len(files) > 8:
        yield f"a field touches {len(files)} files"
    member = re.compile(rf"(?:[.]|::){field}\b(?!\()")
    for path in sorted([*root.glob("src/**/*.cpp"), *root.glob("src/**/*.h")]):
        name = str(path.relative_to(root))
        if name not in files and "options" not in name and member.search(path.read_text()):
            yield f"{name} has the field {field}, and is not listed"


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
    for text, numbers in [("(invariants 3 and 4)", "34"), ("TEST(A, Invariant7_B)", "7"), ("an invariant", "")]:
        if "".join(cited(text)) != numbers:
            sys.exit(f"self-test: {text}: {list(cited(text))}")
    for text, is_well in [("store/sql/columns.h", True), ("store/sql/no_such.h", False), ("no_such/sql/columns.h", True)]:
        if (not list(missing_files(text, ROOT, ROOT))) != is_well:
            sys.exit(f"self-test: a file that is named: {text}")
    example = "The last one, `Identity::description`, touched:\n\n```\nsrc/domain/entities.h\n```"
    if not any("columns.h has the field" in wrong for wrong in wrong_example(example, ROOT)):
        sys.exit("self-test: a file that a field touched and that is not listed is not found")
    if not list(unlisted("| 1 | text | none |", ROOT)):
        sys.exit("self-test: invariants that are not listed are not found")


def main():
    tests = Tests(ROOT)
    if "--self-test" in sys.argv[1:]:
        return self_test(tests)
    found = []
    for name in ("docs/threat-model.md", "docs/invariants.md"):
        found += [f"{name}: {finding}" for finding in findings((ROOT / name).read_text(), tests)]
    found += [f"docs/invariants.md: {u}" for u in unlisted((ROOT / "docs/invariants.md").read_text(), ROOT)]
    for path in comments_and_documents(ROOT):
        found += [f"{path.relative_to(ROOT)} names {name}, which is not there"
                  for name in missing_files(path.read_text(), ROOT, path.parent)]
    found += [f"docs/contributing.md: {wrong}" for wrong in wrong_example((ROOT / "docs/contributing.md").read_text(), ROOT)]
    for finding in found:
        print(finding)
    return sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
