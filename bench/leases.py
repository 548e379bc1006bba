#!/usr/bin/env python3
"""Measures what several nodes cost (docs/postgresql.md): a change until all verifiers have confirmed it, beside a bare
commit with NOTIFY; answering by a lease, beside answering from SQLite; loading a store, beside a bare COPY of its rows.

usage: bench/leases.py [--quick|--smoke]     --quick: fewer rounds, 100,000 credentials; --smoke: whether it works at all

A PostgreSQL server of its own on a unix socket, durable (fsync on). Ratios within one run: each pair is measured in turn.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from run import BUILD, MARQUE, ROOT, env_of, interleaved, sized, spread, table
from serve import CONNECTIONS, CREDENTIALS, Marque, Round, cpu_s, make_store

VERIFIERS = sized((1, 3, 8), (1, 3, 8), (1,))
ROUNDS = sized(600, 200, 10)
ANSWER_ROUNDS = sized(9, 3, 1)
MANY = sized(1_000_000, 100_000, 1_000)
STARTS = sized(5, 3, 1)


class Postgres:
    def __init__(self, folder):
        self.folder = folder
        subprocess.run([ROOT / "test" / "store" / "postgres", "start", folder], check=True, stdout=subprocess.DEVNULL)
        self.conninfo = (folder / "conninfo").read_text().strip()
        self.sql("ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()")

    def sql(self, *statements, database="postgres"):
        run = subprocess.run(["psql", "-qXAt", f"{self.conninfo} dbname={database}", *sum((["-c", s] for s in statements), [])],
                             check=True, capture_output=True, text=True)
        return run.stdout.strip()

    def store(self, folder, name):
        self.sql(f"CREATE DATABASE {name}")
        conninfo = f"{self.conninfo} dbname={name}"
        subprocess.run([MARQUE, "init", "--operator", "ops", "--postgresql", conninfo, "--confirm"], env=env_of(folder),
                       check=True, capture_output=True)
        return conninfo

    def stop(self):
        subprocess.run([ROOT / "test" / "store" / "postgres", "stop", self.folder], check=False)


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def revoking(postgres, work):
    store = work / "revoking"
    conninfo = postgres.store(store, "revoking")
    subprocess.run([MARQUE, "create", "bench", "--scope", "card:view", "--confirm"], env=env_of(store), check=True,
                   capture_output=True)
    print(f"\nA change until all verifiers have confirmed it, beside a bare commit with NOTIFY until as many listeners have "
          f"heard it (ms; {ROUNDS} of each, in turn)")
    for count in VERIFIERS:
        servers = [Marque(store, "--set", f"freshness.name=v{at}") for at in range(count)]
        run = subprocess.run([BUILD / "bench" / "bench_revocation", store, conninfo, str(count), str(ROUNDS)], check=True,
                             stdout=subprocess.PIPE, text=True)
        for server in servers:
            server.end()
        rows = [tuple(map(int, line.split())) for line in run.stdout.splitlines()][ROUNDS // 10:]
        if any(confirmed != count for _, _, confirmed in rows):
            sys.exit(f"bench: not every change was confirmed by {count}")
        bare, ours = [row[0] / 1000 for row in rows], [row[1] / 1000 for row in rows]
        for name, values in (("bare", bare), ("marque", ours)):
            print(f"  {f'{count} of them, {name}':44} {statistics.median(values):8.2f}   p99 {percentile(values, 0.99):8.2f}")
        print(f"  {f'{count} of them, marque / bare':44} {statistics.median(ours) / statistics.median(bare):8.2f}"
              f"   p99 {percentile(ours, 0.99) / percentile(bare, 0.99):8.2f}   goal: within 2")


def answering(postgres, work):
    """The same tokens from an SQLite store and, copied over, by leases: CPU a request of the whole server."""
    sqlite, leased = work / "sqlite", work / "leased"
    make_store(sqlite, CREDENTIALS)
    postgres.sql("CREATE DATABASE leased")
    moved = work / "to-be-moved"
    shutil.copytree(sqlite, moved)
    subprocess.run([MARQUE, "store", "copy", moved, leased, "--postgresql", f"{postgres.conninfo} dbname=leased", "--confirm"],
                   env=env_of(moved), check=True, capture_output=True)
    servers = {"SQLite": Marque(sqlite), "lease": Marque(leased),
               "strict": Marque(leased, "--set", "freshness.mode=strict")}
    things = {f"depth {depth}, {name}": lambda server=server, depth=depth: Round(server, sqlite / "tokens", "auth", depth, "")
              for depth in (1, 16) for name, server in servers.items()}
    results = interleaved(things, ANSWER_ROUNDS)
    table(f"Answering /auth, {CREDENTIALS:,} credentials, {CONNECTIONS} connections", results, "cpu_us", "µs of CPU a request")
    table("Answering", results, "rate", "thousand requests a second")
    print("\nlease / SQLite, CPU a request (each round by itself: median, least … most); goal: at most 1.03")
    for depth in (1, 16):
        pairs = zip(results[f"depth {depth}, lease"], results[f"depth {depth}, SQLite"])
        print(f"  {f'depth {depth}':44} {spread([a.cpu_us / b.cpu_us for a, b in pairs])}")
    for server in servers.values():
        server.end()


class Loading:
    def __init__(self, store):
        begin = time.monotonic()
        server = Marque(store)
        self.wall_s, self.cpu_s = time.monotonic() - begin, server.ready_s
        server.end()


class Copying:
    """What a verifier reads, by COPY … TO STDOUT, thrown away."""

    ROWS = ("SELECT workspace, name, environment, scopes, state, paused_until FROM marque.identity",
            "SELECT id, workspace, identity, hash, scopes, state, created_at, expires_at, paused_until, retire_at,"
            " old_credential FROM marque.credential")

    def __init__(self, conninfo):
        begin = time.monotonic()
        commands = sum((["-c", f"COPY ({rows}) TO STDOUT"] for rows in self.ROWS), [])
        process = subprocess.Popen(["psql", "-qX", conninfo, *commands], stdout=subprocess.DEVNULL)
        process.wait()
        self.wall_s, self.cpu_s = time.monotonic() - begin, 0


def loading(postgres, work):
    store = work / "many"
    conninfo = postgres.store(store, "many")
    subprocess.run([BUILD / "bench" / "bench_seed", store, str(MANY)], check=True)
    postgres.sql("VACUUM ANALYZE marque.identity", "VACUUM ANALYZE marque.credential", database="many")
    results = interleaved({"marque serve, until ready": lambda: Loading(store), "bare COPY": lambda: Copying(conninfo)}, STARTS)
    table(f"Loading {MANY:,} credentials", results, "wall_s", "s")
    pairs = zip(results["marque serve, until ready"], results["bare COPY"])
    print(f"  {'marque / bare COPY':44} {spread([a.wall_s / b.wall_s for a, b in pairs])}   goal: within 2")


def main():
    if not shutil.which("wrk"):
        sys.exit("bench: wrk is needed")
    build = [ROOT / "tools" / "build", "release", "-DMARQUE_BUILD_TESTS=OFF", "marque", "bench_seed", "bench_revocation"]
    subprocess.run(build, check=True)
    work = Path(tempfile.mkdtemp(prefix="marque-bench-"))
    postgres = Postgres(work / "postgres")
    try:
        revoking(postgres, work)
        loading(postgres, work)
        answering(postgres, work)
    finally:
        postgres.stop()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
