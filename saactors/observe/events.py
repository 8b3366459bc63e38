"""The closed vocabulary of what can happen in a run: one frozen class per kind of event.

An event is plain data: integers, numbers, text, None, and flat mappings of those. It names an SA by
its index and its SPI, a capture by its base name, and never holds key material: no field can carry
bytes at all (law 10; a test reads the annotations). Field names end in their unit.

``time_ns`` is when it happened, from the start of the run. ``EVENTS`` is the one table of kinds;
the event log, its readers and ``saactors events`` all go by it. A field that is added later needs
a default, so that logs without it can still be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import ClassVar, Final, TypeAlias

from saactors.observe.units import plain

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has: a kind, and when it happened."""

    kind: ClassVar[str]
    time_ns: int


# The run.


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """The first event of a run: all that is needed to do it again."""

    kind: ClassVar[str] = "run_started"
    version: str
    seed: int
    rule: str
    parameters: Mapping[str, Scalar]
    profile: str
    capture: str  # base name only: a log does not tell where a user keeps files
    options: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleChanged(Event):
    """A running system has taken over another rule or other parameters (claims 31 to 40)."""

    kind: ClassVar[str] = "rule_changed"
    rule: str
    parameters: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    """The last event of a run: its totals."""

    kind: ClassVar[str] = "run_ended"
    in_packets: int
    out_packets: int
    software_packets: int
    nic_packets: int
    bypass_packets: int
    dropped_packets: int
    loads: int
    evictions: int
    refused_loads: int
    host_time_ns: int


@dataclass(frozen=True, slots=True)
class Logged(Event):
    """A line of a gateway's log: for whoever is attached and does not see standard error."""

    kind: ClassVar[str] = "logged"
    level: str
    message: str
    fields: Mapping[str, Scalar] = field(default_factory=dict)


# Security associations and the card's cache.


@dataclass(frozen=True, slots=True)
class SaAdded(Event):
    """The agent has received an SA; from now on it has a metric (claim 7)."""

    kind: ClassVar[str] = "sa_added"
    sa: int
    spi: int
    suite: str
    mode: str
    direction: str
    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class SaDeleted(Event):
    """The agent has given up an SA: ``reason`` is asked, replaced or lifetime."""

    kind: ClassVar[str] = "sa_deleted"
    sa: int
    spi: int
    reason: str


@dataclass(frozen=True, slots=True)
class SaPinned(Event):
    """Somebody has decided where an SA's crypto runs: nic, software, or auto for the rule."""

    kind: ClassVar[str] = "sa_pinned"
    sa: int
    spi: int
    where: str


@dataclass(frozen=True, slots=True)
class LifetimeReached(Event):
    """An SA has come to a limit of its lifetime: ``soft``, IKE should make another; ``hard``."""

    kind: ClassVar[str] = "lifetime_reached"
    sa: int
    spi: int
    level: str  # soft or hard
    limit: str  # packets, bytes or time


@dataclass(frozen=True, slots=True)
class LoadIssued(Event):
    """The rule wants ``sa`` on the card, in place of ``victim`` where the card is full."""

    kind: ClassVar[str] = "load_issued"
    sa: int
    spi: int
    victim: int | None
    victim_spi: int | None
    metric: float
    victim_metric: float  # 0 for an empty slot
    threshold: float
    saving_ns: float  # per packet on the card
    load_host_ns: float
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded(Event):
    """The card may use ``sa`` from now on."""

    kind: ClassVar[str] = "loaded"
    sa: int
    latency_ns: int


@dataclass(frozen=True, slots=True)
class Evicted(Event):
    """The card has given up ``sa`` for ``successor``."""

    kind: ClassVar[str] = "evicted"
    sa: int
    successor: int | None
    metric: float
    successor_metric: float
    threshold: float
    saving_ns: float
    load_host_ns: float
    reason: str


@dataclass(frozen=True, slots=True)
class LoadRefused(Event):
    """The card would not take a number of load commands; the traffic stays in software (law 5)."""

    kind: ClassVar[str] = "load_refused"
    count: int
    reason: str
    sa: int | None = None  # where the card itself has refused it


@dataclass(frozen=True, slots=True)
class LoadLost(Event):
    """A load command was never answered; the agent stopped waiting for it after ``timeout_ns``."""

    kind: ClassVar[str] = "load_lost"
    sa: int
    timeout_ns: int


@dataclass(frozen=True, slots=True)
class CardReset(Event):
    """The card has forgotten the SAs that it held."""

    kind: ClassVar[str] = "card_reset"
    forgotten_count: int


@dataclass(frozen=True, slots=True)
class CardResized(Event):
    """The rule may use so many of the card's slots from now on."""

    kind: ClassVar[str] = "card_resized"
    slots: int


# Packets on their way.


@dataclass(frozen=True, slots=True)
class EdgeWaited(Event):
    """A sender has waited for room on ``edge``; told when the wait is over."""

    kind: ClassVar[str] = "edge_waited"
    edge: str
    waited_ns: int


@dataclass(frozen=True, slots=True)
class PacketsDropped(Event):
    """``count`` packets ended under the named ``reason`` (law 1)."""

    kind: ClassVar[str] = "packets_dropped"
    reason: str
    count: int
    sa: int | None = None


@dataclass(frozen=True, slots=True)
class Ticked(Event):
    """The decay timer has lowered the metrics for the ``number``-th time (claim 10)."""

    kind: ClassVar[str] = "tick"
    number: int
    sa_count: int


@dataclass(frozen=True, slots=True)
class BurstPlaced(Event):
    """The arbiter has decided where each packet of a burst goes."""

    kind: ClassVar[str] = "burst_placed"
    number: int
    packets: int
    software_packets: int
    nic_packets: int
    bypass_packets: int


@dataclass(frozen=True, slots=True)
class BurstHandled(Event):
    """An actor is done with a burst, or with its share of one, that it began at ``began_ns``."""

    kind: ClassVar[str] = "burst_handled"
    actor: str
    number: int
    packets: int
    began_ns: int


@dataclass(frozen=True, slots=True)
class EdgeDepth(Event):
    """So many messages are under way on ``edge``; told at most once a millisecond for each."""

    kind: ClassVar[str] = "edge_depth"
    edge: str
    queued: int


@dataclass(frozen=True, slots=True)
class MetricSampled(Event):
    """An SA's metric right after a burst's last packet of it."""

    kind: ClassVar[str] = "metric_sampled"
    sa: int
    spi: int
    metric: float


@dataclass(frozen=True, slots=True)
class PacketTraced(Event):
    """One step on the way of a traced packet: what an actor decided about it."""

    kind: ClassVar[str] = "packet_traced"
    packet: int  # from 1, in the order in which traced packets were chosen
    actor: str
    sa: int | None
    spi: int | None
    decision: str


EVENTS: Final[Mapping[str, type[Event]]] = MappingProxyType(
    {
        event_type.kind: event_type
        for event_type in (
            RunStarted,
            RuleChanged,
            RunEnded,
            Logged,
            SaAdded,
            SaDeleted,
            SaPinned,
            LifetimeReached,
            LoadIssued,
            Loaded,
            Evicted,
            LoadRefused,
            LoadLost,
            CardReset,
            CardResized,
            EdgeWaited,
            PacketsDropped,
            Ticked,
            BurstPlaced,
            BurstHandled,
            EdgeDepth,
            MetricSampled,
            PacketTraced,
        )
    }
)

# Field names by kind, ``time_ns`` first.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {kind: tuple(f.name for f in fields(event_type)) for kind, event_type in EVENTS.items()}
)

# One of these comes with every period or every burst: a listener gets them only if it asks.
VERBOSE_EVENTS: Final = frozenset(
    {Ticked, BurstPlaced, BurstHandled, EdgeDepth, MetricSampled, PacketTraced}
)
USUAL_EVENTS: Final = frozenset(EVENTS.values()) - VERBOSE_EVENTS


def reason_to_replace(metric: float, lowest: float, threshold: float, *, slot_free: bool) -> str:
    """The metric rule's reason for a load, as text (claims 5, 15 and 43)."""
    against = "free slot's" if slot_free else "lowest"
    return f"metric {plain(metric)} ≥ {against} {plain(lowest)} + threshold {plain(threshold)}"
