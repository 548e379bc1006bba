"""Each route as the contract has it: who may call it, what it answers, and what it never tells.

Whatever is wrong with a token, its holder hears the same. The operator hears the reason; nobody ever sees the token.
"""

import base64
import json
import re
import time
import unittest
import zlib

from harness import WAIT_S, Connection, StoreTest

FORM = [("Content-Type", "application/x-www-form-urlencoded")]
JSON = [("Content-Type", "application/json")]
INVALID = 'Bearer error="invalid_token"'

ROUTES = {
    "/auth": "GET",
    "/v1/verify": "POST",
    "/oauth2/introspect": "POST",
    "/oauth2/revoke": "POST",
    "/.well-known/oauth-authorization-server": "GET",
    "/v1/whoami": "GET",
    "/healthz": "GET",
    "/readyz": "GET",
    "/metrics": "GET",
}


def with_checksum(text):
    """The token whose first 65 characters these are (docs/token.md)."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    rest, checksum = zlib.crc32(text[:65].encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        checksum = digits[digit] + checksum
    return text[:65] + checksum


def id_of(token):
    return token.split("_")[2]


def bearer(token):
    return [("Authorization", f"Bearer {token}")]


def basic(name, token):
    return [("Authorization", "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode())]


class RouteTest(StoreTest):
    def ask(self, method, path, headers=(), body="", server=None):
        connection = (server or self.server).connect()
        try:
            return connection.request(method, path, headers, body)
        finally:
            connection.close()

    def auth(self, token, path="/auth", headers=()):
        return self.ask("GET", path, bearer(token) + list(headers))

    def verify(self, token, **more):
        return self.ask("POST", "/v1/verify", JSON, json.dumps({"token": token, **more}))

    def introspect(self, token, caller):
        return self.ask("POST", "/oauth2/introspect", FORM + caller, f"token={token}")

    def revoke(self, token, client=()):
        return self.ask("POST", "/oauth2/revoke", FORM + list(client), f"token={token}")

    def entries(self, action):
        found = json.loads(self.marque("audit", "list", "--action", action, "--limit", "1000", "-o", "json"))
        return found["entries"]

    def size(self):
        return json.loads(self.marque("audit", "verify", "-o", "json"))["size"]

    def wait_until(self, holds, what):
        """For what time or the running system brings by itself."""
        deadline = time.monotonic() + WAIT_S
        while not holds():
            self.assertLess(time.monotonic(), deadline, f"not in time: {what}")
            time.sleep(0.02)

    def wait_refused(self, token):
        self.wait_until(lambda: self.auth(token).status == 401, "a refusal")

    def tokens_that_are_refused(self):
        """One of each kind, by the operator's name for it. The workspace `other` is paused."""
        good, wrong = self.create("good"), self.create("wrong")
        tokens = {"malformed": good[:-1], "unknown": with_checksum(good[:9] + "0" * 12 + good[21:]),
                  "wrong_secret": with_checksum(good[:22] + wrong[22:])}
        for reason, options in {"expired": ["--expires", "1s"], "environment_paused": ["--env", "staging"]}.items():
            tokens[reason] = self.create(reason.replace("_", "-"), "card:view", *options)
        for reason in ("retired", "credential_paused", "identity_paused", "credential_revoked", "identity_revoked"):
            tokens[reason] = self.create(reason.replace("_", "-"))
        why = ["--reason", "a test", "--confirm"]
        self.marque("rotate", "retired", "--overlap", "1s", "--confirm")
        self.marque("pause", "--env", "staging", *why)
        self.marque("pause", id_of(tokens["credential_paused"]), *why)
        self.marque("pause", "identity-paused", *why)
        self.marque("revoke", id_of(tokens["credential_revoked"]), *why)
        self.marque("revoke", "identity-revoked", *why)
        self.marque("workspace", "add", "other", "--confirm")
        tokens["workspace_paused"] = self.create("codex", "card:view", "-w", "other")
        self.marque("workspace", "pause", "other", *why)
        return tokens


class Verdicts(RouteTest):
    def test_each_route_has_one_method(self):
        self.server = self.serve()
        for path, method in ROUTES.items():
            for other in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} - {method}:
                with self.subTest(f"{other} {path}"):
                    answer = self.ask(other, path)
                    allowed = "GET, HEAD" if method == "GET" else method
                    self.assertEqual((answer.status, answer.header("Allow")), (405, allowed))
                    self.assertEqual(answer.header("Cache-Control"), "no-store")

    def test_auth(self):
        token = self.create("codex")
        self.server = self.serve()
        for because, path, headers, status, challenge in [
            ("a token", "/auth", bearer(token), 200, None),
            ("with a scope it has", "/auth?scope=card:edit", bearer(token), 200, None),
            ("nothing is no wrong token", "/auth", [], 401, "Bearer"),
            ("nobody's token", "/auth", bearer("hello"), 401, INVALID),
            ("a scope that it has not", "/auth?scope=card:delete", bearer(token), 403,
             'Bearer error="insufficient_scope", scope="card:delete"'),
            ("a scope does not matter for nobody", "/auth?scope=card:delete", bearer("hello"), 401, INVALID),
        ]:
            with self.subTest(because):
                answer = self.ask("GET", path, headers)
                self.assertEqual((answer.status, answer.header("WWW-Authenticate")), (status, challenge))
                self.assertEqual((answer.header("Content-Length"), answer.body), ("0", b""))
                self.assertEqual(answer.header("Cache-Control"), "no-store")
                names = {n for n in answer.headers if n.startswith("x-marque-")}
                told = {"identity", "workspace", "environment", "scopes", "credential"} if status == 200 else set()
                self.assertEqual(names - {"x-marque-revision"}, {f"x-marque-{n}" for n in told})

    def test_auth_says_who_it_is(self):
        token = self.create("codex")
        self.server = self.serve()
        truth = {"Identity": "codex", "Workspace": "default", "Environment": "dev", "Scopes": "card:edit card:view",
                 "Credential": id_of(token), "Revision": str(self.size())}
        spoofed = [(f"X-Marque-{name}", "root") for name in truth]
        for because, headers in [("as the store has it", []), ("whatever the client claims", spoofed)]:
            with self.subTest(because):
                answer = self.auth(token, headers=headers)
                self.assertEqual({name: answer.header(f"X-Marque-{name}") for name in truth}, truth)

    def test_the_scheme(self):
        token = self.create("codex")
        self.server = self.serve()
        for because, statuses, value in [
            ("as everybody writes it", (200,), f"Bearer {token}"),
            ("schemes have no case", (200,), f"bearer {token}"),
            ("none at all", (200,), f"BEARER {token}"),
            ("whatever", (200,), f"bEaReR {token}"),
            ("several blanks are one (RFC 9110, 11.4)", (200, 401), f"Bearer  {token}"),
            ("a tab is none", (400, 401), f"Bearer\t{token}"),
            ("no blank", (401,), f"Bearer{token}"),
            ("no scheme", (401,), token),
            ("no token", (401,), "Bearer"),
            ("an empty header", (401,), ""),
            ("another scheme", (401,), f"Token {token}"),
            ("Basic is not for this", (401,), basic("codex", token)[0][1]),
            ("nor with the credential", (401,), basic(id_of(token), token)[0][1]),
            ("two tokens", (401,), f"Bearer {token} {token}"),
            ("two in a list", (401,), f"Bearer {token}, Bearer {token}"),
            ("a list of one", (401,), f"Bearer {token},"),
            ("quotes", (401,), f'Bearer "{token}"'),
            ("a parameter", (401,), f"Bearer token={token}"),
            ("padding", (401,), f"Bearer {token}="),
            ("percent-encoding", (401,), f"Bearer {token.replace('_', '%5F')}"),
        ]:
            for path in ("/auth", "/v1/whoami"):
                with self.subTest(because, path=path):
                    answer = self.ask("GET", path, [("Authorization", value)])
                    self.assertIn(answer.status, statuses)
                    self.assertEqual(answer.status == 401, bool(answer.header("WWW-Authenticate")))

    def test_tokens_that_are_not_quite(self):
        token, other = self.create("codex"), self.create("hermes")
        self.server = self.serve()
        for because, text in [
            ("another class", token.replace("_test_", "_live_")),
            ("another class, its checksum right", with_checksum(token.replace("_test_", "_live_"))),
            ("one's id and the other's secret", token[:22] + other[22:]),
            ("and its checksum right", with_checksum(token[:22] + other[22:])),
            ("another id, of nobody", with_checksum(token[:9] + "z" * 12 + token[21:])),
            ("cut by one", token[:-1]),
            ("the secret cut", token[:-7]),
            ("no secret", token[:22]),
            ("no id", token[:9]),
            ("its front cut", token[1:]),
            ("twice", token + token),
            ("a letter more", token + "0"),
            ("a blank inside", token[:40] + " " + token[40:]),
            ("in capitals", token.upper()),
            ("in small letters", token.lower()),
            ("the id in capitals", with_checksum(token[:9] + token[9:21].upper() + token[21:])),
            ("the prefix in capitals", with_checksum("MRQ" + token[3:])),
            ("the secret in the other case", with_checksum(token[:22] + token[22:].swapcase())),
            ("a wrong checksum", token[:-1] + ("0" if token[-1] != "0" else "1")),
            ("another separator", with_checksum(token[:21] + "-" + token[22:])),
            ("nothing", ""),
            ("4,000 letters", "a" * 4000),
            ("the pattern's shape", "mrq_test_" + "0" * 12 + "_" + "0" * 49),
        ]:
            with self.subTest(because):
                self.assertEqual(self.auth(text).status, 401)
                verdict = self.verify(text)
                self.assertEqual((verdict.status, verdict.json()["accepted"]), (200, False))
        self.assertEqual(self.auth(token).status, 200)

    def test_verify(self):
        token = self.create("codex")
        self.server = self.serve()
        shared = {"revision": self.size(), "schema": "marque/1"}
        expires = self.inspect("codex")["credentials"][0]["expires_at"]
        accepted = {"accepted": True, "credential": id_of(token), "environment": "dev", "expires_at": expires,
                    "identity": "codex", "scopes": ["card:edit", "card:view"], "workspace": "default", **shared}
        for because, answer, expected in [
            ("a token", self.verify(token), accepted),
            ("with a scope it has", self.verify(token, scope="card:view"), accepted),
            ("with one it has not", self.verify(token, scope="card:delete"),
             {"accepted": False, "error": "insufficient_scope", **shared}),
            ("nobody's", self.verify("hello"), {"accepted": False, "error": "invalid_token", **shared}),
        ]:
            with self.subTest(because):
                self.assertEqual((answer.status, answer.json()), (200, expected))
                self.assertEqual(answer.header("X-Marque-Revision"), str(shared["revision"]))
                self.assertTrue(answer.header("Content-Type").startswith("application/json"))
        forever = self.create("forever", "card:view", "--expires", "never")
        self.assertNotIn("expires_at", self.verify(forever).json())

    def test_an_environment_is_demanded(self):
        dev, staging = self.create("codex"), self.create("stager", "card:view", "--env", "staging")
        self.server = self.serve()
        for because, token, demand, status in [
            ("its own", dev, "environment=dev", 200),
            ("with a scope it has", dev, "environment=dev&scope=card:edit", 200),
            ("in any order", dev, "scope=card:edit&environment=dev", 200),
            ("with a scope it has not", dev, "environment=dev&scope=card:delete", 403),
            ("another", dev, "environment=staging", 401),
            ("the other way round", staging, "environment=dev", 401),
            ("a scope does not matter elsewhere", staging, "environment=dev&scope=card:delete", 401),
            ("one that there is not", dev, "environment=nowhere", 401),
            ("a name that it begins with", dev, "environment=de", 401),
        ]:
            with self.subTest(because):
                answer = self.auth(token, "/auth?" + demand)
                self.assertEqual(answer.status, status)
                if status == 401:
                    self.assertEqual(answer.header("WWW-Authenticate"), INVALID)
                said = self.verify(token, **dict(part.split("=") for part in demand.split("&"))).json()
                self.assertEqual(said.get("error"), {401: "invalid_token", 403: "insufficient_scope"}.get(status))
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(self.inspect("codex")["credentials"][0]["use_count"], 6, "a refusal is no use")
        refused = self.inspect("stager")["credentials"][0]["refused"]
        self.assertEqual((refused["reason"], refused["count"]), ("environment_differs", 4))
        self.assertIn("refused 4 times where another environment is demanded, last from",
                      " ".join(self.marque("inspect", "stager").split()))

    def test_a_listener_demands_an_environment_of_all_who_ask(self):
        dev, stager = self.create("codex"), self.create("stager", "card:view", "--env", "staging")
        watchers = {env: self.create(f"watcher-{env}", "marque:introspect", "--env", env) for env in ("dev", "staging")}
        self.server = self.serve("--set", "unix.demand.environment=staging,canary", "--tcp", "127.0.0.1:0")
        for because, token, query, status in [
            ("one of its environments", stager, "", 200),
            ("another", dev, "", 401),
            ("a caller can't lift it", dev, "?environment=dev", 401),
            ("and may demand more", stager, "?environment=canary", 401),
        ]:
            with self.subTest(because):
                self.assertEqual(self.auth(token, "/auth" + query).status, status)
        self.assertEqual(self.server.wait_for("request", reason="environment_differs")["listener_demands"], "staging,canary")
        self.assertFalse(self.verify(dev).json()["accepted"])
        self.assertEqual(self.ask("GET", "/v1/whoami", bearer(dev)).status, 401)
        for client in (bearer(watchers["staging"]), basic("watcher-staging", watchers["staging"])):
            self.assertEqual(self.introspect(dev, client).json(), {"active": False})
            self.assertTrue(self.introspect(stager, client).json()["active"])
        self.assertEqual(self.introspect(stager, bearer(watchers["dev"])).json()["error"], "invalid_client")
        self.assertEqual(Connection(self.server.address()).auth(dev).status, 200, "another listener demands nothing")
        # Who holds a token may end it anywhere: an answer of 200 that ended nothing would be a lie.
        self.assertEqual(self.revoke(dev).status, 200)
        self.marque("verify", stdin=dev, code=3)

    def test_whoami(self):
        token = self.create("codex")
        self.server = self.serve()
        answer = self.ask("GET", "/v1/whoami", bearer(token))
        expected = {"credential": id_of(token), "environment": "dev", "identity": "codex", "revision": self.size(),
                    "expires_at": self.inspect("codex")["credentials"][0]["expires_at"], "schema": "marque/1",
                    "scopes": ["card:edit", "card:view"], "state": "active", "workspace": "default"}
        self.assertEqual((answer.status, answer.json()), (200, expected))
        self.marque("rotate", "codex", "--confirm")
        self.assertEqual(self.ask("GET", "/v1/whoami", bearer(token)).json()["state"], "retiring")
        self.assertEqual(self.ask("GET", "/v1/whoami").header("WWW-Authenticate"), "Bearer")
        self.assertEqual(self.ask("GET", "/v1/whoami", bearer("hello")).header("WWW-Authenticate"), INVALID)

    def test_every_refusal_looks_alike(self):
        """Byte for byte, but for what tells one answer from the next."""
        self.server = self.serve()
        tokens = self.tokens_that_are_refused()
        caller = self.create("watcher", "marque:introspect", "-w", "default")
        self.wait_refused(tokens["expired"])
        self.wait_refused(tokens["retired"])

        def answer(method, path, headers, body=""):
            connection = self.server.connect()
            lines = [f"{method} {path} HTTP/1.1", "Host: marque", "Connection: close", f"Content-Length: {len(body)}"]
            connection.send("\r\n".join([*lines, *(f"{n}: {v}" for n, v in headers), "", body]))
            data = b"".join(iter(lambda: connection.socket.recv(65536), b""))
            data = re.sub(rb'"revision":\d+', b'"revision":N', data)
            # An entry of credential.refuse may come between two answers, so the revision may grow.
            return re.sub(rb"(?im)^(x-marque-revision|x-request-id|date|content-length): [^\r]*\r\n", rb"", data)

        for what, ask in [
            ("auth", lambda t: answer("GET", "/auth", bearer(t))),
            ("auth for an environment", lambda t: answer("GET", "/auth?environment=production", bearer(t))),
            ("auth with a scope", lambda t: answer("GET", "/auth?scope=card:view", bearer(t))),
            ("whoami", lambda t: answer("GET", "/v1/whoami", bearer(t))),
            ("verify", lambda t: answer("POST", "/v1/verify", JSON, json.dumps({"token": t}))),
            ("introspect", lambda t: answer("POST", "/oauth2/introspect", FORM + bearer(caller), f"token={t}")),
            ("introspect as that", lambda t: answer("POST", "/oauth2/introspect", FORM + bearer(t), f"token={caller}")),
            ("revoke", lambda t: answer("POST", "/oauth2/revoke", FORM + bearer(t), f"token={caller}")),
            ("metrics", lambda t: answer("GET", "/metrics", bearer(t))[:15]),
        ]:
            seen = {reason: ask(token) for reason, token in tokens.items()}
            if what == "auth for an environment":
                seen["environment_differs"] = ask(caller)
            for reason, data in seen.items():
                with self.subTest(what, reason=reason):
                    self.assertEqual(data, seen["unknown"])

    def test_reasons_are_counted_for_the_operator(self):
        self.server = self.serve()
        tokens = self.tokens_that_are_refused()
        self.wait_refused(tokens["expired"])
        self.wait_refused(tokens["retired"])
        tokens["accepted"] = self.create("codex", "card:view", "-w", "default")

        def counts():
            text = self.ask("GET", "/metrics").body.decode()
            return {k: float(v) for k, v in re.findall(r'^marque_verdicts_total\{reason="(\w+)"\} (\S+)$', text, re.M)}

        before = counts()
        for token in tokens.values():
            for _ in range(3):
                self.auth(token)
        self.auth(tokens["accepted"], "/auth?scope=card:delete")
        self.auth(tokens["accepted"], "/auth?scope=card:delete&environment=production")
        grown = {k: v - before.get(k, 0) for k, v in counts().items() if v != before.get(k, 0)}
        self.assertEqual(grown, {**{reason: 3 for reason in tokens}, "scope_missing": 1, "environment_differs": 1})


if __name__ == "__main__":
    unittest.main()
