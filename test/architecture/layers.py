#!/usr/bin/env python3
"""Keeps the map of folders: who may include whom, and who may use which library.

usage: layers.py [ROOT] | --self-test

Every #include under ROOT/src is looked at. An edge that is not in the map is an error; so is a folder that is not.
"""

import re
import sys
import tempfile
from pathlib import Path

# A folder and what it may include besides itself. Nothing points up or sideways.
PURE = ["base", "crypto", "domain", "audit"]
MAY_INCLUDE = {
    "base": [],
    "crypto": ["base"],
    "domain": ["base"],
    "audit": ["base", "crypto", "domain"],
    "store": PURE,
    "store/memory": PURE + ["store"],
    "store/sql": PURE + ["store"],
    "store/sqlite": PURE + ["store", "store/sql"],
    "store/postgres": PURE + ["store", "store/sql"],
    "verify": PURE + ["store"],
    "authority": PURE + ["store", "verify"],
    "cli": PURE + ["store", "verify", "authority"],
    "server": PURE + ["store", "verify", "authority"],
    "installation": PURE + ["store", "store/sqlite", "store/postgres", "verify", "authority"],
}
MAY_INCLUDE["main"] = list(MAY_INCLUDE)

# Folders without code of their own.
DATA = ["store/sqlite/migrations", "store/postgres/migrations"]

# What a unit test beside the code may include besides.
TESTS_MAY_INCLUDE = ["store", "store/memory"]

# A library and the one folder that may know of it.
LIBRARIES = {r"openssl/": "crypto", r"sqlite3\.h$": "store/sqlite", r"libpq": "store/postgres", r"CLI/": "cli",
             r"seccomp\.h$": "main"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def folder_of(path):
    return path.rpartition("/")[0]


def judge(folder, is_test, bracket, header):
    """What is wrong with an #include, or None."""
    if bracket == "<":
        for pattern, owner in LIBRARIES.items():
            if re.match(pattern, header) and folder != owner:
                return f"only {owner}/ may include <{header}>: go through what it offers"
        return None
    target = folder_of(header)
    if is_test and header.startswith("test/"):
        return None
    if target not in MAY_INCLUDE:
        return f'"{header}" is in no folder of the map: write the path from src/'
    if target == folder or target in MAY_INCLUDE[folder]:
        return None
    if is_test and target in TESTS_MAY_INCLUDE:
        return None
    allowed = ", ".join(MAY_INCLUDE[folder]) or "nothing"
    return f'{folder}/ may not include "{header}"; it may include {allowed}'


def findings(root):
    source = root / "src"
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if path.is_dir():
            if name not in MAY_INCLUDE and name not in DATA:
                yield f"src/{name}: this folder is not in the map (test/architecture/layers.py)"
            continue
        folder = folder_of(name)
        if path.suffix not in (".h", ".cpp") or folder in DATA:
            continue
        if folder not in MAY_INCLUDE:
            if not folder:
                yield f"src/{name}: put it into one of {', '.join(MAY_INCLUDE)}"
            continue  # else the folder was reported
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if include := INCLUDE.match(line):
                if wrong := judge(folder, path.stem.endswith("_test"), *include.groups()):
                    yield f"src/{name}:{number}: {wrong}"


# A file, a line of it, and whether the line is to be found fault with.
CASES = [
    ("domain/a.cpp", '#include "base/text.h"', False),
    ("domain/b.cpp", '#include "crypto/digest.h"', True),
    ("domain/c.cpp", '  #  include "store/store.h"', True),
    ("domain/d.cpp", '#include "name.h"', True),
    ("base/a.h", '#include "domain/name.h"', True),
    ("store/a.h", '#include "store/sqlite/reader.h"', True),
    ("store/memory/a.cpp", '#include "store/store.h"', False),
    ("store/memory/b.cpp", '#include "store/sqlite/reader.h"', True),
    ("store/sqlite/a.cpp", "#include <sqlite3.h>", False),
    ("authority/a.cpp", '#include "store/memory/memory_store.h"', True),
    ("authority/a_test.cpp", '#include "store/memory/memory_store.h"', False),
    ("authority/b_test.cpp", '#include "test/clock.h"', False),
    ("authority/c_test.cpp", '#include "cli/run.h"', True),
    ("authority/b.cpp", '#include "test/clock.h"', True),
    ("cli/a.cpp", "#include <openssl/evp.h>", True),
    ("cli/b.cpp", "#include <sqlite3.h>", True),
    ("cli/c.cpp", "#include <CLI/App.hpp>", False),
    ("authority/d.cpp", "#include <CLI/App.hpp>", True),
    ("server/a.cpp", "#include <seccomp.h>", True),
    ("main/a.cpp", '#include "store/sqlite/sqlite_store.h"', False),
    ("util/a.cpp", "#include <string>", True),
]


def self_test():
    failures = 0
    for file, line, is_wrong in CASES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "src", file)
            path.parent.mkdir(parents=True)
            path.write_text(line + "\n", encoding="utf-8")
            found = list(findings(Path(folder)))
            if bool(found) != is_wrong:
                failures += 1
                print(f"{file} with {line}: expected {'a finding' if is_wrong else 'none'}, got {found}")
    return failures


def main(arguments):
    if arguments == ["--self-test"]:
        return 1 if self_test() else 0
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print(__doc__, file=sys.stderr)
        return 2
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]
    if not (root / "src").is_dir():
        print(f"layers: {root} has no src/", file=sys.stderr)
        return 2
    found = list(findings(root))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
