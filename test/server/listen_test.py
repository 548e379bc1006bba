"""Where it listens: the unix socket and what may lie in its place, TLS and new certificates, sockets handed over."""

import grp
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
import unittest

from harness import MARQUE, WAIT_S, Connection, Server, StoreTest, environment

# Does what a service manager does: opens the sockets, hands them over from descriptor 3 on, says so to this process.
HAND_OVER = """
import os, socket, sys
unix = socket.socket(socket.AF_UNIX)
unix.bind(sys.argv[1])
tcp = socket.socket()
tcp.bind(("127.0.0.1", 0))
for at, listener in enumerate((unix, tcp)):
    listener.listen()
    os.dup2(listener.fileno(), 20 + at)
for at in range(2):
    os.dup2(20 + at, 3 + at)
    os.close(20 + at)
os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid() + int(sys.argv[2])))
os.execv(sys.argv[3], sys.argv[3:])
"""


class ListenTest(StoreTest):
    def refuses_to_start(self, *options):
        """What a serve says that can't listen. It does not end with 0."""
        run = subprocess.run([MARQUE, "serve", *options], env=environment(self.store), stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=WAIT_S)
        self.assertNotEqual(run.returncode, 0)
        return run.stderr


class UnixSocket(ListenTest):
    def test_mode(self):
        for because, options, mode in [
            ("its group may use it", [], 0o660),
            ("only its owner", ["--set", "unix.mode=0600"], 0o600),
            ("everybody", ["--set", "unix.mode=0666"], 0o666),
        ]:
            with self.subTest(because):
                # Whatever the umask.
                server = self.serve(*options, prefix=("sh", "-c", 'umask 077; exec "$@"', "sh"))
                found = os.stat(server.path)
                self.assertEqual((stat.S_ISSOCK(found.st_mode), stat.S_IMODE(found.st_mode)), (True, mode))
                self.assertEqual(server.stop(), 0)

    def test_group(self):
        group = grp.getgrgid(1 if os.geteuid() == 0 else os.getegid())
        server = self.serve("--set", f"unix.group={group.gr_name}")
        self.assertEqual(os.stat(server.path).st_gid, group.gr_gid)

    def test_a_socket_left_behind_is_replaced(self):
        token = self.create("codex")
        path = self.folder / "marque.sock"
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        self.assertEqual(self.serve().connect().auth(token).status, 200)

    def test_a_socket_in_use_is_not(self):
        token = self.create("codex")
        server = self.serve()
        said = self.refuses_to_start("--unix", str(server.path))
        self.assertIn(str(server.path), said)
        self.assertEqual(server.connect().auth(token).status, 200, "the first goes on")
        server.stop()
        with socket.socket(socket.AF_UNIX) as others:
            others.bind(str(server.path))
            others.listen()
            self.refuses_to_start("--unix", str(server.path))
            self.assertTrue(stat.S_ISSOCK(os.stat(server.path).st_mode), "nor is another program's")

    def test_what_is_no_socket_stays(self):
        path = self.folder / "here"
        target = self.folder / "target"
        target.write_text("precious")
        for because, make, clear in [
            ("a file", lambda: path.write_text("precious"), path.unlink),
            ("a folder", path.mkdir, path.rmdir),
            ("a link to a file", lambda: path.symlink_to(target), path.unlink),
            ("a link to nothing", lambda: path.symlink_to(self.folder / "nothing"), path.unlink),
            ("a pipe", lambda: os.mkfifo(path), path.unlink),
        ]:
            with self.subTest(because):
                make()
                before = os.lstat(path)
                self.assertIn(str(path), self.refuses_to_start("--unix", str(path)))
                self.assertEqual(os.lstat(path), before)
                clear()
        self.assertEqual(target.read_text(), "precious")

    def test_no_folder_for_it(self):
        said = self.refuses_to_start("--unix", str(self.folder / "nowhere" / "marque.sock"))
        self.assertIn("/nowhere/", said)
        self.assertIn("marque serve --unix PATH", said)

    def test_two_servers_of_one_store(self):
        token = self.create("codex")
        (self.folder / "second").mkdir()
        first, second = self.serve(), Server(self.store, self.folder / "second")
        self.servers.append(second)
        second.ready()
        connections = [first.connect(), second.connect()]
        self.assertEqual([c.auth(token).status for c in connections], [200, 200])
        self.marque("revoke", "codex", "--reason", "a test", "--confirm")
        self.assertEqual([c.auth(token).status for c in connections], [401, 401])


class HandedOver(ListenTest):
    def test_sockets_of_the_service_manager(self):
        token = self.create("codex")
        path = self.folder / "handed.sock"
        server = self.serve(prefix=(sys.executable, "-c", HAND_OVER, str(path), "0"))
        self.assertEqual(Connection(path).auth(token).status, 200)
        self.assertEqual(Connection(server.address()).auth(token).status, 200)
        self.assertEqual(server.stop(), 0)
        self.assertTrue(path.exists(), "it is the service manager's")

    def test_sockets_for_another_process_are_not_taken(self):
        token = self.create("codex")
        path = self.folder / "handed.sock"
        server = self.serve(prefix=(sys.executable, "-c", HAND_OVER, str(path), "1"))
        self.assertEqual(server.connect().auth(token).status, 200)
        self.assertFalse([line for line in server.log if line.get("address") == f"unix:{path}"])


class Tls(ListenTest):
    def setUp(self):
        super().setUp()
        self.token = self.create("codex")
        self.ca = self.issue("ca")
        self.issue("server", "ca")
        self.options = ["--set", "tls.listen=127.0.0.1:0", "--set", f"tls.certificate={self.folder}/server.pem",
                        "--set", f"tls.key={self.folder}/server.key"]

    def issue(self, name, by=None):
        """A throwaway certificate for 127.0.0.1, by itself or by another."""
        signer = ["-CA", f"{self.folder}/{by}.pem", "-CAkey", f"{self.folder}/{by}.key"] if by else []
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", f"{self.folder}/{name}.key", "-out", f"{self.folder}/{name}.pem", "-days", "1",
                        "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", *signer],
                       check=True, capture_output=True)
        return self.folder / f"{name}.pem"

    def connect(self, server, client=None):
        context = ssl.create_default_context(cafile=self.ca)
        if client:
            context.load_cert_chain(self.folder / f"{client}.pem", self.folder / f"{client}.key")
        connection = Connection(server.address("tls"))
        connection.socket = context.wrap_socket(connection.socket, server_hostname="127.0.0.1")
        return connection

    def serial(self, server):
        connection = self.connect(server)
        return connection.socket.getpeercert()["serialNumber"]

    def reload(self, server):
        """Sends SIGHUP; waits until another certificate is shown."""
        old = self.serial(server)
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + WAIT_S
        while self.serial(server) == old:
            self.assertLess(time.monotonic(), deadline, "the certificate stays the old one")

    def reload_in_vain(self, server):
        """Sends SIGHUP; waits until the server says what is wrong."""
        before = len(server.log)
        server.process.send_signal(signal.SIGHUP)

        def complains():
            return any(line.get("level") in ("warning", "error") for line in server.log[before:])
        with server.changed:
            self.assertTrue(server.changed.wait_for(complains, WAIT_S), server.log[before:])

    def test_tls(self):
        server = self.serve(*self.options)
        connection = self.connect(server)
        for _ in range(3):
            self.assertEqual(connection.auth(self.token).status, 200)
        self.assertEqual(connection.auth("hello").status, 401)
        self.assertGreaterEqual(connection.socket.version(), "TLSv1.2")
        self.marque("revoke", "codex", "--reason", "a test", "--confirm")
        self.assertEqual(connection.auth(self.token).status, 401)

    def test_pipelined_and_split_within_tls(self):
        connection = self.connect(self.serve(*self.options))
        text = f"GET /auth HTTP/1.1\r\nHost: marque\r\nAuthorization: Bearer {self.token}\r\n\r\n"
        connection.send(text * 32)
        self.assertEqual([connection.read().status for _ in range(32)], [200] * 32)
        for byte in text:  # a record each
            connection.send(byte)
        self.assertEqual(connection.read().status, 200)

    def test_it_may_listen_off_loopback(self):
        options = [o.replace("127.0.0.1:0", "0.0.0.0:0") for o in self.options]
        server = self.serve(*options)
        self.assertEqual(server.address("tls")[0], "0.0.0.0")

    def test_no_tls_to_a_tls_port(self):
        server = self.serve(*self.options)
        connection = Connection(server.address("tls"))
        connection.send(f"GET /auth HTTP/1.1\r\nHost: marque\r\nAuthorization: Bearer {self.token}\r\n\r\n")
        try:
            said = connection.socket.recv(4096)
        except ConnectionResetError:
            said = b""
        self.assertNotIn(b"HTTP/1.1 200", said)
        self.assertEqual(self.connect(server).auth(self.token).status, 200)

    def test_nobody_shakes_hands(self):
        server = self.serve(*self.options, "--set", "limits.idle_timeout=1s")
        silent, babbling = Connection(server.address("tls")), Connection(server.address("tls"))
        babbling.send(b"\x16\x03\x01")  # the beginning of a handshake
        for connection in (silent, babbling):
            self.assertTrue(connection.is_closed())
        self.assertEqual(self.connect(server).auth(self.token).status, 200)

    def test_certificates_of_clients(self):
        self.issue("client", "ca")
        self.issue("stranger")
        server = self.serve(*self.options, "--set", f"tls.client_ca={self.ca}")
        self.assertEqual(self.connect(server, "client").auth(self.token).status, 200)
        for because, client in [("none", None), ("of another authority", "stranger")]:
            with self.subTest(because):
                try:
                    answer = self.connect(server, client).auth(self.token)
                except (ssl.SSLError, ConnectionError):
                    answer = None
                self.assertIsNone(answer)

    def test_a_new_certificate(self):
        server = self.serve(*self.options)
        before = self.connect(server)
        self.issue("server", "ca")
        self.reload(server)
        self.assertEqual(before.auth(self.token).status, 200, "what was open stays so")

    def test_a_bad_new_certificate_changes_nothing(self):
        server = self.serve(*self.options)
        old, before = self.serial(server), self.connect(server)
        certificate, key = self.folder / "server.pem", self.folder / "server.key"
        good = certificate.read_bytes(), key.read_bytes()
        self.issue("other", "ca")
        for because, spoil in [
            ("no certificate", lambda: certificate.write_text("garbage")),
            ("empty", lambda: certificate.write_text("")),
            ("gone", certificate.unlink),
            ("no key", lambda: key.write_text("garbage")),
            ("another's key", lambda: key.write_bytes((self.folder / "other.key").read_bytes())),
        ]:
            with self.subTest(because):
                spoil()
                self.reload_in_vain(server)
                self.assertEqual(self.serial(server), old)
                self.assertEqual(before.auth(self.token).status, 200)
                certificate.write_bytes(good[0])
                key.write_bytes(good[1])
        self.issue("server", "ca")
        self.reload(server)

    def test_a_bad_certificate_does_not_start(self):
        self.issue("other", "ca")
        for because, name, text in [
            ("no certificate", "server.pem", b"garbage"),
            ("no key", "server.key", b"garbage"),
            ("another's key", "server.key", (self.folder / "other.key").read_bytes()),
            ("no authority", "ca.pem", b"garbage"),
        ]:
            with self.subTest(because):
                path = self.folder / name
                good = path.read_bytes()
                path.write_bytes(text)
                options = [*self.options, "--set", f"tls.client_ca={self.ca}", "--unix", str(self.folder / "s.sock")]
                self.assertIn(name, self.refuses_to_start(*options))
                path.write_bytes(good)

    def test_a_signal_without_tls(self):
        server = self.serve()
        server.process.send_signal(signal.SIGHUP)
        self.assertEqual(server.connect().auth(self.token).status, 200)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
