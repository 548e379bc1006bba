"""PostgreSQL servers on hosts: what they keep survives, and one may stand by for another."""

import os
import signal
import subprocess
import threading
from pathlib import Path

from machine import Missing
from network import DATABASE

WAIT_S = 60
AS_SERVER = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]  # it refuses to run as root


def programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        raise Missing("PostgreSQL is not there: install postgresql (tools/setup)")
    return found[-1]


class Database:
    """A cluster in its host's folder. `psql` reaches it by a socket there, whatever befalls the network."""

    def __init__(self, host):
        self.host, self.address = host, host.address[DATABASE]
        self.bin, self.home = programs(), host.folder / "postgresql"
        self.data, self.process, self.source = self.home / "data", None, ""

    def _as_server(self, *words):
        done = subprocess.run([*self.host.within, *AS_SERVER, *map(str, words)], cwd="/", capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{words}: {done.stdout}{done.stderr}")

    def _make_home(self):
        subprocess.run(["rm", "-rf", str(self.home)], check=True)
        self.home.mkdir(mode=0o755)
        subprocess.run(["chown", "postgres:", str(self.home)], check=True)

    def make(self):
        self._make_home()
        self._as_server(self.bin / "initdb", "-D", self.data, "-A", "trust", "-U", "marque", "--no-sync", "-E", "UTF8",
                        "--locale=C")
        network = self.address.rpartition(".")[0] + ".0/24"
        with open(self.data / "pg_hba.conf", "a", encoding="ascii") as file:
            file.write(f"host all all {network} trust\nhost replication all {network} trust\n")
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as file:
            file.write("include_if_exists = 'test.conf'\n")
        return self

    def make_standby_of(self, primary):
        self._make_home()
        self._as_server(self.bin / "pg_basebackup", "-D", self.data, "-h", primary.address, "-U", "marque", "-X", "stream",
                        "-c", "fast", "--no-sync")
        self.source = f"host={primary.address} user=marque application_name={self.host.name} tcp_user_timeout=2000"
        (self.data / "standby.signal").touch()
        subprocess.run(["chown", "postgres:", str(self.data / "standby.signal")], check=True)
        return self

    def configure(self, standby=""):
        """`standby`: the name of the one that a commit waits for."""
        (self.data / "test.conf").write_text(
            f"listen_addresses = '{self.address}'\nunix_socket_directories = '{self.home}'\nmax_connections = 200\n"
            f"synchronous_standby_names = '{standby}'\nwal_sender_timeout = 3s\nmax_wal_size = 128MB\n"
            f"primary_conninfo = '{self.source}'\nwal_retrieve_retry_interval = 200\n")
        if self.process is not None:
            self.query("SELECT pg_reload_conf()")
        return self

    def start(self):
        self.process = subprocess.Popen([*self.host.within, *AS_SERVER, self.bin / "postgres", "-D", self.data], cwd="/",
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        ready, self.log = threading.Event(), []
        threading.Thread(target=self._read_log, args=(self.process.stderr, ready), daemon=True).start()
        if not ready.wait(WAIT_S) or self.process.poll() is not None:
            raise AssertionError("PostgreSQL does not start: " + "".join(self.log[-5:]))
        return self

    def _read_log(self, lines, ready):
        for line in lines:
            self.log.append(line)
            if "ready to accept" in line:
                ready.set()
        ready.set()

    def stop_at_once(self):
        """pg_ctl stop -m immediate: no shutdown, as if it had died; the next start recovers."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(WAIT_S)
        self.process = None

    def query(self, sql):
        done = subprocess.run(["psql", "-qXAt", "-h", self.home, "-U", "marque", "-d", "postgres", "-c", sql], cwd="/",
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{sql}: {done.stderr}")
        return done.stdout.strip()

    def promote(self):
        assert self.query(f"SELECT pg_promote(true, {WAIT_S})") == "t"

    def backends_of(self, host):
        """The processes that serve that host."""
        rows = self.query(f"SELECT pid FROM pg_stat_activity WHERE client_addr = '{host.address[DATABASE]}'")
        return [int(row) for row in rows.split()]


def freeze(processes):
    return [process for process in processes if signalled(process, signal.SIGSTOP)]


def thaw(processes):
    for process in processes:
        signalled(process, signal.SIGCONT)


def signalled(process, number):
    try:
        os.kill(process, number)
        return True
    except ProcessLookupError:  # ended by itself
        return False
