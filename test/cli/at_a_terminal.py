#!/usr/bin/env python3
"""Types into a program that believes it has a terminal, and waits for what it shows.

usage: at_a_terminal.py PROGRAM [ARGUMENT…] < SCRIPT

Each line of SCRIPT is what to type, a blank, =>, a blank, and a text that has to be seen then. Python's escapes, such as \\t,
stand for keys. Fails when a text is not seen within 30 seconds of the last output.
"""

import os
import pty
import select
import sys


def main(program):
    process, terminal = pty.fork()
    if process == 0:
        os.execvp(program[0], program)
    for line in sys.stdin:
        keys, wanted = (part.encode().decode("unicode_escape").encode() for part in line.rstrip("\n").split(" => "))
        os.write(terminal, keys)
        seen = b""
        while wanted not in seen:
            if not select.select([terminal], [], [], 30)[0]:
                sys.exit(f"{wanted} was not seen, but {seen}")
            seen += os.read(terminal, 4096)


main(sys.argv[1:])
