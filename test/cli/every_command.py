"""Walks every command that the program itself lists in its help, and every option of each.

every_command.py options    every option that may stand once is refused the second time
"""

import os
import re
import subprocess
import sys

MARQUE = os.environ["MARQUE"]
MAY_REPEAT = {"--owner-key", "--label", "--filter", "--set", "--tcp"}


def run(*words, **more):
    return subprocess.run([MARQUE, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)


def help_of(path):
    shown = run(*path, "--help")
    return shown.stdout if shown.returncode == 0 and f"Usage: {' '.join(['marque', *path])} " in shown.stdout else ""


def commands(path=()):
    """Yields the words of each command that does something."""
    found = [
        sub
        for word in re.findall(r"^ +([a-z][a-z-]*)(?: .*)?$", help_of(path), re.M)
        if help_of((*path, word))
        for sub in commands((*path, word))
    ]
    return list(dict.fromkeys(found)) or [path]


def options(path):
    """Yields (name, whether it takes a value) of each option of a command."""
    for name, value in re.findall(r"^ +(?:-\w,)?(--[a-z-]+)(?: (\S+))?", help_of(path), re.M):
        if name not in ("--help", "--version"):
            yield name, value != "" and value[0] != "["


def check_options():
    for path in [(), *commands()]:
        for name, has_value in options(path):
            words = [name, "x"] if has_value else [name]
            command = path or ("list",)
            answer = run(*command, *words, *words)
            said = answer.stderr.splitlines()[:1]
            if name in MAY_REPEAT:
                assert "given twice" not in answer.stderr, (command, name)
            else:
                assert (answer.returncode, said) == (2, [f"marque: {name} is given twice"]), (command, name, answer)


{"options": check_options}[sys.argv[1]]()
