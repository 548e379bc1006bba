#!/usr/bin/env python3
"""Keeps the conventions that no compiler knows. Each finding names what to write instead.

usage: tidy.py [ROOT] | --self-test
"""

import os
import re
import sys
import tempfile
from pathlib import Path

LONGEST_LINE = 130
LONGEST_FILE = 500

# A pattern, the files it does not hold for, and what to do instead. Looked for in code, not in comments.
CODE_RULES = [
    (r"\bstd::(cout|cerr|clog)\b", r"", "return the text; cli/shell.h prints"),
    # In machine.cpp the stream is led nowhere.
    (r"\bstderr\b", r"main/machine\.cpp$|server/log\.cpp$",
     "write to STDERR_FILENO: stdio's stream leads nowhere, so that libraries can't print"),
    (r"\b[a-z]*printf\s*\(", r"base/check\.cpp$", "use fmt::format, and let cli/shell.h print"),
    (r"\busing\s+namespace\s+std\s*;", r"", "write std::"),
    (r"\bs?rand\s*\(", r"", "take a Random (base/random.h)"),
    (r"(?<![\w.>])time\s*\(\s*(nullptr|NULL|0)?\s*\)", r"", "take `now` as an argument (base/time.h)"),
    (
        r"\bexact_number\s*\(",
        r"store/(sql/(statement|sealed_table|copy)\.|postgres/postgres_store\.)",
        "read a count, an instant or a duration (store/sql/statement.h): a row may hold any number",
    ),
    (r"\bsystem_clock\b", r"main/", "take a Clock or `now` (base/time.h); only main/ asks the machine"),
    (r"\bstd::(basic_)?[io]?fstream\b", r"", "read with base/small_file.h, make files with base/new_file.h"),
    # Descriptors that are no files: signals, wake-ups, a child's output.
    (r"(?<!\w)::p?read\s*\(", r"base/(small|new)_file\.cpp$|server/(server|worker)\.cpp$|installation/subprocess\.cpp$",
     "read files with base/small_file.h: it knows limits, errors and how people's editors leave a file"),
    # /dev/null in the place of a closed standard stream; a folder that is locked.
    (r"(?<!\w)::open(at2?)?\s*\(", r"base/(small|new)_file\.cpp$|main/machine\.cpp$|installation/folder_lock\.cpp$",
     "read with base/small_file.h, make files with base/new_file.h"),
    (r"(?<!\w)::(rename|link)(at2?)?\s*\(|\bfilesystem::(rename|copy_file)\b", r"base/new_file\.cpp$",
     "give files their names with base/new_file.h, which knows what file systems lack"),
]
# A test may make the files that it is about.
NOT_FOR_TESTS = ("base/small_file.h", "base/new_file.h")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")

# Put together, so that this file does not contain what it looks for.
SOMEBODYS_FOLDER = "/" + "work" + "/"
NOT_OURS = {".git", "build", "out", "__pycache__"}


def without_comment(line):
    return line.partition("//")[0]


def try_in_braces(text):
    """TRY inside a braced initialiser: leaving from there, GCC 12 forgets to destroy the members made so far."""
    nesting = []
    line = 1
    for at, char in enumerate(text):
        if char == "\n":
            line += 1
        elif char == "{":
            before = text[:at][-8:]
            nesting.append(bool(re.search(r"([\w>)(,{\]]|return |= |, )$", before)))
        elif char == "}" and nesting:
            nesting.pop()
        elif char == "T" and text.startswith("TRY(", at) and not text[at - 1].isalnum() and nesting and nesting[-1]:
            yield line


def reads_and_prints(text):
    """Functions that have a store's Reader and print: what is shown is read first, as a value (src/cli/reading.h)."""
    for function in re.finditer(r"^\w[^\n;]*\([^;{}]*\{\n.*?^\}", text, re.M | re.S):
        words = function.group()
        if re.search(r"\.reader\b|\bstore::Reader\b", words) and re.search(r"\bshell_?\.print", words):
            yield text.count("\n", 0, function.start()) + 1


def findings_in_source(name, text):
    # Migrations and moves, which a store as a whole decides on, print what was done and not what was read.
    if name.startswith("cli/") and name != "cli/store.cpp":
        for number in reads_and_prints("\n".join(without_comment(line) for line in text.splitlines())):
            yield number, "this function reads from the store and prints: read a view first (cli/reading.h)"
    for number in try_in_braces("\n".join(without_comment(line) for line in text.splitlines())):
        yield number, "TRY inside a braced initialiser: give it a local of its own first"
    lines = text.splitlines()
    if len(lines) > LONGEST_FILE and not name.endswith("_test.cpp"):  # a table of tests may be longer
        yield 1, f"{len(lines)} lines, more than {LONGEST_FILE}: this is two ideas, make it two files"
    if name.endswith(".h"):
        if not text.startswith("// "):
            yield 1, "begin with a comment: what this is, and the idea"
        if "#pragma once" not in lines:
            yield 1, "add #pragma once"
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            yield number, f"{len(line)} characters, more than {LONGEST_LINE}: break the line"
        if mark := UNFINISHED.search(line):
            yield number, f"{mark[0]}: do it, or write it down outside the code"
        for pattern, exempt, instead in CODE_RULES:
            if exempt and re.match(exempt, name):
                continue
            if name.endswith("_test.cpp") and any(place in instead for place in NOT_FOR_TESTS):
                continue
            if found := re.search(pattern, without_comment(line)):
                yield number, f"{found[0]}: {instead}"


def files_of(root):
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - NOT_OURS)
        for file in sorted(files):
            yield Path(folder, file)


def findings(root):
    for path in files_of(root):
        name = path.relative_to(root).as_posix()
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # not text, or a link to nowhere
        for number, line in enumerate(text.split("\n"), 1):
            if SOMEBODYS_FOLDER in line:
                yield f"{name}:{number}: {SOMEBODYS_FOLDER} is a folder of one machine: write a relative path"
        if name.startswith("src/") and path.suffix in (".h", ".cpp"):
            for number, what in findings_in_source(name.removeprefix("src/"), text):
                yield f"{name}:{number}: {what}"


# A file, its text, and whether it is to be found fault with.
HEADER = "// A thing.\n#pragma once\n"
CASES = [
    ("src/base/a.h", HEADER, False),
    ("src/base/b.h", "#pragma once\n", True),
    ("src/base/c.h", "// A thing.\n", True),
    ("src/base/d.cpp", "int " + "x" * LONGEST_LINE + ";\n", True),
    ("src/base/e.cpp", "// " + "é" * (LONGEST_LINE - 3) + "\n", False),
    ("src/base/f.cpp", "\n" * LONGEST_FILE, False),
    ("src/base/g.cpp", "\n" * (LONGEST_FILE + 1), True),
    ("src/base/h.cpp", "// TODO\n", True),
    ("src/base/i.cpp", 'std::cerr << "x";\n', True),
    ("src/base/j.cpp", 'std::printf("x");\n', True),
    ("src/base/k.cpp", "// never printf(\n", False),
    ("src/base/check.cpp", 'std::dprintf(STDERR_FILENO, "x");\n', False),
    ("src/main/hooks.cpp", 'fmt::print(stderr, "x");\n', True),
    ("src/base/l.cpp", "using namespace std;\n", True),
    ("src/base/m.cpp", "using namespace std::chrono;\n", False),
    ("src/base/n.cpp", "return rand() % 6;\n", True),
    ("src/base/o.cpp", "return machine.random();\n", False),
    ("src/base/p.cpp", "return time(nullptr);\n", True),
    ("src/base/q.cpp", "return event.time();\n", False),
    ("src/base/r.cpp", "std::chrono::system_clock::now();\n", True),
    ("src/store/sql/t.cpp", "return row.exact_number(0);\n", True),
    ("src/store/sql/copy.cpp", "return row.exact_number(0);\n", False),
    ("src/main/s.cpp", "std::chrono::system_clock::now();\n", False),
    ("src/cli/t.cpp", "std::ifstream file(path);\n", True),
    ("src/cli/u.cpp", "const ssize_t got = ::read(fd, buffer, size);\n", True),
    ("src/server/worker.cpp", "::read(wakeup, &ignored, 8);\n", False),
    ("src/cli/v.cpp", "const File file(::open(path, O_WRONLY | O_CREAT, 0600));\n", True),
    ("src/base/new_file.cpp", "::openat(fd, name, O_WRONLY | O_CREAT, 0600);\n", False),
    ("src/cli/w.cpp", "::renameat2(a, b, c, d, RENAME_NOREPLACE);\n", True),
    ("src/cli/x.cpp", "std::filesystem::rename(from, to);\n", True),
    ("src/cli/y.cpp", "TRY(CredentialId::read(text));\n", False),
    ("src/cli/r.cpp", "int run(Shell& shell, const store::Reader& reader) {\n    shell.print(x);\n}\n", True),
    ("src/cli/s.cpp", "int read(const store::Reader& reader) {\n}\nint run(Shell& shell) {\n    shell.print(x);\n}\n", False),
    ("src/cli/z_test.cpp", "std::ifstream file(path);\n", False),
    ("docs/a.md", f"see {SOMEBODYS_FOLDER}notes\n", True),
    ("docs/b.md", "see notes\n", False),
    ("build/c.md", f"see {SOMEBODYS_FOLDER}notes\n", False),
]


def self_test():
    failures = 0
    for file, text, is_wrong in CASES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, file)
            path.parent.mkdir(parents=True)
            path.write_text(text, encoding="utf-8")
            found = list(findings(Path(folder)))
            if bool(found) != is_wrong:
                failures += 1
                print(f"{file}: expected {'a finding' if is_wrong else 'none'}, got {found}")
    return failures


def main(arguments):
    if arguments == ["--self-test"]:
        return 1 if self_test() else 0
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print(__doc__, file=sys.stderr)
        return 2
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]
    if not (root / "src").is_dir():
        print(f"tidy: {root} has no src/", file=sys.stderr)
        return 2
    found = list(findings(root))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
