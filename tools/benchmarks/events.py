"""What listening costs: the same replay without an event log and with one.

The traffic makes news: ten thousand SAs with skewed popularity, so that loads and evictions never
cease on a card of 1024 slots.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.figures import Aim, Column, Section
from benchmarks.rounds import Effort, Stopwatch, contend_work
from benchmarks.traffic import write_capture
from saactors.actors.burst_news import BurstNews
from saactors.model.burst import Burst
from saactors.model.packets import PACKET
from saactors.observe.event_log import read_event_log
from saactors.observe.observer import Observers
from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay
from saactors.runtime.clock import WallClock
from saactors.traces.burst_former import BURST_MAX

PACKETS: Final = 300_000
PACKET_BYTES: Final = 576
SAS: Final = 10_000
ZIPF: Final = 1.0
SPACING_NS: Final = 1_000
ASKED: Final = 200_000
ACTORS_ASKING: Final = 6

COLUMNS: Final = (
    Column("log", "\nevent log"),
    Column("packets", "\npackets", ",d"),
    Column("events", "\nevents", ",d"),
    Column("log_bytes", "log\nbytes", ",d"),
    Column("cpu_ns", "ns per\npacket", ",.0f"),
    Column("times", "times\noff", ".2f"),
    Column("event_us", "µs per\nevent", ".1f"),
)


def measure(effort: Effort, folder: Path) -> Section:
    """Replay with and without."""
    packets = effort.packets(PACKETS)
    path = write_capture(
        folder / "news.pcap", np.full(packets, PACKET_BYTES), skewed_flows(packets), SPACING_NS
    )
    log = folder / "events.msgpack"
    timings = contend_work(
        {"off": lambda: run(path, None), "on": lambda: run(path, log)}, effort.rounds
    )
    off, on = timings["off"], timings["on"]
    events = sum(1 for _ in read_event_log(log))
    event_us = (on.cpu_ns - off.cpu_ns) * packets / events / 1e3
    return Section(
        "Event log",
        f"{packets:,} packets of {PACKET_BYTES} bytes over {SAS:,} SAs (Zipf {ZIPF}), metric rule, "
        "card 82599, real cryptography, nothing else written.",
        COLUMNS,
        (
            ("off", packets, 0, 0, off.cpu_ns, 1.0, 0.0),
            ("on", packets, events, log.stat().st_size, on.cpu_ns, on.times(off), event_us),
        ),
        (unattached(off.cpu_ns),),
    )


def unattached(packet_ns: float) -> Aim:
    """What actors ask about every burst so that somebody can attach, with nobody there.

    Each of six actors asks when it begins and when it is done; that is measured by itself, because
    a hundredth of a replay is less than two replays differ by.
    """
    clock = WallClock()
    news = BurstNews(Observers(clock.now_ns).emitter(0), clock, {}, int)
    burst = Burst(np.zeros(0, np.uint8), np.zeros(0, PACKET), 0)
    asked = Stopwatch()
    for _ in range(ASKED):
        news.handled("keeper", burst, None, news.begin())
    burst_ns = ACTORS_ASKING * asked.sample(ASKED).cpu_ns / ASKED
    share = 100 * burst_ns / (BURST_MAX * packet_ns)
    return Aim("nobody attached, of a burst's time", share, 1.0, "%", at_most=True)


def skewed_flows(packets: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A flow for every packet, by Zipf's law."""
    weights = np.arange(1, SAS + 1) ** -ZIPF
    return np.random.default_rng(4).choice(SAS, packets, p=weights / weights.sum())


def run(path: Path, events: Path | None) -> int:
    """Replay the capture; returns its packets."""
    return replay(ReplayOptions(capture=path, closed_loop=True, events=events)).packets.left
