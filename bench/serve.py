#!/usr/bin/env python3
"""Measures `marque serve`: CPU time for each request, beside nginx returning a constant; a verdict within the process;
starting; catching up.

usage: bench/serve.py [--quick|--smoke]     --quick: 100,000 credentials at most, fewer and shorter rounds; --smoke: whether
                                            it works at all

Both get the same bytes from the same script (serve.lua) in wrk over 64 kept-alive connections, tokens in turn through
all of the store's, one worker each, in turn within one run. The CPU time is that of the whole server process, its
writing down of uses included; the requests are counted by wrk. Over TCP on loopback: wrk knows no unix sockets.
"""

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from run import BUILD, MARQUE, ROOT, SMOKE, env_of, interleaved, sized, spread, table

CREDENTIALS = sized(100_000, 100_000, 1_000)
MANY = sized(1_000_000, 100_000, 1_000)
CONNECTIONS = 64
ROUND_S = sized(6, 2, 1)  # longer than what is between two writings down of uses
ROUNDS = sized(7, 3, 1)
STARTS = sized(5, 3, 1)
CHANGES = sized(40, 15, 2)
WRK, NGINX = shutil.which("wrk"), shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
SCRIPT = ROOT / "bench" / "serve.lua"


def cpu_s(pid):
    """All the CPU time that a living process has used, in user and system, all its threads: clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)


def memory_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def ended(process):
    process.terminate()
    process.wait()


class Marque:
    """A server, ready; `ready_s` is the CPU time that it took to get there."""

    def __init__(self, store, *options):
        argv = [MARQUE, "serve", "--set", "unix.path=", "--tcp", "127.0.0.1:0", "--workers", "1"]
        self.process = subprocess.Popen([*argv, "--log-format", "json", *options], env=env_of(store),
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        lines = []
        for line in self.process.stderr:
            lines.append(json.loads(line))
            if lines[-1]["event"] == "ready":
                break
        else:
            sys.exit(f"bench: the server did not get ready: {lines}")
        self.pid, self.ready_s = self.process.pid, cpu_s(self.process.pid)
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        addresses = [line["address"] for line in lines if line["event"] == "listening"]
        self.port = int(next(address for address in addresses if address.startswith("127.")).rpartition(":")[2])

    def get(self, path, token=""):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        return urllib.request.urlopen(request).read().decode()

    def metric(self, name):
        return float(re.search(rf"^{name} (\S+)$", self.get("/metrics"), re.M)[1])

    def end(self):
        ended(self.process)


class Nginx:
    """One worker that answers 204 to everything: the least there is to say."""

    def __init__(self, folder):
        with socket.socket() as one:  # nginx can't be asked which port it got
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; worker_processes 1;\n"
            f"pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
            "events { worker_connections 1024; }\n"
            f"http {{ {paths} access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;\n"
            f"  server {{ listen 127.0.0.1:{self.port} reuseport backlog=1024; location / {{ return 204; }} }} }}\n")
        self.process = subprocess.Popen([NGINX, "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"])
        self.pid = self.process.pid
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.01)
        sys.exit("bench: nginx did not start")

    def end(self):
        ended(self.process)


class Round:
    """What a server cost for each request, in one go of wrk."""

    def __init__(self, server, tokens, form, depth, caller):
        before = cpu_s(server.pid)
        argv = [WRK, "-t1", f"-c{CONNECTIONS}", f"-d{ROUND_S}s", "-s", SCRIPT, f"http://127.0.0.1:{server.port}",
                "--", tokens, form, str(depth), caller]
        run = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
        used = cpu_s(server.pid) - before
        said = json.loads(run.stdout.splitlines()[-1])
        if said["failed"] or not said["requests"]:
            sys.exit(f"bench: {' '.join(map(str, argv[:-1]))}: {run.stdout}")
        self.cpu_us = used / said["requests"] * 1e6
        self.busy = used / said["seconds"] * 100
        self.rate = said["requests"] / said["seconds"] / 1000
        self.p99_ms = said["p99_us"] / 1000


def make_store(folder, credentials):
    """With a token in a file for each credential, and one more that may introspect: the latter is returned."""
    def marque(*words):
        return subprocess.run([MARQUE, *words, "--confirm"], env=env_of(folder), check=True, capture_output=True,
                              text=True).stdout
    begin = time.monotonic()
    marque("init", "--operator", "ops")
    seed = [BUILD / "bench" / "bench_seed", folder, str(credentials), folder / "tokens", str(CREDENTIALS)]
    subprocess.run(seed, check=True)
    print(f"made a store of {credentials:,} credentials in {time.monotonic() - begin:.1f} s", flush=True)
    return marque("create", "watcher", "--scope", "marque:introspect").strip()


def serving(work):
    store, nginx_folder = work / f"store-{CREDENTIALS}", work / "nginx"
    caller = make_store(store, CREDENTIALS)
    nginx_folder.mkdir()
    # The second writes no uses down: what is left is what answering alone costs.
    marque, silent, nginx = Marque(store), Marque(store, "--set", "uses.flush_interval=1h"), Nginx(nginx_folder)
    kinds = [("auth", 1, 1.0), ("auth", 16, 4.0), ("verify", 1, None), ("verify", 16, None), ("introspect", 1, None),
             ("introspect", 16, None)]
    if SMOKE:
        kinds = kinds[1::2]
    things = {}
    for form, depth, _ in kinds:
        for name, server in (("marque", marque), ("marque, no uses written", silent), ("nginx", nginx)):
            things[f"{form}, depth {depth}, {name}"] = (
                lambda server=server, form=form, depth=depth: Round(server, store / "tokens", form, depth, caller))
    results = interleaved(things, ROUNDS)
    table(f"Answering, {CREDENTIALS:,} credentials", results, "cpu_us", "µs of CPU a request")
    table("Answering", results, "rate", "thousand requests a second")
    # Of requests in one write wrk counts no latency that means anything.
    single = {name: runs for name, runs in results.items() if "depth 1," in name}
    if single:
        table("Answering", single, "p99_ms", "99th percentile, ms")
    table("Answering", results, "busy", "% of one processor")
    print("\nnginx / marque, CPU a request (each round by itself: median, least … most)")
    for form, depth, goal in kinds:
        for name in ("marque", "marque, no uses written"):
            pairs = zip(results[f"{form}, depth {depth}, nginx"], results[f"{form}, depth {depth}, {name}"])
            ratios = [theirs.cpu_us / ours.cpu_us for theirs, ours in pairs]
            print(f"  {f'{form}, depth {depth}, {name}':44} {spread(ratios)}" +
                  (f"   goal: {goal:g} or more" if goal else ""))
    print(f"  resident: marque {memory_mib(marque.pid):.1f} MiB, nginx {memory_mib(nginx.pid):.1f} MiB")
    for server in (marque, silent, nginx):
        server.end()


class Start:
    def __init__(self, store):
        server = Marque(store)
        self.cpu_s, self.mib = server.ready_s, memory_mib(server.pid)
        server.end()


def in_process():
    """`Index::verify` alone, within a process of its own, and the memory of such an index."""
    goals = {CREDENTIALS: "0.25 µs", 1_000_000: "0.5 µs", 10_000_000: "0.9 µs and 1.2 GB"}
    sizes = sized(list(goals), [CREDENTIALS], [CREDENTIALS])
    results = {size: [] for size in sizes}
    for _ in range(ROUNDS):
        for size in sizes:
            argv = [BUILD / "bench" / "bench_verify", str(size), str(CREDENTIALS)]
            run = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
            results[size].append([float(number) for number in run.stdout.split()])
    print(f"\nVerifying in process, {CREDENTIALS:,} tokens at random (µs of CPU: median, least … most; {ROUNDS} runs each)")
    for size, runs in results.items():
        memory = statistics.median(resident for _, resident in runs) / 1e9
        print(f"  {f'{size:,} credentials':44} {spread([ns / 1000 for ns, _ in runs])}   {memory:.3f} GB"
              f"   goal: at most {goals[size]}")


def starting(stores):
    sizes = [size for size in stores if size > 100]
    results = interleaved({f"{size:,} credentials": lambda s=stores[size]: Start(s) for size in sizes}, STARTS)
    table("From start to ready", results, "cpu_s", "s of CPU")
    table("From start to ready", results, "mib", "MiB resident")
    print("  goal at 1,000,000: at most 2 s of CPU")


def catching_up(stores):
    """What one request costs after a change by another process, less what it costs without: in turn, sizes too."""
    servers = {size: Marque(store, "--set", "uses.flush_interval=1h") for size, store in stores.items()}
    tokens = {size: (store / "tokens").read_text().split("\n", 1)[0] for size, store in stores.items()}
    costs = {size: {"after a change": [], "without": []} for size in stores}
    reloads = {size: server.metric("marque_reloads_total") for size, server in servers.items()}

    def cost(size):
        before = cpu_s(servers[size].pid)
        servers[size].get("/auth", tokens[size])
        return (cpu_s(servers[size].pid) - before) * 1e6

    for at in range(CHANGES + 1):
        for size, store in stores.items():
            words = ["pause", "m0000001", "--reason", "bench"] if at % 2 == 0 else ["resume", "m0000001"]
            subprocess.run([MARQUE, *words, "--confirm"], env=env_of(store), check=True, capture_output=True)
            changed, calm = cost(size), cost(size)
            if at:  # the first is not counted
                costs[size]["after a change"].append(changed)
                costs[size]["without"].append(calm)
    print(f"\nCatching up with one change (µs of CPU a request: median, least … most; {CHANGES} each)")
    for size in stores:
        for kind, values in costs[size].items():
            print(f"  {f'{size:,} credentials, {kind}':44} {spread(values)}")
        again = servers[size].metric("marque_reloads_total") - reloads[size]
        if again:
            print(f"  {size:,} credentials: everything was read again {again:g} times")
    difference = {size: statistics.median(cost["after a change"]) - statistics.median(cost["without"])
                  for size, cost in costs.items()}
    least, most = min(stores), max(stores)
    print(f"  {difference[most]:.0f} µs at {most:,}, {difference[least]:.0f} µs at {least:,}: wanted flat")
    for server in servers.values():
        server.end()


def main():
    if not WRK or not NGINX:
        sys.exit("bench: wrk and nginx are needed")
    build = [ROOT / "tools" / "build", "release", "-DMARQUE_BUILD_TESTS=OFF", "marque", "bench_seed", "bench_verify"]
    subprocess.run(build, check=True)
    work = Path(tempfile.mkdtemp(prefix="marque-bench-"))
    try:
        in_process()
        serving(work)
        sizes = sorted({100, CREDENTIALS, MANY})
        stores = {size: work / f"store-{size}" for size in sizes}
        for size, store in stores.items():
            if not store.exists():
                make_store(store, size)
        starting(stores)
        catching_up(stores)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
