#!/usr/bin/env python3
"""Every command that a message, a comment, or a document names: that there is such a command, and that it has the
options named. What there is, the program says itself (marque help).

    MARQUE=/path/to/marque named_commands.py [--self-test] FILE…

Of *.md all code is read: fenced blocks, of which lines count that begin with marque or $ marque, and `marque …` in a
text. Of sources it is the string literals, those that stand side by side as one.
"""

import functools
import os
import re
import subprocess
import sys

MARQUE = os.environ["MARQUE"]
LITERALS = re.compile(r'R"\((?:.|\n)*?\)"|//[^\n]*|\'(?:[^\'\\\n]|\\.)\'|((?:(?<!R)"(?:[^"\\\n]|\\.)*"\s*)+)')
# A sentence about the program, not a command.
PROSE = {"is", "in", "that", "does", "knows", "needs", "as", "outside", "writes"}
# Of the options of every command, which may stand before it.
WITH_VALUE = {"-o", "--output", "-w", "--workspace", "--store"}
# What a word of a line can be besides a command: a placeholder, an option, a value.
NO_COMMAND = re.compile(r"[^a-z].*|.*[^a-z-].*")


@functools.cache
def help_of(path):
    done = subprocess.run([MARQUE, "help", *path], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


@functools.cache
def options_of(path):
    rows = re.search(r"^Options(?: of every command)?:\n((?:  .*\n)+)", help_of(path), re.M).group(1)
    names = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", "\n".join(re.findall(r"^  (-.*?)(?:  |$)", rows, re.M)))
    return set(names) | (options_of(()) if path else set())


def has_subcommands(path):
    return "\nCommands:\n" in help_of(path) or not path


def judge(line, is_prose):
    """What is wrong with a line that begins with marque."""
    path, is_value = (), False
    line = re.sub(r"\$\([^)]*\)", "VALUE", line)
    for word in line.split()[1:]:
        if is_value or word.startswith("-"):
            is_value = not is_value and word in WITH_VALUE
        elif NO_COMMAND.fullmatch(word) or not has_subcommands(path):
            break
        elif help_of((*path, word)) is None:
            return None if is_prose and word in PROSE else f"marque {' '.join((*path, word))} is no command"
        else:
            path = (*path, word)
    for option in re.findall(r"(?<=[ (\[|])--?[a-z][a-z-]*", line if path else ""):
        if option not in options_of(path):
            return f"{option} is no option of marque {' '.join(path)}"
    return None


def commands_in_text(text):
    for match in re.finditer(r"(?<![\w/.-])marque [^;\n`]*", text):
        # A second command in the sentence is judged by itself.
        yield re.split(r" (?=marque )|[,:)] | && | \| | > | < |  #", match.group())[0]


def of_source(text):
    for match in LITERALS.finditer(text):
        if match.group(1):
            parts = re.findall(r'"((?:[^"\\]|\\.)*)"', match.group(1))
            yield from commands_in_text(re.sub(r"\\n", "\n", "".join(parts)))


def of_document(text):
    fence = False
    text = text.replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("```"):
            fence = not fence
        elif fence:
            match = re.match(r"(?:\S+@\S+)?(?:\$ )?(?:sudo (?:-u \w+ )?)?(marque .*)", line)
            if match:
                yield from commands_in_text(match.group(1))
        else:
            for code in re.findall(r"`(marque [^`]*)`", line):
                yield from commands_in_text(code)


def findings(path, text):
    is_document = path.endswith(".md")
    for line in of_document(text) if is_document else of_source(text):
        if wrong := judge(line, not is_document):
            yield f"{path}: {line.strip()}: {wrong}"


def self_test():
    for path, text, is_well in [
        ("a.cpp", '"see marque audit verify --checkpoint FILE"', True),
        ("a.cpp", '"see marque audit"\n  " verfy"', False),
        ("a.cpp", '"see marque audti verify"', False),
        ("a.cpp", '"see marque audit verify --chekpoint"', False),
        ("a.cpp", '"end it with " "marque revoke --tokn-stdin"', False),
        ("a.cpp", "// marque audti", True),
        ("a.cpp", '"marque is not made to be set-user-id"', True),
        ("a.md", "```\n$ marque list --names\n```", True),
        ("a.md", "```\n$ marque list --naems\n```", False),
        ("a.md", "```\nana@host$ sudo -u marque marque lits\n```", False),
        ("a.md", "type `marque audit verfy`", False),
        ("a.md", "`marque -o json list --names`", True),
    ]:
        found = list(findings(path, text))
        if bool(found) == is_well:
            sys.exit(f"self-test: {text}: {found}")


def main():
    if "--self-test" in sys.argv[1:]:
        return self_test()
    found, lines = [], 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        lines += len(list(of_document(text) if path.endswith(".md") else of_source(text)))
        found += findings(path, text)
    for finding in found:
        print(finding)
    print(f"{lines} commands are named")
    return sys.exit(1 if found or not lines else 0)


if __name__ == "__main__":
    main()
