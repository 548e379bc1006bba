"""Walks every command that the program itself lists in its help.

every_command.py options    every option that may stand once is refused the second time
every_command.py json       with -o json: what is on stdout, on stderr, and the exit code; and the same when stdout is
                            closed, full, or nobody reads it. A command without a row here fails.
"""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MARQUE = os.environ["MARQUE"]
MAY_REPEAT = {"--owner-key", "--label", "--filter", "--set", "--tcp"}


def run(*words, **more):
    return subprocess.run([MARQUE, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)


@functools.cache
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


# --- -o json

LINES = {"audit tail", "audit export"}  # a document a line
EXACT = {"audit show", *LINES}  # entries, as they are hashed: without our schema
DELIVERS = {"create", "issue", "rotate"}  # a token to stdout
YES = "--confirm"
WHY = ("--reason", "r")
NO_ID = "0" * 8

# Command: (exit code, words behind it). TOKEN: the token on standard input. @: what `prepare` found.
ROWS = {
    "init": [(3, ""), (2, "--operator ///"), (5, "--store @new"), (0, "--store @new --confirm")],
    "create": [(5, "a --scope card:view"), (0, "a --scope card:view --confirm"), (2, "a"), (3, "codex --scope card:view"),
               (0, "a --scope card:view --dry-run"), (0, "a --scope card:view --confirm --token-file @bad"),
               (7, "a --scope card:view --env nowhere"), (6, "a --scope card:view --env production")],
    "issue": [(5, "codex"), (0, "codex --confirm"), (7, "nobody"), (2, "")],
    "rotate": [(5, "codex"), (0, "codex --confirm"), (7, "nobody"), (2, "codex --overlap x")],
    "activate": [(2, ""), (0, "--token-stdin TOKEN"), (2, "--token-stdin")],
    "pause": [(5, "codex --reason r"), (0, "codex --reason r --confirm"), (7, "nobody --reason r"), (2, "codex"),
              (0, "--token-stdin --reason r --dry-run TOKEN")],
    "resume": [(0, "codex"), (7, "nobody"), (5, "stopped"), (0, "stopped --confirm")],
    "revoke": [(5, "codex --reason r"), (0, "codex --reason r --confirm"), (7, "nobody --reason r"), (2, "codex"),
               (0, "--token-stdin --reason r --confirm TOKEN"), (5, "--filter env=dev --reason r")],
    "inspect": [(0, "codex"), (7, "codx"), (2, ""), (0, "--token-stdin TOKEN")],
    "list": [(0, ""), (0, "--names --limit 1"), (2, "--state x"), (7, "--env x"), (0, "--expiring 100d")],
    "verify": [(0, "TOKEN"), (3, "--scope x:y TOKEN"), (2, "--scope")],
    "audit list": [(0, ""), (0, "--limit 1"), (2, "--action x"), (7, "--operator x"), (2, "--since x")],
    "audit tail": [(0, ""), (2, "-n 0")],
    "audit show": [(0, "1"), (7, "9999"), (2, "x")],
    "audit verify": [(0, ""), (2, "--checkpoint @new")],
    "audit checkpoint": [(0, ""), (2, "x")],
    "audit key": [(0, ""), (2, "x")],
    "audit prove": [(0, "--entry 1"), (2, ""), (7, "--entry 9999")],
    "audit export": [(0, ""), (2, "x")],
    "operator add": [(2, "a --user x y"), (5, "a --user 4242 --all-workspaces"),
                     (0, "a --user 4242 --all-workspaces --confirm"), (3, "ops --user 4243 --all-workspaces")],
    "operator remove": [(7, "nobody"), (3, "ops"), (2, "")],
    "operator grant": [(7, "nobody --all-workspaces"), (0, "ops --all-workspaces"), (2, "")],
    "operator withdraw": [(7, "nobody --all-workspaces"), (2, "")],
    "operator reassign": [(7, "nobody"), (2, ""), (7, "ops --user x/y")],
    "operator list": [(0, ""), (2, "x")],
    "owner add": [(0, "@key"), (2, "@new"), (2, "")],
    "owner remove": [(7, "SHA256:x"), (2, "")],
    "owner policy": [(6, "--sole-owner no"), (2, "--quorum x")],
    "owner list": [(0, ""), (2, "x")],
    "approval list": [(0, ""), (0, "--all"), (2, "x")],
    "approval show": [(0, "@approval"), (7, NO_ID), (2, "x")],
    "approval export": [(0, "@approval"), (7, NO_ID), (2, "")],
    "approval sign": [(5, "@approval"), (7, NO_ID), (2, "")],
    "approval import": [(7, f"{NO_ID} @key"), (2, "")],
    "approval deny": [(5, "@approval --reason r"), (0, "@approval --reason r --confirm"), (7, f"{NO_ID} --reason r")],
    "approval withdraw": [(5, "@approval"), (0, "@approval --confirm"), (7, NO_ID), (2, "")],
    "environment add": [(5, "qa"), (0, "qa --confirm"), (3, "dev"), (2, "")],
    "environment remove": [(7, "nowhere"), (2, ""), (5, "staging"), (0, "staging --confirm")],
    "environment protect": [(7, "nowhere"), (2, ""), (6, "staging")],
    "environment unprotect": [(7, "nowhere"), (2, ""), (6, "production")],
    "environment list": [(0, ""), (2, "x")],
    "workspace add": [(5, "second"), (0, "second --confirm"), (3, "default"), (2, "")],
    "workspace remove": [(3, "default"), (7, "nowhere"), (2, "")],
    "workspace pause": [(5, "default --reason r"), (0, "default --reason r --confirm"), (7, "nowhere --reason r")],
    "workspace resume": [(0, "default"), (7, "nowhere"), (2, "")],
    "workspace list": [(0, ""), (2, "x")],
    "store status": [(0, ""), (2, "x"), (8, "--store @new")],
    "store migrate": [(0, ""), (2, "x")],
    "store rollback": [(5, ""), (0, "--confirm"), (2, "--to x")],
    "store backup": [(5, "@new"), (0, "@new --confirm"), (3, "@key"), (2, "")],
    "store rotate-key": [(5, ""), (0, "--confirm"), (2, "x")],
    "store copy": [(5, "@store @new"), (0, "@store @new --confirm"), (2, "")],
    "store accept": [(0, "--reason r"), (2, "")],
    "serve": [(0, "--check-config"), (2, "--set x=y"), (2, "--config @new")],
    "verifiers": [(0, ""), (7, "--remove x")],
    "notify": [(3, ""), (0, "--dry-run"), (2, "--within x")],
    "doctor": [(0, ""), (2, "x"), (8, "--backup @new")],
    "completion": [(2, "bash"), (2, "")],
    "help": [(0, ""), (0, "audit list"), (2, "lisst")],
}


class Installation:
    """A store to begin with, and a copy of it for each command."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.made = self.folder / "made"
        self.store = self.folder / "store"
        self.known = {}
        self.prepare()

    def prepare(self):
        def marque(*words, code=0):
            done = run("--store", str(self.made), "-o", "json", *words)
            assert done.returncode == code, (words, done)
            return done.stdout

        key = self.folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        marque("init", "--operator", "ops", "--owner-key", f"{key}.pub", "--sole-owner", YES)
        self.token = json.loads(marque("create", "codex", "--scope", "card:view", YES))["token"]
        marque("create", "stopped", "--scope", "card:view", YES)
        marque("pause", "stopped", *WHY, YES)
        approval = json.loads(marque("environment", "unprotect", "production", YES, code=6))["approval"]["id"]
        self.known = {"@approval": approval, "@key": f"{key}.pub", "@store": str(self.store),
                      "@new": str(self.folder / "new"), "@bad": os.fsencode(self.folder) + b"/a\x1b[31m\xff"}

    def run(self, path, words, stdout):
        for made in self.folder.glob("[an]*"):
            shutil.rmtree(made) if made.is_dir() else made.unlink()
        shutil.rmtree(self.store, ignore_errors=True)
        shutil.copytree(self.made, self.store)
        given = [self.known.get(word, word) for word in (*path.split(), *words.split()) if word != "TOKEN"]
        store = [] if "--store" in words or path == "store copy" else ["--store", str(self.store)]
        done = subprocess.run([MARQUE, "-o", "json", *store, *given], stdout=stdout, stderr=subprocess.PIPE, timeout=60,
                              input=(self.token if "TOKEN" in words else "").encode())
        return done.returncode, (done.stdout or b"").decode(), done.stderr.decode()


def check_lines(text, where, kinds=None):
    for line in text.splitlines():
        document = json.loads(line)
        if kinds is not None:
            assert document["schema"] == "marque/1" and kinds & document.keys(), (where, line)
    assert "\x1b" not in text, (where, text)


def closed():
    """A descriptor for a child's stdout that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def check_unread(installation, path, words, code, stdout):
    """The same when stdout takes nothing."""
    is_loss = stdout != ""  # something was to be written
    is_token_due = path in DELIVERS and code in (0, 5) and "--token-file" not in words
    delivers = is_token_due and YES in words
    changes = YES in words and code == 0
    for name, stream in (("no reader", closed()), ("full", os.open("/dev/full", os.O_WRONLY)),
                         ("closed", os.open("/dev/null", os.O_RDONLY))):
        where = (path, words, name)
        ended, _, said = installation.run(path, words, stream)
        os.close(stream)
        check_lines(said, where, {"error", "note"})
        if name == "closed" and is_token_due:
            assert ended == 2, (where, ended, said)
        elif delivers:
            assert ended == 8, (where, ended, said)
        elif changes or name == "no reader" or not is_loss:
            assert ended == code, (where, ended, said)
            assert ("could not be written to" in said) == (changes and is_loss), (where, said)
        else:
            assert ended == (code or 8) and "could not be written to" in said, (where, ended, said)


def check_row(installation, path, number, code, words):
    where = (path, words)
    ended, stdout, stderr = installation.run(path, words, subprocess.PIPE)
    assert ended == code, (where, ended, stdout, stderr)
    check_lines(stdout, where, None if path in EXACT else {"schema"})
    check_lines(stderr, where, {"error", "note"})
    assert path in LINES or stdout.count("\n") <= 1, (where, stdout)
    assert code in (0, 5) or '"error"' in stderr or stdout, (where, stdout, stderr)
    if number < 2:
        check_unread(installation, path, words, code, stdout)


def check_json():
    listed = {" ".join(path) for path in commands()}
    assert listed == ROWS.keys(), listed ^ ROWS.keys()
    with tempfile.TemporaryDirectory() as folder:
        installation = Installation(folder)
        wrong = []
        for path, rows in ROWS.items():
            for number, row in enumerate(rows):
                try:
                    check_row(installation, path, number, *row)
                except AssertionError as error:
                    wrong.append(str(error))
        sys.exit("\n".join(wrong) or 0)


{"options": check_options, "json": check_json}[sys.argv[1]]()
