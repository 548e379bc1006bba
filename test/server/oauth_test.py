"""Introspection, revocation by the holder, and the metadata: RFC 7662, RFC 7009, RFC 8414.

Who asks has to say who they are, hears nothing of other workspaces, and can end nothing but what they hold.
"""

import unittest
from datetime import datetime

from routes_test import FORM, RouteTest, basic, bearer, id_of, with_checksum


def seconds(text):
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


class OAuthTest(RouteTest):
    def test_who_may_introspect(self):
        token, caller = self.create("codex"), self.create("watcher", "marque:introspect,card:view")
        stopped = self.create("stopped", "marque:introspect")
        self.marque("pause", "stopped", "--reason", "a test", "--confirm")
        self.server = self.serve()
        for because, client, status, error in [
            ("its token", bearer(caller), 200, None),
            ("its name and token", basic("watcher", caller), 200, None),
            ("its credential and token", basic(id_of(caller), caller), 200, None),
            ("nobody", [], 401, "invalid_client"),
            ("nobody's token", bearer("hello"), 401, "invalid_client"),
            ("another's name", basic("codex", caller), 401, "invalid_client"),
            ("another's token", basic("watcher", token), 401, "invalid_client"),
            ("somebody who was stopped", bearer(stopped), 401, "invalid_client"),
            ("a token without the scope", bearer(token), 403, "insufficient_scope"),
            ("a name and a token without the scope", basic("codex", token), 403, "insufficient_scope"),
        ]:
            with self.subTest(because):
                answer = self.introspect(token, client)
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.json().get("error"), error)
                self.assertEqual(status == 401, answer.header("WWW-Authenticate") is not None)
                self.assertEqual(answer.header("Cache-Control"), "no-store")
        in_form = f"token={token}&client_id=watcher&client_secret={caller}"
        self.assertEqual(self.ask("POST", "/oauth2/introspect", FORM, in_form).status, 401, "not from the form")

    def test_what_introspection_says(self):
        token, caller = self.create("codex"), self.create("watcher", "marque:introspect")
        forever = self.create("forever", "card:view", "--expires", "never")
        gone, hermes = self.create("gone"), self.create("hermes")
        self.marque("revoke", "gone", "--reason", "a test", "--confirm")
        credential = self.inspect("codex")["credentials"][0]
        self.marque("workspace", "add", "other", "--confirm")
        elsewhere = self.create("codex", "card:view", "-w", "other")
        caller_elsewhere = self.create("watcher", "marque:introspect", "-w", "other")
        self.server = self.serve("--set", "issuer=https://marque.example.org")
        answer = self.introspect(token, bearer(caller))
        self.assertEqual(answer.json(), {
            "active": True, "scope": "card:edit card:view", "client_id": "codex", "sub": "codex",
            "token_type": "Bearer",
            "exp": seconds(credential["expires_at"]),
            "iss": "https://marque.example.org", "jti": credential["credential"], "workspace": "default",
            "environment": "dev"})
        self.assertNotIn("exp", self.introspect(forever, bearer(caller)).json())
        for because, asked, client in [
            ("nobody's", "hello", caller),
            ("a revoked one", gone, caller),
            ("one of another workspace", elsewhere, caller),
            ("the other way round", token, caller_elsewhere),
            ("another of another workspace", hermes, caller_elsewhere),
        ]:
            with self.subTest(because):
                answer = self.introspect(asked, bearer(client))
                self.assertEqual((answer.status, answer.json()), (200, {"active": False}))
        self.assertTrue(self.introspect(elsewhere, basic("watcher", caller_elsewhere)).json()["active"])

    def test_asking_once_is_one_use(self):
        token, caller = self.create("codex"), self.create("watcher", "marque:introspect")
        self.server = self.serve()
        self.assertTrue(self.introspect(token, bearer(caller)).json()["active"])
        self.assertTrue(self.introspect(token, basic("watcher", caller)).json()["active"])
        self.server.stop()
        for name in ("codex", "watcher"):
            self.assertEqual(self.inspect(name)["credentials"][0]["use_count"], 2, name)

    def test_without_an_issuer(self):
        token, caller = self.create("codex"), self.create("watcher", "marque:introspect")
        self.server = self.serve()
        self.assertNotIn("iss", self.introspect(token, bearer(caller)).json())
        self.assertEqual(self.ask("GET", "/.well-known/oauth-authorization-server").status, 404)

    def test_the_metadata(self):
        self.server = self.serve("--set", "issuer=https://marque.example.org")
        answer = self.ask("GET", "/.well-known/oauth-authorization-server")
        said = answer.json()
        self.assertEqual((answer.status, said["issuer"]), (200, "https://marque.example.org"))
        for name in ("introspection", "revocation"):
            verb = {"introspection": "introspect", "revocation": "revoke"}[name]
            self.assertEqual(said[f"{name}_endpoint"], f"https://marque.example.org/oauth2/{verb}")
            self.assertIn("client_secret_basic", said[f"{name}_endpoint_auth_methods_supported"])
        self.assertIsInstance(said["response_types_supported"], list, "required by RFC 8414, 2")

    def test_the_holder_revokes(self):
        for because, client in [
            ("possession is enough", lambda name, token: []),
            ("as itself", lambda name, token: bearer(token)),
            ("as itself, by name", lambda name, token: basic(name, token)),
            ("as itself, by credential", lambda name, token: basic(id_of(token), token)),
        ]:
            with self.subTest(because):
                name = f"codex-{len(self.servers)}"
                token = self.create(name)
                second = self.marque("issue", name, "--confirm").strip()
                self.server = self.serve()
                open_before = self.server.connect()
                self.assertEqual(open_before.auth(token).status, 200)
                size = self.size()
                answer = self.revoke(token, client(name, token))
                self.assertEqual((answer.status, answer.body), (200, b""))
                self.assertEqual(open_before.auth(token).status, 401)
                self.assertEqual(self.auth(second).status, 200, "the credential is revoked, not the identity")
                entry = self.entries("credential.revoke")[-1]
                self.assertEqual((entry["seq"], entry["mode"], entry["outcome"]), (size + 1, "runtime", "done"))
                self.assertEqual((entry["target"]["id"], entry["actor"]["kind"]), (id_of(token), "identity"))
                self.assertEqual(self.revoke(token).status, 200, "again changes nothing")
                self.assertEqual(len([e for e in self.entries("credential.revoke")
                                      if e["target"]["id"] == id_of(token)]), 1)
                self.server.stop()
                self.marque("audit", "verify")

    def test_behind_a_revocation_it_is_in_force(self):
        """Pipelined: each request is judged after the one before it was done."""
        token = self.create("codex")
        self.server = self.serve()
        ask = f"GET /auth HTTP/1.1\r\nHost: marque\r\nAuthorization: Bearer {token}\r\n\r\n"
        form = f"token={token}"
        revoke = ("POST /oauth2/revoke HTTP/1.1\r\nHost: marque\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                  f"Content-Length: {len(form)}\r\n\r\n{form}")
        connection = self.server.connect()
        connection.send(ask + revoke + ask + revoke + ask)
        self.assertEqual([connection.read().status for _ in range(5)], [200, 200, 401, 200, 401])

    def test_what_is_not_the_holders(self):
        token, other = self.create("codex"), self.create("hermes", "card:view,marque:introspect")
        self.marque("workspace", "add", "other", "--confirm")
        namesake = self.create("codex", "card:view", "-w", "other")
        self.server = self.serve()
        size = self.size()
        for because, text, client, status, error in [
            ("another's client authentication", token, bearer(other), 400, "invalid_request"),
            ("by name", token, basic("hermes", other), 400, "invalid_request"),
            ("a namesake of another workspace", token, bearer(namesake), 400, "invalid_request"),
            ("wrong client authentication", token, bearer("hello"), 401, "invalid_client"),
            ("a name and another's token", token, basic("codex", other), 401, "invalid_client"),
            ("another's name and its own token", token, basic("hermes", token), 401, "invalid_client"),
        ]:
            with self.subTest(because):
                answer = self.revoke(text, client)
                self.assertEqual((answer.status, answer.json()["error"]), (status, error))
                self.assertEqual(self.auth(token).status, 200)
        for because, text in [
            ("nobody's token", "hello"),
            ("its id and another's secret", with_checksum(token[:22] + other[22:])),
            ("its id alone", id_of(token)),
            ("its name", "codex"),
        ]:
            with self.subTest(because):
                self.assertEqual(self.revoke(text).status, 200, "an unknown token is as good as revoked")
                self.assertEqual(self.auth(token).status, 200)
        self.assertEqual(self.size(), size, "nothing was written")

    def test_a_stopped_token_can_still_be_revoked(self):
        """Whoever finds one that is paused must be able to end it, or it works again after the pause."""
        token = self.create("codex")
        self.marque("pause", "codex", "--reason", "a test", "--confirm")
        self.server = self.serve()
        self.assertEqual(self.revoke(token).status, 200)
        self.assertEqual(self.inspect("codex")["credentials"][0]["own_state"], "revoked")
        self.marque("resume", "codex", "--confirm")
        self.assertEqual(self.auth(token).status, 401)


if __name__ == "__main__":
    unittest.main()
