#!/usr/bin/env python3
"""Writes copies of sources, with the faults of mutants.toml as switches (mutant.h).

usage: mutants.py FOLDER FILE...

Each FILE, a path below src/, is written to FOLDER under the same path. An entry of mutants.toml has a text that occurs
once in its file, and what stands in its place.
"""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parents[1] / "src"


def main():
    folder, files = Path(sys.argv[1]), sys.argv[2:]
    entries = tomllib.loads((HERE / "mutants.toml").read_text())["mutant"]
    unknown = {entry["file"] for entry in entries} ^ set(files)
    if unknown:
        sys.exit(f"mutants.py: CMakeLists.txt and mutants.toml differ in {', '.join(sorted(unknown))}")
    for file in files:
        text = (SOURCES / file).read_text()
        for entry in entries:
            if entry["file"] != file:
                continue
            count = text.count(entry["replace"])
            if count != 1:
                sys.exit(f"mutants.py: {entry['name']}: its text occurs {count} times in src/{file}")
            text = text.replace(entry["replace"], entry["by"])
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text('#include "test/simulate/mutant.h"\n' + text)


main()
