"""Clients made by somebody else: two OAuth libraries of npm's (clients/), and curl.

The libraries are installed beforehand, by tools/setup, into build/clients; nothing is fetched here. The issuer is the
server's own address, so its port is chosen before it listens: should somebody else take it meanwhile, it is another.
"""

import json
import shutil
import socket
import subprocess
import unittest
from pathlib import Path

import harness

SCRIPTS = Path(__file__).resolve().parent / "clients"
MODULES = Path(__file__).resolve().parents[2] / "build" / "clients" / "node_modules"
NODE, CURL = shutil.which("node"), shutil.which("curl")
UNKNOWN = "mrq_test_0123456789ab_" + "0" * 49


def node_is_new_enough():
    said = subprocess.run([NODE, "--version"], capture_output=True, text=True).stdout if NODE else "v0.0.0"
    return int(said[1:].split(".")[0]) >= 20


def a_free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@unittest.skipUnless(node_is_new_enough(), "no node, or one older than 20")
@unittest.skipUnless(MODULES.is_dir(), "the clients are not installed in build/clients; tools/setup does it")
class LibrariesTest(harness.StoreTest):
    def setUp(self):
        super().setUp()
        self.watcher = self.create("watcher", "marque:introspect")
        self.tokens = {"active": self.create("codex", "card:view,card:edit", "--expires", "30d"),
                       "revoked": self.create("gone"), "unknown": UNKNOWN, "first": self.create("holder")}
        self.tokens["second"] = self.marque("issue", "holder", "--confirm").strip()
        self.marque("revoke", "gone", "--reason", "test", "--confirm")
        self.issuer = self.serve_as_issuer()

    def serve_as_issuer(self):
        for _ in range(5):
            address = f"127.0.0.1:{a_free_port()}"
            try:
                self.serve("--tcp", address, "--set", f"issuer=http://{address}")
                return f"http://{address}"
            except AssertionError as error:
                taken = error
        raise taken

    def said_by(self, script):
        # Where a script is decides where its modules are looked for, so it is run where they are.
        shutil.copy(SCRIPTS / script, self.folder)
        (self.folder / "node_modules").symlink_to(MODULES)
        told = {"issuer": self.issuer, "watcher": "watcher", "secret": self.watcher, "tokens": self.tokens,
                "holder": "holder"}
        run = subprocess.run([NODE, self.folder / script], input=json.dumps(told), capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def check(self, said):
        server = said["server"]
        self.assertEqual(server["issuer"], self.issuer)
        self.assertEqual(server["introspection_endpoint"], self.issuer + "/oauth2/introspect")
        self.assertEqual(server["revocation_endpoint"], self.issuer + "/oauth2/revoke")
        self.assertIn("client_secret_basic", server["introspection_endpoint_auth_methods_supported"])
        active = said["active"]
        wanted = {"active": True, "client_id": "codex", "sub": "codex", "token_type": "Bearer", "workspace": "default",
                  "environment": "dev", "jti": self.tokens["active"][9:21]}
        self.assertEqual({key: active.get(key) for key in wanted}, wanted)
        self.assertEqual(sorted(active["scope"].split()), ["card:edit", "card:view"])
        self.assertGreater(active["exp"], 0)
        for name in ("revoked", "unknown", "nonsense"):
            self.assertEqual(said[name], {"active": False}, name)
        self.assertEqual(said["wrongSecret"]["status"], 401)
        # Another's token is not the holder's to revoke, and it is not revoked.
        self.assertEqual((said["anothersToken"]["status"], said["anothersToken"]["error"]), (400, "invalid_request"))
        self.assertTrue(said["activeAfter"]["active"])
        # Each of the holder's tokens was revoked alone: once by itself as the secret, once by nothing but possession.
        self.assertTrue(said["firstBefore"]["active"])
        self.assertEqual(said["firstAfter"], {"active": False})
        self.assertEqual(said["secondAfter"], {"active": False})
        states = {credential["state"] for credential in self.inspect("holder")["credentials"]}
        self.assertEqual((states, self.inspect("holder")["state"]), ({"revoked"}, "active"))

    def test_oauth4webapi(self):
        self.check(self.said_by("oauth4webapi.mjs"))

    def test_openid_client(self):
        self.check(self.said_by("openid-client.mjs"))


@unittest.skipUnless(CURL, "no curl")
class CurlTest(harness.StoreTest):
    def setUp(self):
        super().setUp()
        self.token = self.create("codex", "card:view,card:edit")
        self.server = self.serve()

    def curl(self, path, *options):
        """(status, headers by their lower-case names, body) of a call over the unix socket."""
        quietly = ["--silent", "--show-error", "--include", "--max-time", str(harness.WAIT_S)]
        run = subprocess.run([CURL, *quietly, "--unix-socket", self.server.path, f"http://marque{path}", *options],
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        head, _, body = run.stdout.partition("\n\n")
        lines = head.splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return int(lines[0].split()[1]), headers, body

    def test_auth(self):
        bearer = ["-H", f"Authorization: Bearer {self.token}"]
        status, headers, body = self.curl("/auth?scope=card:edit", *bearer)
        self.assertEqual((status, body, headers["content-length"]), (200, "", "0"))
        self.assertEqual((headers["x-marque-identity"], headers["x-marque-credential"]), ("codex", self.token[9:21]))
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(self.curl("/auth?scope=board:delete", *bearer)[0], 403)
        self.assertEqual(self.curl("/auth")[0], 401)
        self.marque("revoke", "codex", "--reason", "test", "--confirm")
        self.assertEqual(self.curl("/auth", *bearer)[0], 401)

    def test_verify(self):
        as_json = ["-H", "Content-Type: application/json", "--data-binary"]
        asked = json.dumps({"token": self.token, "scope": "card:view"})
        status, headers, body = self.curl("/v1/verify", *as_json, asked)
        said = json.loads(body)
        self.assertEqual((status, said["accepted"], said["identity"], said["schema"]), (200, True, "codex", "marque/1"))
        self.assertEqual(str(said["revision"]), headers["x-marque-revision"])
        status, _, body = self.curl("/v1/verify", *as_json, json.dumps({"token": UNKNOWN}))
        self.assertEqual((status, json.loads(body)["accepted"]), (200, False))
        chunked = self.curl("/v1/verify", "-H", "Transfer-Encoding: chunked", *as_json, asked)
        self.assertTrue(json.loads(chunked[2])["accepted"])

    def test_operations(self):
        self.assertEqual(self.curl("/healthz")[::2], (200, "ok\n"))
        self.assertEqual(self.curl("/readyz")[::2], (200, "ready\n"))
        status, _, body = self.curl("/metrics")
        self.assertEqual(status, 200)
        self.assertRegex(body, r"(?m)^marque_revision \d+$")
        self.assertRegex(body, r"(?m)^marque_fresh 1$")


if __name__ == "__main__":
    unittest.main()
