#!/usr/bin/env python3
"""Breaks the core one line at a time, and looks whether the tests notice.

usage: tools/mutate [--list] [--brief] [--every-test] [NAME...]

A mutant is an entry of test/mutation/*.toml: a text that occurs exactly once in a file, what to write in its place, and
the tests of which one must fail then. Each is compiled alone, into a copy of the program of tests; the tree is never
touched. A mutant that does not compile, whose text is not there or whose tests do not exist is a failure of the list.

  --list        the mutants, and what each one would mean
  --brief       every third of each folder
  --every-test  with every test, naming those that fail: for whoever writes an entry
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTS = ROOT / "test/mutation"
BUILD = ROOT / "build/mutate"
WORK = BUILD / "mutants"
FIELDS = {"name", "means", "file", "replace", "by", "tests"}
LONGEST_S = 60

# What the tool itself must say of mutants that are not as they should be; part of every run.
FILE = "src/domain/name.cpp"
SELF_TEST = [
    ({"name": "self-test-nothing-changed", "file": FILE, "replace": "if (is_name(text)) return",
      "by": "if (is_name(text) && true) return", "tests": "Name.*"}, "survived"),
    ({"name": "self-test-does-not-compile", "file": FILE, "replace": "if (is_name(text)) return",
      "by": "if (is_nam(text)) return", "tests": "Name.*"}, "does not compile"),
    ({"name": "self-test-text-twice", "file": FILE, "replace": "is_name", "by": "is_nam", "tests": "Name.*"},
     "its text occurs"),
    ({"name": "self-test-no-such-test", "file": FILE, "replace": "if (is_name(text)) return",
      "by": "if (!is_name(text)) return", "tests": "Nome.*"}, "no test is named"),
    ({"name": "self-test-no-test-ran", "file": FILE, "replace": "if (is_name(text)) return",
      "by": "if (!is_name(text)) return", "tests": "Name.*"}, "died before a test began"),
    ({"name": "self-test-killed", "file": FILE, "replace": "if (is_name(text)) return",
      "by": "if (is_name(text) || text == \"A\") return", "tests": "Name.*"}, ""),
]


def occurrences(mutant):
    source = ROOT / mutant["file"]
    return source.read_text().count(mutant["replace"]) if source.is_file() else 0


def read_lists():
    mutants = []
    for path in sorted(LISTS.glob("*.toml")):
        for number, mutant in enumerate(tomllib.loads(path.read_text())["mutant"]):
            if set(mutant) != FIELDS:
                sys.exit(f"mutate: {path.name}, entry {number + 1}: the fields are {', '.join(sorted(FIELDS))}")
            # Of those that a brief run leaves out, too: a list that does not fit the code says nothing about it.
            if (count := occurrences(mutant)) != 1:
                sys.exit(f"mutate: {mutant['name']}: its text occurs {count} times in {mutant['file']}")
            mutants.append(mutant | {"folder": path.stem, "is_brief": number % 3 == 0})
    names = [mutant["name"] for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            sys.exit(f"mutate: two mutants are named {name}")
    return mutants


def capture(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          cwd=BUILD, **options)


class Builder:
    """How a file is compiled and the tests are linked, as the build does it."""

    def __init__(self):
        cached = [shutil.which("ccache")] if shutil.which("ccache") else []
        self.compile, self.objects = {}, {}
        for entry in json.loads((BUILD / "compile_commands.json").read_text()):
            command = shlex.split(entry["command"])
            output = command[command.index("-o") + 1]
            library, _, part = output.removeprefix("CMakeFiles/").partition(".dir/")
            # Neither what the simulator compiles with other switches, nor what is precompiled.
            if output.startswith("CMakeFiles/marque_") and part.startswith("src/"):
                self.compile[entry["file"]] = cached + command
                self.objects.setdefault(f"lib{library}.a", []).append(output)
        last = capture(["ninja", "-t", "commands", "core_tests"]).stdout.strip().splitlines()[-1]
        self.link = shlex.split(last.removeprefix(": && ").removesuffix(" && :"))
        # As the build has it (CMakeLists.txt): a mutant of a file that has not changed is not compiled again.
        self.environment = os.environ | {
            "CCACHE_SLOPPINESS": "pch_defines,time_macros,include_file_mtime,include_file_ctime"}

    def build(self, name, source, text):
        """None, or the compiler's words; the program is WORK/name."""
        copy, object_file, program = (WORK / f"{name}{ending}" for ending in (".cpp", ".o", ""))
        copy.write_text(text)
        command = list(self.compile[str(source)])
        at = command.index("-o") + 1
        replaced, command[at] = command[at], str(object_file)
        command[command.index(str(source))] = str(copy)
        done = capture(command, env=self.environment)
        if done.returncode == 0:
            done = capture(self.link_command(replaced, object_file, program))
        copy.unlink()
        object_file.unlink(missing_ok=True)
        return done.stdout if done.returncode else None

    def link_command(self, replaced, object_file, program):
        """The file's library in its parts, with another in its place."""
        command = []
        for word in self.link:
            parts = self.objects.get(word, [])
            command += [str(object_file) if part == replaced else part for part in parts] if replaced in parts else [word]
        command[command.index("-o") + 1] = str(program)
        if str(object_file) not in command:
            sys.exit(f"mutate: the tests are not linked with {replaced}")
        return command


def failed_tests(output):
    seen = [line.split()[3].rstrip(",") for line in output.splitlines() if line.startswith("[  FAILED  ] ") and "ms)" in line]
    running = [line.split()[-1] for line in output.splitlines() if line.startswith("[ RUN      ]")]
    return seen or running[-1:]  # or the one in which the process died


def judge(builder, mutant, every_test):
    """What is wrong with the mutant: empty when a test of its own noticed; and which tests failed."""
    source = ROOT / mutant["file"]
    if (count := occurrences(mutant)) != 1:
        return f"its text occurs {count} times in {mutant['file']}", []
    listed = capture([BUILD / "test/core_tests", "--gtest_list_tests", f"--gtest_filter={mutant['tests']}"]).stdout
    if not any(line.startswith("  ") for line in listed.splitlines()):
        return f"no test is named {mutant['tests']}", []
    if words := builder.build(mutant["name"], source, source.read_text().replace(mutant["replace"], mutant["by"])):
        return "does not compile:\n" + "\n".join(words.splitlines()[:12]), []
    program = WORK / mutant["name"]
    try:
        ran = capture([program, f"--gtest_filter={'*' if every_test else mutant['tests']}"], timeout=LONGEST_S)
        if ran.returncode == 0:
            return "survived", []
        failed = failed_tests(ran.stdout)
        return ("", failed) if failed else ("died before a test began", [])
    except subprocess.TimeoutExpired:
        return "", [f"none ended within {LONGEST_S} s"]
    finally:
        program.unlink()


def report(mutant, wrong, tests, wanted, every_test):
    """Whether it is as it has to be, and a line that says how."""
    if wanted:
        is_right = wrong.startswith(wanted)
        return is_right, f"{'as it has to be' if is_right else 'FAILED'}: {(wrong or 'killed').splitlines()[0]}"
    if wrong:
        return False, f"FAILED: {wrong}" + (f", whatever {mutant['tests']} says" if wrong == "survived" else "")
    return True, "killed by " + ", ".join(tests if every_test else tests[:1])


def main(words):
    options = {word for word in words if word.startswith("--")}
    chosen = [word for word in words if not word.startswith("--")]
    if options - {"--list", "--brief", "--every-test"}:
        print(__doc__.strip())
        return 0 if options == {"--help"} else 2
    mutants = read_lists()
    if unknown := set(chosen) - {mutant["name"] for mutant in mutants}:
        print(f"mutate: there is no mutant {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    mutants = [m for m in mutants if (not chosen or m["name"] in chosen) and ("--brief" not in options or m["is_brief"])]
    if "--list" in options:
        for mutant in mutants:
            print(f"{mutant['name']:<34} {mutant['file'].removeprefix('src/'):<30} {mutant['means']}")
        return 0

    start = time.monotonic()
    if subprocess.run([ROOT / "tools/build", "mutate", "core_tests"], check=False).returncode:
        return 1
    print(f"built after {time.monotonic() - start:.0f} s")
    whole = capture([BUILD / "test/core_tests", "--gtest_brief=1"])
    if whole.returncode:
        print(whole.stdout)
        print("mutate: the tests fail without a mutant", file=sys.stderr)
        return 1

    WORK.mkdir(exist_ok=True)
    builder = Builder()
    wanted = {} if chosen else {mutant["name"]: verdict for mutant, verdict in SELF_TEST}
    checks = [] if chosen else [mutant for mutant, _ in SELF_TEST]
    passed = failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        judged = {pool.submit(judge, builder, mutant, "--every-test" in options): mutant for mutant in mutants + checks}
        for future in as_completed(judged):
            mutant = judged[future]
            is_right, words = report(mutant, *future.result(), wanted.get(mutant["name"], ""), "--every-test" in options)
            passed += is_right
            failed += not is_right
            print(f"{mutant['name']:<34} {words}", flush=True)
    folders = sorted({mutant["folder"] for mutant in mutants})
    counts = ", ".join(f"{folder} {sum(m['folder'] == folder for m in mutants)}" for folder in folders)
    print(f"{len(mutants)} mutants ({counts}) in {time.monotonic() - start:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
