"""Who does what when: the seeded plan of the demo's traffic.

A placement rule has nothing to decide where all streams are alike. So the plan is uneven:

- popularity is Zipf-like: a few hosts and a few servers have most of the visits;
- every host has phases in which it is busy and phases in which it is silent;
- one heavy transfer ends in the middle, and another, of another host, begins;
- short flows (look-ups, single pages) and long ones (calls, backups, downloads) run side by side.

The seed fixes which program runs where, when and with what arguments. When each packet leaves is
then up to the kernel and the programs, as in any capture of real traffic.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from demo_capture.network import (
    BACKUP_SERVER,
    CALL_SERVER,
    FILE_SERVER,
    HOSTS,
    NAME_SERVER,
    SERVERS,
    WEB_SERVERS,
    Server,
)

Choice = TypeVar("Choice")

DURATION_S = 30.0
VISITS = 170
VISIT_PAGES_MAX = 5
PAGES = 120

# Web pages and what hangs on them: half under 6 kB, one in a hundred over 100 kB.
PAGE_BYTES_MEDIAN = 6_000
PAGE_BYTES_SIGMA = 1.25
PAGE_BYTES_MAX = 250_000
DOWNLOAD_NAME, DOWNLOAD_BYTES = "/image.iso", 600_000

IPERF_PORT_FIRST = 5201


@dataclass(frozen=True)
class Activity:
    """A program that a host starts at a time, in seconds from the start of the traffic."""

    start_s: float
    host: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Transfer:
    """One iperf3 run and what its server listens on. Each has its own port: a server serves one."""

    start_s: float
    host: str
    server: Server
    ipv6: bool
    options: str

    def address(self) -> str:
        """The server's address that the run uses."""
        return (self.server.ipv6 if self.ipv6 else None) or self.server.ipv4


# The first heavy hitter pulls a backup in the first half; the second pushes one, over IPv6, in the
# other. A smaller transfer joins in each half. Calls are as large and as many packets as G.711's:
# 50/s of 172 bytes (160 of speech, 12 of RTP) each way.
TRANSFERS = (
    Transfer(1.0, "h11", BACKUP_SERVER, ipv6=False, options="-R -t 13 -b 6M -l 16K"),
    Transfer(15.0, "h21", BACKUP_SERVER, ipv6=True, options="-t 13 -b 5M -l 16K"),
    Transfer(6.0, "h32", FILE_SERVER, ipv6=False, options="-R -t 5 -b 3M -l 16K"),
    Transfer(19.0, "h42", FILE_SERVER, ipv6=False, options="-R -t 6 -b 3M -l 16K"),
    Transfer(2.5, "h13", CALL_SERVER, ipv6=False, options="-u --bidir -t 11 -b 68800 -l 172"),
    Transfer(12.0, "h26", CALL_SERVER, ipv6=False, options="-u --bidir -t 14 -b 68800 -l 172"),
    Transfer(20.0, "h45", CALL_SERVER, ipv6=False, options="-u --bidir -t 7 -b 68800 -l 172"),
)


def page_bytes(seed: int) -> dict[str, int]:
    """The web servers' files and their sizes; the same names on every server."""
    draw = random.Random(f"pages {seed}")
    sizes = {
        f"/page/{number}": min(
            int(PAGE_BYTES_MEDIAN * draw.lognormvariate(0, PAGE_BYTES_SIGMA)), PAGE_BYTES_MAX
        )
        for number in range(PAGES)
    }
    return sizes | {"/": 2_000, "/status": 120, DOWNLOAD_NAME: DOWNLOAD_BYTES}


def draw_plan(seed: int) -> list[Activity]:
    """All activities in the order in which they start."""
    draw = random.Random(f"plan {seed}")
    activities = [
        *_visits(draw),
        *_load(),
        *_downloads(),
        *_look_ups(),
        *_transfers(),
        *_pings(draw),
    ]
    return sorted(activities, key=lambda activity: activity.start_s)


def _visits(draw: random.Random) -> Iterator[Activity]:
    """People who read pages: some over one connection, some over a new one for each page."""
    hosts = draw.sample(HOSTS, len(HOSTS))
    phases = {host: _busy_phases(draw) for host in hosts}
    for _ in range(VISITS):
        host = _choose(draw, hosts)
        begin_s, end_s = draw.choice(phases[host])
        server = _choose(draw, WEB_SERVERS)
        pages = [
            f"http://{server.name}/page/{_rank(draw, PAGES)}"
            for _ in range(draw.randint(1, VISIT_PAGES_MAX))
        ]
        habit = draw.choice(((), ("--header", "Connection: close")))
        yield Activity(
            start_s=draw.uniform(begin_s, end_s),
            host=host.name,
            command=("curl", "--silent", "--max-time", "10", *habit, *pages),
        )


def _busy_phases(draw: random.Random) -> list[tuple[float, float]]:
    """When a host is busy: about 4 s on, about 5 s off, from and to, in s."""
    phases = []
    at_s = draw.uniform(0, 6)
    while at_s < DURATION_S - 2:
        end_s = min(at_s + draw.expovariate(1 / 4) + 0.5, DURATION_S - 1)
        phases.append((at_s, end_s))
        at_s = end_s + draw.expovariate(1 / 5)
    return phases


def _load() -> Iterator[Activity]:
    """Programs that call the web servers as fast as they answer, each for a while."""
    benchmark = ("ab", "-q", "-s", "8")
    yield Activity(
        4.0, "h14", (*benchmark, "-n", "120", "-c", "3", "http://shop.hq.example/status")
    )
    yield Activity(11.0, "h38", (*benchmark, "-n", "60", "-c", "2", "http://api.hq.example/status"))
    yield Activity(17.0, "h23", (*benchmark, "-n", "120", "-c", "3", "http://www.hq.example/"))
    keep_alive = ("wrk", "-t", "1")
    yield Activity(7.0, "h19", (*keep_alive, "-c", "2", "-d", "4s", "http://api.hq.example/status"))
    yield Activity(
        22.0, "h17", (*keep_alive, "-c", "2", "-d", "5s", "http://api.hq.example/status")
    )


def _downloads() -> Iterator[Activity]:
    """Large files at a modest rate: long flows of middling weight."""
    url = f"http://mail.hq.example{DOWNLOAD_NAME}"
    for start_s, host, rate in ((3.0, "h24", "60k"), (9.0, "h12", "90k"), (18.0, "h35", "70k")):
        yield Activity(start_s, host, ("curl", "--silent", "--limit-rate", rate, url))


def _look_ups() -> Iterator[Activity]:
    """Mail relays that look names up all the time."""
    for start_s, host, rate in ((0.5, "h15", 25), (13.0, "h33", 30)):
        command = (
            f"dnsperf -s {NAME_SERVER.ipv4} -d names -Q {rate} -c 2 -l 12 -O suppress=timeouts"
        )
        yield Activity(start_s, host, tuple(command.split()))


def _transfers() -> Iterator[Activity]:
    """The clients of `TRANSFERS`, each to its own server's port."""
    for port, transfer in enumerate(TRANSFERS, IPERF_PORT_FIRST):
        command = f"iperf3 -c {transfer.address()} -p {port} {transfer.options}"
        yield Activity(transfer.start_s, transfer.host, tuple(command.split()))


def _pings(draw: random.Random) -> Iterator[Activity]:
    """Watch-dogs: a ping to each of some servers, of the usual size or a large one."""
    for host in draw.sample(HOSTS, 14):
        server = draw.choice([server for server in SERVERS if server.ipv6 or not host.ipv6])
        address = server.ipv6 if host.ipv6 else server.ipv4
        interval_s, data_bytes = draw.choice((0.2, 0.5, 1.0)), draw.choice((56, 56, 56, 1000))
        command = f"ping -q -i {interval_s} -s {data_bytes} -w {draw.randint(4, 12)} {address}"
        yield Activity(draw.uniform(0, DURATION_S - 12), host.name, tuple(command.split()))


def _choose(draw: random.Random, ranked: Sequence[Choice]) -> Choice:
    """One of `ranked`, by Zipf's law, the first the likeliest."""
    return ranked[_rank(draw, len(ranked))]


def _rank(draw: random.Random, count: int) -> int:
    """A rank from 0 to count - 1; rank r with a weight of 1 / (r + 1) (Zipf's law)."""
    return draw.choices(range(count), [1 / (rank + 1) for rank in range(count)])[0]
