"""One connection, many requests: in order, each judged when it is whole, none forgotten, however the bytes arrive."""

import json
import select
import socket
import threading
import unittest

from harness import WAIT_S, Connection
from wire import (ANSWER_S, CHUNK, END, GOOD, OTHER, SIZE, TOKEN, WireTest, all_read, auth, chunked, exchange, head,
                  is_all_read, lengths)


class PipelineTest(WireTest):
    def test_a_refusal_ends_a_pipeline(self):
        good = self.put_in(auth())
        for bad in (auth("X-A: b\r\n c"), auth("Host: other"), lengths("-1"), chunked("x")):
            with self.subTest(bad[-40:]):
                answers = exchange(self.server.path, good * 2 + self.put_in(bad) + good * 2)
                self.assertEqual([a.status for a in answers], [200, 200, 400])

    def test_the_last_of_a_pipeline_may_close_it(self):
        good = self.put_in(auth())
        answers = exchange(self.server.path, good + self.put_in(auth("Connection: close")) + good)
        self.assertEqual([a.status for a in answers], [200, 200])

    def test_pipelined_requests_are_answered_in_order(self):
        kinds = [  # request, and what its answer has to show
            (auth(), ("200", "codex")),
            (auth().replace(TOKEN, OTHER), ("200", "hermes")),
            (auth().replace(TOKEN, "mrq_test_nobody"), ("401", None)),
            (auth(line="GET /auth?scope=card:edit HTTP/1.1").replace(TOKEN, OTHER), ("403", None)),
            (head("GET /nowhere HTTP/1.1", "Host: marque"), ("404", None)),
            (chunked(CHUNK + END), ("200", "codex")),
        ]
        for address in (self.server.path, self.server.address()):
            connection = Connection(address)
            for depth in range(1, 33):
                sent = [kinds[(depth + n * n) % len(kinds)] for n in range(depth)]
                connection.send(self.put_in("".join(text for text, _ in sent)))
                found = []
                for _ in sent:
                    answer = connection.read()
                    identity = answer.json().get("identity") if answer.body[:1] == b"{" else None
                    found.append((str(answer.status), answer.header("X-Marque-Identity") or identity))
                self.assertEqual(found, [shown for _, shown in sent], f"depth {depth} over {address}")
            connection.close()

    def test_a_request_split_anywhere_is_one_request(self):
        text = self.put_in(auth() + chunked(f"2\r\n{GOOD[:2]}\r\n{SIZE - 2:x}\r\n{GOOD[2:]}\r\n{END}")
                           + lengths(SIZE).replace(TOKEN, OTHER))
        connection = self.server.connect()
        for at in range(1, len(text)):
            connection.send(text[:at])
            all_read(connection)
            connection.send(text[at:])
            self.assertEqual([connection.read().status for _ in range(3)], [200, 200, 200], f"split at {at}")
        for byte in text:
            connection.send(byte)
            all_read(connection)
        answers = [connection.read() for _ in range(3)]
        self.assertEqual([a.status for a in answers], [200, 200, 200])
        self.assertEqual([a.json()["identity"] for a in answers[1:]], ["codex", "hermes"])

    def test_nothing_is_answered_before_a_request_is_whole(self):
        text = self.put_in(lengths(SIZE))
        for at in (4, 30, len(text) - SIZE, len(text) - 1):
            connection = self.server.connect()
            connection.send(text[:at])
            all_read(connection)
            # Another's request is answered meanwhile; by then an answer to the first would have been here.
            self.assertEqual(self.server.connect().auth(self.tokens[TOKEN]).status, 200)
            self.assertEqual(select.select([connection.socket], [], [], 0)[0], [], f"{at} bytes")
            connection.send(text[at:])
            self.assertEqual(connection.read().status, 200)

    def test_a_client_that_reads_late_gets_every_answer_in_order(self):
        count = 3000  # far more than both sockets' buffers hold
        both = self.put_in(auth() + auth().replace(TOKEN, OTHER)).encode()
        for address in (self.server.path, self.server.address()):
            connection = Connection(address)
            sender = threading.Thread(target=connection.send, args=(both * count,))
            sender.start()
            self.assertEqual(Connection(address).auth(self.tokens[TOKEN]).status, 200, "others do not wait for it")
            found = [connection.read().header("X-Marque-Identity") for _ in range(2 * count)]
            sender.join(WAIT_S)
            self.assertEqual(found, ["codex", "hermes"] * count)
            connection.close()

    def test_what_was_read_is_answered(self):
        """The server stops reading a client that takes no answers, maybe amid what it has read."""
        batch = self.put_in(auth() * 50)

        def send(connection, most):
            for sent in range(most):
                connection.send(batch)
                if not is_all_read(connection, 0.3):
                    return sent
            return most

        probe = self.server.connect()
        most = send(probe, 1000)
        self.assertLess(most, 1000, "it reads without end")
        self.assertEqual([probe.read().status for _ in range(50 * (most + 1))], [200] * 50 * (most + 1))
        for ends in (False, True):
            with self.subTest(ends=ends):
                connection = self.server.connect()
                connection.socket.settimeout(ANSWER_S)
                self.assertEqual(send(connection, most), most)
                if ends:
                    connection.socket.shutdown(socket.SHUT_WR)
                answers = [connection.read() for _ in range(50 * most)]
                self.assertEqual(sum(a is not None for a in answers), 50 * most)

    def test_a_client_that_stops_writing_is_answered(self):
        for address in (self.server.path, self.server.address()):
            connection = Connection(address)
            connection.send(self.put_in(auth() * 3))
            connection.socket.shutdown(socket.SHUT_WR)
            self.assertEqual([connection.read().status for _ in range(3)], [200] * 3)
            self.assertTrue(connection.is_closed())

    def test_half_a_request_has_no_verdict(self):
        for text in (auth(), lengths(SIZE), chunked(CHUNK + END)):
            connection = self.server.connect()
            connection.send(self.put_in(text)[:-1])
            connection.socket.shutdown(socket.SHUT_WR)
            answer = connection.read()
            self.assertTrue(answer is None or answer.status == 400, text)
            self.assertTrue(connection.is_closed())

    def test_answers_are_framed(self):
        connection = self.server.connect()
        for path, method, body in (("/auth", "GET", ""), ("/nowhere", "GET", ""), ("/v1/verify", "POST", GOOD)):
            answer = connection.request(method, path, [("Content-Type", "application/json")] if body else [], body)
            self.assertEqual(answer.header("Content-Length"), str(len(answer.body)), path)
            self.assertIsNone(answer.header("Transfer-Encoding"), path)
            if answer.body[:1] == b"{":
                json.loads(answer.body)


if __name__ == "__main__":
    unittest.main()
