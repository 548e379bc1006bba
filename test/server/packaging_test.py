"""What packaging/ ships beside the proxies: the units, the example of a configuration, the rules of Prometheus.

Each is judged by the tool it is for, each agrees with the others, and each with the verifier as it is.
"""

import configparser
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import unittest

from harness import MARQUE, WAIT_S, Connection, StoreTest, environment
from proxies import PACKAGING, SOCKET, program

PROGRAM = "/usr/local/bin/marque"  # where the unit expects it
RULES = PACKAGING / "prometheus/marque.rules.yml"

# Becomes the verifier, with the service manager's socket as systemd hands it over.
TAKE_OVER = """
import os, socket, sys
with socket.socket(socket.AF_UNIX) as manager:
    manager.connect(sys.argv[1])
    handed = socket.recv_fds(manager, 1, 1)[1][0]
os.dup2(handed, 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def needs(name):
    return unittest.skipUnless(program(name), f"{name} is not installed")


def run(name, *arguments, stdin=""):
    return subprocess.run([program(name), *arguments], capture_output=True, text=True, input=stdin, check=False)


def unit(name):
    """A unit's sections; a key that occurs more than once has its values in a list."""
    class Several(dict):
        def __setitem__(self, key, value):
            if key in self and isinstance(value, list):
                self[key].extend(value)
            else:
                super().__setitem__(key, value)

    parser = configparser.RawConfigParser(strict=False, dict_type=Several, empty_lines_in_values=False)
    parser.optionxform = str
    parser.read_string((PACKAGING / "systemd" / name).read_text())
    return {section: {key: value.split("\n") for key, value in parser.items(section)} for section in parser.sections()}


def seconds(text):
    return int(re.fullmatch(r"(\d+)s?", text)[1])


class Units(StoreTest):
    def installed(self):
        """The units as they would be installed, with the binary under test for the program."""
        for path in (PACKAGING / "systemd").iterdir():
            (self.folder / path.name).write_text(path.read_text().replace(PROGRAM, MARQUE))
        return [str(self.folder / name) for name in
                ("marque.service", "marque.socket", "marque-notify.service", "marque-notify.timer")]

    @needs("systemd-analyze")
    def test_systemd_understands_them(self):
        done = run("systemd-analyze", "verify", "--man=no", *self.installed())
        said = [line for line in done.stderr.splitlines() if "marque" in line]
        self.assertEqual((done.returncode, said), (0, []))

    @needs("systemd-analyze")
    def test_the_service_is_confined(self):
        service, _, notices, _ = self.installed()
        # Hooks are other people's programs: theirs is a little wider.
        for path, threshold in ((service, 20), (notices, 30)):
            done = run("systemd-analyze", "security", "--offline=yes", f"--threshold={threshold}", path)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_notices_are_those_that_there_are(self):
        hooks = re.findall(r'^#?(\w+) = "/', (PACKAGING / "hooks.toml").read_text(), re.M)
        self.assertEqual(sorted(hooks), ["approval_requested", "expiring_soon", "revoked_in_use"])
        (self.store / "hooks.toml").write_text(
            re.sub(r'^#(\w+ = )"/[^"]*"', r'\1"/bin/true"', (PACKAGING / "hooks.toml").read_text(), flags=re.M))
        (self.store / "hooks.toml").chmod(0o600)
        self.create("codex", "card:view", "--expires", "3d")
        command = unit("marque-notify.service")["Service"]["ExecStart"][0].split()
        self.assertEqual(command[1:], ["notify", "--store", "/var/lib/marque/store"])
        self.marque("notify")
        self.assertTrue((self.store / "notified.expiring_soon").exists())

    @needs("systemd-sysusers")
    def test_the_account_can_be_made(self):
        done = run("systemd-sysusers", "--dry-run", f"--root={self.folder}", str(PACKAGING / "systemd/sysusers.conf"))
        self.assertEqual(done.returncode, 0, done.stderr)

    @needs("systemd-analyze")
    @needs("strace")
    def test_its_system_calls_are_allowed(self):
        """A start, verdicts, uses written, a stop: nothing that the unit forbids."""
        trace = self.folder / "trace"
        # -D: the verifier is our child, strace only looks on.
        server = self.serve("--tcp", "127.0.0.1:0", "--set", "uses.flush_interval=1s",
                            prefix=(program("strace"), "-D", "-f", "-qq", "-o", str(trace)))
        token = self.create("codex")
        connection = server.connect()
        for address in (server.path, server.address()):
            self.assertEqual(Connection(address).auth(token).status, 200)
        self.marque("revoke", "codex", "--reason", "test", "--confirm")
        self.assertEqual(connection.auth(token).status, 401)
        self.assertEqual(server.stop(), 0)
        used = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)[( ]", trace.read_text(), re.M))
        self.assertIn("accept4", used)
        self.assertEqual(used - self.allowed() - {"execve", "resumed"}, set())

    def allowed(self):
        calls = set()
        for line in unit("marque.service")["Service"]["SystemCallFilter"]:
            named = self.members(line.lstrip("~").split())
            calls = calls - named if line.startswith("~") else calls | named
        return calls

    def members(self, names):
        calls = {name for name in names if not name.startswith("@")}
        groups = [name for name in names if name.startswith("@")]
        if groups:
            listed = run("systemd-analyze", "syscall-filter", *groups).stdout
            calls |= self.members(re.findall(r"^ +([@\w-]+)$", listed, re.M))
        return calls

    def test_a_restart_loses_no_request(self):
        """The socket is the service manager's. Who asks while no verifier runs waits, and is answered by the next."""
        token = self.create("codex")
        path, handing = self.folder / "marque.sock", self.folder / "handing.sock"
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as manager:
            for one, where in ((listener, path), (manager, handing)):
                one.bind(str(where))
                one.listen()
            for _ in range(2):
                waiting = Connection(path)
                waiting.send(f"GET /auth HTTP/1.1\r\nHost: marque\r\nAuthorization: Bearer {token}\r\n\r\n")
                server = self.serve(wait=False, prefix=(sys.executable, "-c", TAKE_OVER, str(handing)))
                with manager.accept()[0] as starting:
                    socket.send_fds(starting, [b"."], [listener.fileno()])
                self.assertEqual(waiting.read().status, 200)
                waiting.close()
                self.assertEqual(server.stop(), 0)
                self.assertTrue(path.is_socket(), "the socket is not the verifier's to remove")


class Example(StoreTest):
    def settings(self, *options):
        """The settings in force with these options."""
        done = subprocess.run([MARQUE, "serve", "--check-config", *options], env=environment(self.store),
                              capture_output=True, text=True, timeout=WAIT_S, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return {f"{section}.{key}" if key else section: value
                for section, keys in tomllib.loads(done.stdout).items()
                for key, value in (keys.items() if isinstance(keys, dict) else [("", keys)])}

    def test_it_is_accepted_and_has_every_key(self):
        given = tomllib.loads((PACKAGING / "marque.toml").read_text())
        keys = {f"{section}.{key}" if key else section
                for section, values in given.items() for key in (values if isinstance(values, dict) else [""])}
        self.assertEqual(keys, set(self.settings()))

    def test_what_it_says_are_the_defaults(self):
        example = self.settings("--config", str(PACKAGING / "marque.toml"), "--set", "unix.group=")
        self.assertEqual(example.pop("unix.group"), "")
        # The default path is another for each user; the file has the service's.
        self.assertEqual(example.pop("unix.path"), SOCKET)
        defaults = self.settings()
        defaults.pop("unix.group")
        defaults.pop("unix.path")
        self.assertEqual(example, defaults)

    def test_the_verifier_serves_with_it(self):
        token = self.create("codex")
        server = self.serve("--config", str(PACKAGING / "marque.toml"), "--set", "unix.group=")
        self.assertEqual(server.connect().auth(token).status, 200)

    def test_it_agrees_with_the_units(self):
        given = tomllib.loads((PACKAGING / "marque.toml").read_text())
        service, listener = unit("marque.service")["Service"], unit("marque.socket")["Socket"]
        self.assertEqual([given["unix"]["path"]], listener["ListenStream"])
        self.assertEqual(given["unix"]["path"], SOCKET)
        self.assertEqual([given["unix"]["mode"]], listener["SocketMode"])
        self.assertEqual([given["unix"]["group"]], listener["SocketGroup"])
        self.assertEqual(service["SupplementaryGroups"], listener["SocketGroup"])
        self.assertIn(f"g {given['unix']['group']} ", (PACKAGING / "systemd/sysusers.conf").read_text())
        self.assertGreater(int(service["LimitNOFILE"][0]), given["limits"]["connections"])
        self.assertGreater(seconds(service["TimeoutStopSec"][0]), seconds(given["limits"]["shutdown_grace"]))
        for name in ("nginx/marque.conf", "caddy/Caddyfile"):
            kept = re.search(r"keepalive(?:_timeout)? (\d+)s", (PACKAGING / name).read_text())
            self.assertLess(int(kept[1]), seconds(given["limits"]["idle_timeout"]), name)


class Rules(StoreTest):
    @needs("promtool")
    def test_they_say_what_their_tests_say(self):
        done = run("promtool", "check", "rules", "--lint-fatal", str(RULES))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = run("promtool", "test", "rules", str(RULES.with_suffix(".test.yml")))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_has_a_test(self):
        alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
        text = RULES.with_suffix(".test.yml").read_text()
        for part in text.split("  - name: "):
            if part.startswith("all is well"):
                self.assertEqual(set(re.findall(r"alertname: (\w+)", part)), alerts, "quiet when all is well")
        spoken = re.findall(r"alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:\n", text)
        self.assertEqual(set(spoken), alerts)

    @needs("promtool")
    def test_prometheus_takes_the_scraping(self):
        shutil.copy(RULES, self.folder)
        text = (PACKAGING / "prometheus/prometheus.yml").read_text()
        # The other way, which stands there as a comment, in the first one's place.
        elsewhere = re.sub(r"(?m)^  # ", "  ", text).replace("- job_name: marque", "- job_name: first", 1)
        self.assertIn("\n  - job_name: marque\n    scheme: https\n", elsewhere)
        for config in (text, elsewhere):
            path = self.folder / "prometheus.yml"
            path.write_text(config.replace("/etc/prometheus", str(self.folder)))
            done = run("promtool", "check", "config", "--syntax-only", str(path))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def metrics(self):
        """What the verifier tells of itself, after a verdict of each kind."""
        server = self.serve()
        token = self.create("codex", "card:view", "--expires", "2h")
        connection = server.connect()
        self.assertEqual(connection.auth(token).status, 200)
        self.marque("revoke", "codex", "--reason", "test", "--confirm")
        self.assertEqual(connection.auth(token).status, 401)
        return connection.request("GET", "/metrics").body.decode()

    @needs("promtool")
    def test_prometheus_understands_the_metrics(self):
        done = run("promtool", "check", "metrics", stdin=self.metrics())
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_the_verifier_has_what_they_ask_for(self):
        text = self.metrics()
        had = set(re.findall(r"^(\w+)(?:\{| )", text, re.M))
        expressions = re.findall(r"expr: (.*?)\n +(?:for|labels):", RULES.read_text(), re.S)
        asked = set(re.findall(r"\bmarque_\w+", " ".join(expressions)))
        self.assertGreater(len(asked), 5)
        self.assertEqual(asked - had, set())
        for label in ('marque_verdicts_total{reason="accepted"}', 'marque_verdicts_total{reason="identity_revoked"}',
                      'marque_credentials_expiring{within="1d"}', 'marque_credentials_expiring{within="7d"}'):
            self.assertIn(label, text)


if __name__ == "__main__":
    unittest.main()
