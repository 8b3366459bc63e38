"""The demo network: hosts of four branch offices, a wide-area link, a gateway and servers.

    h11 … h1c ┐
    h21 … h29 ├─ branch ──── wan ──── gateway ──── servers
    h31 … h38 │         tbf       ^ tbf
    h41 … h47 ┘          up       │ down
                             tcpdump here

Every name is a network namespace. `branch` and `gateway` route; `wan` only carries frames, and a
process of ours there (delay_line.py) holds each one back for as long as its office is away. A token
bucket (tbf) on either side of `wan` is the link's rate, fast down and slow up. The gateway's
wide-area side is where an IPsec gateway would encrypt, so this is where the capture is taken.

Segmentation and checksum offload are off on all links: packets are as long as on a real wire and
carry whole checksums.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

DOWN_RATE = "24mbit"
UP_RATE = "8mbit"
# What a home or office router holds before it drops: this much waiting, not this many packets.
QUEUE_LATENCY = "60ms"

HOSTS_PER_OFFICE = {1: 12, 2: 9, 3: 8, 4: 7}
# One way, from the wide-area link to the office: the same town, country, continent, overseas.
OFFICE_DELAY_MS = {1: 2, 2: 8, 3: 20, 4: 45}


@dataclass(frozen=True)
class Host:
    """A client: one namespace with one IPv4 address and, for every third, an IPv6 address."""

    name: str
    office: int
    ipv4: str
    ipv6: str | None


@dataclass(frozen=True)
class Server:
    """A name with its addresses; all servers live in one namespace."""

    name: str
    ipv4: str
    ipv6: str | None = None


HOSTS = tuple(
    Host(
        name=f"h{office}{number:x}",
        office=office,
        ipv4=f"10.{office}.0.{number}",
        ipv6=f"2001:db8:{office}::{number:x}" if number % 3 == 1 else None,
    )
    for office, count in HOSTS_PER_OFFICE.items()
    for number in range(1, count + 1)
)

# Most popular first: the plan gives the first the most visits.
WEB_SERVERS = (
    Server("www.hq.example", "192.168.10.1", "2001:db8:ff10::1"),
    Server("news.hq.example", "192.168.10.2", "2001:db8:ff10::2"),
    Server("wiki.hq.example", "192.168.10.3"),
    Server("shop.hq.example", "192.168.10.4"),
    Server("api.hq.example", "192.168.10.5", "2001:db8:ff10::5"),
    Server("mail.hq.example", "192.168.10.6"),
)
NAME_SERVER = Server("ns.hq.example", "192.168.53.53")
BACKUP_SERVER = Server("backup.hq.example", "192.168.20.1", "2001:db8:ff20::1")
FILE_SERVER = Server("files.hq.example", "192.168.20.2")
CALL_SERVER = Server("calls.hq.example", "192.168.30.1")
SERVERS = (*WEB_SERVERS, NAME_SERVER, BACKUP_SERVER, FILE_SERVER, CALL_SERVER)

ROUTERS = ("branch", "wan", "gateway", "servers")
NAMESPACES = (*ROUTERS, *(host.name for host in HOSTS))

CAPTURE_DEVICE = "to-wan"  # in the gateway's namespace
WAN_DEVICES = ("to-branch", "to-gateway")


def enter(namespace: str, *command: str) -> list[str]:
    """`command` as it has to be called to run inside a namespace."""
    return ["nsenter", f"--net=/run/netns/{namespace}", *command]


def run(command: list[str], script: str = "") -> str:
    """Run a short command to its end and return what it printed.

    Raises:
        RuntimeError: it failed; the message says with which words.
    """
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed ({done.returncode}): {done.stderr.strip()}")
    return done.stdout


def build_network() -> None:
    """Make all namespaces, links, addresses, routes and token buckets."""
    for namespace in NAMESPACES:
        run(["ip", "netns", "add", namespace])
        _ip(namespace, ["link set lo up"])
    for router in ("branch", "gateway"):
        for switch in ("ipv4/conf/all/forwarding", "ipv6/conf/all/forwarding"):
            run(enter(router, "tee", f"/proc/sys/net/{switch}"), "1")
    for host in HOSTS:
        _join(host.name, "eth0", "branch", host.name)
        _connect_host(host)
    _join("branch", "to-wan", "wan", "to-branch")
    _join("wan", "to-gateway", "gateway", CAPTURE_DEVICE)
    _join("gateway", "to-servers", "servers", "eth0")
    _connect_branch_and_gateway()
    _connect_servers()
    for router, rate in (("branch", UP_RATE), ("gateway", DOWN_RATE)):
        bucket = f"tbf rate {rate} burst 8kb latency {QUEUE_LATENCY}"
        run(["tc", "-n", router, "qdisc", "add", "dev", "to-wan", "root", *bucket.split()])


def remove_network() -> None:
    """Remove every namespace that is there, and with it its links."""
    for line in run(["ip", "netns", "list"]).splitlines():
        run(["ip", "netns", "delete", line.split()[0]])


def _ip(namespace: str, commands: list[str]) -> None:
    """Give `ip` several commands at once, in a namespace."""
    run(["ip", "-n", namespace, "-batch", "-"], "\n".join(commands) + "\n")


def _join(left: str, left_device: str, right: str, right_device: str) -> None:
    """A cable between two namespaces, with no offload and no address of its own making."""
    _ip(
        left,
        [f"link add name {left_device} type veth peer name {right_device} netns {right}"],
    )
    for namespace, device in ((left, left_device), (right, right_device)):
        _ip(namespace, [f"link set {device} addrgenmode none", f"link set {device} up"])
        offloads = "tso off gso off gro off tx off rx off"
        run(enter(namespace, "ethtool", "-K", device, *offloads.split()))


def _connect_host(host: Host) -> None:
    """Address a host by itself (a /32, a /128); the branch router is its only neighbour."""
    at_host = [
        f"address add {host.ipv4}/32 dev eth0",
        "route add 10.255.255.1 dev eth0",
        "route add default via 10.255.255.1 dev eth0",
    ]
    at_branch = [f"route add {host.ipv4} dev {host.name}"]
    if host.ipv6:
        at_host += [
            f"address add {host.ipv6}/128 dev eth0 nodad",
            "route add default via fe80::1 dev eth0",
        ]
        at_branch += [
            f"address add fe80::1/64 dev {host.name} nodad",
            f"route add {host.ipv6} dev {host.name}",
        ]
    _ip(host.name, at_host)
    _ip("branch", at_branch)


def _connect_branch_and_gateway() -> None:
    """Route between the offices and the servers over the wide-area link.

    IPv6 routers ask for a neighbour from their link-local address, so each needs one.
    """
    _ip(
        "branch",
        [
            "address add 10.255.255.1/32 dev lo",
            "address add 10.255.0.2/30 dev to-wan",
            "address add 2001:db8:255::2/64 dev to-wan nodad",
            "address add fe80::2/64 dev to-wan nodad",
            "route add default via 10.255.0.1",
            "route add default via 2001:db8:255::1",
        ],
    )
    _ip(
        "gateway",
        [
            "address add 10.255.0.1/30 dev to-wan",
            "address add 2001:db8:255::1/64 dev to-wan nodad",
            "address add fe80::1/64 dev to-wan nodad",
            "address add 192.168.255.1/30 dev to-servers",
            "address add 2001:db8:254::1/64 dev to-servers nodad",
            "address add fe80::1/64 dev to-servers nodad",
            "route add 10.0.0.0/8 via 10.255.0.2",
            "route add 192.168.0.0/16 via 192.168.255.2",
            "route add 2001:db8:ff00::/40 via 2001:db8:254::2",
            "route add 2001:db8::/40 via 2001:db8:255::2",
        ],
    )


def _connect_servers() -> None:
    """Give the servers' namespace all their addresses."""
    commands = [
        "address add 192.168.255.2/30 dev eth0",
        "address add 2001:db8:254::2/64 dev eth0 nodad",
        "address add fe80::2/64 dev eth0 nodad",
        "route add default via 192.168.255.1",
        "route add default via 2001:db8:254::1",
    ]
    for server in SERVERS:
        commands.append(f"address add {server.ipv4}/32 dev lo")
        if server.ipv6:
            commands.append(f"address add {server.ipv6}/128 dev lo nodad")
    _ip("servers", commands)
