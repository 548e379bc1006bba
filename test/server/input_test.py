"""What a request says once its framing is right: paths, queries, JSON, forms. Exact, or refused; never guessed.

A refusal here leaves the framing known, so the connection may stay open; if it does, then in step.
"""

import base64
import json
import unittest

from harness import StoreTest
from wire import CALLER, OTHER, TOKEN, auth, exchange, head

REST = "t" * 70  # stands for the token without its first letter, which is an m
NOT_HELD = "board:delete"  # a scope that no token here has: 200 for it means that it was not looked at


def body_of(path, body, content_type, *headers):
    lines = [f"POST {path} HTTP/1.1", "Host: marque", f"Content-Length: {len(body)}", *headers]
    return head(*lines, *([f"Content-Type: {content_type}"] if content_type is not None else [])) + body


def query(text):
    return auth(line=f"GET /auth{text} HTTP/1.1")


# because, status, target
PATHS = [
    ("the path as it is", 200, "/auth"),
    ("two slashes", 404, "//auth"),
    ("a slash behind", 404, "/auth/"),
    ("two behind", 404, "/auth//"),
    ("a dot", 404, "/./auth"),
    ("two dots", 404, "/x/../auth"),
    ("a dot behind", 404, "/auth/."),
    ("capitals", 404, "/AUTH"),
    ("one capital", 404, "/Auth"),
    ("a slash in disguise", 404, "/auth%2f"),
    ("a slash in disguise, before", 404, "/%2fauth"),
    ("a letter in disguise", 404, "/%61uth"),
    ("a NUL in disguise", 404, "/auth%00"),
    ("a question mark in disguise", 404, "/auth%3fscope=card:edit"),
    ("a path parameter", 404, "/auth;x"),
    ("a backslash", (400, 404), "/auth\\"),
    ("a fragment is never sent", (400, 404), "/auth#x"),
    ("more letters", 404, "/authx"),
    ("fewer", 404, "/aut"),
    ("nothing", 404, "/"),
    ("below it", 404, "/auth/x"),
    ("below another", 404, "/v1"),
    ("a prefix of another", 404, "/v1/verif"),
    ("another, with a slash", 404, "/v1/whoami/"),
    ("another, doubled", 404, "/v1//whoami"),
    ("metrics in capitals", 404, "/METRICS"),
]

# because, status, what stands behind /auth
QUERIES = [
    ("a scope that it has", 200, "?scope=card:edit"),
    ("one that it has not", 403, "?scope=" + NOT_HELD),
    ("the colon may be encoded", 200, "?scope=card%3Aedit"),
    ("in small letters too", 200, "?scope=card%3aedit"),
    ("and any letter", 200, "?scope=%63ard:edit"),
    ("nor does encoding hide that it has it not", 403, "?scope=board%3Adelete"),
    ("an encoded name is read or refused, never passed over", (400, 403), "?%73cope=" + NOT_HELD),
    ("an empty query asks for nothing", (200, 400), "?"),
    ("an empty parameter before it hides nothing", (400, 403), "?&scope=" + NOT_HELD),
    ("no scope is no question", 400, "?scope="),
    ("nor is a name alone", 400, "?scope"),
    ("a scope twice: which?", 400, "?scope=card:edit&scope=card:view"),
    ("the same one twice", 400, "?scope=card:edit&scope=card:edit"),
    ("the second may not be passed over", 400, "?scope=card:edit&scope=" + NOT_HELD),
    ("an unknown parameter is a typing error", 400, "?scopes=card:edit"),
    ("beside a known one too", 400, "?scope=card:edit&x=1"),
    ("without a value too", 400, "?x"),
    ("names have a case", 400, "?SCOPE=card:edit"),
    ("a token is never taken from here", 400, f"?token={TOKEN}"),
    ("whatever it is called", 400, f"?access_token={TOKEN}"),
    ("two scopes in one", 400, "?scope=card:edit%20card:view"),
    ("joined by a plus", 400, "?scope=card:edit+card:view"),
    ("joined by a comma", 400, "?scope=card:edit,card:view"),
    ("a preset is no scope", 400, "?scope=kan"),
    ("capitals", 400, "?scope=Card:edit"),
    ("no verb", 400, "?scope=card:"),
    ("no resource", 400, "?scope=:edit"),
    ("three parts", 400, "?scope=card:edit:all"),
    ("no wildcards", 400, "?scope=card:*"),
    ("quotes", 400, "?scope=%22card:edit%22"),
    ("half an encoding", 400, "?scope=card:edit%"),
    ("two thirds of one", 400, "?scope=card:edit%4"),
    ("no digits", 400, "?scope=card:edit%zz"),
    ("a line break, encoded", 400, "?scope=card:edit%0d%0aX-A:%20b"),
    ("a NUL, encoded", 400, "?scope=card:edit%00"),
    ("encoded twice", 400, "?scope=card%253Aedit"),
    ("not UTF-8", 400, "?scope=card:edit%ff"),
    ("a path parameter's separator", 400, "?scope=card:edit;x=1"),
    ("a second question mark", 400, "?scope=card:edit?x"),
    ("a fragment", 400, "?scope=card:edit#x"),
    ("64 letters are more than a name has", 400, f"?scope={'a' * 64}:edit"),
    ("4,000 letters", 400, "?scope=" + "a" * 4000),
    ("an environment", 200, "?environment=dev"),
    ("and a scope", 200, "?environment=dev&scope=card:edit"),
    ("another hides nothing", 401, "?environment=staging"),
    ("no environment is no question", 400, "?environment="),
    ("nor is that name alone", 400, "?environment"),
    ("an environment twice: which?", 400, "?environment=dev&environment=staging"),
    ("the same one twice", 400, "?environment=dev&environment=dev"),
    ("once in disguise", 400, "?environment=dev&%65nvironment=dev"),
    ("the short name is a typing error", 400, "?env=dev"),
    ("several in one", 400, "?environment=dev,staging"),
    ("an environment in capitals", 400, "?environment=Dev"),
    ("no wildcards there either", 400, "?environment=*"),
    ("a blank in front", 400, "?environment=+dev"),
    ("64 letters", 400, "?environment=" + "a" * 64),
]

SAYS = f'"token":"{TOKEN}"'
# because, status or a verdict, body
JSON = [
    ("a token", True, f"{{{SAYS}}}"),
    ("with a scope", True, f'{{{SAYS},"scope":"card:edit"}}'),
    ("in any order", True, f'{{"scope":"card:edit",{SAYS}}}'),
    ("white space between is nothing", True, f' {{\r\n\t{SAYS} }}\n'),
    ("escapes are letters", True, f'{{"token":"\\u006d{REST}"}}'),
    ("a scope that it has not", False, f'{{{SAYS},"scope":"{NOT_HELD}"}}'),
    ("an environment", True, f'{{{SAYS},"environment":"dev","scope":"card:edit"}}'),
    ("another environment", False, f'{{{SAYS},"environment":"staging"}}'),
    ("an environment is text", 400, f'{{{SAYS},"environment":["dev"]}}'),
    ("no environment is not null", 400, f'{{{SAYS},"environment":null}}'),
    ("an empty environment", 400, f'{{{SAYS},"environment":""}}'),
    ("the environment twice", 400, f'{{{SAYS},"environment":"staging","environment":"dev"}}'),
    ("a short name for it", 400, f'{{{SAYS},"env":"dev"}}'),
    ("a malformed environment", 400, f'{{{SAYS},"environment":"Dev"}}'),
    ("not a token", False, '{"token":"hello"}'),
    ("not quite the token", False, f'{{"token":"{TOKEN} "}}'),
    ("a NUL behind it", (400, False), f'{{"token":"{TOKEN}\\u0000"}}'),
    ("half a surrogate", (400, False), f'{{"token":"{TOKEN}\\ud800"}}'),
    ("nothing", 400, ""),
    ("blanks", 400, "   "),
    ("no token", 400, "{}"),
    ("a scope alone", 400, '{"scope":"card:edit"}'),
    ("the token twice: which?", 400, f'{{{SAYS},"token":"{OTHER}"}}'),
    ("the same one twice", 400, f"{{{SAYS},{SAYS}}}"),
    ("twice, once in disguise", 400, f'{{{SAYS},"\\u0074oken":"{OTHER}"}}'),
    ("the scope twice", 400, f'{{{SAYS},"scope":"{NOT_HELD}","scope":"card:edit"}}'),
    ("an unknown member is a typing error", 400, f'{{{SAYS},"scopes":"{NOT_HELD}"}}'),
    ("names have a case", 400, f'{{{SAYS},"Scope":"{NOT_HELD}"}}'),
    ("a number is no token", 400, '{"token":1}'),
    ("nor is null", 400, '{"token":null}'),
    ("nor true", 400, '{"token":true}'),
    ("nor a list", 400, f'{{"token":["{TOKEN}"]}}'),
    ("nor an object", 400, f'{{"token":{{{SAYS}}}}}'),
    ("a scope is text", 400, f'{{{SAYS},"scope":1}}'),
    ("no scope is not null", 400, f'{{{SAYS},"scope":null}}'),
    ("scopes one at a time", 400, f'{{{SAYS},"scope":["card:edit"]}}'),
    ("an empty scope", 400, f'{{{SAYS},"scope":""}}'),
    ("two scopes", 400, f'{{{SAYS},"scope":"card:edit card:view"}}'),
    ("a malformed scope", 400, f'{{{SAYS},"scope":"card"}}'),
    ("a list of requests", 400, f"[{{{SAYS}}}]"),
    ("text", 400, f'"{TOKEN}"'),
    ("a number", 400, "1"),
    ("deep nesting must not cost a stack", 400, "[" * 4000),
    ("deep nesting beside a token", 400, f'{{{SAYS},"x":{"[" * 1900}{"]" * 1900}}}'),
    ("deep objects", 400, '{"a":' * 800),
    ("more behind it", 400, f"{{{SAYS}}} x"),
    ("a second one behind it", 400, f"{{{SAYS}}}{{{SAYS}}}"),
    ("a NUL behind it", 400, f"{{{SAYS}}}\0"),
    ("cut off", 400, f"{{{SAYS}"),
    ("a comma too many", 400, f"{{{SAYS},}}"),
    ("single quotes", 400, f"{{'token':'{TOKEN}'}}"),
    ("no quotes", 400, f"{{token:\"{TOKEN}\"}}"),
    ("a comment", 400, f"{{{SAYS}/*x*/}}"),
    ("not UTF-8", 400, f'{{"token":"{TOKEN}\xff"}}'),
    ("overlong UTF-8", 400, f'{{"token":"{TOKEN}\xc0\x80"}}'),
    ("a surrogate in UTF-8", 400, f'{{"token":"{TOKEN}\xed\xa0\x80"}}'),
    ("a control character in text", 400, f'{{"token":"{TOKEN}\n"}}'),
    ("a byte order mark", 400, f"\xef\xbb\xbf{{{SAYS}}}"),
    ("UTF-16", 400, f"{{{SAYS}}}".encode("utf-16-le").decode("latin-1")),
    ("a form", 400, f"token={TOKEN}"),
]

# because, status, type of the content that is JSON
TYPES = [
    ("JSON", 200, "application/json"),
    ("types have no case", 200, "Application/JSON"),
    ("JSON is UTF-8", 200, "application/json; charset=utf-8"),
    ("none", 415, None),
    ("an empty one", 415, ""),
    ("text", 415, "text/plain"),
    ("a page can send this without asking", 415, "application/x-www-form-urlencoded"),
    ("another JSON", 415, "application/jsonp"),
    ("JSON in words", 415, "text/json"),
    ("two", 415, "text/plain, application/json"),
    ("hidden in a parameter", 415, "text/plain; x=application/json"),
]

# because, what comes back, form sent to /oauth2/introspect by somebody who may
FORMS = [
    ("a token", True, f"token={TOKEN}"),
    ("encoding is not meaning", True, f"token=%6d{REST}"),
    ("a hint", True, f"token={TOKEN}&token_type_hint=access_token"),
    ("a hint is a hint", True, f"token={TOKEN}&token_type_hint=refresh_token"),
    ("nobody's token", False, "token=hello"),
    ("a plus is a blank", False, f"token={TOKEN}+"),
    ("a NUL is no end", (400, False), f"token={TOKEN}%00"),
    ("not UTF-8", (400, False), f"token={TOKEN}%ff"),
    ("nothing", 400, ""),
    ("no token", 400, "token_type_hint=access_token"),
    ("a name alone", 400, "token"),
    ("an empty one is none (RFC 6749, 3.1)", 400, "token="),
    ("two: which?", 400, f"token={TOKEN}&token={OTHER}"),
    ("the same one twice", 400, f"token={TOKEN}&token={TOKEN}"),
    ("twice, once in disguise", 400, f"token={TOKEN}&%74oken={OTHER}"),
    ("a hint twice", 400, f"token={TOKEN}&token_type_hint=a&token_type_hint=b"),
    ("names have a case", 400, f"Token={TOKEN}"),
    ("half an encoding", 400, f"token={TOKEN}%"),
    ("two thirds of one", 400, f"token={TOKEN}%4"),
    ("no digits", 400, f"token={TOKEN}%zz"),
    ("JSON", 400, f"{{{SAYS}}}"),
]


class InputTest(StoreTest):
    def setUp(self):
        super().setUp()
        self.tokens = {TOKEN: self.create("codex"), OTHER: self.create("hermes", "card:view"),
                       CALLER: self.create("watcher", "marque:introspect")}
        self.tokens[REST] = self.tokens[TOKEN][1:]
        self.server = self.serve()

    def ask(self, text):
        """The answer; whatever stands behind it is in step, or the connection is closed."""
        for placeholder, token in self.tokens.items():
            text = text.replace(placeholder, token)
        answers = exchange(self.server.path, text)
        self.assertIn([a.status for a in answers[1:]], ([], [200]))
        self.assertEqual(answers[0].header("Cache-Control"), "no-store")
        return answers[0]

    def assert_says(self, expected, answer, name):
        """`expected`: statuses, or what the member `name` is in an answer that is 200."""
        expected = expected if isinstance(expected, tuple) else (expected,)
        found = answer.json()[name] if answer.status == 200 else answer.status
        # True is not 1, and no status is a verdict.
        self.assertIn((type(found), found), [(type(e), e) for e in expected], answer.body)
        if answer.status == 400:
            self.assertEqual(answer.json()["error"], "invalid_request")

    def test_a_path_is_matched_exactly(self):
        for because, status, target in PATHS:
            with self.subTest(because, target=target):
                self.assertIn(self.ask(query("").replace("/auth", target, 1)).status,
                              status if isinstance(status, tuple) else (status,))

    def test_queries(self):
        for because, status, text in QUERIES:
            with self.subTest(because, query=text[:60]):
                answer = self.ask(query(text))
                self.assertIn(answer.status, status if isinstance(status, tuple) else (status,))
                self.assertEqual(answer.body, b"", "a proxy drops its connection after a body")

    def test_a_token_is_only_taken_from_its_header(self):
        for because, text in [
            ("not from the query", head(f"GET /auth?token={TOKEN} HTTP/1.1", "Host: marque")),
            ("not from a query of that name", head(f"GET /auth?access_token={TOKEN} HTTP/1.1", "Host: marque")),
            ("not from the path", head(f"GET /auth/{TOKEN} HTTP/1.1", "Host: marque")),
            ("not from a cookie", head("GET /auth HTTP/1.1", "Host: marque", f"Cookie: token={TOKEN}")),
            ("not from another header", head("GET /auth HTTP/1.1", "Host: marque", f"X-Api-Key: {TOKEN}")),
            ("not from a proxy's", head("GET /auth HTTP/1.1", "Host: marque", f"Proxy-Authorization: Bearer {TOKEN}")),
            ("not from one like it", head("GET /auth HTTP/1.1", "Host: marque", f"X-Authorization: Bearer {TOKEN}")),
            ("whoami neither", head(f"GET /v1/whoami?token={TOKEN} HTTP/1.1", "Host: marque")),
        ]:
            with self.subTest(because):
                self.assertIn(self.ask(text).status, (400, 401, 404))

    def test_json(self):
        for because, expected, body in JSON:
            with self.subTest(because, body=body[:60]):
                self.assert_says(expected, self.ask(body_of("/v1/verify", body, "application/json")), "accepted")

    def test_content_types(self):
        for because, status, content_type in TYPES:
            with self.subTest(because, type=content_type):
                answer = self.ask(body_of("/v1/verify", json.dumps({"token": TOKEN}), content_type))
                self.assertEqual(answer.status, status)
        for path in ("/oauth2/introspect", "/oauth2/revoke"):
            for content_type in (None, "application/json", "text/plain"):
                with self.subTest(path, type=content_type):
                    answer = self.ask(body_of(path, f"token={TOKEN}", content_type, f"Authorization: Bearer {CALLER}"))
                    self.assertIn(answer.status, (400, 415))

    def test_forms(self):
        for because, expected, body in FORMS:
            with self.subTest(because, body=body[:60]):
                answer = self.ask(body_of("/oauth2/introspect", body, "application/x-www-form-urlencoded",
                                          f"Authorization: Bearer {CALLER}"))
                self.assert_says(expected, answer, "active")

    def test_forms_that_would_revoke(self):
        """What is refused revokes nothing."""
        for because, expected, body in FORMS:
            if expected != 400:
                continue
            with self.subTest(because, body=body[:60]):
                refused = self.ask(body_of("/oauth2/revoke", body, "application/x-www-form-urlencoded"))
                self.assertEqual(refused.status, 400)
                self.assertEqual(self.ask(auth()).status, 200)
                self.assertEqual(self.ask(auth().replace(TOKEN, OTHER)).status, 200)

    def test_limits_of_bodies(self):
        form = "application/x-www-form-urlencoded"
        caller = f"Authorization: Bearer {CALLER}"
        room = 4096 - len(f"token={TOKEN}&token_type_hint=")
        for path, status in (("/oauth2/introspect", 200), ("/oauth2/revoke", 400)):  # 400: it is not the caller's
            with self.subTest(path):
                body = f"token={TOKEN}&token_type_hint=" + "a" * room
                self.assertEqual(self.ask(body_of(path, body, form, caller)).status, status)
                self.assertEqual(self.ask(body_of(path, body + "a", form, caller)).status, 413)

    def test_basic_credentials(self):
        def basic(text, scheme="Basic"):
            for placeholder, token in self.tokens.items():
                text = text.replace(placeholder, token)
            return f"{scheme} {base64.b64encode(text.encode('latin-1')).decode()}"

        caller = self.tokens[CALLER]
        credential = caller.split("_")[2]
        for because, status, value in [
            ("a name and its token", 200, basic(f"watcher:{CALLER}")),
            ("a credential and its token", 200, basic(f"{credential}:{CALLER}")),
            ("schemes have no case", 200, basic(f"watcher:{CALLER}", "bASIC")),
            ("they are form-encoded first (RFC 6749, 2.3.1)", 200, basic(f"%77atcher:{CALLER}")),
            ("another's name", 401, basic(f"codex:{CALLER}")),
            ("another's credential", 401, basic(f"{self.tokens[TOKEN].split('_')[2]}:{CALLER}")),
            ("nobody's name", 401, basic(f"nobody:{CALLER}")),
            ("names have a case", 401, basic(f"Watcher:{CALLER}")),
            ("no name", 401, basic(f":{CALLER}")),
            ("no token", 401, basic("watcher:")),
            ("no colon", 401, basic(CALLER)),
            ("more behind it", 401, basic(f"watcher:{CALLER}:x")),
            ("a NUL behind it", 401, basic(f"watcher:{CALLER}\0")),
            ("a blank before it", 401, basic(f"watcher: {CALLER}")),
            ("nothing", 401, "Basic"),
            ("not base64", 401, "Basic !!!!"),
            ("base64 with more behind it", 401, basic(f"watcher:{CALLER}") + " x"),
            ("cut off", 401, basic(f"watcher:{CALLER}")[:-5]),
            ("not encoded", 401, f"Basic watcher:{caller}"),
        ]:
            with self.subTest(because):
                answer = self.ask(body_of("/oauth2/introspect", f"token={TOKEN}", "application/x-www-form-urlencoded",
                                          f"Authorization: {value}"))
                self.assertEqual(answer.status, status)
                if status == 401:
                    self.assertEqual(answer.json()["error"], "invalid_client")
                    self.assertTrue(answer.header("WWW-Authenticate"))


if __name__ == "__main__":
    unittest.main()
