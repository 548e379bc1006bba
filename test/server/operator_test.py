"""What the operator gets to see of a running server: metrics, last uses, knocking in vain. And never a token."""

import json
import re
import unittest
from pathlib import Path

from harness import Connection
from routes_test import FORM, JSON, RouteTest, basic, bearer, id_of, with_checksum

SAMPLE = re.compile(r"([a-z_]+)(?:\{([^{}]*)\})? ([0-9.e+-]+|\+Inf|NaN)")
QUICK = ["--set", "uses.flush_interval=1s"]


class Metrics:
    """The Prometheus text format, strictly."""

    def __init__(self, text):
        self.samples, types = {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                assert name not in types, f"two types of {name}"
                types[name] = kind
            elif not line.startswith("# HELP "):
                found = SAMPLE.fullmatch(line)
                assert found, f"no sample: {line!r}"
                base = re.sub(r"_(bucket|sum|count)$", "", found[1])
                assert found[1] in types or types.get(base) == "histogram", f"no type for {line!r}"
                assert (found[1], found[2]) not in self.samples, f"twice: {line!r}"
                self.samples[found[1], found[2]] = float(found[3])
        assert text.endswith("\n")

    def sum(self, name, **labels):
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [value for (n, text), value in self.samples.items()
                 if n == name and all(w in (text or "").split(",") for w in wanted)]
        assert found or labels, f"no {name}"
        return sum(found)


class OperatorTest(RouteTest):
    def metrics(self, address=None, host="marque", headers=()):
        answer = Connection(address or self.server.path).request("GET", "/metrics", headers, host=host)
        self.assertEqual(answer.status, 200)
        return Metrics(answer.body.decode())

    def test_who_may_see_the_metrics(self):
        reader, other = self.create("reader", "marque:metrics"), self.create("codex")
        self.server = self.serve("--tcp", "127.0.0.1:0")
        tcp = self.server.address()
        for because, address, host, headers, may in [
            ("who can open the socket", self.server.path, "marque", [], True),
            ("this host", tcp, f"127.0.0.1:{tcp[1]}", [], True),
            ("by name", tcp, f"localhost:{tcp[1]}", [], True),
            ("without the port", tcp, "localhost", [], True),
            ("a page elsewhere whose name was bent to this host", tcp, "evil.example", [], False),
            ("with the right port", tcp, f"evil.example:{tcp[1]}", [], False),
            ("a name that begins well", tcp, "localhost.evil.example", [], False),
            ("an address that begins well", tcp, "127.0.0.1.evil.example", [], False),
            ("an IPv6 address that begins well", tcp, "[::1].evil.example", [], False),
            ("a name that ends well", tcp, "evil-localhost", [], False),
            ("an empty one", tcp, "", [], False),
            ("who has the scope", tcp, "marque.example.org", bearer(reader), True),
            ("who has another", tcp, "marque.example.org", bearer(other), False),
            ("who has none", tcp, "marque.example.org", bearer("hello"), False),
        ]:
            with self.subTest(because):
                answer = Connection(address).request("GET", "/metrics", headers, host=host)
                self.assertIn(answer.status, (200,) if may else (400, 401, 403))
                if may:
                    self.assertTrue(answer.header("Content-Type").startswith("text/plain; version=0.0.4"))
                else:
                    self.assertNotIn(b"marque_", answer.body)

    def test_metrics_count_what_happened(self):
        token = self.create("codex")
        self.server = self.serve("--tcp", "127.0.0.1:0")
        before = self.metrics()
        connection = self.server.connect()
        for _ in range(7):
            self.assertEqual(connection.auth(token).status, 200)
        for _ in range(5):
            self.assertEqual(connection.auth("hello").status, 401)
        for _ in range(3):
            connection.auth(token, "/auth?scope=card:delete")
        self.assertEqual(self.verify(token).status, 200)
        self.ask("GET", "/nowhere")
        after = self.metrics()
        for name, labels, count in [
            ("marque_verdicts_total", {"reason": "accepted"}, 8),
            ("marque_verdicts_total", {"reason": "malformed"}, 5),
            ("marque_verdicts_total", {"reason": "scope_missing"}, 3),
            ("marque_requests_total", {"route": "/auth", "status": "200"}, 7),
            ("marque_requests_total", {"route": "/auth", "status": "401"}, 5),
            ("marque_requests_total", {"route": "/auth", "status": "403"}, 3),
            ("marque_requests_total", {"route": "/v1/verify", "status": "200"}, 1),
            ("marque_requests_total", {"status": "404"}, 1),
        ]:
            with self.subTest(name, **labels):
                self.assertEqual(after.sum(name, **labels) - before.sum(name, **labels), count)
        self.assertGreaterEqual(after.sum("marque_request_duration_seconds_count"), 17)
        self.assertEqual(after.sum("marque_revision"), self.size())
        self.assertEqual((after.sum("marque_fresh"), after.sum("marque_log_verifies")), (1, 1))
        self.assertEqual(after.sum("marque_credentials"), 1)
        self.wait_until(lambda: self.metrics().sum("marque_connections") == 2, "only the open one and its own")
        self.assertEqual(after.sum("marque_use_flush_failures_total"), 0)
        for name in ("marque_last_catch_up_timestamp_seconds", "marque_index_bytes", "process_resident_memory_bytes",
                     "process_start_time_seconds"):
            self.assertGreater(after.sum(name), 0, name)
        for name in ("marque_catch_ups_total", "marque_reloads_total", "marque_connections_refused_total",
                     "marque_uses_pending", "process_cpu_seconds_total"):
            self.assertGreaterEqual(after.sum(name), 0, name)

    def test_metrics_follow_the_store(self):
        self.create("soon", "card:view", "--expires", "12h")
        self.create("later", "card:view", "--expires", "3d")
        self.server = self.serve()
        first = self.metrics()
        self.assertEqual([first.sum("marque_credentials_expiring", within=w) for w in ("1d", "7d")], [1, 2])
        self.create("more", "card:view", "--expires", "1h")
        # A verdict is what makes it look.
        self.assertEqual(self.auth("mrq_test_" + "0" * 62).status, 401)
        second = self.metrics()
        self.assertEqual(second.sum("marque_revision"), self.size())
        self.assertEqual(second.sum("marque_credentials"), 3)

    def test_the_last_use_is_shown(self):
        rows = [  # because, over, value of X-Real-IP, where from; "" is where from without that header
            ("nobody says", "unix", None, ""),
            ("the proxy says", "unix", "10.0.0.7", "10.0.0.7"),
            ("IPv6 too", "unix", "2001:db8::1", "2001:db8::1"),
            ("anybody can say anything on TCP", "tcp", "10.0.0.7", "127.0.0.1"),
            ("TCP has an address of its own", "tcp", None, "127.0.0.1"),
            ("no address", "unix", "garbage", ""),
            ("an address and more", "unix", "10.0.0.7, 10.0.0.8", ""),
            ("an address and a port", "unix", "10.0.0.7:80", ""),
            ("no number", "unix", "10.0.0.777", ""),
            ("an escape sequence", "unix", "\x1b[31m10.0.0.7", ""),
            ("far too long", "unix", "1" * 4000, ""),
            ("nothing", "unix", "", ""),
        ]
        tokens = [self.create(f"codex-{n}") for n in range(len(rows))]
        unused = self.create("unused")
        self.server = self.serve("--tcp", "127.0.0.1:0")
        for (because, over, value, _), token in zip(rows, tokens, strict=True):
            with self.subTest(because):
                connection = Connection(self.server.address() if over == "tcp" else self.server.path)
                for _ in range(3):
                    answer = connection.auth(token, headers=[("X-Real-IP", value)] if value is not None else [])
                    # A control character may be refused as such; then it was not used.
                    self.assertIn(answer.status, (200, 400) if "\x1b" in (value or "") else (200,))
                    if answer.status == 400:
                        break
        self.auth("hello")
        self.assertEqual(self.server.stop(), 0)
        without = self.inspect("codex-0")["credentials"][0]["last_used_from"]
        self.assertTrue(without)
        for n, (because, _, value, expected) in enumerate(rows):
            with self.subTest(because):
                credential = self.inspect(f"codex-{n}")["credentials"][0]
                if "\x1b" in (value or "") and "last_used_from" not in credential:
                    continue
                self.assertEqual((credential["last_used_from"], credential["use_count"]), (expected or without, 3))
                self.assertIn("last_used_at", credential)
        self.assertNotIn("last_used_at", self.inspect("unused")["credentials"][0], unused[:9])
        self.assertIn("10.0.0.7", self.marque("inspect", "codex-1"))

    def test_other_headers_for_the_address(self):
        for because, options, over, header, expected in [
            ("another header", ["--set", "unix.client_address=X-Forwarded-For"], "unix", "X-Forwarded-For", "10.0.0.7"),
            ("then not the first", ["--set", "unix.client_address=X-Forwarded-For"], "unix", "X-Real-IP", None),
            ("none", ["--set", "unix.client_address="], "unix", "X-Real-IP", None),
            ("on TCP when it is said", ["--set", "tcp.client_address=X-Real-IP"], "tcp", "X-Real-IP", "10.0.0.7"),
        ]:
            with self.subTest(because):
                name = f"codex-{len(self.servers)}"
                token = self.create(name)
                self.server = self.serve("--tcp", "127.0.0.1:0", *options)
                address = self.server.address() if over == "tcp" else self.server.path
                self.assertEqual(Connection(address).auth(token, headers=[(header, "10.0.0.7")]).status, 200)
                self.server.stop()
                came_from = self.inspect(name)["credentials"][0]["last_used_from"]
                self.assertEqual(came_from == "10.0.0.7", expected == "10.0.0.7", came_from)

    def test_last_uses_are_written_while_it_runs(self):
        token = self.create("codex")
        self.server = self.serve(*QUICK)
        size = self.size()
        for _ in range(5):
            self.assertEqual(self.auth(token).status, 200)
        self.wait_until(lambda: self.inspect("codex")["credentials"][0].get("use_count") == 5, "its last use")
        self.assertEqual(self.size(), size, "a use is no event")

    def test_until_used(self):
        old = self.create("codex")
        new = self.marque("rotate", "codex", "--until-used", "--confirm").strip()
        self.server = self.serve(*QUICK)
        self.assertEqual(self.auth(old).status, 200)
        self.assertEqual(self.auth(new).status, 200)
        self.wait_refused(old)
        self.assertEqual(self.auth(new).status, 200)
        entry = self.entries("credential.retire")[-1]
        self.assertEqual((entry["mode"], entry["target"]["id"]), ("runtime", id_of(old)))
        self.assertEqual((entry["actor"]["kind"], entry["actor"]["id"]), ("identity", id_of(new)))

    def test_until_used_is_not_forgotten_at_the_end(self):
        old = self.create("codex")
        new = self.marque("rotate", "codex", "--until-used", "--confirm").strip()
        self.server = self.serve("--set", "uses.flush_interval=1h")
        self.assertEqual(self.auth(new).status, 200)
        self.server.stop()
        self.marque("verify", stdin=old, code=3)

    def test_knocking_in_vain_is_an_event(self):
        revoked, paused = self.create("gone"), self.create("paused")
        expired = self.create("old", "card:view", "--expires", "1s")
        self.marque("revoke", "gone", "--reason", "a test", "--confirm")
        self.marque("pause", id_of(paused), "--reason", "a test", "--confirm")
        self.server = self.serve(*QUICK)
        self.wait_refused(expired)
        connection = self.server.connect()
        for _ in range(50):
            connection.auth(revoked, headers=[("X-Real-IP", "10.0.0.7")])
            connection.auth(paused)
            connection.auth("mrq_test_" + "0" * 62)
        self.wait_until(lambda: len(self.entries("credential.refuse")) >= 3, "its events")
        for _ in range(50):
            connection.auth(revoked, headers=[("X-Real-IP", "10.0.0.8")])
        self.assertEqual(self.server.stop(), 0)
        entries = self.entries("credential.refuse")
        for token, error in ((revoked, "identity_revoked"), (paused, "credential_paused"), (expired, "expired")):
            with self.subTest(error):
                own = [e for e in entries if e["target"].get("id") == id_of(token)]
                self.assertEqual(len(own), 1, "one a minute, however often")
                self.assertEqual((own[0]["mode"], own[0]["outcome"]), ("runtime", "refused"))
                self.assertEqual(own[0]["change"]["error"], error)
                self.assertGreaterEqual(own[0]["change"]["count"], 1)
        self.assertEqual(len(entries), 3)
        refused = self.inspect("gone")["credentials"][0]["refused"]
        self.assertEqual((refused["count"], refused["last_from"]), (100, "10.0.0.8"))
        self.assertIn("last_at", refused)
        self.assertEqual(self.inspect("paused")["credentials"][0]["refused"]["count"], 50)
        text = " ".join(self.marque("inspect", "gone").split())
        when = r"(just now |\d+ \w+ ago )?"
        self.assertRegex(text, f"refused 100 times since it was revoked, last {when}from 10.0.0.8")
        self.marque("audit", "verify")

    def test_knocking_in_vain_is_told(self):
        told = self.folder / "told"
        hook = self.folder / "hook"
        hook.write_text(f"#!/bin/sh\ncat > {told}\n")
        hook.chmod(0o700)
        (self.store / "hooks.toml").write_text(f'[hooks]\nrevoked_in_use = "{hook}"\n')
        (self.store / "hooks.toml").chmod(0o600)
        gone, again = self.create("gone"), self.create("again")
        for name in ("gone", "again"):
            self.marque("revoke", name, "--reason", "a test", "--confirm")
        self.server = self.serve(*QUICK)

        def knock(token, name):
            before = self.inspect(name)["credentials"][0].get("refused", {}).get("count", 0)
            self.server.connect().auth(token, headers=[("X-Real-IP", "10.0.0.7")])
            self.wait_until(lambda: self.inspect(name)["credentials"][0].get("refused", {}).get("count", 0) > before,
                            "its being noted")

        knock(gone, "gone")
        self.marque("notify")
        notice = json.loads(told.read_text())
        self.assertEqual(notice["event"], "revoked_in_use")
        self.assertEqual([c["identity"] for c in notice["credentials"]], ["gone"])
        one = notice["credentials"][0]
        self.assertEqual((one["reason"], one["count"], one["last_from"]), ("identity_revoked", 1, "10.0.0.7"))
        told.unlink()
        self.marque("notify")
        self.assertFalse(told.exists(), "nothing new")
        knock(again, "again")
        self.marque("notify")
        self.assertEqual([c["identity"] for c in json.loads(told.read_text())["credentials"]], ["again"])

    def test_the_log_says_whose_token_was_refused(self):
        codex, gone, wrong = self.create("codex"), self.create("gone"), self.create("wrong")
        self.marque("revoke", "gone", "--reason", "a test", "--confirm")
        self.server = self.serve()

        def line(ask):
            after = len(self.server.log)
            ask()
            return self.server.wait_for("request", after=after)

        def whose(name, token):
            return {"identity": name, "workspace": "default", "environment": "dev", "credential": id_of(token)}

        where = {"route": "/auth", "from": "unix socket", "client": "10.0.0.7"}
        proxied = [("X-Real-IP", "10.0.0.7")]
        for because, path, token, expected in [
            ("a scope", "/auth?scope=card:delete", codex, {"status": 403, "reason": "scope_missing",
                                                           "demanded_scope": "card:delete", **whose("codex", codex)}),
            ("an environment", "/auth?environment=production", codex,
             {"status": 401, "reason": "environment_differs", "demanded_environment": "production", **whose("codex", codex)}),
            ("what stopped it", "/auth", gone, {"status": 401, "reason": "identity_revoked", **whose("gone", gone)}),
            ("nobody whose secret is wrong", "/auth", with_checksum(codex[:22] + wrong[22:]),
             {"status": 401, "reason": "wrong_secret"}),
            ("nobody whose token is none", "/auth?environment=production", "hello", {"status": 401, "reason": "malformed"}),
        ]:
            with self.subTest(because):
                said = line(lambda path=path, token=token: self.auth(token, path, proxied))
                self.assertEqual({k: v for k, v in said.items() if k not in ("at", "level", "event", "request")},
                                 {**where, **expected})
        said = line(lambda: self.ask("POST", "/v1/verify", JSON, json.dumps({"token": gone})))
        self.assertEqual((said["route"], said["identity"], said.get("client")), ("/v1/verify", "gone", None))
        watcher = self.create("watcher", "marque:introspect")
        said = line(lambda: self.introspect(gone, bearer(watcher)))
        self.assertEqual((said["route"], said["identity"]), ("/oauth2/introspect", "gone"))
        said = line(lambda: self.introspect(gone, bearer(codex)))
        self.assertEqual((said["reason"], said["identity"], said["demanded_scope"]),
                         ("scope_missing", "codex", "marque:introspect"))
        said = line(lambda: self.revoke(codex, basic("gone", gone)))
        self.assertEqual((said["status"], said["reason"], said["identity"]), (401, "identity_revoked", "gone"))

    def test_a_flood_of_nonsense_hides_no_holder(self):
        token = self.create("codex")
        self.server = self.serve()
        connection = self.server.connect()
        for _ in range(300):
            connection.auth("nonsense")
        connection.auth(token, "/auth?scope=card:delete")
        self.server.wait_for("request", identity="codex", reason="scope_missing")

    def test_everything_logged_names_who_was_accepted(self):
        token = self.create("codex")
        self.server = self.serve("--set", "log.requests=all")
        self.assertEqual(self.auth(token).status, 200)
        self.assertEqual(self.server.wait_for("request", reason="accepted")["identity"], "codex")

    def test_nobody_knocked(self):
        token = self.create("codex")
        self.marque("pause", "codex", "--reason", "a test", "--confirm")
        self.server = self.serve(*QUICK)
        wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
        for _ in range(5):
            self.assertEqual(self.auth(wrong).status, 401)
        self.server.stop()
        self.assertEqual(self.entries("credential.refuse"), [], "who has not the secret is not its holder")
        self.assertNotIn("refused", self.inspect("codex")["credentials"][0])

    def test_no_token_is_written_anywhere(self):
        """Invariant 2, with everything logged that can be, and with tokens where none belongs."""
        token, caller = self.create("codex"), self.create("watcher", "marque:introspect")
        gone = self.create("gone")
        self.marque("revoke", "gone", "--reason", "a test", "--confirm")
        options = ["--tcp", "127.0.0.1:0", "--set", "log.level=debug", "--set", "log.requests=all"]
        self.server = self.serve(*options, *QUICK)
        said = []

        def ask(method, path, headers=(), body=""):
            for address in (self.server.path, self.server.address()):
                connection = Connection(address)
                answer = connection.request(method, path, headers, body)
                connection.close()
                said.append(f"{answer.headers} {answer.body.decode()}")

        for text in (token, gone, token[:-1], token.upper(), "x" + token):
            for headers in (bearer(text), basic("codex", text), [("Authorization", text)], [("Cookie", text)],
                            [("X-Real-IP", text)], [("User-Agent", text)], [(text, "x")], [("Expect", text)],
                            [("X-Request-Id", text)], [("Content-Length", text)], [("Transfer-Encoding", text)]):
                ask("GET", "/auth", headers)
            for path in (f"/auth?token={text}", f"/auth?scope={text}", f"/{text}", f"/auth/{text}", f"http://{text}/"):
                ask("GET", path)
            ask(text, "/auth")
            for body in (json.dumps({"token": text}), json.dumps({"token": token, "scope": text}),
                         json.dumps({text: text}), f'"{text}', f'{{"token":"{text}","token":"{text}"}}'):
                ask("POST", "/v1/verify", JSON, body)
            ask("POST", "/v1/verify", [("Content-Type", text)], "x")
            for body in (f"token={text}", f"{text}=x", f"token={text}&token={text}", f"token=x&token_type_hint={text}"):
                ask("POST", "/oauth2/introspect", FORM + bearer(caller), body)
                ask("POST", "/oauth2/introspect", FORM + basic(text, caller), body)
                ask("POST", "/oauth2/introspect", FORM + basic("watcher", text), body)
            connection = self.server.connect()
            connection.send(f"GET /auth HTTP/1.1\r\nHost: marque\r\nAuthorization: Bearer {text}\n\n{text}")
            said.append(str(vars(connection.read())))
        ask("POST", "/oauth2/revoke", FORM, f"token={token}")
        for path in ("/metrics", "/readyz", "/healthz"):
            ask("GET", path)
        process = Path(f"/proc/{self.server.process.pid}")
        said += [(process / "cmdline").read_text(), (process / "environ").read_text()]
        self.server.stop()
        written = {"answers": "\n".join(said), "the server's output": json.dumps(self.server.log),
                   "audit export": self.marque("audit", "export"), "list": self.marque("list", "-o", "json"),
                   "inspect": self.marque("inspect", "gone") + self.marque("inspect", "codex", "-o", "json")}
        for file in sorted(self.store.iterdir()):
            written[file.name] = file.read_bytes().decode("latin-1")
        self.assertIn("request", {line["event"] for line in self.server.log}, "it did log")
        for name in (token, gone, caller):
            encoded = basic("x", name)[0][1]
            for secret in (name[22:], name[22:].upper(), encoded[-60:]):
                # Not a part of it either: eight letters are 47 bits.
                parts = [secret[at:at + 8] for at in range(len(secret) - 7)]
                for where, text in written.items():
                    found = [part for part in parts if part in text]
                    self.assertEqual(found, [], f"in {where}")


if __name__ == "__main__":
    unittest.main()
