"""Hosts: network namespaces on two bridges, which stand in a namespace of their own, and what can befall a host's link.

    db1 db2 op1 op2 v1 v2 v3 ── the database's network          v1 v2 v3 load ── the web's

So a verifier can lose its database while it is still asked. An address belongs to no machine but these.
"""

import subprocess

from machine import Missing, enter_network

DATABASE, WEB = "database", "web"
ADDRESSES = {DATABASE: "10.77.1.", WEB: "10.77.2."}
SWITCH = "switch"  # the namespace with both bridges


def run(*words, text=None):
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.stderr}{text or ''}")
    return done.stdout


class Host:
    """Its links are called as their network is, here and, with its name before it, at the bridge."""

    def __init__(self, name, number, folder, networks):
        self.name, self.folder = name, folder / name
        self.folder.mkdir(mode=0o755)
        self.address = {network: f"{ADDRESSES[network]}{number}" for network in networks}
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        for network, address in self.address.items():
            port = self.port(network)
            run("ip", "link", "add", network, "netns", name, "type", "veth", "peer", "name", port, "netns", SWITCH)
            run("ip", "-n", SWITCH, "link", "set", port, "master", network, "up")
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", network)
            run("ip", "-n", name, "link", "set", network, "up")
        self.is_unplugged = self.is_filtered = self.is_slow = False

    def port(self, network):
        return f"{self.name}-{network}"

    @property
    def within(self):
        """The words before a command that is to run there; the process stays the same."""
        return ["nsenter", f"--net=/run/netns/{self.name}"]

    def enter(self):
        enter_network(self.name)

    # Faults of the link to the database's network.

    def unplug(self):
        """The host is told: its link has no carrier."""
        self.is_unplugged = True
        run("ip", "-n", SWITCH, "link", "set", self.port(DATABASE), "down")

    def filter(self, *directions, but=None, only=None):
        """Nobody is told: packets are lost that go `out` or come `in`; but not of one address, or only of one."""
        self.is_filtered = True
        rules = ["add table ip fault"]
        for direction in directions:
            hook, interface, end = ("output", "oifname", "daddr") if direction == "out" else ("input", "iifname", "saddr")
            rules.append(f"add chain ip fault {hook} {{ type filter hook {hook} priority 0; }}")
            if but:
                rules.append(f"add rule ip fault {hook} ip {end} {but} accept")
            rules.append(f"add rule ip fault {hook} {interface} {DATABASE}{f' ip {end} {only}' if only else ''} drop")
        run(*self.within, "nft", "-f", "-", text="\n".join(rules) + "\n")

    def slow_down(self, rate):
        """Both ways, each of its own."""
        self.is_slow = True
        for where, link in ((self.name, DATABASE), (SWITCH, self.port(DATABASE))):
            run("tc", "-n", where, "qdisc", "add", "dev", link, "root", "tbf", "rate", rate, "burst", "3000", "limit", "60000")

    def heal(self):
        if self.is_unplugged:
            run("ip", "-n", SWITCH, "link", "set", self.port(DATABASE), "up")
        if self.is_filtered:
            run(*self.within, "nft", "delete", "table", "ip", "fault")
        if self.is_slow:
            run("tc", "-n", self.name, "qdisc", "del", "dev", DATABASE, "root")
            run("tc", "-n", SWITCH, "qdisc", "del", "dev", self.port(DATABASE), "root")
        self.is_unplugged = self.is_filtered = self.is_slow = False


def make_hosts(folder):
    """By their names. Errors: Missing."""
    try:
        run("ip", "netns", "add", SWITCH)
        for network in ADDRESSES:
            run("ip", "-n", SWITCH, "link", "add", network, "type", "bridge", "stp_state", "0", "forward_delay", "0")
            run("ip", "-n", SWITCH, "link", "set", network, "up")
        hosts = {}
        for number, (name, networks) in enumerate(
                [(name, (DATABASE,)) for name in ("db1", "db2", "op1", "op2")] +
                [(name, (DATABASE, WEB)) for name in ("v1", "v2", "v3")] + [("load", (WEB,))], 11):
            hosts[name] = Host(name, number, folder, networks)
        return hosts
    except AssertionError as error:
        raise Missing(f"no hosts can be made: {error}") from error
