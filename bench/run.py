#!/usr/bin/env python3
"""Measures whole processes: CPU time, memory, wall time; medians and spread, things compared in turn within one run.

usage: bench/run.py [--quick|--smoke]     --quick: 100,000 identities at most, fewer runs; --smoke: whether it works at all
"""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
MARQUE = BUILD / "marque"
SMOKE = "--smoke" in sys.argv


def sized(whole, quick, smoke):
    """A number for each way to run; that of --smoke is as small as it can be."""
    return smoke if SMOKE else quick if "--quick" in sys.argv else whole


RUNS = sized(15, 7, 1)


class Run:
    """What one finished process cost."""

    def __init__(self, argv, env, stdout=subprocess.DEVNULL):
        begin = time.monotonic()
        process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        self.wall_ms = (time.monotonic() - begin) * 1000
        self.code = os.waitstatus_to_exitcode(status)
        self.cpu_ms = (usage.ru_utime + usage.ru_stime) * 1000
        process.returncode = self.code
        if self.code != 0:
            sys.exit(f"bench: {' '.join(map(str, argv))} ended with {self.code}")


def memory_mib(argv, env):
    """Measured from a small process: a child of this one begins with this one's memory to its account."""
    with tempfile.NamedTemporaryFile("r") as report:
        subprocess.run(["/usr/bin/time", "-f", "%M", "-o", report.name, *argv], env=env, check=True, capture_output=True)
        return int(report.read()) / 1024


def env_of(store):
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "MARQUE_STORE": str(store)}


def make_store(folder, identities):
    subprocess.run([MARQUE, "init", "--operator", "ops", "--confirm"], env=env_of(folder), check=True, capture_output=True)
    if identities:
        subprocess.run([BUILD / "bench" / "bench_seed", folder, str(identities)], check=True)


def interleaved(things, runs):
    """{name: make a Run}, each in turn, so that a noisy moment meets all of them; the first round is not counted, unless
    there is only one."""
    results = {name: [] for name in things}
    for round_ in range(runs + 1 if runs > 1 else 1):
        for name, thing in things.items():
            run = thing()
            if round_ or runs == 1:
                results[name].append(run)
    return results


def spread(values):
    return f"{statistics.median(values):9.2f}  {min(values):8.2f} … {max(values):8.2f}"


def table(title, results, attribute, unit):
    print(f"\n{title} ({unit}: median, least … most; {len(next(iter(results.values())))} runs each)")
    for name, runs in results.items():
        print(f"  {name:44} {spread([getattr(run, attribute) for run in runs])}")


def median(results, name, attribute):
    return statistics.median(getattr(run, attribute) for run in results[name])


def lookups(work):
    sizes = sized([1, 100_000, 1_000_000], [1, 100_000], [1, 1_000])
    things = {"marque --help": lambda: Run([MARQUE, "--help"], env_of(work))}
    for size in sizes:
        store = work / f"store-{size}"
        begin = time.monotonic()
        make_store(store, size)
        print(f"made a store of {size:,} identities in {time.monotonic() - begin:.1f} s")
        name = f"m{size // 2:07}"
        things[f"marque inspect, {size:,} identities"] = lambda s=store, n=name: Run([MARQUE, "inspect", n], env_of(s))
    results = interleaved(things, RUNS)
    table("Looking up", results, "cpu_ms", "ms of CPU")
    print("\nMemory, MiB resident at most")
    print(f"  {'marque --help':44} {memory_mib([MARQUE, '--help'], env_of(work)):9.2f}")
    for size in sizes:
        argv = [MARQUE, "inspect", f"m{size // 2:07}"]
        print(f"  {f'marque inspect, {size:,} identities':44} {memory_mib(argv, env_of(work / f'store-{size}')):9.2f}")
    first = median(results, f"marque inspect, {sizes[0]:,} identities", "cpu_ms")
    last = median(results, f"marque inspect, {sizes[-1]:,} identities", "cpu_ms")
    print(f"  inspect at {sizes[-1]:,} costs {last / first:.2f} times what it costs at {sizes[0]:,}; goal: at most 1.5")


def creating(work):
    store = work / "creating"
    make_store(store, 0)
    count = iter(range(10**6))
    things = {
        "marque create": lambda: Run([MARQUE, "create", f"agent-{next(count)}", "--scope", "card:view", "--confirm"], env_of(store)),
        "two bare SQLite commits, synchronous=FULL": lambda: Run([BUILD / "bench" / "bench_two_commits", work / "bare.db"], env_of(store)),
    }
    results = interleaved(things, RUNS * 2)
    table("Creating", results, "wall_ms", "ms of wall time: the disk's")
    table("Creating", results, "cpu_ms", "ms of CPU")
    names = list(things)
    ratio = median(results, names[0], "wall_ms") / median(results, names[1], "wall_ms")
    print(f"  as whole processes: create takes {ratio:.2f} times two bare commits; goal: at most 1.5")
    inside = subprocess.run([BUILD / "bench" / "bench_create", store, work / "inside.db", str(sized(200, 200, 5))], env=env_of(store), check=True,
                            capture_output=True, text=True)
    create_us, commits_us = map(float, inside.stdout.split())
    print(f"  within one process: {create_us:.0f} µs and {commits_us:.0f} µs, {create_us / commits_us:.2f} times (medians, in turn)")


def bulk(work):
    store, tokens, roster = work / "bulk", work / "tokens", work / "roster"
    make_store(store, 0)
    many = sized(10_000, 2_000, 20)
    roster.write_text("".join(f"agent-{i}\n" for i in range(many)))
    tokens.mkdir()
    run = Run([MARQUE, "create", "--from", roster, "--token-dir", tokens, "--scope", "card:view", f"--confirm={many}"], env_of(store))
    print(f"\nCreating {many:,} identities from a file, in one plan and two commits")
    print(f"  {run.wall_ms / 1000:.2f} s of wall time, {run.cpu_ms / 1000:.2f} s of CPU; "
          f"{run.cpu_ms / many:.3f} ms of CPU each")
    assert len(list(tokens.iterdir())) == many


def main():
    subprocess.run([ROOT / "tools" / "build", "release", "-DMARQUE_BUILD_TESTS=OFF", "marque", "bench_seed", "bench_two_commits", "bench_create"], check=True)
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} × {cpu}")
    work = Path(tempfile.mkdtemp(prefix="marque-bench-"))
    try:
        lookups(work)
        creating(work)
        bulk(work)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
