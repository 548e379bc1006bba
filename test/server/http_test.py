"""HTTP/1.1 at its edges, byte by byte: what is answered, what is refused, and that nothing behind a refusal is.

Each row is one request and why it has to end so. Behind it, in the same write, stands a good request: answered when
the row was, and never when the row was refused, or somebody could hide a request inside another's. JSON, forms,
queries and paths are in input_test.py.
"""

import unittest

from wire import (CHUNK, END, GOOD, OTHER, PADDED, PROBE, SIZE, TOKEN, WireTest, auth, chunked, exchange, head, lengths,
                  verify)

# because, status, request: refused, closed.
MESSAGES = [
    ("a folded line hides what stands on it", 400, auth("X-A: b\r\n c")),
    ("folded by a tab", 400, auth("X-A: b\r\n\tc")),
    ("a fold may not lengthen the token", 400, auth().replace("Bearer ", "Bearer\r\n ")),
    ("a blank line's worth of fold is one too", 400, auth("X-A: b\r\n \r\nX-B: c")),
    ("a fold before the first header belongs to nothing", 400, head("GET /auth HTTP/1.1", " X-A: b", "Host: marque")),
    ("two hosts: a proxy may have taken the other", 400, auth("Host: marque")),
    ("two different hosts, in another case", 400, auth("hOST: other")),
    ("HTTP/1.1 wants a host", 400, head("GET /auth HTTP/1.1", f"Authorization: Bearer {TOKEN}")),
    ("two tokens: whose request is it?", 400, auth(f"Authorization: Bearer {OTHER}")),
    ("the same token twice is two headers", 400, auth(f"authorization: Bearer {TOKEN}")),
    ("every line ends in LF alone", 400, auth().replace("\r\n", "\n")),
    ("one header ends in LF alone", 400, auth("X-A: b\nX-B: c")),
    ("the request line ends in LF alone", 400, auth().replace("1.1\r\n", "1.1\n", 1)),
    ("the head ends in LF alone", 400, auth()[:-2] + "\n"),
    ("a CR inside a value", 400, auth("X-A: b\rX-B: c")),
    ("a CR at the end of a value", 400, auth("X-A: b\r")),
    ("a CR in a name", 400, auth("X\r-A: b")),
    ("a CR in the target", 400, auth(line="GET /au\rth HTTP/1.1")),
    ("a CR before the head's end", 400, auth()[:-2] + "\r\r\n"),
    ("a NUL in a value", 400, auth("X-A: b\0c")),
    ("a NUL behind the token", 400, auth().replace(TOKEN, TOKEN + "\0")),
    ("a NUL in a name", 400, auth("X\0A: b")),
    ("a NUL in the target", 400, auth(line="GET /auth\0 HTTP/1.1")),
    ("a header without a name", 400, auth(": b")),
    ("a header without a colon", 400, auth("X-A")),
    ("a blank before the colon", 400, auth("X-A : b")),
    ("a tab before the colon", 400, auth("X-A\t: b")),
    ("a blank before the colon of a length", 400, verify(GOOD, f"Content-Length : {SIZE}")),
    ("a blank before the colon of a coding", 400, verify(CHUNK + END, "Transfer-Encoding : chunked")),
    ("a name that is no token", 400, auth("X(A): b")),
    ("a name with a blank in it", 400, auth("X A: b")),
    ("a name with an @", 400, auth("X@A: b")),
    ("a name outside ASCII", 400, auth("X\xe9: b")),
    ("absolute form is for proxies", 400, auth(line="GET http://marque/auth HTTP/1.1")),
    ("absolute form with another host", 400, auth(line="GET http://other/auth HTTP/1.1")),
    ("authority form is for tunnels", 400, auth(line="GET marque:80 HTTP/1.1")),
    ("a tunnel", (400, 405), auth(line="CONNECT marque:80 HTTP/1.1")),
    ("the asterisk is no resource", 400, auth(line="GET * HTTP/1.1")),
    ("the asterisk, as it is meant", (400, 405), auth(line="OPTIONS * HTTP/1.1")),
    ("a target without a slash", 400, auth(line="GET auth HTTP/1.1")),
    ("no target", 400, auth(line="GET HTTP/1.1")),
    ("an empty target", 400, auth(line="GET  HTTP/1.1")),
    ("two blanks before the target", 400, auth(line="GET  /auth HTTP/1.1")),
    ("two blanks behind the target", 400, auth(line="GET /auth  HTTP/1.1")),
    ("a tab for a blank", 400, auth(line="GET\t/auth HTTP/1.1")),
    ("a blank at the line's end", 400, auth(line="GET /auth HTTP/1.1 ")),
    ("a blank before the method", 400, auth(line=" GET /auth HTTP/1.1")),
    ("a target outside ASCII", 400, auth(line="GET /auth\xe9 HTTP/1.1")),
    ("a control character in the target", 400, auth(line="GET /auth\x01 HTTP/1.1")),
    ("a method that is no token", 400, auth(line="G@T /auth HTTP/1.1")),
    ("HTTP/0.9 has no version", 400, "GET /auth\r\n"),
    ("a version that never was", 505, auth(line="GET /auth HTTP/1.2")),
    ("an older version", 505, auth(line="GET /auth HTTP/0.9")),
    ("HTTP/2 in HTTP/1's clothes", 505, auth(line="GET /auth HTTP/2.0")),
    ("HTTP/2's preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("a version in small letters", (400, 505), auth(line="GET /auth http/1.1")),
    ("a version with more digits", (400, 505), auth(line="GET /auth HTTP/1.10")),
    ("another protocol", (400, 505), auth(line="GET /auth ICAP/1.1")),
    ("Expect would have us answer before the body", 417, lengths(f"{SIZE}\r\nExpect: 100-continue")),
    ("Expect, whatever is expected", 417, auth("Expect: mercy")),
    ("one header too many", 431, auth(*(f"X-{n}: b" for n in range(99)))),
    ("5,000 headers", 431, auth(*(f"X-{n}: b" for n in range(5000)))),
    ("a header beyond the limit", 431, auth("X-A: " + "b" * 17_000)),
    ("a huge header", 431, auth("X-A: " + "b" * 65536)),
    ("a huge name", 431, auth("X" * 65536 + ": b")),
    ("a huge target", 431, auth(line=f"GET /{'a' * 65536} HTTP/1.1")),
    ("a huge method", (400, 431), auth(line=f"{'A' * 65536} /auth HTTP/1.1")),
    ("a line without an end", 431, "GET /" + "a" * 65536),
]

METHODS = [
    ("a method has one case", 405, auth(line="get /auth HTTP/1.1")),
    ("in every letter", 405, auth(line="Get /auth HTTP/1.1")),
    *((f"/auth is asked with GET, not {method}", 405, auth(line=f"{method} /auth HTTP/1.1"))
      for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "GETX")),
]

BODIES = [
    ("a sign is no digit", 400, lengths(f"+{SIZE}")),
    ("a negative length", 400, lengths("-1")),
    ("a hexadecimal length", 400, lengths(hex(SIZE))),
    ("a list of lengths", 400, lengths(f"{SIZE},{SIZE}")),
    ("a list with blanks", 400, lengths(f"{SIZE}, {SIZE}")),
    ("two numbers in one", 400, lengths("5 5")),
    ("a fraction", 400, lengths(f"{SIZE}.0")),
    ("no number", 400, lengths("")),
    ("digits of another script", 400, lengths("\xb2")),
    ("more than any number holds", (400, 413), lengths("99999999999999999999")),
    ("2^64 and a bit is not that bit", (400, 413), lengths(str(2**64 + SIZE))),
    ("2^63 is no negative length", (400, 413), lengths(str(2**63))),
    ("two lengths that agree are two", 400, lengths(SIZE, SIZE)),
    ("two lengths that differ", 400, lengths(SIZE, SIZE + 1)),
    ("two lengths, the first of nothing", 400, lengths(0, SIZE)),
    ("a length and a coding", 400, verify(CHUNK + END, f"Content-Length: {len(CHUNK + END)}",
                                          "Transfer-Encoding: chunked")),
    ("a coding and a length", 400, verify(CHUNK + END, "Transfer-Encoding: chunked", "Content-Length: 0")),
    ("a coding we don't know", 400, chunked(GOOD, "gzip")),
    ("chunked must be alone", 400, chunked(CHUNK + END, "gzip, chunked")),
    ("and not be undone", 400, chunked(CHUNK + END, "chunked, identity")),
    ("chunked once", 400, chunked(CHUNK + END, "chunked, chunked")),
    ("two codings in two headers", 400, chunked(CHUNK + END, "chunked\r\nTransfer-Encoding: chunked")),
    ("an unknown second coding", 400, chunked(CHUNK + END, "chunked\r\nTransfer-encoding: cow")),
    ("nearly chunked", 400, chunked(CHUNK + END, "xchunked")),
    ("chunked and more", 400, chunked(CHUNK + END, "chunkedx")),
    ("exactly chunked: no other case", 400, chunked(CHUNK + END, "Chunked")),
    ("a parameter", 400, chunked(CHUNK + END, "chunked;q=1")),
    ("quoted", 400, chunked(CHUNK + END, '"chunked"')),
    ("a control character before it", 400, chunked(CHUNK + END, "\x0bchunked")),
    ("no coding", 400, chunked(CHUNK + END, "")),
    ("an extension may hide what a proxy reads", 400, chunked(CHUNK.replace("\r\n", ";a=b\r\n", 1) + END)),
    ("an extension without a name", 400, chunked(CHUNK.replace("\r\n", ";\r\n", 1) + END)),
    ("an extension of the last chunk", 400, chunked(CHUNK + "0;a\r\n\r\n")),
    ("a trailer is a header that nobody checked", 400, chunked(CHUNK + "0\r\nX-A: b\r\n\r\n")),
    ("a trailer that sets a token", 400, chunked(CHUNK + f"0\r\nAuthorization: Bearer {OTHER}\r\n\r\n")),
    ("no size", 400, chunked("\r\n" + CHUNK + END)),
    ("no hexadecimal digit", 400, chunked(f"xyz\r\n{GOOD}\r\n{END}")),
    ("a size with a prefix", 400, chunked(f"0x{SIZE:x}\r\n{GOOD}\r\n{END}")),
    ("a size with a sign", 400, chunked("+" + CHUNK + END)),
    ("a negative size", 400, chunked(f"-1\r\n{GOOD}\r\n{END}")),
    ("a blank before the size", 400, chunked(" " + CHUNK + END)),
    ("a blank behind the size", 400, chunked(CHUNK.replace("\r\n", " \r\n", 1) + END)),
    ("a size that would wrap round", (400, 413), chunked(f"1{SIZE:016x}\r\n{GOOD}\r\n{END}")),
    ("a huge size", (400, 413), chunked(f"ffffffffffffffff\r\n{GOOD}\r\n{END}")),
    ("a size with endless zeros", (400, 413, 431), chunked("0" * 20_000 + CHUNK + END)),
    ("a chunk longer than it says", 400, chunked(f"{SIZE - 1:x}\r\n{GOOD}\r\n{END}")),
    ("a size that ends in LF alone", 400, chunked(CHUNK.replace("\r\n", "\n", 1) + END)),
    ("a chunk that ends in LF alone", 400, chunked(CHUNK[:-2] + "\n" + END)),
    ("a chunk that ends in anything else", 400, chunked(CHUNK[:-2] + "XX" + END)),
    ("a body that ends in LF alone", 400, chunked(CHUNK + "0\r\n\n")),
    ("a body that ends in CR and more", 400, chunked(CHUNK + "0\r\n\rX")),
    ("more than the limit", 413, verify(PADDED + " ", "Content-Length: 4097")),
    ("much more than the limit", 413, verify(" " * 100_000, "Content-Length: 100000")),
    ("more than the limit, in one chunk", 413, chunked(f"1001\r\n{PADDED} \r\n{END}")),
    ("more than the limit, in many chunks", 413, chunked("1\r\n \r\n" * 4097 + END)),
    ("/auth has no body: what is it for?", 413, auth("Content-Length: 5") + "hello"),
    ("nor a chunked one", (400, 413), auth("Transfer-Encoding: chunked") + "5\r\nhello\r\n" + END),
    ("nor one of no chunks", (400, 413), auth("Transfer-Encoding: chunked") + END),
]

# because, status, request: answered, and so is what stands behind it.
ANSWERED = [
    ("a plain request", 200, auth()),
    ("no body, said in a header", 200, auth("Content-Length: 0")),
    ("names of headers have no case", 200, auth().replace("Host", "hOsT").replace("Authorization", "AUTHORIZATION")),
    ("blanks around a value are not part of it", 200, auth("X-A: \t b \t").replace(TOKEN, TOKEN + " \t")),
    ("an empty value", 200, auth("X-A:")),
    ("any other byte in a value is another's business", 200, auth("X-A: \xe9\xff")),
    ("as many headers as the limit", 200, auth(*(f"X-{n}: b" for n in range(98)))),
    ("a head nearly as long as the limit", 200, auth("X-A: " + "b" * 15_000)),
    ("other headers may come twice", 200, auth("X-A: b", "X-A: c")),
    ("a body", 200, lengths(SIZE)),
    ("a body as long as the limit", 200, verify(PADDED, "Content-Length: 4096")),
    ("one chunk", 200, chunked(CHUNK + END)),
    ("a chunk for each byte", 200, chunked("".join(f"1\r\n{c}\r\n" for c in GOOD) + END)),
    ("sizes in capitals", 200, chunked(f"{SIZE:X}\r\n{GOOD}\r\n{END}")),
    ("a last chunk of several zeros", 200, chunked(CHUNK + "000\r\n\r\n")),
]

# As above; whether the connection stays open is not said, but if it does, then in step.
IN_STEP = [
    ("an empty line before a request may be forgiven", (200, 400), "\r\n" + auth()),
    ("a blank behind chunked is not part of it", (200, 400), chunked(CHUNK + END, "chunked ")),
    ("a tab behind chunked", (200, 400), chunked(CHUNK + END, "chunked\t")),
    ("leading zeros of a length", (200, 400), lengths(f"000{SIZE}")),
    ("leading zeros of a size", (200, 400), chunked("00" + CHUNK + END)),
    ("a control character in a value", (200, 400), auth("X-A: b\x01c")),
    ("POST without a length has no body", (400, 411), verify("")),
    ("a body for nobody is no request", 404, lengths(SIZE).replace("/v1/verify", "/v1/nowhere")),
    ("nor with another method", (405, 413), lengths(SIZE).replace("/v1/verify", "/auth")),
    ("a body that looks like a request", 400, verify(PROBE, f"Content-Length: {len(PROBE)}")),
    ("for nobody", 404, verify(PROBE, f"Content-Length: {len(PROBE)}").replace("/v1/verify", "/nowhere")),
]

# because, status, request: answered, then closed.
LAST = [
    ("HTTP/1.0 is one request", 200, auth(line="GET /auth HTTP/1.0")),
    ("HTTP/1.0 needs no host", 200, head("GET /auth HTTP/1.0", f"Authorization: Bearer {TOKEN}")),
    ("HTTP/1.0, even if it would go on", 200, auth("Connection: keep-alive", line="GET /auth HTTP/1.0")),
    ("HTTP/1.0 with a body", 200, lengths(SIZE).replace("HTTP/1.1", "HTTP/1.0")),
    ("HTTP/1.0 knows no chunks (RFC 9112, 6.1)", (200, 400), chunked(CHUNK + END).replace("HTTP/1.1", "HTTP/1.0")),
    ("the client said so", 200, auth("Connection: close")),
    ("the client said so, in capitals", 200, auth("Connection: CLOSE")),
    ("the client said so, among others", 200, auth("Connection: x, close")),
]


class HttpTest(WireTest):
    def check(self, rows, outcome, has_body=True):
        for over, address in (("unix", self.server.path), ("tcp", self.server.address())):
            for because, status, text in rows:
                with self.subTest(because, over=over, request=text[:120]):
                    answers = exchange(address, self.put_in(text), has_body)
                    self.assertTrue(answers, "closed without an answer")
                    self.assertIn(answers[0].status, status if isinstance(status, tuple) else (status,))
                    outcome(answers)
                    for answer in answers:
                        self.assertEqual(answer.header("Cache-Control"), "no-store")

    def refused(self, answers):
        self.assertEqual(len(answers), 1, "what stood behind it was answered")
        self.assertEqual(answers[0].header("Connection"), "close")

    def last(self, answers):
        self.assertEqual(len(answers), 1, "what stood behind it was answered")

    def answered(self, answers):
        self.assertEqual([a.status for a in answers], [answers[0].status, 200])
        self.assertEqual(answers[1].body, b"ok\n")

    def in_step(self, answers):
        if len(answers) > 1:
            self.answered(answers)

    def test_messages_that_are_refused(self):
        self.check(MESSAGES, self.refused)

    def test_bodies_that_are_refused(self):
        self.check(BODIES, self.refused)

    def test_other_methods_are_refused(self):
        self.check(METHODS, self.refused)

    def test_head_is_get_without_the_body(self):
        """Its headers are those of GET, no byte of a body follows, and the connection is in step."""
        differs = {"date", "x-request-id", "content-length"}
        for path in ("/auth", "/auth?scope=board:delete", "/v1/whoami", "/healthz", "/readyz", "/metrics", "/nowhere",
                     "/.well-known/oauth-authorization-server", "/v1/verify"):
            with self.subTest(path):
                connection = self.server.connect()
                bearer = [("Authorization", f"Bearer {self.tokens[TOKEN]}")]
                head, get = (connection.request(method, path, bearer) for method in ("HEAD", "GET"))
                self.assertEqual(head.status, get.status)
                self.assertEqual({n: v for n, v in head.headers.items() if n not in differs},
                                 {n: v for n, v in get.headers.items() if n not in differs})
                # The body of /metrics is another at each request.
                if path != "/metrics":
                    self.assertEqual(head.header("Content-Length"), get.header("Content-Length"))
                self.assertEqual(int(get.header("Content-Length")), len(get.body))
                connection.close()

    def test_what_is_answered(self):
        self.check(ANSWERED, self.answered)
        self.check(IN_STEP, self.in_step)

    def test_what_is_answered_and_closed(self):
        self.check(LAST, self.last)


if __name__ == "__main__":
    unittest.main()
