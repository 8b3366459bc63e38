"""The suite: which traffic, on which cards, under which rules.

    workload × seed × point × choice

A *point* is what is varied of the card: what a load costs, how long it takes, how many slots there
are. The base point is the middle of all three axes; the *cross* varies one axis at a time, the
*grid* combines all. A *choice* is a rule with its parameters: every rule with its defaults, and for
the two rules whose parameters matter most (memory and threshold) a grid of them. The best of all
choices that a driver could have made is what "in hindsight" means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Final

from nicmodel.presets import HOST, PROFILES
from saactors.lab.run import cost_model
from saactors.lab.sweep_plan import Setting, Source
from saactors.placement.table import RULES
from saactors.traces.burst_former import BURST_MAX, BURST_WAIT_NS

ROOT: Final = Path(__file__).parents[2]
PROFILE: Final = "connectx6"
PACKET_BYTES: Final = 1500  # the packet whose saving a load cost is counted in
SAVING_NS: Final = cost_model(PROFILES[PROFILE], HOST).saving_ns(PACKET_BYTES)
PACKETS: Final = 2_000_000  # of a synthetic trace
BASE_SEEDS: Final = 3

LOAD_COSTS: Final = (1, 5, 20, 50, 200, 1000)  # packets whose saving a load takes
LATENCIES_US: Final = (10, 100, 1000, 10_000)
SLOTS_PERCENT: Final = (1, 2, 5, 10, 25)

GRID_RULES: Final = ("metric", "ewma")  # whose memory and threshold are varied
MEMORIES_MS: Final = (20, 200, 2000, 20_000, 200_000)
THRESHOLDS: Final = (0.3, 1.0, 3.0)  # in loads
DECAY: Final = 0.9  # per period, a tenth of the memory
NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Workload:
    """Traffic of the suite; a capture if it has a path."""

    name: str
    about: str
    model: str = ""  # with its parameters, but for the number of packets
    path: str = ""  # from the root of the checkout

    def trace(self, packets: int) -> str:
        """What the lab takes for it."""
        if self.path:
            return str((ROOT / self.path).resolve())
        model, comma, given = self.model.partition(",")
        return f"synth:{model},packets={packets}{comma}{given}"


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """What is varied of the card."""

    load_cost: int = 50  # packets of 1500 bytes whose saving a load costs
    latency_us: int = 100
    slots_percent: int = 5  # of the trace's SAs

    def __str__(self) -> str:
        return f"load cost {self.load_cost}, {latency_text(self.latency_us)}, {self.slots_percent}%"


@dataclass(frozen=True, slots=True)
class Choice:
    """A rule with its parameters, under the name that tables have it by."""

    label: str
    rule: str
    memory_ms: int = 0  # 0: the rule's defaults
    threshold: float = 0.0  # in loads

    def parameters(self, load_cost: int) -> dict[str, object]:
        """As the rule takes them."""
        memory_ns = self.memory_ms * NS_PER_MS
        if not memory_ns:
            return {}
        if self.rule == "metric":
            return {
                "decay": f"factor:{DECAY}",
                "period_ns": memory_ns // 10,
                "threshold": self.threshold * load_cost,
            }
        # A lead of so many loads in what was saved lately is one load in what will be over this.
        return {"memory_ns": memory_ns, "horizon_ns": round(memory_ns / self.threshold)}


@dataclass(frozen=True, slots=True)
class Group:
    """All choices on one trace and one card: they have one optimum between them."""

    workload: Workload
    seed: int | None  # None of a capture
    point: Point
    setting: Setting

    def __str__(self) -> str:
        seed = "" if self.seed is None else f" seed {self.seed}"
        return f"{self.workload.name}{seed}, {self.point}"


BASE: Final = Point()

SYNTHETIC: Final = (
    Workload("zipf-0.8", "independent packets, SAs differ little", "zipf,sas=5000,exponent=0.8"),
    Workload("zipf-1.0", "independent packets", "zipf,sas=5000,exponent=1.0"),
    Workload("zipf-1.2", "independent packets, SAs differ much", "zipf,sas=5000,exponent=1.2"),
    Workload("zipf-churn", "50 SAs a second replaced by fresh ones", "zipf-churn,sas=5000"),
    Workload("on-off", "Pareto bursts of 20 ms within sessions", "on-off"),
    Workload("rekeying", "tunnels whose SAs last 5 s", "rekeying"),
    Workload("campus-2015", "users' flows, 1000 pairs", "flows,distribution=campus-2015"),
    Workload("websearch", "data centre flows, 1000 pairs", "flows,distribution=websearch"),
    Workload("hadoop", "data centre flows, 1000 pairs", "flows,distribution=hadoop"),
    Workload("cache-rpc", "flows of a packet or two, 1000 pairs", "flows,distribution=cache-rpc"),
    Workload("branch", "an office: 64 tunnels, users' flows", "branch"),
    Workload("remote-access", "5000 thin tunnels, SAs last 20 s", "remote-access"),
    Workload("secgw", "a mobile operator's gateway, bursts", "secgw"),
    Workload("uniform", "adversary: no SA is worth more than another", "uniform,sas=5000"),
    Workload("threshold", "adversary: 100 packets per SA, then silence", "threshold,threshold=100"),
    Workload("adversary", "uniform, scan, one-packet SAs and threshold mixed", "adversary"),
)

_PLAIN: Final = "../shared/captures/plain/"
CAPTURES: Final = (
    Workload("demo", "the project's own demonstration", path="demo/traffic.pcap.gz"),
    Workload("alexa", "visits to web sites", path=f"{_PLAIN}alexa.pcapng"),
    Workload("echo", "echo over TCP connections", path=f"{_PLAIN}echo-connections.pcap.gz"),
    Workload("gnutella", "peer to peer", path=f"{_PLAIN}gnutella.pcap"),
    Workload("ip6-esp", "ESP over IPv6, without its keys", path=f"{_PLAIN}ip6_esp_nokeys.pcap"),
    Workload("modbus", "industrial control", path=f"{_PLAIN}modbus.pcap"),
)

WORKLOADS: Final[Mapping[str, Workload]] = MappingProxyType(
    {workload.name: workload for workload in (*SYNTHETIC, *CAPTURES)}
)
AXES: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = MappingProxyType(
    {
        "load_cost": ("load cost, packets", LOAD_COSTS),
        "latency_us": ("load latency", LATENCIES_US),
        "slots_percent": ("slots, % of SAs", SLOTS_PERCENT),
    }
)


def latency_text(latency_us: int) -> str:
    """A latency in its usual unit."""
    return f"{latency_us} µs" if latency_us < 1000 else f"{latency_us // 1000} ms"


def memory_text(memory_ms: int) -> str:
    """A memory in its usual unit."""
    return f"{memory_ms} ms" if memory_ms < 1000 else f"{memory_ms // 1000} s"


def choices(rules: Container[str] = RULES) -> tuple[Choice, ...]:
    """Every rule of these with its defaults, then the grids."""
    defaults = [Choice(name, name) for name in RULES]
    every = (*defaults, *(choice for rule in GRID_RULES for choice in grid_of(rule)))
    return tuple(choice for choice in every if choice.rule in rules)


def grid_of(rule: str) -> tuple[Choice, ...]:
    """A rule with every memory and threshold."""
    return tuple(
        Choice(f"{rule} {memory_text(memory)} {threshold:g}", rule, memory, threshold)
        for memory, threshold in product(MEMORIES_MS, THRESHOLDS)
    )


def cross() -> tuple[Point, ...]:
    """The base point, then those that differ from it on one axis."""
    others = (
        replace(BASE, **{axis: value}) for axis, (_, values) in AXES.items() for value in values
    )
    return tuple(dict.fromkeys((BASE, *others)))


def grid() -> tuple[Point, ...]:
    """All combinations, the base point first."""
    combined = (Point(*values) for values in product(LOAD_COSTS, LATENCIES_US, SLOTS_PERCENT))
    return tuple(dict.fromkeys((BASE, *combined)))


def groups(
    workloads: Sequence[Workload], points: Sequence[Point], packets: int, base_seeds: int
) -> Iterator[Group]:
    """What there is to run, those of one trace side by side; a capture must be there.

    Synthetic traffic is made ``base_seeds`` times at the base point, once elsewhere.
    """
    for workload in workloads:
        for seed in [None] if workload.path else range(base_seeds):
            source = _source(workload, seed, packets)
            for point in points:
                if not seed or point == BASE:
                    yield Group(workload, seed, point, setting_of(source, point))


def setting_of(source: Source, point: Point) -> Setting:
    """The trace on such a card."""
    return Setting(
        source=source,
        profile=PROFILE,
        slots=f"{point.slots_percent}%",
        card={
            "load_host_ns": round(point.load_cost * SAVING_NS),
            "load_latency_ns": 1000 * point.latency_us,
        },
        host={},
    )


def _source(workload: Workload, seed: int | None, packets: int) -> Source:
    trace = workload.trace(packets)
    digest = hashlib.sha256(Path(trace).read_bytes()).hexdigest() if workload.path else ""
    return Source(
        name=workload.name if workload.path else trace,
        path=trace,
        digest=digest,
        seed=seed,
        sa_per="flow",
        burst=BURST_MAX,
        burst_wait_ns=BURST_WAIT_NS,
    )
