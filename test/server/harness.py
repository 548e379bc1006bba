"""What the scripts in this folder share: a store, a running `marque serve`, and raw HTTP.

MARQUE is the binary under test. Every test has a folder of its own; nothing outlives it, no port is fixed, nothing
sleeps: what is waited for is a line of the log, an answer, or the end of a process.
"""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

MARQUE = os.environ.get("MARQUE", "")
WAIT_S = 30  # a bound for what should take milliseconds, never a pause


def environment(store):
    sanitizer = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "MARQUE_STORE": str(store), "NO_COLOR": "1", **sanitizer}


class Answer:
    """A status, headers (lower-case names, a list of values each) and a body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        values = self.headers.get(name.lower(), [])
        return values[0] if len(values) == 1 else None if not values else values

    def json(self):
        return json.loads(self.body)


class Connection:
    """One connection, byte by byte. `address` is a unix socket's path or (host, port)."""

    def __init__(self, address):
        family = socket.AF_UNIX if isinstance(address, (str, Path)) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(str(address) if family == socket.AF_UNIX else address)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def _fill(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def read(self, has_body=True):
        """The next answer; None when the server has closed instead."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._fill():
                return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        length = int(headers.get("content-length", ["0"])[0]) if has_body else 0
        while len(self.buffer) < length:
            if not self._fill():
                return None
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Answer(int(lines[0].split(" ")[1]), headers, body)

    def is_closed(self):
        """Whether the server closes without another byte."""
        return not self.buffer and not self._fill()

    def request(self, method, path, headers=(), body=b"", host="marque"):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"] + [f"{n}: {v}" for n, v in headers]
        body = body if isinstance(body, bytes) else body.encode()
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self.read(has_body=method != "HEAD")

    def auth(self, token, path="/auth", headers=()):
        return self.request("GET", path, [("Authorization", f"Bearer {token}"), *headers])

    def close(self):
        self.socket.close()

    def __del__(self):
        self.socket.close()


class Server:
    """A running `marque serve`; `log` grows with its lines, each a JSON object."""

    def __init__(self, store, folder, *options, prefix=()):
        self.path = Path(folder) / "marque.sock"
        argv = [*prefix, MARQUE, "serve", "--unix", str(self.path), "--log-format", "json", *options]
        self.process = subprocess.Popen(argv, env=environment(store), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.log, self.changed = [], threading.Condition()
        self.ended = False
        threading.Thread(target=self._read_log, daemon=True).start()

    def _read_log(self):
        with self.process.stderr as lines:
            for line in lines:
                with self.changed:
                    try:
                        self.log.append(json.loads(line))
                    except ValueError:
                        self.log.append({"event": "text", "text": line})
                    self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_for(self, event, after=0, **fields):
        """The first line after `after` with this event and these fields."""
        def find():
            for line in self.log[after:]:
                if line.get("event") == event and all(line.get(k) == v for k, v in fields.items()):
                    return line
            return None
        with self.changed:
            self.changed.wait_for(lambda: find() or self.ended, WAIT_S)
            line = find()
        if line is None:
            raise AssertionError(f"no {event} line; the log: {self.log[-10:]}")
        return line

    def ready(self):
        self.wait_for("ready")
        return self

    def address(self, kind="tcp"):
        """(host, port) of the first TCP or TLS listener."""
        with self.changed:
            for line in self.log:
                address = line.get("address", "")
                if line.get("event") == "listening" and not address.startswith("unix:"):
                    is_tls = address.startswith("tls ")
                    if is_tls == (kind == "tls"):
                        host, _, port = address.removeprefix("tls ").rpartition(":")
                        return host, int(port)
        raise AssertionError(f"no {kind} listener")

    def connect(self):
        return Connection(self.path)

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        code = self.process.wait(WAIT_S)
        with self.changed:
            self.changed.wait_for(lambda: self.ended, WAIT_S)
        return code


_databases = itertools.count(1)


class StoreTest(unittest.TestCase):
    """A test with an installation of its own, operator ops, workspace default."""

    def setUp(self):
        if not MARQUE:
            self.fail("set MARQUE to the binary under test")
        self.folder = Path(tempfile.mkdtemp(prefix="marque-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.store = self.folder / "store"
        self.servers = []
        self.addCleanup(self._stop_servers)
        self.marque("init", "--operator", "ops", *self._where(), "--confirm")

    def _where(self):
        """In the folder; or with MARQUE_TEST_STORE=postgres in a database of its own."""
        if os.environ.get("MARQUE_TEST_STORE") != "postgres":
            return ()
        with open(os.environ["MARQUE_TEST_POSTGRES"], encoding="utf-8") as file:
            server = file.read().strip()
        name = f"test_{os.getpid()}_{next(_databases)}"
        for statement in (f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}"):
            subprocess.run(["psql", "-qX", server, "-c", statement], check=True, capture_output=True)
        return ("--postgresql", f"{server} dbname={name}")

    def _stop_servers(self):
        for server in self.servers:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()

    def marque(self, *arguments, code=0, stdin=None):
        """Runs marque; its standard output. Fails when it ends otherwise than with `code`."""
        run = subprocess.run([MARQUE, *arguments], env=environment(self.store), input=stdin, capture_output=True, text=True,
                             stdin=None if stdin is not None else subprocess.DEVNULL)
        self.assertEqual(run.returncode, code, f"marque {' '.join(arguments)}: {run.stdout}{run.stderr}")
        return run.stdout

    def sql(self, text):
        """What the sqlite3 shell prints: a change made by hand, or a look past the program. What is to be kept for later
        goes into tables of `kept`, which is no part of the store."""
        text = f"ATTACH '{self.folder / 'kept.db'}' AS kept; {text}"
        run = subprocess.run(["sqlite3", "-bail", str(self.store / "marque.db"), text], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stderr), (0, ""), text)
        return run.stdout

    def create(self, name, scope="card:view,card:edit", *options):
        """A new identity's token."""
        return self.marque("create", name, "--scope", scope, *options, "--confirm").strip()

    def open_production(self):
        """From here on tokens of production are made as others are; it takes an owner to say so."""
        key = self.folder / "owner"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        self.marque("owner", "add", f"{key}.pub", "--confirm")
        unprotect = ("environment", "unprotect", "production", "--reason", "a test", "--confirm")
        self.marque(*unprotect, code=6)
        approval = json.loads(self.marque("approval", "list", "-o", "json"))["approvals"][0]["id"]
        self.marque("approval", "sign", approval, "--key", str(key), "--confirm")
        self.marque(*unprotect, "--approval", approval)

    def inspect(self, name):
        return json.loads(self.marque("inspect", name, "-o", "json"))

    def serve(self, *options, wait=True, prefix=()):
        server = Server(self.store, self.folder, *options, prefix=prefix)
        self.servers.append(server)
        return server.ready() if wait else server
