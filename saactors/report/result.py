"""What a finished run knows: the one source of the summary, the JSON object and the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from saactors.observe.events import Scalar
from saactors.observe.latency import Percentiles
from saactors.report.timeline import Timeline

JsonObject: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketTotals:
    """Packets: those that came, those that left, and where crypto ran (``bypass``: nowhere)."""

    entered: int
    left: int
    software: int
    nic: int
    bypass: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteTotals:
    """Bytes of the IP packets as they came, on the wire."""

    entered: int
    software: int
    nic: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTime:
    """Host time spent on crypto and loads, and what it would have been without the card."""

    total_ns: float
    all_software_ns: float

    @property
    def saved_ns(self) -> float:
        """Negative if the loads cost more than they brought."""
        return self.all_software_ns - self.total_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeUse:
    """How full an edge got, and how its senders waited. ``capacity`` None: unbounded."""

    capacity: int | None
    high_water: int
    waits: int
    waited_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleUsed:
    """The placement rule; ``calculation`` is how the threshold came about, a step per line."""

    name: str
    parameters: Mapping[str, Scalar]
    calculation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Packets that were decrypted again and compared; 0 of 0 without ``--verify``."""

    checked: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LifetimesReached:
    """SAs that have reached a soft limit of their lifetimes, and SAs at their hard one."""

    soft_expired_sas: int = 0
    hard_expired_sas: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HotSa:
    """One of the SAs with the most packets, and where it stood at the end."""

    sa: int
    spi: int
    source: str
    destination: str
    metric: float
    packets: int
    bytes: int
    packets_nic: int
    residency: str
    loads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A finished run."""

    capture: str
    direction: str
    seed: int
    profile: str
    slots_max: int
    rule: RuleUsed
    duration_ns: int
    wall_s: float
    streams: int
    sas: int
    packets: PacketTotals
    bytes: ByteTotals
    drops: Mapping[str, int]  # reason → packets
    loads: int
    evictions: int
    loads_refused: int
    loads_lost: int = 0
    host_time: HostTime
    edges: Mapping[str, EdgeUse]
    software_latency: Percentiles | None
    nic_latency: Percentiles | None
    verification: Verification = Verification()
    lifetimes: LifetimesReached = LifetimesReached()
    hottest: tuple[HotSa, ...] = ()
    interrupted: bool = False  # by a signal, before the end of the capture
    warnings: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # what → file
    timeline: Timeline | None = None

    @property
    def packets_offloaded(self) -> float:
        """The card's share of the packets that needed crypto, 0 to 1."""
        return _share(self.packets.nic, self.packets.nic + self.packets.software)

    @property
    def bytes_offloaded(self) -> float:
        """The card's share of their bytes, 0 to 1."""
        return _share(self.bytes.nic, self.bytes.nic + self.bytes.software)

    @property
    def dropped(self) -> int:
        """Packets dropped, for whatever reason."""
        return sum(self.drops.values())

    def to_json_object(self) -> JsonObject:
        """The run as plain JSON values; units are in the names."""
        packets, host_time = self.packets, self.host_time
        whole: JsonObject = {
            "capture": self.capture,
            "direction": self.direction,
            "duration_ns": self.duration_ns,
            "wall_s": self.wall_s,
            "seed": self.seed,
            "profile": self.profile,
            "slots_max": self.slots_max,
            "rule": {
                "name": self.rule.name,
                "parameters": dict(self.rule.parameters),
                "calculation": list(self.rule.calculation),
            },
            "streams": self.streams,
            "sas": self.sas,
            "packets": {
                "in": packets.entered,
                "out": packets.left,
                "software": packets.software,
                "nic": packets.nic,
                "bypass": packets.bypass,
            },
            "bytes": {
                "in": self.bytes.entered,
                "software": self.bytes.software,
                "nic": self.bytes.nic,
            },
            "offload_ratio": {"packets": self.packets_offloaded, "bytes": self.bytes_offloaded},
            "drops": {reason: count for reason, count in self.drops.items() if count},
            "loads": self.loads,
            "evictions": self.evictions,
            "loads_refused": self.loads_refused,
            "loads_lost": self.loads_lost,
            "host_time_ns": {
                "total": host_time.total_ns,
                "all_software": host_time.all_software_ns,
                "saved": host_time.saved_ns,
            },
            "edges": {name: _fields(use) for name, use in self.edges.items()},
            "latency_ns": {
                "software": _percentiles(self.software_latency),
                "nic": _percentiles(self.nic_latency),
            },
            "verify": _fields(self.verification),
            "lifetimes": _fields(self.lifetimes),
            "hottest": [_fields(sa) for sa in self.hottest],
            "outputs": dict(self.outputs),
            "interrupted": self.interrupted,
            "warnings": list(self.warnings),
        }
        return {name: _json_value(value) for name, value in whole.items()}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _fields(record: EdgeUse | Verification | LifetimesReached | HotSa) -> JsonObject:
    return {name: getattr(record, name) for name in record.__slots__}


def _percentiles(latency: Percentiles | None) -> JsonObject:
    p50_ns, p99_ns, p999_ns = latency or (None, None, None)
    return {"p50": p50_ns, "p99": p99_ns, "p999": p999_ns}


def _json_value(value: object) -> object:
    """Python's numbers for NumPy's; null for what JSON has no number for (no threshold at all)."""
    match value:
        case dict():
            return {name: _json_value(entry) for name, entry in value.items()}
        case list():
            return [_json_value(entry) for entry in value]
        case np.generic():
            return _json_value(value.item())
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
