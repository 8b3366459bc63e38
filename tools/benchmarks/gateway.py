"""The gateway live: TUN → UDP → TUN, against the bare devices and strongSwan's user-space ESP.

All contenders are up at once, each as two processes in namespaces joined by a ``veth``, and idle
except the one whose turn it is. A sender floods one end, a receiver behind the other counts. On two
cores sender, both ends and receiver share the time; so it is for every contender.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from soaking.changes import Changes
from soaking.pair import Gateway, in_namespace, pair

from benchmarks.figures import Aim, Cell, Column, Section
from benchmarks.rounds import Effort

CHECKOUT: Final = Path(__file__).parents[2]
for folder in ("live", "interop"):
    sys.path.append(str(CHECKOUT / "tests" / folder))

from missing import why_not_strongswan  # noqa: E402 - of tests/live, which is no package
from namespaces import Namespace, command, namespace  # noqa: E402 - likewise
from strongswan_peer import charon_at_both_ends  # noqa: E402 - likewise
from strongswan_speed import packets_per_s  # noqa: E402 - likewise
from tunnels import OURS, THEIRS, Tunnel  # noqa: E402 - likewise

SIZES: Final = (64, 1400)  # bytes of an IP packet
SECONDS: Final = 3.0
SETTLING_S: Final = 1.0  # in which what a flood has left in the rings is gone
PINGS: Final = 20
PING_HEADERS_BYTES: Final = 28
TUNNEL: Final = Tunnel(1)
FLOODED: Final = 1000  # packets from which on there is a flood
PAUSE_S: Final = 0.01  # between calls
P99_AIM_MS: Final = 100.0

COLUMNS: Final = (
    Column("ip_bytes", "IP\nbytes", "d"),
    Column("contender", "\ncontender"),
    Column("packets_per_s", "packets\n/s", ",.0f"),
    Column("of_bare", "of\nbare", ".2f"),
    Column("of_strongswan", "of\nstrongSwan", ".2f"),
    Column("of_card", "of\n“card”", ".2f"),
    Column("cpu_us", "CPU µs\nper packet", ".1f"),
    Column("lone_us", "lone packet\nµs one way", ",.0f"),
    Column("on_card", "on\ncard", ".0%"),
)


@dataclass(frozen=True)
class Flood:
    """What one flood, and some lone packets before it, have shown."""

    packets_per_s: float  # that arrive
    cpu_us: float  # of both ends, per packet that arrives
    lone_us: float  # half of a ping's time through both ends
    on_card: float | None  # share of the sealed packets; None: there is no card


@dataclass(frozen=True)
class Contender:
    """Two ends that are up; ``meanwhile`` makes them what they are to be for a flood."""

    ends: tuple[Namespace, Namespace]
    processes: Sequence[int]
    output: Path
    meanwhile: Callable[[], AbstractContextManager[None]]
    sealing: Gateway | None = None  # the end that has a card to tell of

    def flood(self, size_bytes: int) -> Flood:
        """Some lone packets, then as many as one process sends."""
        with self.meanwhile():
            lone_us = one_way_us(self.ends[0], size_bytes)
            cpu_s, sealed = cpu_seconds(self.processes), self._sealed()
            rate = packets_per_s(*self.ends, self.output, TUNNEL, size_bytes, SECONDS)
            cpu_s = cpu_seconds(self.processes) - cpu_s
            on_card = None
            if sealed:
                card, software = (
                    now - before for now, before in zip(self._sealed(), sealed, strict=True)
                )
                on_card = card / max(card + software, 1)
            time.sleep(SETTLING_S)
        return Flood(rate, 1e6 * cpu_s / (rate * SECONDS), lone_us, on_card)

    def _sealed(self) -> tuple[int, ...]:
        """Packets by the card and in software so far; none without a card."""
        if self.sealing is None:
            return ()
        packets = self.sealing.ask("status")["packets"]
        return packets["nic_packets"], packets["software_packets"]


def measure(effort: Effort, folder: Path) -> Section:
    """Everybody in turn, both sizes; and how long a control call takes meanwhile."""
    reason = "found another user, expected root" if os.geteuid() else why_not_strongswan()
    if not reason and shutil.which("ping") is None:
        reason = "ping not found; apt-get install iputils-ping"
    if reason:
        return Section("Gateway", f"NOT MEASURED: {reason}", COLUMNS, ())
    found: dict[tuple[int, str], list[Flood]] = {}
    with ExitStack() as stack:
        contenders, gateway = bring_up(folder, stack)
        for contender in contenders.values():
            contender.flood(SIZES[0])  # unmeasured: code that is compiled when it is first used
        for _ in range(effort.rounds):
            for size in SIZES:
                for name, contender in contenders.items():
                    found.setdefault((size, name), []).append(contender.flood(size))
        aim = control_aim(gateway, contenders["gateway, card"])
    rows = [row(found, size, name) for size in SIZES for name in contenders]
    return Section(
        "Gateway",
        "TUN → UDP → TUN, one tunnel, AES-GCM-128, flooded by one process. bare: the same system "
        "calls without ESP; card: the SA on the modelled card, software: rule never; reader: a "
        "listener to every burst that reads, or is stopped. CPU time: of both ends' processes. "
        "Lone packet: half a ping's time through both ends. Medians of rounds, ratios within one.",
        COLUMNS,
        tuple(rows),
        (aim,),
    )


def row(found: Mapping[tuple[int, str], list[Flood]], size: int, name: str) -> tuple[Cell, ...]:
    """One contender's figures."""
    mine = found[size, name]

    def ratio(other: str) -> float:
        pairs = zip(mine, found[size, other], strict=True)
        return median(one.packets_per_s / its.packets_per_s for one, its in pairs)

    on_card = [one.on_card for one in mine if one.on_card is not None]
    return (
        size,
        name,
        median(one.packets_per_s for one in mine),
        ratio("bare"),
        ratio("strongSwan"),
        ratio("gateway, card"),
        median(one.cpu_us for one in mine),
        median(one.lone_us for one in mine),
        median(on_card) if on_card else None,
    )


def bring_up(folder: Path, stack: ExitStack) -> tuple[dict[str, Contender], Gateway]:
    """Everybody up and idle; returns the contenders, and the gateway that is flooded."""
    places = {name: folder / name for name in ("gateways", "strongswan", "output")}
    for place in places.values():
        place.mkdir()
    one, other = stack.enter_context(pair(places["gateways"] / "pair"))
    Changes((one, other), seed=1).begin()
    ours = Namespace(one.namespace), Namespace(other.namespace)
    bare = stack.enter_context(bare_pair(one.outer, other.outer))
    charons = stack.enter_context(charon_at_both_ends(places["strongswan"], [TUNNEL]))

    def contender(
        ends: tuple[Namespace, Namespace],
        meanwhile: Callable[[], AbstractContextManager[None]] = nullcontext,
        sealing: Gateway | None = None,
    ) -> Contender:
        return Contender(ends, processes_of(ends), places["output"], meanwhile, sealing)

    def gateway(rule: str, *, watched: bool = False, stopped: bool = False) -> Contender:
        state = partial(state_of, (one, other), rule, watched=watched, stopped=stopped)
        return contender(ours, state, one)

    contenders = {
        "bare": contender(bare),
        "gateway, card": gateway("metric"),
        "gateway, software": gateway("never"),
        "gateway, reader": gateway("metric", watched=True),
        "gateway, stuck reader": gateway("metric", watched=True, stopped=True),
        "strongSwan": contender(charons),
    }
    return contenders, one


@contextmanager
def state_of(
    gateways: tuple[Gateway, Gateway], rule: str, *, watched: bool, stopped: bool
) -> Iterator[None]:
    """Both under that rule, and perhaps somebody attached to the first."""
    for gateway in gateways:
        gateway.ask("rule.set", name=rule, parameters={})
    with listener(gateways[0], stopped=stopped) if watched else nullcontext():
        yield


@contextmanager
def bare_pair(ours: str, theirs: str) -> Iterator[tuple[Namespace, Namespace]]:
    """Two bare forwarders, joined as the gateways are."""
    script = str(Path(__file__).with_name("bare_forwarder.py"))
    with namespace("bare-one") as one, namespace("bare-other") as other, ExitStack() as stack:
        words = ["link", "add", "wire", "type", "veth", "peer", "name", "wire"]
        one.ip(*words, "netns", other.name)
        for place, side, mine, its in ((one, OURS, ours, theirs), (other, THEIRS, theirs, ours)):
            place.ip("addr", "add", f"{mine}/24", "dev", "wire")
            place.ip("link", "set", "wire", "up")
            inner = f"{TUNNEL.inner(side)}/32"
            process = stack.enter_context(
                place.program([sys.executable, script, mine, its, inner], pipe=True)
            )
            assert process.stdout is not None
            process.stdout.readline()
            far = TUNNEL.inner(THEIRS if side == OURS else OURS)
            place.ip("route", "add", f"{far}/32", "dev", "saa0")
        yield one, other


@contextmanager
def listener(gateway: Gateway, *, stopped: bool) -> Iterator[None]:
    """Somebody attached to every burst."""
    path = str(gateway.folder / "control.sock")
    words = [sys.executable, "-m", "saactors", "attach", "--socket", path]
    words += ["--kind", "burst_handled", "--format", "json"]
    with subprocess.Popen(in_namespace(gateway, words), stdout=subprocess.DEVNULL) as process:
        try:
            while not gateway.ask("status")["attached"]:
                time.sleep(0.05)
            if stopped:
                process.send_signal(signal.SIGSTOP)
            yield
        finally:
            process.kill()
    while gateway.ask("status")["attached"]:  # whoever comes next is not to be listened to
        time.sleep(0.05)


def processes_of(ends: Sequence[Namespace]) -> tuple[int, ...]:
    """The processes that run in these namespaces now."""
    listed = (command(["ip", "netns", "pids", end.name]).stdout.split() for end in ends)
    return tuple(int(word) for words in listed for word in words)


def cpu_seconds(processes: Sequence[int]) -> float:
    """User and system time that they have had so far."""
    ticks = 0
    for process in processes:
        # Behind the program's name, which may have spaces: fields 14 and 15 of proc(5).
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def one_way_us(end: Namespace, size_bytes: int) -> float:
    """Half of what a lone echo takes from one end to the other and back, median."""
    payload = str(size_bytes - PING_HEADERS_BYTES)
    words = ["ping", "-n", "-c", str(PINGS), "-i", "0.02", "-s", payload]
    said = end.run([*words, "-I", TUNNEL.inner(OURS), TUNNEL.inner(THEIRS)]).stdout
    return 1e3 / 2 * median(map(float, re.findall(r"time=([0-9.]+) ms", said)))


def control_aim(gateway: Gateway, contender: Contender) -> Aim:
    """How long ``status`` takes while packets are flooded, but for one call in a hundred.

    That is wall time; how late a sleeping process is woken meanwhile says what others' part is.
    """
    with contender.meanwhile(), ThreadPoolExecutor(1) as flooding:
        before, took_s, late_s = gateway.ask("status")["packets"]["in_packets"], [0.0], [0.0]
        ends, output = contender.ends, contender.output
        flood = flooding.submit(packets_per_s, *ends, output, TUNNEL, SIZES[0], 2 * SECONDS)
        while not flood.done():
            began_s = time.monotonic()
            packets = gateway.ask("status")["packets"]["in_packets"] - before
            answered_s = time.monotonic()
            time.sleep(PAUSE_S)
            if packets > FLOODED:
                took_s.append(answered_s - began_s)
                late_s.append(time.monotonic() - answered_s - PAUSE_S)
        flood.result()
    took_ms, late_ms = (1000 * sorted(all_s)[int(0.99 * len(all_s))] for all_s in (took_s, late_s))
    what = f"p99 of status under a flood (of a sleeper's delay: {late_ms:.1f} ms)"
    return Aim(what, took_ms, P99_AIM_MS, "ms", at_most=True, spec=",.1f")
