"""The library for verifying within one's own process, through the program that shows its use."""

import subprocess
import time
import unittest
from pathlib import Path

import harness
from harness import StoreTest, environment

EXAMPLE = Path(harness.MARQUE).parent / "verify_in_process"


class Library(StoreTest):
    def start(self, *arguments):
        process = subprocess.Popen([EXAMPLE, self.store, *arguments], env=environment(self.store), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def ask(self, process, token):
        process.stdin.write(token + "\n")
        process.stdin.flush()
        return process.stdout.readline().rstrip("\n")

    def test_the_next_call_knows_what_changed(self):
        token = self.create("codex")
        process = self.start()
        self.assertEqual(self.ask(process, token), "accepted: codex in default")
        self.assertEqual(self.ask(process, token[:-1]), "refused")
        self.marque("pause", "codex", "--reason", "test", "--confirm")
        self.assertEqual(self.ask(process, token), "refused")
        self.marque("resume", "codex", "--confirm")
        self.assertEqual(self.ask(process, token), "accepted: codex in default")
        late = self.create("late")
        self.assertEqual(self.ask(process, late), "accepted: late in default")
        self.marque("revoke", "codex", "--reason", "test", "--confirm")
        self.assertEqual(self.ask(process, token), "refused")
        self.assertEqual(self.ask(process, late), "accepted: late in default")

    def test_a_scope_is_demanded(self):
        edits, views = self.create("editor", "card:edit"), self.create("viewer", "card:view")
        process = self.start("card:edit")
        self.assertEqual(self.ask(process, edits), "accepted: editor in default")
        self.assertEqual(self.ask(process, views), "refused")
        process = self.start("no scope at all")
        self.assertEqual(self.ask(process, edits), "refused")

    def test_an_environment_is_demanded(self):
        token = self.create("codex")
        for environment, said in (("dev", "accepted: codex in default"), ("production", "refused"), ("No Name", "refused")):
            with self.subTest(environment):
                self.assertEqual(self.ask(self.start("", environment), token), said)

    def test_what_a_server_knew_of_the_log_holds(self):
        token = self.create("codex")
        older = (self.store / "marque.db").read_bytes()
        self.marque("revoke", "codex", "--reason", "test", "--confirm")
        self.serve().stop()
        (self.store / "marque.db").write_bytes(older)
        process = self.start()
        _, errors = process.communicate("", harness.WAIT_S)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("the log went back", errors)

    def test_no_store_is_no_answer(self):
        token = self.create("codex")
        process = self.start()
        self.assertEqual(self.ask(process, token), "accepted: codex in default")
        away = self.folder / "away"
        self.store.rename(away)
        self.assertRegex(self.ask(process, token), "^no answer, so refused: ")
        away.rename(self.store)
        # A store that is away is not looked for with every call.
        end = time.monotonic() + harness.WAIT_S
        while (answer := self.ask(process, token)).startswith("no answer") and time.monotonic() < end:
            pass
        self.assertEqual(answer, "accepted: codex in default")

    def test_an_empty_folder_does_not_open(self):
        (self.folder / "empty").mkdir()
        self.store = self.folder / "empty"
        process = self.start()
        _, said = process.communicate()
        self.assertEqual(process.returncode, 8)
        self.assertNotEqual(said, "")

    def test_uses_are_written_down(self):
        token = self.create("codex")
        process = self.start()
        for _ in range(3):
            self.ask(process, token)
        process.communicate()
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.inspect("codex")["credentials"][0]["last_used_from"], "example")


if __name__ == "__main__":
    unittest.main()
