"""The full pipeline, capture file to capture file, against the bare loop over the same packets.

Every SA sends once at first, in order; from then on each packet's SA is drawn at random, all
equally likely: no SA is hot, which is the worst that can happen to a cache. Packets come ten a
microsecond, more than anybody can encrypt, so bursts are full (256) and edges are under pressure;
the loop is closed and nothing is dropped.

A replay is measured twice at once: as a whole, and from the moment when all SAs have sent
(``steady``), which leaves out what an SA costs once: its keys and the keyed primitives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.bare import contexts, encrypt_all, ip_packets
from benchmarks.figures import Aim, Cell, Column, Section
from benchmarks.rounds import Contender, Effort, Sample, Stopwatch, Timing, contend, timed
from benchmarks.traffic import Integers, uniform_flows, write_capture
from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay
from saactors.traces.reader import CaptureReader

SIZES: Final = (64, 576, 1400)  # bytes of an IP packet
SAS: Final = (10, 1_000, 100_000)
PACKETS: Final = 300_000  # after every SA has sent
SPACING_NS: Final = 100
# Enough that the bursts under way when the marks are set are the same at both.
SETTLED: Final = 32_768
SUITE: Final = "aes-gcm-128"
RATIO_AIM: Final = 0.35
GROWTH_AIM: Final = 1.3

COLUMNS: Final = (
    Column("ip_bytes", "IP\nbytes", "d"),
    Column("sas", "\nSAs", ",d"),
    Column("bare_ns", "bare\nns", ",.0f"),
    Column("bare_growth", "\n× 10 SAs", ".2f"),
    Column("steady_ns", "steady\nns", ",.0f"),
    Column("steady_growth", "\n× 10 SAs", ".2f"),
    Column("steady_ratio", "bare/\nsteady", ".2f"),
    Column("steady_wall_ns", "wall\nns", ",.0f"),
    Column("whole_ns", "whole\nns", ",.0f"),
    Column("whole_ratio", "bare/\nwhole", ".2f"),
    Column("beginning_ms", "begin\nms", ",.0f"),
    Column("nic_share", "on\ncard", ".0%"),
)


def measure(effort: Effort, folder: Path) -> Section:
    """Every size with every number of SAs; those of one size take turns."""
    rows: list[tuple[Cell, ...]] = []
    for size in SIZES:
        runs = [prepare(folder, size, sas, effort.packets(PACKETS)) for sas in SAS]
        timings = contend(
            [contender for run in runs for contender in run.contenders], effort.rounds
        )
        rows += [figures(run, timings, runs[0]) for run in runs]
        for run in runs:
            run.path.unlink()
    return Section(
        "Full pipeline",
        f"{SUITE}, metric rule, card 82599, packets uniform over SAs. bare: a loop that only "
        "encrypts; steady: capture to capture, once every SA has sent; whole: the same from the "
        "call to its return, which takes so many ms more for its beginning (SAs, keys, files).",
        COLUMNS,
        tuple(rows),
        tuple(aims(rows)),
    )


def aims(rows: Sequence[tuple[Cell, ...]]) -> Iterator[Aim]:
    """The ratio of every row; the growth of those with the most SAs."""
    keys = [column.key for column in COLUMNS]
    for row in rows:
        size, sas = row[keys.index("ip_bytes")], row[keys.index("sas")]
        ratio, growth = row[keys.index("steady_ratio")], row[keys.index("steady_growth")]
        what = f"{size} bytes, {sas:,} SAs"
        yield Aim(f"{what}: speed over the bare loop's", float(ratio), RATIO_AIM)
        if sas == SAS[-1]:
            grown = f"{what}: cost over that with {SAS[0]} SAs"
            yield Aim(grown, float(growth), GROWTH_AIM, at_most=True)


@dataclass(frozen=True)
class Run:
    """One combination, ready to be measured."""

    name: str
    size: int
    sas: int
    path: Path
    packets: int
    contenders: tuple[Contender, Contender]
    nic_share: Callable[[], float]


def prepare(folder: Path, size: int, sas: int, packets: int) -> Run:
    """Write the capture and make everything that is not to be measured."""
    name = f"{size}/{sas}"
    flows = uniform_flows(sas + SETTLED + packets, sas)
    path = write_capture(
        folder / f"{size}-{sas}.pcap", np.full(len(flows), size), flows, SPACING_NS
    )
    pipeline = Pipeline(name, path, first=sas + SETTLED, last=len(flows))
    bare = bare_loop(name, path, flows, sas)
    return Run(name, size, sas, path, len(flows), (bare, pipeline), lambda: pipeline.nic_share)


def bare_loop(name: str, path: Path, flows: Integers, sas: int) -> Contender:
    """The yardstick over the capture's packets."""
    keyed, packets, order = contexts(SUITE, sas), ip_packets(path), flows.tolist()
    return lambda: {f"{name} bare": timed(lambda: encrypt_all(keyed, order, packets))}


class Pipeline:
    """A contender: replays the capture at ``path`` and times packets ``first`` to ``last``."""

    def __init__(self, name: str, path: Path, first: int, last: int) -> None:
        self._name = name
        self._output = path.with_name("out.esp")
        self._options = ReplayOptions(
            capture=path, closed_loop=True, suite=SUITE, write_esp=self._output
        )
        self._first = first
        self._last = last
        self.nic_share = 0.0

    def __call__(self) -> Mapping[str, Sample]:
        """Replay once."""
        # Just before, so that this run gets the last one's pages of memory: in a virtual machine a
        # page that was never used is the host's work, some microseconds of it, at whim.
        self._output.unlink(missing_ok=True)
        marks = Marks(self._first, self._last)
        whole = Stopwatch()
        result = replay(self._options, progress=marks)
        samples = {f"{self._name} whole": whole.sample(self._last)}
        assert marks.steady is not None
        assert result.packets.left == self._last
        self.nic_share = result.packets.nic / result.packets.left
        return {**samples, f"{self._name} steady": marks.steady}


class Marks:
    """Times a replay between two packets, as its source passes them."""

    def __init__(self, first: int, last: int) -> None:
        self._first = first
        self._last = last
        self._watch: Stopwatch | None = None
        self._began = 0
        self.steady: Sample | None = None

    def __call__(self, _capture: CaptureReader, passed: int) -> None:
        """Called by the source after each burst."""
        if self._watch is None:
            if passed >= self._first:
                self._watch, self._began = Stopwatch(), passed
        elif passed == self._last:
            self.steady = self._watch.sample(passed - self._began)


def figures(run: Run, timings: Mapping[str, Timing], fewest: Run) -> tuple[Cell, ...]:
    """A row: times per packet, and how they compare with the bare loop and with few SAs."""
    bare, steady, whole = (timings[f"{run.name} {kind}"] for kind in ("bare", "steady", "whole"))
    return (
        run.size,
        run.sas,
        bare.cpu_ns,
        bare.times(timings[f"{fewest.name} bare"]),
        steady.cpu_ns,
        steady.times(timings[f"{fewest.name} steady"]),
        1 / steady.times(bare),
        steady.wall_ns,
        whole.cpu_ns,
        1 / whole.times(bare),
        (whole.cpu_ns - steady.cpu_ns) * run.packets / 1e6,
        run.nic_share(),
    )
