"""A machine within the machine: namespaces of processes, networks and mounts that end, with all in them, when the run
does, however it ends. Names of hosts are private to it, so that several runs do not meet."""

import ctypes
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

NEW_MOUNTS, NEW_PROCESSES, NEW_NETWORK, NEW_IPC = 0x20000, 0x20000000, 0x40000000, 0x08000000
RECURSIVE, PRIVATE, KILL_WITH_PARENT = 0x4000, 0x40000, 1
TOOLS = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables", "nsenter": "util-linux", "setpriv": "util-linux",
         "unshare": "util-linux", "faketime": "faketime", "psql": "postgresql"}

libc = ctypes.CDLL(None, use_errno=True)


class Missing(Exception):
    """Why these tests can't be run here."""


def call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def mount(kind, where):
    call("mount", b"none", where.encode(), kind and kind.encode(), 0 if kind else RECURSIVE | PRIVATE, None)


def enter_network(name):
    """This process goes to that host."""
    with open(f"/run/netns/{name}", encoding="ascii") as file:
        call("setns", file.fileno(), NEW_NETWORK)


def require_tools():
    for tool, package in TOOLS.items():
        if shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            raise Missing(f"{tool} is not there: install {package} (tools/setup)")


def run_within(body):
    """body(folder) in such a machine, with a folder that is removed too. Its exit code. Errors: Missing."""
    require_tools()
    folder = Path(tempfile.mkdtemp(prefix="marque-hosts-"))
    alive, hold = os.pipe()  # closed when this process is gone, whatever took it
    keeper = os.fork()
    if keeper == 0:
        keep(folder, alive, hold)
    os.close(alive)
    try:
        return fork_within(body, folder, hold)
    finally:
        os.close(hold)
        os.waitpid(keeper, 0)


def keep(folder, alive, hold):
    """Removes the folder, which is empty here, when nobody is left who could; of all signals, none keeps it from that."""
    os.setsid()
    os.close(hold)
    os.read(alive, 1)
    folder.rmdir()
    os._exit(0)


def fork_within(body, folder, hold):
    try:
        call("unshare", NEW_MOUNTS | NEW_PROCESSES | NEW_NETWORK | NEW_IPC)
    except OSError as error:
        raise Missing(f"no namespaces for this account: {error}") from error
    first = os.fork()
    if first == 0:
        os.close(hold)
        code = 1
        try:
            call("prctl", KILL_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
            settle(folder)
            code = body(folder)
        except Missing as missing:
            print(f"skipped: {missing}\n0 passed, 0 failed, 1 skipped")
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            os._exit(code)  # the first process: the kernel ends all others with it
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(first, signal.SIGKILL))
    return 0 if os.waitpid(first, 0)[1] == 0 else 1


def settle(folder):
    """Mounts of its own: processes by their new ids, hosts' names, what libraries leave in /dev/shm, and the folder. So
    what a database keeps is kept from the death of its processes, not from that of a machine."""
    try:
        mount(None, "/")
        mount("proc", "/proc")
        mount("tmpfs", "/run")
        mount("tmpfs", "/dev/shm")
        mount("tmpfs", str(folder))
    except OSError as error:
        raise Missing(f"no mounts for this account: {error}") from error
    os.chmod("/dev/shm", 0o1777)
    folder.chmod(0o711)  # the database's account has to get through
    os.mkdir("/run/netns")
