"""The lab's loop beside libCacheSim, and how it grows.

Zipf traffic, bursts of one packet, a card whose loads take no time: there every rule decides packet
by packet, and a cache's rule is the cache. libCacheSim (C) reads the same requests from its own
binary format by its own reader, so that nothing of Python is counted against it; the lab's time is
that of its compiled loop. Both count the same hits where both define the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import libcachesim
import numpy as np
import numpy.typing as npt

from benchmarks.figures import Aim, Cell, Column, Section
from benchmarks.rounds import Effort, Sample, Stopwatch, Timing, contend
from nicmodel.flawless import flawless_card
from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import CardProfile, customised
from saactors.lab.run import run_rule
from saactors.lab.trace import LabTrace, lab_trace
from saactors.model.packets import Route
from saactors.placement.table import RULES
from saactors.traces.columns import TraceColumns, trace_columns

PACKETS: Final = 2_000_000
SAS: Final = 100_000
SLOTS: Final = 1000
ZIPF: Final = 1.0
PACKET_BYTES: Final = 1500
SPACING_NS: Final = 1000
HASHPOWER: Final = 13  # the fastest for libCacheSim here; its default has 16 million buckets
GROWTH_SLOTS: Final = 100
FEW: Final = 1_000
MANY: Final = 10_000_000

AIM_PACKETS_S: Final = 20_000_000
AIM_GROWTH: Final = 2.0
AIM_SA_BYTES: Final = 64

TWINS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        "lru": libcachesim.LRU,
        "fifo": libcachesim.FIFO,
        "clock": libcachesim.Clock,
        "sieve": libcachesim.Sieve,
        "s3-fifo": libcachesim.S3FIFO,
        "arc": libcachesim.ARC,
        "lfu": libcachesim.LFU,
        "tinylfu": libcachesim.WTinyLFU,
    }
)
# What the gate costs shows at lru-ski-rental.
RULES_MEASURED: Final = tuple(name for name in RULES if not name.endswith("-gated"))

# libCacheSim's oracleGeneral format: a record per request.
ORACLE_GENERAL: Final = np.dtype(
    [("time_s", "<u4"), ("object", "<u8"), ("size_bytes", "<u4"), ("next_request", "<i8")]
)

COLUMNS: Final = (
    Column("rule", "\n\nrule"),
    Column("mpackets_per_cpu_s", "million\npackets/\nCPU s", ",.1f"),
    Column("card_part", "\non\ncard", ".2%"),
    Column("loads_per_1000", "loads\nper\n1000", ",.1f"),
    Column("twin_mrequests_per_cpu_s", "libCacheSim\nmillion/\nCPU s", ",.1f"),
    Column("twin_hits", "\n\nhits", ".2%"),
    Column("ratio", "speed\nover\nits", ".2f"),
    Column("growth", "10⁷ SAs\nover\n10³", ".2f"),
    Column("scattered_growth", "scat-\ntered\n", ".2f"),
    Column("sa_bytes", "bytes\nper\nSA", ".1f"),
)


def measure(effort: Effort, folder: Path) -> Section:
    """All rules and twins take turns; then each rule, among few SAs and among many."""
    sas = drawn(effort.packets(PACKETS), SAS)
    path = write_requests(folder / "requests.oracleGeneral", sas)
    trace = lab_trace(columns_of(sas), 1, 0)
    runs = {name: Run(name, trace, SLOTS) for name in RULES_MEASURED}
    twins = {name: Twin(name, path, len(sas)) for name in TWINS}
    timings = contend([*runs.values(), *twins.values()], effort.rounds)
    spread = growing(effort.packets(PACKETS))
    rows, aims = [], []
    for name, run in runs.items():
        growth = growth_of(name, spread, effort.rounds)
        rows.append(row_of(run, twins.get(name), timings, growth))
        if name in TWINS:
            ratio = 1 / timings[name].times(timings[twins[name].key])
            aims.append(Aim(f"{name}: speed over libCacheSim's", ratio, 1.0))
    return Section(
        "Lab",
        f"Zipf {ZIPF:g}, {len(sas):,} packets, {SAS:,} SAs, {SLOTS:,} slots, bursts of one packet, "
        f"loads that take no time. Growth with {GROWTH_SLOTS} slots, SAs numbered as they come, or "
        "in any order (scattered). libCacheSim reads its own binary format.",
        COLUMNS,
        tuple(rows),
        (*bounds(rows, timings), *aims),
    )


def row_of(
    run: Run, twin: Twin | None, timings: Mapping[str, Timing], growth: Sequence[float]
) -> tuple[Cell, ...]:
    """A row."""
    timing = timings[run.name]
    beside: tuple[Cell, ...] = ("", "", "")
    if twin is not None:
        theirs = timings[twin.key]
        beside = (1000 / theirs.cpu_ns, twin.hits, 1 / timing.times(theirs))
    figures = (1000 / timing.cpu_ns, run.card_part, run.loads_per_1000)
    return (run.name, *figures, *beside, *growth, run.sa_bytes)


def bounds(rows: Sequence[tuple[Cell, ...]], timings: Mapping[str, Timing]) -> Iterator[Aim]:
    """The aims that hold for one rule or for all."""
    metric = 1e9 / timings["metric"].cpu_ns
    yield Aim("metric", metric, AIM_PACKETS_S, "packets/s", spec=",.0f")
    for index, what, limit in ((-3, "growth", AIM_GROWTH), (-1, "bytes per SA", AIM_SA_BYTES)):
        found, name = max((float(row[index]), row[0]) for row in rows)
        yield Aim(f"greatest {what}, of {name}", found, limit, at_most=True)


def growing(packets: int) -> dict[str, LabTrace]:
    """Traces among few SAs, among many, and among many that are numbered in any order.

    Most of the many never send; they are numbered behind the others, or anywhere.
    """
    columns = {
        "few": columns_of(drawn(packets, FEW)),
        "many": replace(columns_of(drawn(packets, MANY)), sa_count=MANY),
    }
    anywhere = np.random.default_rng(5).permutation(MANY).astype(np.int32)
    columns["scattered"] = replace(columns["many"], sa=anywhere[columns["many"].sa])
    return {key: lab_trace(one, 1, 0) for key, one in columns.items()}


def growth_of(name: str, traces: Mapping[str, LabTrace], rounds: int) -> list[float]:
    """How many times the time per packet among few SAs is that among many, and scattered."""
    sides = [Run(name, trace, GROWTH_SLOTS, key) for key, trace in traces.items()]
    timings = contend(sides, rounds)
    return [timings[key].times(timings["few"]) for key in ("many", "scattered")]


class Run:
    """A contender: a rule over a trace, the compiled loop timed."""

    def __init__(self, name: str, trace: LabTrace, slots: int, key: str | None = None) -> None:
        self.name = name
        self._key = key or name
        self._trace = trace
        self._card = card_of(slots)
        self.card_part = self.loads_per_1000 = self.sa_bytes = 0.0

    def __call__(self) -> dict[str, Sample]:
        """Run it, and take note of what it came to."""
        packets = len(self._trace.packets)
        run = run_rule(self._trace, self.name, {}, self._card, HOST)
        self.card_part = float((self._trace.packets["route"] == Route.NIC).mean())
        self.loads_per_1000 = 1000 * len(run.loads) / packets
        sas = self._trace.columns.sa_count
        card = flawless_card(self._card, sas, self._card.loads_outstanding_max)
        self.sa_bytes = bytes_of((run.rule.keeper.state, run.rule.arbiter.state, card)) / sas
        return {self._key: Sample(packets, round(run.cpu_s * 1e9), round(run.wall_s * 1e9))}


class Twin:
    """A contender: libCacheSim's cache over the same requests."""

    def __init__(self, name: str, path: Path, requests: int) -> None:
        self.key = f"libCacheSim {name}"
        self._cache = TWINS[name]
        self._path = path
        self._requests = requests
        self.hits = 0.0

    def __call__(self) -> dict[str, Sample]:
        """Run it, and take note of its hits."""
        cache = self._cache(SLOTS, hashpower=HASHPOWER)
        kind = libcachesim.TraceType.ORACLE_GENERAL_TRACE
        reader = libcachesim.TraceReader(str(self._path), kind)
        watch = Stopwatch()
        missed, _ = cache.process_trace(reader)
        sample = watch.sample(self._requests)
        self.hits = 1 - missed
        return {self.key: sample}


def bytes_of(state: Any) -> int:  # noqa: ANN401 - tuples of arrays and of such tuples
    """What all arrays take."""
    return sum(map(bytes_of, state)) if isinstance(state, tuple) else int(state.nbytes)


def drawn(packets: int, sas: int) -> npt.NDArray[np.int64]:
    """An SA for every packet."""
    generator = np.random.default_rng(4)
    cumulated = np.cumsum(np.arange(1, sas + 1, dtype=np.float64) ** -ZIPF)
    return np.searchsorted(cumulated, generator.random(packets) * cumulated[-1])


def columns_of(sas: npt.NDArray[np.int64]) -> TraceColumns:
    """The trace; SAs are numbered as they come."""
    times_ns = np.arange(len(sas), dtype=np.int64) * SPACING_NS
    sizes = np.full(len(sas), PACKET_BYTES, np.int32)
    return trace_columns("Zipf", times_ns, sas, sizes)


def write_requests(path: Path, sas: npt.NDArray[np.int64]) -> Path:
    """The same requests for libCacheSim."""
    records = np.zeros(len(sas), ORACLE_GENERAL)
    records["object"] = sas + 1
    records["size_bytes"] = 1
    records["next_request"] = -1
    records.tofile(path)
    return path


def card_of(slots: int) -> CardProfile:
    """A card whose loads take no time, nor do its packets."""
    return customised(
        PROFILES["connectx6"],
        slots_max=slots,
        load_latency_ns=0,
        engine_packet_ns=0.0,
        engine_byte_ns=0.0,
    )
