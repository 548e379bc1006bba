#!/usr/bin/env python3
"""Types every example of every command's help, each in a home of its own, and expects the exit code that help says.
A command without an example is a finding, and so is a line of help with more than 80 columns.

    MARQUE=/path/to/marque examples.py
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MARQUE = os.environ["MARQUE"]
WITHOUT_END = re.compile(r"--follow|--watch|^marque serve .*--unix")
# What takes PostgreSQL, or a failover that lost entries: here it may be refused, not be misunderstood.
TAKES_MORE = re.compile(r"--postgresql|verifiers --remove|store accept")
REFUSED = {3, 7, 8}
ROSTER = "hermes scope=card:view\nboard scope=card:view\nci scope=card:view kind=ci\n"
# What stands in help for what differs from store to store.
CREDENTIAL, APPROVAL = "702aexnm68vw", "4ygg40s8"
FINGERPRINT = "SHA256:p1M5FMlhwchL178ljzaq0/DXihath5kj4mEJEMC6QZE"


def help_of(*path):
    return subprocess.run([MARQUE, "help", *path], check=True, capture_output=True, text=True).stdout


def rows(text, title):
    section = re.search(rf"^{title}:\n((?:  .*\n)+)", text, re.M)
    return re.findall(r"^  ([a-z-]+) ", section.group(1), re.M) if section else []


def commands():
    """The paths of all commands that can be run, and of the program as such."""
    text = help_of()
    titles = re.findall(r"^([A-Z][\w ,]+):$", text, re.M)
    titles = [t for t in titles if t not in ("What to do first", "Options of every command", "Exit codes")]
    yield ()
    for name in (n for title in titles for n in rows(text, title)):
        subs = rows(help_of(name), "Commands")
        yield from ([(name, sub) for sub in subs] if subs else [(name,)])


def examples(path):
    section = re.search(r"^(?:Examples|What to do first):\n((?:  .*\n)+)", help_of(*path), re.M)
    for what, line in re.findall(r"^  (\S.*)\n    (\S.*)\n", section.group(1) if section else "", re.M):
        code = re.search(r"\(exit (\d+)\)$", what)
        yield line, int(code.group(1)) if code else 0


def see_also(path):
    section = re.search(r"^See also: (.*\n(?:\S.*\n)*)", help_of(*path), re.M)
    return section.group(1).replace("\n", " ") if section else ""


class Homes:
    """Three homes to copy: without a store, with an empty one, and with one in which something has happened."""

    def __init__(self, root):
        self.root = root
        (root / "bin").mkdir()
        (root / "bin/marque").symlink_to(MARQUE)
        self.count = 0
        bare = root / "bare"
        (bare / ".ssh").mkdir(parents=True, mode=0o700)
        for key in (".ssh/id_ed25519", "second", "carol"):
            self.shell(bare, f"ssh-keygen -q -t ed25519 -N '' -f {key}")
        (bare / "roster.txt").write_text(ROSTER)
        (bare / "tokens").mkdir()
        self.empty = self.copy(bare, "empty")
        self.shell(self.empty, "marque init --operator ops --owner-key .ssh/id_ed25519.pub --owner-key bob=second.pub "
                               "--confirm")
        self.bare, self.full = bare, self.copy(self.empty, "full")
        self.fill(self.full)

    def fill(self, home):
        run = lambda line, **expected: self.shell(home, line, **expected)
        run("marque create codex --scope card:view,card:edit --label team=security --token-file codex.token --confirm")
        run("marque create hermes --scope card:view --token-file hermes.token --confirm")
        run("marque create ci --kind ci --scope card:view --token-file ci.token --confirm")
        run("marque pause hermes --reason r --confirm")
        run("marque operator add bob --user 1002 --permission view -w default --confirm")
        asked = run("marque create live --env production --scope card:view --confirm", code=6)
        approval = re.search(r"approval (\w+)", asked).group(1)
        run(f"marque approval export {approval} > request.txt")
        run("ssh-keygen -q -Y sign -n marque-approval -f .ssh/id_ed25519 request.txt")
        run("cp codex.token found.token; marque audit checkpoint > checkpoint; marque store backup backup.db --confirm")
        (home / "marque.toml").write_text('[unix]\npath = "/run/marque/marque.sock"\n')
        fingerprint = run("ssh-keygen -lf second.pub").split()[1]
        token = (home / "codex.token").read_text()
        self.actual = {CREDENTIAL: token.split("_")[2], APPROVAL: approval, FINGERPRINT: fingerprint}

    def copy(self, home, name=None):
        self.count += 1
        return shutil.copytree(home, self.root / (name or str(self.count)))

    def environment(self, home):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MARQUE_", "XDG_", "PG"))}
        return {**kept, "HOME": str(home), "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}"}

    def shell(self, home, line, code=0):
        done = subprocess.run(["bash", "-c", line], cwd=home, env=self.environment(home), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        if done.returncode != code:
            sys.exit(f"{line}: exit {done.returncode}\n{done.stdout}")
        return done.stdout

    def of(self, path):
        if path in [(), ("init",)]:
            return self.copy(self.bare)
        home = self.copy(self.empty if path == ("create",) else self.full)
        if path[0] == "workspace" and path[1] in ("pause", "resume", "remove"):
            self.shell(home, "marque workspace add acme --confirm")
        return home

    def type(self, home, line):
        """The exit code, and what was printed; None while it goes on."""
        for word, actual in self.actual.items():
            line = line.replace(word, actual)
        goes_on = WITHOUT_END.search(line)
        process = subprocess.Popen(["bash", "-c", f"exec {line}" if goes_on else line], cwd=home,
                                   env=self.environment(home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        try:
            text, _ = process.communicate(timeout=1 if goes_on else 60)
            return process.returncode, text
        except subprocess.TimeoutExpired:
            process.terminate()
            return None, process.communicate()[0]


def findings(homes):
    typed = 0
    for path in commands():
        name = " ".join(path) or "marque"
        yield from (f"{name}: a line of its help is too long: {line}"
                    for line in help_of(*path).splitlines() if len(line) > 80)
        for other in re.findall(r"marque ([a-z -]+)", see_also(path)):
            if subprocess.run([MARQUE, "help", *other.split()], capture_output=True).returncode != 0:
                yield f"{name}: its help names marque {other}, which is no command"
        lines = list(examples(path))
        if not lines:
            yield f"{name}: its help has no example"
        home = homes.of(path)
        for line, expected in lines:
            typed += 1
            code, text = homes.type(home, line)
            is_well = code == expected or (TAKES_MORE.search(line) and code in REFUSED)
            if WITHOUT_END.search(line):
                is_well = code is None
            if not is_well:
                yield f"{line}: exit {code}, and help says {expected}\n{text}"
            if path:  # the first steps build upon each other
                home = homes.of(path)
    print(f"{typed} examples typed")
    if typed < 80:
        yield "where are the examples?"


def main():
    with tempfile.TemporaryDirectory() as folder:
        found = list(findings(Homes(pathlib.Path(folder))))
    for finding in found:
        print(finding, file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
