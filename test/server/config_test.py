"""The settings: what is taken, what is refused before anything listens, and what wins over what."""

import os
import re
import socket
import subprocess
import unittest

from harness import MARQUE, StoreTest, environment

# because, the file, a part of what is said; with code 2.
BAD = [
    ("an unknown key would silently do nothing", 'isuer = "https://marque.example.org"', "issuer"),
    ("in a table", "[limits]\nconections = 5", "connections"),
    ("an unknown table", "[tsl]\nlisten = []", "tls"),
    ("a key of another table", '[tcp]\ncertificate = "x"', "certificate"),
    ("a table where a value belongs", "[workers]\nx = 1", "workers"),
    ("a value where a table belongs", "limits = 5", "limits"),
    ("text for a number", '[limits]\nheaders = "many"', "headers"),
    ("a number for text", "[unix]\npath = 5", "path"),
    ("a number for a list", "[tcp]\nlisten = 8480", "listen"),
    ("a number in a list of text", "[tcp]\nlisten = [8480]", "listen"),
    ("true for text", "issuer = true", "issuer"),
    ("a date for text", "issuer = 2026-11-24", "issuer"),
    ("a fraction of a connection", "[limits]\nconnections = 1.5", "connections"),
    ("no connections", "[limits]\nconnections = 0", "connections"),
    ("fewer than none", "[limits]\nconnections = -5", "connections"),
    ("no room for a request", "[limits]\nheader_bytes = 0", "header_bytes"),
    ("no headers", "[limits]\nheaders = 0", "headers"),
    ("no time for a request", '[limits]\nrequest_timeout = "0s"', "request_timeout"),
    ("less than none", '[limits]\nrequest_timeout = "-1s"', "request_timeout"),
    ("a time without a unit", '[limits]\nidle_timeout = "75"', "idle_timeout"),
    ("a number for a time: of what?", "[limits]\nwrite_timeout = 10", "write_timeout"),
    ("no time at all", '[limits]\nshutdown_grace = "soon"', "shutdown_grace"),
    ("no time between flushes", '[uses]\nflush_interval = "0s"', "flush_interval"),
    ("more than any number holds", "[limits]\nconnections = 99999999999999999999", ""),
    ("no workers", "workers = 0", "workers"),
    ("fewer than none", "workers = -1", "workers"),
    ("too many workers", "workers = 65", "workers"),
    ("workers in words", 'workers = "many"', "workers"),
    ("no mode", '[unix]\nmode = "rw"', "mode"),
    ("not octal", '[unix]\nmode = "0999"', "mode"),
    ("more bits than a mode has", '[unix]\nmode = "01000000"', "mode"),
    ("a group that is not there", '[unix]\ngroup = "no-such-group-here"', "no-such-group-here"),
    ("a path longer than the kernel takes", f'[unix]\npath = "/tmp/{"a" * 120}"', "path"),
    ("a header that can't be one", '[unix]\nclient_address = "X Real"', "client_address"),
    ("an environment that is no name", '[unix]\ndemand.environment = ["Production"]', "unix.demand.environment"),
    ("an empty one", '[tls]\ndemand.environment = [""]', "tls.demand.environment"),
    ("one that is not in a list", '[tcp]\ndemand.environment = "production"', "tcp.demand.environment"),
    ("a demand that is none", '[unix]\ndemand.environmnet = ["production"]', "did you mean"),
    ("a demand of nobody", '[demand]\nenvironment = ["production"]', "demand"),
    ("a demand without its name", '[unix]\ndemand = ["production"]', "unix.demand"),
    ("a level that is none", '[log]\nlevel = "loud"', "level"),
    ("a format that is none", '[log]\nformat = "xml"', "format"),
    ("requests that are none", '[log]\nrequests = "some"', "requests"),
    ("an address without a port", '[tcp]\nlisten = ["127.0.0.1"]', "127.0.0.1"),
    ("a port alone", '[tcp]\nlisten = ["8480"]', "8480"),
    ("a port that is none", '[tcp]\nlisten = ["127.0.0.1:65536"]', "65536"),
    ("a port in words", '[tcp]\nlisten = ["127.0.0.1:http"]', "http"),
    ("no address", '[tcp]\nlisten = ["127.0.0:1"]', "127.0.0"),
    ("tokens in the clear off this host", '[tcp]\nlisten = ["0.0.0.0:0"]', "off_loopback"),
    ("on every address, IPv6 too", '[tcp]\nlisten = ["[::]:0"]', "off_loopback"),
    ("on one address that is not loopback", '[tcp]\nlisten = ["192.0.2.1:0"]', "off_loopback"),
    ("one of several", '[tcp]\nlisten = ["127.0.0.1:0", "0.0.0.0:0"]', "off_loopback"),
    ("yes is not the words", '[tcp]\nlisten = ["0.0.0.0:0"]\noff_loopback = "yes"', "off_loopback"),
    ("nor is true", '[tcp]\nlisten = ["0.0.0.0:0"]\noff_loopback = true', "off_loopback"),
    ("other words are refused even when nothing hangs on them", '[tcp]\noff_loopback = "yes"', "off_loopback"),
    ("TLS without a certificate", '[tls]\nlisten = ["127.0.0.1:0"]', "certificate"),
    ("TLS without a key", '[tls]\nlisten = ["127.0.0.1:0"]\ncertificate = "x.pem"', "key"),
    ("a certificate that is not there", '[tls]\nlisten = ["127.0.0.1:0"]\ncertificate = "/no/c.pem"\nkey = "/no/k.pem"',
     "/no/"),
    ("an issuer that is no URL", 'issuer = "marque"', "issuer"),
    ("an issuer with a query (RFC 8414, 2)", 'issuer = "https://marque.example.org?x"', "issuer"),
    ("nowhere to listen", '[unix]\npath = ""', "listen"),
    ("a key twice: which?", "workers = 1\nworkers = 2", "workers"),
    ("a table twice", "[log]\nlevel = \"info\"\n[log]\nformat = \"json\"", "log"),
    ("not TOML", "workers: 2", ""),
    ("half a TOML", 'issuer = "https://', ""),
    ("not text", "\xff\xfe\0", ""),
]

# because, options; with code 2.
BAD_OPTIONS = [
    ("an unknown key", ["--set", "limits.conections=5"]),
    ("no key", ["--set", "=5"]),
    ("no value", ["--set", "limits.connections"]),
    ("an empty value for a number", ["--set", "limits.connections="]),
    ("a table", ["--set", "limits=5"]),
    ("no connections", ["--set", "limits.connections=0"]),
    ("no number", ["--set", "limits.connections=5x"]),
    ("a list with a hole", ["--set", "tcp.listen=127.0.0.1:0,,127.0.0.1:0"]),
    ("no workers", ["--workers", "0"]),
    ("too many workers", ["--workers", "65"]),
    ("a format that is none", ["--log-format", "xml"]),
    ("no address", ["--tcp", "garbage"]),
    ("tokens in the clear off this host", ["--tcp", "0.0.0.0:0"]),
    ("an unknown option", ["--sett", "workers=1"]),
    ("an argument", ["now"]),
]

# because, the file, a line of the settings in force
GOOD = [
    ("nothing: everything has a default", "", r"connections\W+10000\b"),
    ("every key, as documented", """
issuer = "https://marque.example.org"
workers = "auto"
[unix]
path  = "/run/marque/marque.sock"
mode  = "0660"
group = ""
client_address = "X-Real-IP"
[tcp]
listen = []
off_loopback = "refused"
client_address = ""
[tls]
listen = []
certificate = ""
key = ""
client_ca = ""
client_address = ""
[limits]
connections = 10000
header_bytes = 16384
headers = 100
request_timeout = "10s"
idle_timeout = "75s"
write_timeout = "10s"
shutdown_grace = "10s"
[uses]
flush_interval = "5s"
[log]
level = "info"
format = "text"
requests = "refused"
""", r"issuer\W+https://marque\.example\.org"),
    ("a number of workers", "workers = 3", r"workers\W+3\b"),
    ("no unix socket, but TCP", '[unix]\npath = ""\n[tcp]\nlisten = ["127.0.0.1:0"]', r"127\.0\.0\.1:0"),
    ("all of 127 is this host", '[tcp]\nlisten = ["127.9.9.9:0", "[::1]:0"]', r"127\.9\.9\.9:0"),
    ("tokens in the clear, in words", '[tcp]\nlisten = ["0.0.0.0:0"]\noff_loopback = "tokens-in-the-clear"',
     r"tokens-in-the-clear"),
    ("times in other units", '[limits]\nidle_timeout = "2m30s"', r"idle_timeout\W+(2m30s|150s)"),
]


class ConfigTest(StoreTest):
    def run_serve(self, *options):
        """A serve that has to end by itself: its code and what it says."""
        run = subprocess.run([MARQUE, "serve", *options], env=environment(self.store), stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=10)
        return run.returncode, run.stdout, run.stderr

    def file(self, text):
        path = self.folder / "marque.toml"
        path.write_bytes(text.encode("latin-1"))
        return str(path)

    def test_a_bad_file_is_refused(self):
        for because, text, part in BAD:
            with self.subTest(because, text=text[:80]):
                checked = self.run_serve("--check-config", "--config", self.file(text))
                self.assertEqual(checked[:2], (2, ""))
                self.assertIn(part, checked[2])
                # The way the settings are told that they are bad: without --check-config it is the same.
                self.assertEqual(self.run_serve("--config", self.file(text)), checked)

    def test_an_unknown_key_has_a_suggestion(self):
        for text in ('isuer = "x"', "[limits]\nconections = 5", "[tsl]\nlisten = []"):
            code, _, said = self.run_serve("--check-config", "--config", self.file(text))
            self.assertEqual(code, 2)
            self.assertIn("did you mean", said)

    def test_bad_options_are_refused(self):
        for because, options in BAD_OPTIONS:
            with self.subTest(because, options=options):
                code, shown, said = self.run_serve("--check-config", *options)
                self.assertEqual((code, shown), (2, ""))
                self.assertTrue(said.startswith("marque: "))

    def test_a_good_file_is_shown(self):
        for because, text, line in GOOD:
            with self.subTest(because):
                code, shown, said = self.run_serve("--check-config", "--config", self.file(text))
                self.assertEqual((code, said), (0, ""))
                self.assertRegex(shown, line)

    def test_checking_needs_no_store(self):
        self.store.rename(self.folder / "elsewhere")
        self.assertEqual(self.run_serve("--check-config", "--config", self.file("workers = 2"))[0], 0)

    def test_files_that_are_none(self):
        for because, path in [("absent", self.folder / "none.toml"), ("a folder", self.folder)]:
            for options in (["--check-config"], []):
                with self.subTest(because, options=options):
                    code, shown, said = self.run_serve(*options, "--config", str(path))
                    self.assertEqual((code, shown), (2, ""))
                    self.assertIn(str(path), said)

    def test_options_win_over_the_file(self):
        path = self.file('workers = 2\n[limits]\nconnections = 5\n[tcp]\nlisten = ["127.0.0.1:1"]\n')
        for because, options, line in [
            ("the file", [], r"workers\W+2\b"),
            ("an option over the file", ["--workers", "3"], r"workers\W+3\b"),
            ("--set over the file", ["--set", "limits.connections=6"], r"connections\W+6\b"),
            ("a list", ["--set", "tcp.listen=127.0.0.1:2,127.0.0.1:3"], r"127\.0\.0\.1:2\W+127\.0\.0\.1:3"),
            ("--tcp", ["--tcp", "127.0.0.1:4"], r"127\.0\.0\.1:4\b"),
            ("--tcp twice", ["--tcp", "127.0.0.1:4", "--tcp", "127.0.0.1:5"], r"127\.0\.0\.1:4\W+127\.0\.0\.1:5"),
            ("--unix", ["--unix", "/tmp/other.sock"], r"path\W+/tmp/other\.sock"),
            ("the format", ["--log-format", "json"], r"format\W+json"),
        ]:
            with self.subTest(because):
                code, shown, said = self.run_serve("--check-config", "--config", path, *options)
                self.assertEqual((code, said), (0, ""))
                self.assertRegex(shown, line)
        self.assertNotIn("127.0.0.1:1", self.run_serve("--check-config", "--config", path, "--tcp", "127.0.0.1:4")[1])

    def test_what_is_shown_can_be_read_again(self):
        shown = self.run_serve("--check-config", "--workers", "3", "--set", "limits.idle_timeout=20s")[1]
        self.assertEqual(self.run_serve("--check-config", "--config", self.file(shown)), (0, shown, ""))

    def test_the_settings_hold(self):
        token = self.create("codex")
        path = self.file('[tcp]\nlisten = ["127.0.0.1:0", "127.0.0.1:0"]\n'
                         '[limits]\nheaders = 4\n[log]\nrequests = "all"\n')
        server = self.serve("--config", path)
        listening = [line["address"] for line in server.log if line.get("event") == "listening"]
        self.assertEqual(sum(bool(re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", a)) for a in listening), 2)
        self.assertIn(f"unix:{server.path}", listening)
        self.assertEqual(server.connect().auth(token).status, 200)
        self.assertEqual(server.connect().auth(token, headers=[("A", "b"), ("C", "d"), ("E", "f")]).status, 431)
        server.wait_for("request", status=200)

    def test_where_it_listens_when_nothing_says_so(self):
        session = self.folder / "session"
        session.mkdir()
        config = self.folder / "tcp.toml"
        config.write_text('[tcp]\nlisten = ["127.0.0.1:0"]\n')
        in_store, in_session = f"{self.store}/marque.sock", f"{session}/marque.sock"
        for because, variables, options, path in [
            ("the service manager's folder", {"RUNTIME_DIRECTORY": "/run/x", "XDG_RUNTIME_DIR": session}, [], "/run/x/marque.sock"),
            ("the session's", {"XDG_RUNTIME_DIR": session}, [], in_session),
            ("a session's that is not there", {"XDG_RUNTIME_DIR": "/run/user/none"}, [], in_store),
            ("no session's", {}, [], in_store),
            ("TCP was asked for", {"XDG_RUNTIME_DIR": session}, ["--tcp", "127.0.0.1:0"], ""),
            ("and by the file", {"XDG_RUNTIME_DIR": session}, ["--config", str(config)], ""),
            ("TCP and a path", {}, ["--tcp", "127.0.0.1:0", "--unix", "/run/y.sock"], "/run/y.sock"),
            ("TCP and the default", {}, ["--tcp", "127.0.0.1:0", "--unix", "auto"], ""),
        ]:
            with self.subTest(because):
                env = {**environment(self.store), **{name: str(value) for name, value in variables.items()}}
                run = subprocess.run([MARQUE, "serve", "--check-config", *options], env=env, capture_output=True, text=True,
                                     timeout=10)
                self.assertIn(f'path = "{path}"', run.stdout)

    @unittest.skipUnless(os.getuid() == 0, "another user's folder: only root can make one")
    def test_the_folder_of_another_session(self):
        session = self.folder / "session"
        session.mkdir()
        os.chown(session, 65534, 65534)
        run = subprocess.run([MARQUE, "serve", "--check-config"], capture_output=True, text=True, timeout=10,
                             env={**environment(self.store), "XDG_RUNTIME_DIR": str(session)})
        self.assertIn(f'path = "{self.store}/marque.sock"', run.stdout)

    def test_nothing_need_be_said(self):
        """A user's first `marque serve`, from a folder that the store is named relative to."""
        env = {**environment(self.store.name), "LANG": "C"}
        with subprocess.Popen([MARQUE, "serve", "--log-format", "json"], env=env, cwd=self.store.parent, text=True,
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                lines = iter(process.stderr.readline, "")
                said = next(line for line in lines if '"listening"' in line or '"ready"' in line)
                self.assertIn(f"unix:{self.store}/marque.sock", said)
            finally:
                process.terminate()
                process.stderr.read()

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            code, _, said = self.run_serve("--unix", str(self.folder / "s.sock"), "--tcp", address)
            self.assertNotEqual(code, 0)
            self.assertIn(address, said)
            self.assertIn("marque serve --tcp", said)

    def test_a_store_of_another_schema(self):
        self.marque("store", "rollback", "--confirm")
        code, _, said = self.run_serve("--unix", str(self.folder / "s.sock"))
        self.assertNotEqual(code, 0)
        self.assertIn("marque store migrate", said)

    def test_no_store(self):
        self.store.rename(self.folder / "elsewhere")
        code, _, said = self.run_serve("--unix", str(self.folder / "s.sock"))
        self.assertEqual(code, 8)
        self.assertIn("marque", said)


if __name__ == "__main__":
    unittest.main()
