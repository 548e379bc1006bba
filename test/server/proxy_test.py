"""nginx, Caddy and HAProxy in front of an application, each as packaging/ ships it, and a real verifier behind.

What a proxy has to keep is the same for all: an identity only from a verdict, every refusal passed on for what it is,
and no verdict no passage. The tests stand once, in `Guarded`, and run for each proxy that is installed.
"""

import os
import signal
import threading
import time
import unittest

from harness import Connection, StoreTest
from proxies import Application, Caddy, HAProxy, Nginx, Silent

GENEROUS_S = 6  # a busy machine's share, on top of what the shipped file states

# What a client may try to pass itself off with.
DISGUISES = [(name, "admin") for name in (
    "X-Marque-Identity", "x-marque-identity", "X_Marque_Identity", "x_marque_identity", "X-Marque_Identity",
    "X-Marque-Scopes", "X_MARQUE_SCOPES", "X-Marque-Credential", "X-Marque-Workspace", "X-Marque-Environment",
    "X-Marque-Revision")]


class Guarded:
    """The contract. A class below names the proxy."""

    proxy = None

    def setUp(self):
        if not self.proxy.is_installed():
            self.skipTest(f"{self.proxy.program} is not installed")
        super().setUp()
        self.open_production()
        self.application = Application()
        self.addCleanup(self.application.server_close)
        self.addCleanup(self.application.shutdown)

    def guard(self, **options):
        self.server = self.serve()
        self.front = self.proxy(self.folder, self.server.path, self.application, **options)
        self.addCleanup(self.front.stop)

    def create(self, name, scope="card:view,card:edit", environment="production"):
        """A token, of the environment that the shipped files demand."""
        return super().create(name, scope, "--env", environment)

    def ask(self, token=None, path="/", headers=(), method="GET", body=b"", connection=None):
        bearer = [("Authorization", f"Bearer {token}")] if token else []
        asked = connection or Connection(self.front.address)
        try:
            return asked.request(method, path, [*bearer, *headers], body, host="board.example.org")
        finally:
            if not connection:
                asked.close()

    def assert_refused(self, status, *arguments, **options):
        """The answer, which has that status, and the application has heard nothing."""
        before = len(self.application.requests)
        answer = self.ask(*arguments, **options)
        self.assertEqual(answer.status, status)
        self.assertEqual(len(self.application.requests), before, "the application was reached")
        return answer

    def assert_closed(self, token):
        """No verdict can be had: an answer that says so, in the time that the shipped file states."""
        before, start = len(self.application.requests), time.monotonic()
        answer = self.ask(token)
        took = time.monotonic() - start
        self.assertIn(answer.status, (502, 503, 504))
        self.assertLess(took, self.front.bound_s + GENEROUS_S)
        self.assertEqual(len(self.application.requests), before, "the application was reached")

    def test_who_it_is_comes_from_the_verdict(self):
        self.guard()
        token = self.create("codex")
        answer = self.ask(token, "/cards?scope=no:such&x=1")
        self.assertEqual((answer.status, answer.body), (200, b"application"))
        path, headers, _ = self.application.requests[-1]
        said = self.application.said_of_identity()
        self.assertEqual(path, "/cards?scope=no:such&x=1")
        self.assertGreater(int(said.pop("x-marque-revision")), 0)
        self.assertEqual(said, {
            "x-marque-identity": "codex", "x-marque-workspace": "default", "x-marque-environment": "production",
            "x-marque-scopes": "card:edit card:view",
            "x-marque-credential": self.inspect("codex")["credentials"][0]["credential"]})
        self.assertNotIn(token, str(headers), "the token went on to the application")

    def test_a_body_goes_to_the_application_alone(self):
        self.guard()
        token, body = self.create("codex"), b"x" * 100_000
        connection = Connection(self.front.address)
        self.addCleanup(connection.close)
        for _ in range(3):  # one after the other on kept connections: a body sent to the verifier would break them
            self.assertEqual(self.ask(token, method="POST", body=body, connection=connection).status, 200)
            self.assertEqual(self.application.requests[-1][2], body)
        self.assert_refused(401, "nonsense", method="POST", body=b"small")

    def test_honest_requests_of_every_kind_get_through(self):
        self.guard()
        token = self.create("codex")
        for because, method, headers, body in [
            ("no body wanted", "HEAD", [], b""),
            ("another method", "OPTIONS", [], b""),
            ("a big cookie", "GET", [("Cookie", "a=" + "x" * 6000)], b""),
            ("many headers", "GET", [(f"X-Other-{n}", "y") for n in range(70)], b""),
            ("an upgrade", "GET", [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x" * 24),
                                         ("Sec-WebSocket-Version", "13")], b""),
            ("a body on request", "PUT", [("Expect", "100-continue"), ("Content-Length", "3")], b"abc"),
            ("a body in chunks", "POST", [("Transfer-Encoding", "chunked")], b"3\r\nabc\r\n0\r\n\r\n"),
        ]:
            with self.subTest(because):
                connection = Connection(self.front.address)
                self.addCleanup(connection.close)
                sent = [("Host", "board.example.org"), ("Authorization", f"Bearer {token}"), *headers]
                head = "".join(f"{name}: {value}\r\n" for name, value in sent)
                connection.send(f"{method} /cards HTTP/1.1\r\n{head}\r\n".encode() + body)
                answer = connection.read(has_body=method != "HEAD")
                while answer.status == 100:
                    answer = connection.read()
                self.assertEqual(answer.status, 200)
                self.assertEqual(self.application.requests[-1][2], b"abc" if body else b"")

    def test_as_many_scopes_as_there_may_be(self):
        self.guard()
        scopes = [f"{number:03}-of-a-resource-with-a-long-name:and-a-verb" for number in range(128)]
        self.assertEqual(self.ask(self.create("codex", ",".join(scopes))).status, 200)
        self.assertEqual(self.application.said_of_identity()["x-marque-scopes"], " ".join(scopes))

    def test_what_a_client_says_of_itself_is_not_believed(self):
        self.guard()
        token = self.create("codex")
        self.ask(token)
        honest = self.application.said_of_identity()
        for disguise in DISGUISES:
            with self.subTest(disguise[0]):
                self.assertEqual(self.ask(token, headers=[disguise]).status, 200)
                self.assertEqual(self.application.said_of_identity(), honest)
                self.assertEqual(self.ask(path="/public/", headers=[disguise]).status, 200)
                self.assertEqual(self.application.said_of_identity(), {})
                self.assert_refused(401, headers=[disguise])

    def test_an_identity_can_not_be_taken_off_on_the_way(self):
        self.guard()
        token = self.create("codex")
        for named in ("X-Marque-Identity", "close, x-marque-scopes", "Authorization"):
            with self.subTest(named):
                answer = self.ask(token, headers=[("Connection", named)])
                if answer.status == 200:
                    said = self.application.said_of_identity()
                    self.assertEqual(said["x-marque-identity"], "codex")
                    self.assertEqual(said["x-marque-scopes"], "card:edit card:view")
                else:
                    self.assertIn(answer.status, (400, 401))
                    self.assertEqual(self.application.requests, [])
                self.application.requests.clear()

    def test_refusals_are_passed_on_for_what_they_are(self):
        self.guard()
        token = self.create("viewer", "card:view")
        self.assertEqual(self.assert_refused(401).header("WWW-Authenticate"), "Bearer")
        refused = self.assert_refused(401, token[:-1] + ("a" if token[-1] != "a" else "b"))
        self.assertEqual(refused.header("WWW-Authenticate"), 'Bearer error="invalid_token"')
        forbidden = self.assert_refused(403, token, "/cards/edit/7?scope=card:view")
        self.assertEqual(forbidden.header("WWW-Authenticate"), 'Bearer error="insufficient_scope", scope="card:edit"')
        self.assertEqual(self.ask(token).status, 200)
        editor = self.create("editor", "card:edit")
        self.assertEqual(self.ask(editor, "/cards/edit/7").status, 200)
        for status in (401, 403, 500, 503):  # the application's own
            answer = self.ask(token, f"/?status={status}")
            self.assertEqual((answer.status, answer.body), (status, b"application"))
            self.assertIsNone(answer.header("WWW-Authenticate"))

    def test_a_token_of_another_environment_opens_nothing(self):
        self.guard()
        token = self.create("developer", environment="dev")
        for path in ("/", "/cards/edit/7", "/?environment=dev", "/cards/edit/7?scope=card:view&environment=dev"):
            with self.subTest(path):
                answer = self.assert_refused(401, token, path, headers=[("X-Real-IP", "192.0.2.7")])
                self.assertEqual(answer.header("WWW-Authenticate"), 'Bearer error="invalid_token"')
        said = self.server.wait_for("request", reason="environment_differs")
        told = {"identity": "developer", "workspace": "default", "environment": "dev", "client": "127.0.0.1",
                "demanded_environment": "production", "route": "/auth", "status": 401, "from": "unix socket"}
        self.assertEqual({key: said.get(key) for key in told}, told)
        self.assertEqual(self.ask(self.create("codex")).status, 200)

    def test_two_tokens_are_none(self):
        self.guard()
        token, other = self.create("codex"), self.create("other")
        for pair in ((token, other), (token, "nonsense"), ("nonsense", token), (token, token)):
            headers = [("Authorization", f"Bearer {word}") for word in pair]
            before = len(self.application.requests)
            self.assertIn(self.ask(headers=headers).status, (400, 401))
            self.assertEqual(len(self.application.requests), before)

    def test_a_demand_holds_however_the_path_is_written(self):
        self.guard()
        token = self.create("viewer", "card:view")
        for path in ("/x/../cards/edit", "/public/../cards/edit", "/cards/./edit", "//cards/edit", "/%63ards/edit",
                     "/cards/%65dit", "/public/%2e%2e/cards/edit", "/cards//edit", "/public/..%2fcards/edit"):
            with self.subTest(path):
                self.assertIn(self.ask(token, path).status, (400, 403))
        self.assertEqual(self.application.requests, [])

    def test_a_change_holds_for_the_very_next_request(self):
        self.guard()
        token, other = self.create("codex"), self.create("other")
        kept = Connection(self.front.address)
        self.addCleanup(kept.close)
        for command, status in (("pause", 401), ("resume", 200), ("revoke", 401)):
            self.assertEqual(self.ask(other, connection=kept).status, 200)
            self.marque(command, "codex", "--reason", "test", "--confirm")
            self.assertEqual(self.ask(token, connection=kept).status, status, command)
            self.assertEqual(self.ask(token).status, status, command)
        self.assertEqual(self.ask(other, connection=kept).status, 200)

    def test_no_request_that_began_after_a_revocation_passes(self):
        self.guard()
        token = self.create("codex")
        answers, stop = [], threading.Event()

        def hammer():
            connection = Connection(self.front.address)
            while not stop.is_set():
                start = time.monotonic()
                answers.append((start, self.ask(token, connection=connection).status))
            connection.close()

        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        self.wait_until(lambda: len(answers) > 40)
        self.marque("revoke", "codex", "--reason", "test", "--confirm")
        returned, before = time.monotonic(), len(answers)
        self.wait_until(lambda: len(answers) > before + 40)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual({status for start, status in answers if start >= returned}, {401})
        self.assertIn(200, {status for start, status in answers if start < returned})

    def wait_until(self, holds):
        until = time.monotonic() + 30
        while not holds():
            self.assertLess(time.monotonic(), until, "it does not come")
            threading.Event().wait(0.005)

    def test_without_its_store_the_verifier_lets_nobody_in(self):
        self.guard()
        token = self.create("codex")
        self.assertEqual(self.ask(token).status, 200)
        away = self.store.rename(self.folder / "away")
        answer = self.assert_refused(503, token)
        self.assertEqual(answer.header("Retry-After"), "1")
        away.rename(self.store)
        self.wait_until(lambda: self.ask(token).status == 200)

    def test_a_stopped_verifier_lets_nobody_in(self):
        self.guard()
        token = self.create("codex")
        self.assertEqual(self.ask(token).status, 200)
        self.server.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.server.process.pid, os.WSTOPPED | os.WNOWAIT)  # every thread of it
        self.assert_closed(token)
        self.server.process.send_signal(signal.SIGCONT)
        self.wait_until(lambda: self.ask(token).status == 200)

    def test_a_killed_verifier_lets_nobody_in(self):
        self.guard()
        token = self.create("codex")
        self.assertEqual(self.ask(token).status, 200)
        self.server.stop(signal.SIGKILL)
        self.assert_closed(token)
        self.serve()  # in its place: the proxy finds it by itself
        self.assertEqual(self.ask(token).status, 200)

    def test_a_verifier_started_anew_is_found(self):
        self.guard()
        token = self.create("codex")
        for _ in range(3):  # each time on connections that the proxy has kept and the verifier has closed
            self.assertEqual(self.ask(token).status, 200)
            self.server.stop()
            self.server = self.serve()
        self.assertEqual(self.ask(token).status, 200)

    def test_half_an_answer_lets_nobody_in(self):
        self.guard()
        token = self.create("codex")
        self.server.stop()
        self.server.path.unlink(missing_ok=True)
        silent = Silent(self.server.path, b"HTTP/1.1 200 OK\r\nX-Marque-Identity: codex\r\n")
        self.addCleanup(silent.close)
        self.assert_closed(token)

    def test_an_operator_sees_the_clients_address(self):
        self.guard()
        token = self.create("codex")
        self.assertEqual(self.ask(token, headers=[("X-Real-IP", "192.0.2.7")]).status, 200)
        self.server.stop()  # writes what is pending
        self.assertEqual(self.inspect("codex")["credentials"][0]["last_used_from"], "127.0.0.1")


class NginxTest(Guarded, StoreTest):
    proxy = Nginx

    def test_the_verifiers_location_is_not_the_clients(self):
        self.guard()
        token = self.create("codex")
        for path in ("/_marque/auth", "/_marque/auth/dev", "/_marque/auth/dev/card:edit", "/_marque/"):
            self.assert_refused(404, token, path)

    def test_a_misspelled_demand_lets_nobody_in(self):
        for number, wrong in enumerate(("/_marque/aut;", "/_marque/auth;", "/_marque/auth/;", "/_marque/auth/Production;",
                                        "/_marque/auth/production/card-edit;")):
            with self.subTest(wrong):
                self.guard(edit=lambda text, wrong=wrong: text.replace("request /_marque/auth/production;",
                                                                       f"request {wrong}"))
                self.assert_refused(503, self.create(f"codex{number}"))
                self.server.stop()

    def test_a_sites_own_error_pages_are_no_verdict(self):
        self.guard(edit=lambda text: text.replace(
            "server_name", "error_page 401 403 502 503 504 =200 /sorry; location = /sorry { return 200; } server_name"))
        self.server.stop()
        self.assert_closed(self.create("codex"))

    def test_a_careless_cache_does_not_go_on_answering(self):
        cache = 'proxy_cache careless; proxy_cache_key "$http_authorization$uri"; proxy_cache_valid any 1h;'
        for more, status in (("", 401), ("proxy_ignore_headers Cache-Control;", 200)):
            with self.subTest(more):  # the second shows that the cache is one: it is what no-store keeps from happening
                self.guard(edit=lambda text, more=more: text.replace("proxy_cache off;", cache + more))
                name = f"codex-{status}"
                token = self.create(name)
                self.assertEqual(self.ask(token).status, 200)
                self.marque("revoke", name, "--reason", "test", "--confirm")
                self.assertEqual(self.ask(token).status, status)
                self.server.stop()


class CaddyTest(Guarded, StoreTest):
    proxy = Caddy

    def test_cookies_larger_than_the_verifier_takes_are_the_applications_business(self):
        self.guard()
        self.assertEqual(self.ask(self.create("codex"), headers=[("Cookie", "a=" + "x" * 30_000)]).status, 200)


class HAProxyTest(Guarded, StoreTest):
    proxy = HAProxy

    def test_an_error_in_the_action_lets_nobody_in(self):
        self.guard(edit=lambda text: text.replace("local answer = ask(txn, environment, scope)", "error('a fault')"))
        self.assert_refused(503, self.create("codex"))


if __name__ == "__main__":
    unittest.main()
