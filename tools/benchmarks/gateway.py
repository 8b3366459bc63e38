"""The gateway live: TUN → UDP → TUN, against the bare devices and strongSwan's user-space ESP.

All contenders are up at once, each as two processes in namespaces joined by a ``veth``, and idle
except the one whose turn it is. A sender floods one end, a receiver behind the other counts. On two
cores sender, both ends and receiver share the time; so it is for every contender.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
from namespaces import Namespace, namespace  # noqa: E402 - likewise
from strongswan_peer import charon_at_both_ends  # noqa: E402 - likewise
from strongswan_speed import packets_per_s  # noqa: E402 - likewise
from tunnels import OURS, THEIRS, Tunnel  # noqa: E402 - likewise

SIZES: Final = (64, 1400)  # bytes of an IP packet
SECONDS: Final = 3.0
TUNNEL: Final = Tunnel(1)
CALLS: Final = 100
P99_AIM_MS: Final = 100.0

COLUMNS: Final = (
    Column("ip_bytes", "IP\nbytes", "d"),
    Column("contender", "\ncontender"),
    Column("packets_per_s", "packets\n/s", ",.0f"),
    Column("of_bare", "of\nbare", ".2f"),
    Column("of_strongswan", "of\nstrongSwan", ".2f"),
)

Flood = Callable[[int], float]  # of packets of that size: packets/s that arrive


def measure(effort: Effort, folder: Path) -> Section:
    """Everybody in turn, both sizes; and how long a control call takes meanwhile."""
    reason = "found another user, expected root" if os.geteuid() else why_not_strongswan()
    if reason:
        return Section("Gateway", f"NOT MEASURED: {reason}", COLUMNS, ())
    found: dict[tuple[int, str], list[float]] = {}
    with ExitStack() as stack:
        contenders, gateway = bring_up(folder, stack)
        for _ in range(effort.rounds):
            for size in SIZES:
                for name, flood in contenders.items():
                    found.setdefault((size, name), []).append(flood(size))
        p99_ms = control_p99_ms(gateway, contenders["gateway, card"])
    rows = [row(found, size, name) for size in SIZES for name in contenders]
    return Section(
        "Gateway",
        "TUN → UDP → TUN, one tunnel, AES-GCM-128, flooded by one process. bare: the same system "
        "calls without ESP; card: the SA on the modelled card, software: rule never; reader: a "
        "listener to every burst that reads, or is stopped. Medians of rounds, ratios within one.",
        COLUMNS,
        tuple(rows),
        (Aim("p99 of status under a flood", p99_ms, P99_AIM_MS, "ms", at_most=True),),
    )


def row(found: Mapping[tuple[int, str], list[float]], size: int, name: str) -> tuple[Cell, ...]:
    """One contender's figures."""
    mine = found[size, name]

    def ratio(other: str) -> float:
        return median(a / b for a, b in zip(mine, found[size, other], strict=True))

    return size, name, median(mine), ratio("bare"), ratio("strongSwan")


def bring_up(folder: Path, stack: ExitStack) -> tuple[dict[str, Flood], Gateway]:
    """Everybody up and idle; returns how to flood each."""
    places = {name: folder / name for name in ("gateways", "strongswan", "output")}
    for place in places.values():
        place.mkdir()
    one, other = stack.enter_context(pair(places["gateways"] / "pair"))
    Changes((one, other), seed=1).begin()
    bare = stack.enter_context(bare_pair(one.outer, other.outer))
    charons = stack.enter_context(charon_at_both_ends(places["strongswan"], [TUNNEL]))

    def flood(ends: tuple[Namespace, Namespace]) -> Flood:
        def of_size(size: int) -> float:
            return packets_per_s(*ends, places["output"], TUNNEL, size, SECONDS)

        return of_size

    ours = flood((Namespace(one.namespace), Namespace(other.namespace)))

    def under(rule: str) -> Flood:
        def of_size(size: int) -> float:
            for gateway in (one, other):
                gateway.ask("rule.set", name=rule, parameters={})
            return ours(size)

        return of_size

    def watched(stopped: bool) -> Flood:
        def of_size(size: int) -> float:
            with listener(one, stopped=stopped):
                return under("metric")(size)

        return of_size

    contenders = {
        "bare": flood(bare),
        "gateway, card": under("metric"),
        "gateway, software": under("never"),
        "gateway, reader": watched(False),
        "gateway, stuck reader": watched(True),
        "strongSwan": flood(charons),
    }
    return contenders, one


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
        while not gateway.ask("status")["attached"]:
            time.sleep(0.05)
        if stopped:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.kill()


def control_p99_ms(gateway: Gateway, flood: Flood) -> float:
    """How long the slowest of a hundred calls takes while packets are flooded."""
    pid = os.fork()
    if pid == 0:
        flood(SIZES[0])
        os._exit(0)
    took_s = []
    for _ in range(CALLS):
        began_s = time.monotonic()
        gateway.ask("status")
        took_s.append(time.monotonic() - began_s)
        time.sleep(SECONDS / CALLS / 2)
    os.waitpid(pid, 0)
    return 1000 * sorted(took_s)[int(0.99 * CALLS)]
