"""Requests as bytes, and what comes back until the server closes."""

import fcntl
import struct
import termios
import time

from harness import WAIT_S, Connection, StoreTest

# As long as a token, so that a row's lengths hold when the token is put in.
TOKEN, OTHER, CALLER = ("T" * 71, "O" * 71, "C" * 71)
PROBE = "GET /healthz HTTP/1.1\r\nHost: marque\r\nConnection: close\r\n\r\n"
ANSWER_S = 5


def head(*lines):
    return "\r\n".join([*lines, "", ""])


def auth(*headers, line="GET /auth HTTP/1.1"):
    return head(line, "Host: marque", f"Authorization: Bearer {TOKEN}", *headers)


def verify(body, *headers):
    return head("POST /v1/verify HTTP/1.1", "Host: marque", "Content-Type: application/json", *headers) + body


def chunked(body, coding="chunked"):
    return verify(body, f"Transfer-Encoding: {coding}")


GOOD = f'{{"token":"{TOKEN}"}}'
SIZE = len(GOOD)
CHUNK = f"{SIZE:x}\r\n{GOOD}\r\n"
END = "0\r\n\r\n"
PADDED = GOOD + " " * (4096 - SIZE)


def lengths(*values):
    return verify(GOOD, *(f"Content-Length: {v}" for v in values))


def exchange(address, text, has_body=True):
    """Sends it with the probe behind it; every answer until the server closes."""
    connection = Connection(address)
    connection.socket.settimeout(ANSWER_S)
    answers = []
    try:
        try:
            connection.send(text + PROBE)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent: the answer can still be read
        while answer := connection.read(has_body):
            answers.append(answer)
    except ConnectionResetError:
        pass  # closed before all was read, which is a way to close
    except TimeoutError:
        raise AssertionError(f"neither answered nor closed after {[a.status for a in answers]}") from None
    finally:
        connection.close()
    if connection.buffer:
        raise AssertionError(f"more than its answers: {connection.buffer[:80]}")
    return answers


def is_all_read(connection, within_s):
    """Whether the server has taken everything that was sent, or does in time: of a unix socket the kernel tells."""
    deadline = time.monotonic() + within_s
    while struct.unpack("i", fcntl.ioctl(connection.socket, termios.TIOCOUTQ, bytes(4)))[0]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0)
    return True


def all_read(connection):
    if not is_all_read(connection, WAIT_S):
        raise AssertionError("the server does not read")


class WireTest(StoreTest):
    """A server that knows two tokens and stands on a unix socket and on TCP."""

    def setUp(self):
        super().setUp()
        self.tokens = {TOKEN: self.create("codex"), OTHER: self.create("hermes", "card:view")}
        self.server = self.serve("--tcp", "127.0.0.1:0")

    def put_in(self, text):
        for placeholder, token in self.tokens.items():
            text = text.replace(placeholder, token)
        return text
