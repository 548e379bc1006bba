"""What a server has given up once it is ready, and that it degrades by refusing when the machine gives it too little.

Which system calls the filter lets through is tested call by call in test/sandbox; here, that it is in force, and that
what cannot be is said.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from harness import WAIT_S, Connection, StoreTest

NOBODY = 65534

# A kernel that takes no filter, as far as the program behind it can tell.
WITHOUT_SECCOMP = """
import ctypes, errno, os, sys
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
filter = ctypes.c_void_p(library.seccomp_init(0x7FFF0000))
call = library.seccomp_syscall_resolve_name(b"seccomp")
assert library.seccomp_rule_add(filter, ctypes.c_uint32(0x00050000 | errno.ENOSYS), call, 0) == 0
assert library.seccomp_load(filter) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def status(pid, task=""):
    """The fields of /proc/PID/status."""
    text = Path(f"/proc/{pid}/{task}status").read_text(encoding="utf-8")
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def events(server, name):
    with server.changed:
        return [line for line in server.log if line["event"] == name]


class Confined(StoreTest):
    def setUp(self):
        super().setUp()
        self.token = self.create("codex")

    def works(self, server):
        self.assertEqual(server.connect().auth(self.token).status, 200)

    def test_every_thread_is_filtered(self):
        server = self.serve("--workers", "3")
        self.works(server)
        tasks = os.listdir(f"/proc/{server.process.pid}/task")
        self.assertGreaterEqual(len(tasks), 6, "the loop, three workers, the recorder and the keeper")
        for task in tasks:
            fields = status(server.process.pid, f"task/{task}/")
            self.assertEqual((fields["Seccomp"], fields["NoNewPrivs"]), ("2", "1"), task)
        self.assertEqual(events(server, "not_confined"), [])
        self.assertEqual(server.stop(), 0)

    @unittest.skipIf(os.environ.get("MARQUE_TEST_STORE") == "postgres", "the store is no folder to be moved")
    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_nothing_that_it_does_is_refused(self):
        """Answers, uses, a revocation by its holder, the store away and back, another signal, the end."""
        trace = self.folder / "trace"
        # -D: the verifier is our child, strace only looks on.
        server = self.serve("--tcp", "127.0.0.1:0", "--set", "uses.flush_interval=1s",
                            prefix=("strace", "-D", "-f", "-qq", "-o", str(trace)))
        self.works(server)
        self.assertEqual(Connection(server.address()).request("GET", "/metrics", host="127.0.0.1").status, 200)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("reloaded_tls")
        self.store.rename(self.folder / "away")
        self.assertEqual(server.connect().auth(self.token).status, 503)
        (self.folder / "away").rename(self.store)
        deadline = time.monotonic() + WAIT_S
        while server.connect().auth(self.token).status != 200:
            self.assertLess(time.monotonic(), deadline)
        while "last_used_at" not in self.inspect("codex")["credentials"][0]:
            self.assertLess(time.monotonic(), deadline)
        form = [("Content-Type", "application/x-www-form-urlencoded")]
        self.assertEqual(server.connect().request("POST", "/oauth2/revoke", form, f"token={self.token}").status, 200)
        self.assertEqual(server.stop(), 0)
        before, confined, after = trace.read_text(encoding="utf-8").partition("seccomp(SECCOMP_SET_MODE_FILTER")
        self.assertTrue(confined)
        self.assertEqual(re.findall(r"^.*= -1 ENOSYS.*$", after, re.M), [])
        self.assertEqual(re.findall(r"^.*PROT_EXEC.*$", after, re.M), [])
        self.assertIn("accept4(", after)
        self.assertNotIn("accept4(", before, "nobody is answered before")

    def test_a_kernel_without_filters(self):
        prefix = (sys.executable, "-c", WITHOUT_SECCOMP)
        server = self.serve(prefix=prefix)
        self.works(server)
        said = events(server, "not_confined")
        self.assertEqual([line["level"] for line in said], ["warning"])
        self.assertIn("filter of system calls", said[0]["reason"])
        self.assertEqual(server.stop(), 0)
        refused = self.serve("--set", "hardening.seccomp=required", wait=False, prefix=prefix)
        self.assertEqual(refused.process.wait(30), 8)
        self.assertEqual(events(refused, "ready"), [])

    def test_turned_off(self):
        server = self.serve("--set", "hardening.seccomp=off")
        self.assertEqual([line["reason"] for line in events(server, "not_confined")], ["hardening.seccomp is off"])
        fields = status(server.process.pid)
        self.assertEqual((fields["Seccomp"], fields["NoNewPrivs"]), ("0", "1"))


class Memory(StoreTest):
    def test_no_core_dump(self):
        server = self.serve()
        limits = Path(f"/proc/{server.process.pid}/limits").read_text(encoding="utf-8")
        self.assertRegex(limits, r"Max core file size +0 +0 ")

    def test_no_other_process_of_the_account_may_look(self):
        if os.geteuid() != 0:
            owner = os.geteuid()
        elif shutil.which("setpriv"):
            owner = NOBODY
        else:
            self.skipTest("setpriv is not installed, and root may look anywhere")
        # The server, and who looks, as one account without privileges.
        as_owner = ("setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups") if os.geteuid() == 0 else ()
        if as_owner:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, owner, owner)
        server = self.serve(prefix=as_owner)
        for name in ("mem", "environ", "maps", "fd"):
            look = subprocess.run([*as_owner, "ls" if name == "fd" else "cat", f"/proc/{server.process.pid}/{name}"],
                                  capture_output=True, text=True, check=False)
            self.assertNotEqual(look.returncode, 0, name)
            self.assertIn("Permission denied", look.stderr, name)
        own = subprocess.run([*as_owner, "cat", "/proc/self/environ"], capture_output=True, check=False)
        self.assertEqual(own.returncode, 0, "whoever looks may look at what is theirs")

    def test_secrets_are_in_locked_pages(self):
        server = self.serve()
        self.assertGreater(int(status(server.process.pid)["VmLck"].split()[0]), 0)
        self.assertEqual(events(server, "secrets_not_locked"), [])

    def test_pages_that_can_not_be_locked_are_told_of(self):
        unprivileged = ("setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock") if os.geteuid() == 0 else ()
        server = self.serve(prefix=("prlimit", "--memlock=0", *unprivileged))
        self.assertEqual(status(server.process.pid)["VmLck"], "0 kB")
        self.assertEqual([line["level"] for line in events(server, "secrets_not_locked")], ["warning"])
        self.assertEqual(server.connect().request("GET", "/healthz").status, 200)


if __name__ == "__main__":
    unittest.main()
