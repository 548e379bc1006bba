"""A token that was presented is nowhere in the server's memory once it was answered: it can be read there by root alone,
and so does this.
"""

import base64
import os
import re
import unittest

from harness import StoreTest

FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")


@unittest.skipUnless(os.geteuid() == 0, "only root may read the memory of a process that says it may not be read")
class Memory(StoreTest):
    def setUp(self):
        super().setUp()
        self.token = self.create("codex")
        self.caller = self.create("gate", "marque:introspect")
        self.server = self.serve("--workers", "1")  # one loop, which reads in order
        try:
            open(f"/proc/{self.server.process.pid}/mem", "rb").close()
        except PermissionError:
            self.skipTest("this root may not read another process' memory (CAP_SYS_PTRACE)")
        self.connection = self.server.connect()

    def count(self, text):
        """How often `text` is in the memory that the server can write."""
        pid, found = self.server.process.pid, 0
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                begin, end, mode = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
                if "w" not in mode:
                    continue
                memory.seek(int(begin, 16))
                try:
                    found += memory.read(int(end, 16) - int(begin, 16)).count(text)
                except OSError:  # a page that is not there
                    continue
        return found

    def assert_forgotten(self):
        for token in (self.token, self.caller):
            self.assertEqual(self.count(token[22:60].encode()), 0)

    def ask(self, path, headers, body):
        self.assertEqual(self.connection.request("POST", path, headers, body).status, 200)
        self.assert_forgotten()

    def test_what_is_under_way_is_found(self):
        self.connection.send(f"GET /auth HTTP/1.1\r\nHost: m\r\nAuthorization: Bearer {self.token}\r\n")
        other = self.server.connect()
        # Both are read in order of their arrival, so the first has been when the second is answered.
        self.assertEqual(other.auth(self.caller).status, 200)
        self.assertGreater(self.count(self.token[22:60].encode()), 0)
        self.connection.send("\r\n")
        self.assertEqual(self.connection.read().status, 200)
        self.assert_forgotten()

    def test_a_header(self):
        self.assertEqual(self.connection.auth(self.token).status, 200)
        self.assert_forgotten()

    def test_many_headers(self):
        self.connection.send(f"GET /auth HTTP/1.1\r\nHost: m\r\nAuthorization: Bearer {self.token}\r\n\r\n" * 200)
        for _ in range(200):
            self.assertEqual(self.connection.read().status, 200)
        self.assert_forgotten()

    def test_json(self):
        self.ask("/v1/verify", [JSON], f'{{"token":"{self.token}","scope":"card:view"}}')

    def test_chunks(self):
        body = f'{{"token":"{self.token}"}}'
        self.connection.send("POST /v1/verify HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n"
                             f"{30:x}\r\n{body[:30]}\r\n{len(body) - 30:x}\r\n{body[30:]}\r\n0\r\n\r\n")
        self.assertEqual(self.connection.read().status, 200)
        self.assert_forgotten()

    def test_forms_and_callers(self):
        basic = base64.b64encode(f"gate:{self.caller}".encode()).decode()
        for authorization in (f"Bearer {self.caller}", f"Basic {basic}"):
            self.ask("/oauth2/introspect", [FORM, ("Authorization", authorization)], f"token={self.token}")

    def test_a_client_that_leaves(self):
        self.connection.send(f"GET /auth HTTP/1.1\r\nHost: m\r\nAuthorization: Bearer {self.token}\r\n")
        self.connection.close()
        other = self.server.connect()
        self.assertEqual(other.auth(self.caller).status, 200)
        self.assertEqual(other.auth(self.caller).status, 200)
        self.assert_forgotten()


if __name__ == "__main__":
    unittest.main()
