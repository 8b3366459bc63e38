"""Events as a trace for the Perfetto viewer (ui.perfetto.dev), written as they come.

    saactors
    ├── actors     a track per actor with the bursts that it handled, each connected with itself
    ├── card       what happened to it, its occupancy, a track per slot with the SAs that it held
    ├── edges      a counter per edge of what is under way, and who waited for room
    ├── metrics    a counter per sampled SA
    ├── packets    a track per traced packet, a slice per step
    └── run        start and end, rule changes, decays, SAs, drops; packets by component

``PerfettoWriter`` takes events of all kinds, in the order of a log; those with bursts and depths
are verbose (``saactors replay --events-verbose``, ``saactors attach --format perfetto``). What the
vocabulary gains later is an instant on the run's track until it has a place here.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any, BinaryIO, Final

from saactors.observe import events as kinds
from saactors.observe.events import FIELDS, Event
from saactors.observe.perfetto_slots import SlotTracks
from saactors.observe.perfetto_tracks import Details, Lanes, TraceFile, Track

# Rows of one group in one trace (law 9); what is beyond is counted in the last event.
ROWS_MAX: Final = 1024  # of sampled SAs, mostly; actors and edges are far fewer
PACKETS_UNDER_WAY_MAX: Final = 4096  # traced; of the oldest a further step gets another track

_ACTORS: Final = ("source", "classifier", "keeper", "arbiter", "software", "nic", "egress")
_COMPONENTS: Final = ("software", "nic", "bypass")


class PerfettoWriter:
    """Writes a trace to ``file``; call ``close`` at the end, which leaves the file open.

    Raises OSError as the file does.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = TraceFile(file)
        self._root = Track(self._file, "saactors")
        groups = ("run", "actors", "card", "edges", "metrics", "packets")
        self._groups = {
            name: Track(self._file, name, self._root, rank=rank) for rank, name in enumerate(groups)
        }
        self._lanes: defaultdict[str, dict[str, Lanes]] = defaultdict(dict)
        self._counters: defaultdict[str, dict[str, Track]] = defaultdict(dict)
        self._instants: dict[str, Track] = {}
        self._steps: OrderedDict[int, Track] = OrderedDict()
        self._slots = SlotTracks(self._file, self._groups["card"])
        self._totals = dict.fromkeys((*_COMPONENTS, "dropped"), 0)
        self._not_drawn = 0
        self.last_ns = 0
        self._drawn: dict[type[Event], Callable[[Any], None]] = {
            kinds.RunStarted: self._run,
            kinds.RuleChanged: self._run,
            kinds.Logged: self._run,
            kinds.RunEnded: self._run,
            kinds.SaAdded: self._sa,
            kinds.SaDeleted: self._sa,
            kinds.SaPinned: self._sa,
            kinds.LifetimeReached: self._lifetime,
            kinds.LoadIssued: self._issued,
            kinds.Loaded: self._loaded,
            kinds.Evicted: self._evicted,
            kinds.LoadRefused: self._card,
            kinds.LoadLost: self._card,
            kinds.CardReset: self._card,
            kinds.CardResized: self._card,
            kinds.EdgeWaited: self._waited,
            kinds.PacketsDropped: self._dropped,
            kinds.Ticked: self._tick,
            kinds.BurstPlaced: self._placed,
            kinds.BurstHandled: self._handled,
            kinds.EdgeDepth: self._depth,
            kinds.MetricSampled: self._metric,
            kinds.PacketTraced: self._step,
        }

    def write(self, event: Event) -> None:
        """Take an event."""
        self.last_ns = max(self.last_ns, event.time_ns)
        self._drawn.get(type(event), self._other)(event)

    def hold(self, sa: int, spi: int, time_ns: int) -> None:
        """Tell of an SA that was on the card before the first event."""
        self._slots.hold(time_ns, sa, spi)

    def lose(self, count: int) -> None:
        """Tell that ``count`` events are missing here."""
        self._instant("run", "lost", self.last_ns, "events lost", {"count": count})

    def close(self) -> None:
        """End what is open, as of the last event."""
        self._slots.close(self.last_ns)
        if self._not_drawn:
            self._instant(
                "run", "lost", self.last_ns, "events without a track", {"count": self._not_drawn}
            )
            self._not_drawn = 0

    # Rows, each made when it is first needed.

    def _slice(
        self, group: str, row: str, rank: int, began_ns: int, ended_ns: int, name: str,
        details: Details, flow: int | None = None,
    ) -> None:  # fmt: skip
        rows = self._lanes[group]
        lanes = rows.get(row)
        if lanes is None:
            if len(rows) >= ROWS_MAX:
                self._not_drawn += 1
                return
            lanes = rows[row] = Lanes(self._file, row, self._groups[group], rank)
        lanes.slice(began_ns, ended_ns, name, details, flow)

    def _count(self, group: str, row: str, time_ns: int, value: float, unit: str) -> None:
        rows = self._counters[group]
        track = rows.get(row)
        if track is None:
            if len(rows) >= ROWS_MAX:
                self._not_drawn += 1
                return
            track = rows[row] = Track(self._file, row, self._groups[group], unit=unit)
        track.count(time_ns, value)

    def _instant(self, group: str, row: str, time_ns: int, name: str, details: Details) -> None:
        track = self._instants.get(row)
        if track is None:
            track = self._instants[row] = Track(self._file, row, self._groups[group])
        track.instant(time_ns, name, details)

    # Kinds of events.

    def _other(self, event: Event) -> None:
        self._instant("run", "other", event.time_ns, event.kind, _details(event))

    def _run(self, event: Event) -> None:
        name = event.kind.replace("_", " ")
        self._instant("run", "run", event.time_ns, name, _details(event))

    def _sa(self, event: kinds.SaAdded | kinds.SaDeleted | kinds.SaPinned) -> None:
        name = event.kind.replace("_", " ")
        if isinstance(event, kinds.SaDeleted):
            self._slots.leave(event.time_ns, event.sa, {"reason": event.reason})
        self._instant("run", "SAs", event.time_ns, name, _details(event))

    def _lifetime(self, event: kinds.LifetimeReached) -> None:
        name = f"{event.level} lifetime reached"
        self._instant("run", "SAs", event.time_ns, name, _details(event))

    def _tick(self, event: kinds.Ticked) -> None:
        self._instant("run", "decay", event.time_ns, "tick", _details(event))

    def _dropped(self, event: kinds.PacketsDropped) -> None:
        self._totals["dropped"] += event.count
        self._instant("run", "drops", event.time_ns, event.reason, _details(event))
        self._total("dropped", event.time_ns)

    def _placed(self, event: kinds.BurstPlaced) -> None:
        for component in _COMPONENTS:
            count = getattr(event, f"{component}_packets")
            if count:
                self._totals[component] += count
                self._total(component, event.time_ns)

    def _total(self, of: str, time_ns: int) -> None:
        self._count("run", f"packets {of}", time_ns, self._totals[of], "packets")

    def _handled(self, event: kinds.BurstHandled) -> None:
        details = {"number": event.number, "packets": event.packets}
        name = f"burst {event.number}"
        self._slice(
            "actors", event.actor, _rank(event.actor), event.began_ns, event.time_ns, name,
            details, event.number + 1,  # 0 is no flow
        )  # fmt: skip

    def _depth(self, event: kinds.EdgeDepth) -> None:
        self._count("edges", event.edge, event.time_ns, event.queued, "messages")

    def _waited(self, event: kinds.EdgeWaited) -> None:
        began_ns = max(0, event.time_ns - event.waited_ns)
        self._slice("edges", f"{event.edge} waits", 0, began_ns, event.time_ns, "waited", {})

    def _metric(self, event: kinds.MetricSampled) -> None:
        row = f"{event.spi:#010x} (SA {event.sa})"
        self._count("metrics", row, event.time_ns, event.metric, "metric")

    def _step(self, event: kinds.PacketTraced) -> None:
        """From the packet's last step to this one; its first takes no time."""
        track = self._steps.pop(event.packet, None)
        began_ns = event.time_ns if track is None else track.last_ns
        if track is None:
            if len(self._steps) >= PACKETS_UNDER_WAY_MAX:
                self._steps.popitem(last=False)
            name = f"packet {event.packet}"
            track = Track(self._file, name, self._groups["packets"], rank=event.packet)
        self._steps[event.packet] = track
        spi = None if event.spi is None else f"{event.spi:#010x}"
        name = f"{event.actor}: {event.decision}"
        track.slice(began_ns, event.time_ns, name, {"sa": event.sa, "spi": spi})

    def _issued(self, event: kinds.LoadIssued) -> None:
        why = _details(event, without={"time_ns", "sa"})
        self._slots.issue(event.time_ns, event.sa, event.spi, event.victim, why)

    def _loaded(self, event: kinds.Loaded) -> None:
        self._slots.arrive(event.time_ns, event.sa, event.latency_ns)

    def _evicted(self, event: kinds.Evicted) -> None:
        self._slots.leave(event.time_ns, event.sa, _details(event))

    def _card(self, event: Event) -> None:
        """What happened to the card, and which loads came to nothing by it."""
        sa = getattr(event, "sa", None)
        if isinstance(event, kinds.CardReset):
            self._slots.reset(event.time_ns)
        elif sa is not None:
            self._slots.leave(event.time_ns, sa, {"reason": event.kind})
        self._instant("card", "events", event.time_ns, event.kind.replace("_", " "),
                      _details(event))  # fmt: skip


def _rank(actor: str) -> int:
    """Actors from the sources on, which a gateway names by port; workers of one kind by number."""
    kind, _, number = actor.partition("_")
    place = _ACTORS.index(kind) if kind in _ACTORS else 0
    return place * ROWS_MAX + (int(number) if number.isdecimal() else 0)


def _details(event: Event, without: Collection[str] = ("time_ns",)) -> Details:
    """An event's fields, mappings spread out, SPIs as they are written elsewhere."""
    told: dict[str, str | int | float | bool | None] = {}
    for name in FIELDS[event.kind]:
        value = getattr(event, name)
        if name in without:
            continue
        if isinstance(value, Mapping):
            told |= {f"{name}.{key}": entry for key, entry in value.items()}
        elif name.endswith("spi") and isinstance(value, int):
            told[name] = f"{value:#010x}"
        else:
            told[name] = value
    return told
