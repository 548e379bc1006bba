"""The examples of docs/serve.md: each command is typed, and what it prints is what stands there."""

import os
import re
import subprocess
import unittest
from pathlib import Path

from harness import StoreTest

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/serve.md"


def examples():
    """Each command of a console block, with the lines that follow it."""
    for block in re.findall(r"^```console\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S):
        for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M):
            yield command, printed


def same_for_all(text):
    """Without what differs from one installation to the next."""
    text = re.sub(r'("revision":|"exp":)\d+', r"\1N", text.replace("\r", ""))
    text = re.sub(r'("credential":"|"jti":"|X-Marque-Credential: )[0-9a-z]{12}', r"\1ID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME", text).strip()


class Document(StoreTest):
    def test_what_is_typed_there_answers_so(self):
        server = self.serve()
        there = {**os.environ, "S": str(server.path), "TOKEN": self.create("codex"),
                 "WATCHER": self.create("watcher", "marque:introspect")}
        typed = list(examples())
        self.assertGreater(len(typed), 10)
        for command, printed in typed:
            with self.subTest(command):
                run = subprocess.run(["bash", "-c", command], env=there, capture_output=True, text=True, check=False)
                self.assertEqual(same_for_all(run.stdout), same_for_all(printed), run.stderr)


if __name__ == "__main__":
    unittest.main()
