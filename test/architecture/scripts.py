#!/usr/bin/env python3
"""Lists every script in tools/ and bench/, and each benchmark's program, with the script that runs it; each has to be
reached from tools/test. What only runs by hand stops working, and nobody sees it.

    scripts.py [--self-test]
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
START = "tools/test"


def names_in(text):
    """Paths that a script's code names, whether written in one piece or as Python's `ROOT / "tools" / "build"`. Comments,
    usages and what is printed run nothing."""
    code = [line for line in text.splitlines() if not re.match(r"\s*(#|usage\b|print\b|echo\b|\|)|.*\|\| \{ echo", line)]
    joined = re.sub(r'" / "', "/", "\n".join(code))
    return set(re.findall(r"\b(?:tools|bench|test)/[\w./-]+", joined)) | {
        f"bench/{module}.py" for module in re.findall(r"^from (\w+) import", joined, re.M)}


def reached(files):
    """{script: the script that runs it}, for all that START reaches; `files` is {path: text}."""
    found, queue = {START: "a person"}, [START]
    while queue:
        runner = queue.pop(0)
        for name in sorted(names_in(files[runner]) & files.keys() - found.keys()):
            found[name] = runner
            queue.append(name)
    return found


def tree():
    files = {}
    for pattern in ("tools/*", "bench/*.py", "bench/*.lua", "test/*/*.py", "test/store/postgres"):
        files |= {str(path.relative_to(ROOT)): path.read_text() for path in ROOT.glob(pattern) if path.is_file()}
    # A program is reached by the name of its target.
    for target, source in re.findall(r"add_executable\((\w+) (\w+\.cpp)\)", (ROOT / "bench/CMakeLists.txt").read_text()):
        files[f"bench/{target}"] = ""
    return files


def self_test():
    files = {START: "bench/a.py --smoke\n# bench/b.py\necho 'see bench/b.py'", "bench/a.py": 'run([ROOT / "bench" / "seed"])',
             "bench/b.py": "", "bench/seed": ""}
    assert set(reached(files)) == {START, "bench/a.py", "bench/seed"}, reached(files)


def main():
    files = tree()
    found = reached(files)
    wanted = [name for name in sorted(files) if name.startswith(("tools/", "bench/"))]
    for name in wanted:
        print(f"{name}: {'run by ' + found[name] if name in found else 'run by NOTHING that ' + START + ' runs'}")
    return 0 if all(name in found for name in wanted) else 1


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv else main())
