"""`marque serve` on hosts: what it is told, its clocks, and its life and death."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import harness
from network import WEB

PORT = 8480
LEASE_S = 1.0
# From when a verifier can't renew its lease any more: how long it may go on, with the drift and the margin that a
# change waits for.
LEASE_ENDED_S = LEASE_S * 1.01 + 0.05


def find_mode():
    """lease, where the binary knows of leases and nobody wishes another; else strict."""
    settings = subprocess.run([harness.MARQUE, "serve", "--check-config", "--unix", "/x"], capture_output=True, text=True,
                              check=True, env=harness.environment("/nonexistent")).stdout
    if "[freshness]" not in settings:
        return "strict", []
    mode = os.environ.get("MARQUE_HOSTS_MODE") or "lease"
    return mode, ["--set", f"freshness.mode={mode}", "--set", f"freshness.lease={LEASE_S:g}s"]


MODE, MODE_OPTIONS = find_mode() if harness.MARQUE else ("strict", [])
HAS_LEASES = MODE == "lease"
# Of what was asked after its link was cut, a verifier without leases answers nothing at all.
CLOSED_AFTER_S = LEASE_ENDED_S if HAS_LEASES else 0


def faketime(**settings):
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        return None
    return ["env", f"LD_PRELOAD={found[0]}", *(f"{name}={value}" for name, value in settings.items())]


def slow_clock(rate):
    """All clocks run at `rate`, CLOCK_BOOTTIME too."""
    return faketime(FAKETIME=f"+0 x{rate}")


def clock_set_by(file):
    """The wall's clock alone is what the file says; CLOCK_MONOTONIC and CLOCK_BOOTTIME stay true."""
    return faketime(FAKETIME_TIMESTAMP_FILE=file, FAKETIME_NO_CACHE=1, FAKETIME_DONT_FAKE_MONOTONIC=1)


def set_clock(file, offset):
    fresh = Path(f"{file}.new")
    fresh.write_text(offset + "\n")
    fresh.rename(file)


def later_boot(seconds):
    """In a time namespace: the machine has been up for so much longer."""
    return ["unshare", "--time", "--boottime", str(seconds)]


CLOCKS = "import time; print(*map(time.clock_gettime, (time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME)))"


def clocks_under(prefix):
    """The wall's, the monotonic and the boot-time clock, as a process with that prefix reads them."""
    done = subprocess.run([*prefix, sys.executable, "-c", CLOCKS], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def rate_under(prefix):
    """How fast the boot-time clock of a process with that prefix goes, by ours."""
    told = "import sys, time; [print(time.clock_gettime(time.CLOCK_BOOTTIME), flush=True) for line in sys.stdin]"
    with subprocess.Popen([*prefix, sys.executable, "-c", told], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        seen = []
        for seconds in (0, 0.3):
            threading.Event().wait(seconds)
            process.stdin.write("\n")
            process.stdin.flush()
            seen.append((float(process.stdout.readline()), time.monotonic()))
        process.stdin.close()
    return (seen[1][0] - seen[0][0]) / (seen[1][1] - seen[0][1])


class Verifier:
    def __init__(self, host, store):
        self.host, self.name, self.store = host, host.name, store
        self.address = (host.address[WEB], PORT)
        self.server, self.clock = None, []

    def start(self):
        options = ["--tcp", f"{self.address[0]}:{PORT}", "--set", "tcp.off_loopback=tokens-in-the-clear", "--workers", "2",
                   "--set", "log.requests=none", *MODE_OPTIONS]  # not every refusal to the log: this process reads it
        if MODE_OPTIONS:
            options += ["--set", f"freshness.name={self.name}"]
        self.server = harness.Server(self.store, self.host.folder, *options, prefix=[*self.host.within, *self.clock])
        return self

    def ready(self):
        self.server.ready()
        return self

    def signal(self, number):
        self.server.process.send_signal(number)

    def kill(self):
        self.server.stop(signal.SIGKILL)

    def restart(self, clock=()):
        self.server.stop()
        self.clock = list(clock)
        self.start().ready()

    def ends_by_itself(self, most_s=10):
        """Within that time, and says that it was no success."""
        try:
            return self.server.process.wait(most_s) != 0
        except subprocess.TimeoutExpired:
            return False

    def reasons(self):
        """Why it did not answer, as its log tells."""
        with self.server.changed:
            return [f"{line['event']}: {line.get('reason', '')}" for line in self.server.log
                    if re.search("fresh|lease", str(line.get("event", "")))]
