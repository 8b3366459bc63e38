"""A run's result to render: real recorders, fed by a toy of a card with a few slots."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from saactors.model.burst import Component
from saactors.model.packets import PACKET
from saactors.observe.counters import SaCounters
from saactors.observe.hottest import HottestSas
from saactors.observe.latency import LatencyHistogram
from saactors.observe.series import CACHE, DROPS, MOVES, TRAFFIC, WAITING, LastSeries, SumSeries
from saactors.report.result import (
    ByteTotals,
    EdgeUse,
    HostTime,
    HotSa,
    PacketTotals,
    RuleUsed,
    RunResult,
    Verification,
)
from saactors.report.timeline import assemble_timeline

SAS, SLOTS, THRESHOLD, DURATION_NS, PACKETS = 60, 8, 12.0, 30_000_000_000, 20_000
LENGTH_BYTES = 900


@dataclass
class Toy:
    """Packets of SAs whose popularity shifts, a metric with decay, a card with few slots."""

    metric: np.ndarray = field(default_factory=lambda: np.zeros(SAS))
    residents: list[int] = field(default_factory=list)
    loads: list[int] = field(default_factory=lambda: [0] * SAS)
    evictions: int = 0

    def __post_init__(self) -> None:
        self.traffic, self.moves = SumSeries(*TRAFFIC), SumSeries(*MOVES)
        self.drops, self.waits = SumSeries(*DROPS), SumSeries(*WAITING)
        self.cache = LastSeries(*CACHE)
        self.hottest = HottestSas(lambda sas: self.metric[sas])
        self.counters = SaCounters()
        self.software, self.nic = LatencyHistogram(), LatencyHistogram()

    def run(self) -> None:
        """Send all packets; popularity moves on twice."""
        random = np.random.default_rng(7)
        ticks = 0
        for time_ns in np.sort(random.integers(0, DURATION_NS, PACKETS)).tolist():
            while time_ns > (ticks + 1) * 1_000_000_000:
                ticks += 1
                self.metric *= 0.8
            phase = int(time_ns / DURATION_NS * 3)
            self.packet(time_ns, min(int(random.zipf(1.4)) - 1 + 5 * phase, SAS - 1))

    def packet(self, time_ns: int, sa: int) -> None:
        """One packet, recorded as the actors record theirs."""
        self.metric[sa] += 1
        burst = np.zeros(1, PACKET)
        burst["sa"], burst["length_bytes"] = sa, LENGTH_BYTES
        on_nic = sa in self.residents
        if not on_nic:
            self.consider(time_ns, sa)
        component = Component.NIC if on_nic else Component.SOFTWARE
        self.counters.record(burst, np.zeros(1, np.int32), component, SAS)
        self.traffic.add(time_ns, not on_nic, on_nic, 0)
        self.hottest.observe(time_ns, burst, SAS)
        latency = self.nic if on_nic else self.software
        latency.record(np.array([800 if on_nic else 2_100 + sa * 37], np.int64))
        lowest = min(self.metric[self.residents], default=0.0)
        self.cache.set(time_ns, len(self.residents), float(lowest))

    def consider(self, time_ns: int, sa: int) -> None:
        """The metric rule, as far as a toy needs it."""
        full = len(self.residents) == SLOTS
        lowest = min(self.residents, key=lambda other: self.metric[other]) if full else None
        if self.metric[sa] < (self.metric[lowest] if full else 0) + THRESHOLD:
            return
        if lowest is not None:
            self.residents.remove(lowest)
            self.evictions += 1
        self.residents.append(sa)
        self.metric[sa] += 5
        self.loads[sa] += 1
        self.moves.add(time_ns, 1, full)
        self.waits.add_span(time_ns, time_ns + 40_000_000)
        self.drops.add(time_ns, 3)


@pytest.fixture(scope="session")
def result() -> RunResult:
    """A finished run with something to see in every part of the summary and the page."""
    toy = Toy()
    toy.run()
    nic = toy.traffic.total("nic_packets")
    loads = sum(toy.loads)
    return RunResult(
        capture="office<1>.pcap",
        direction="out",
        seed=1,
        profile="netdevsim",
        slots_max=SLOTS,
        rule=RuleUsed(
            name="metric",
            parameters={"initial": 0.0, "bonus": 5.0, "decay": 0.8, "threshold": THRESHOLD},
            calculation=(
                "load cost: 14,400 ns of host time",
                "saving on a packet: 2,000 ns in software - 800 ns on the card = 1,200 ns",
                "threshold: 14,400 ns ÷ 1,200 ns per packet = 12 packets",
            ),
        ),
        duration_ns=DURATION_NS,
        wall_s=1.25,
        streams=312,
        sas=SAS,
        packets=PacketTotals(
            entered=PACKETS + loads * 3,
            left=PACKETS,
            software=PACKETS - nic,
            nic=nic,
            bypass=0,
        ),
        bytes=ByteTotals(
            entered=(PACKETS + loads * 3) * LENGTH_BYTES,
            software=(PACKETS - nic) * LENGTH_BYTES,
            nic=nic * LENGTH_BYTES,
        ),
        drops={"rx_ring_full": loads * 3, "not_ip": 0},
        loads=loads,
        evictions=toy.evictions,
        loads_refused=4,
        host_time=HostTime(
            total_ns=nic * 800.0 + (PACKETS - nic) * 2000.0 + loads * 14_400.0,
            all_software_ns=PACKETS * 2000.0,
        ),
        edges={
            "source→classifier": EdgeUse(capacity=4, high_water=1, waits=0, waited_ns=0),
            "classifier→keeper": EdgeUse(capacity=4, high_water=1, waits=0, waited_ns=0),
            "arbiter→nic": EdgeUse(
                capacity=8, high_water=8, waits=loads, waited_ns=toy.waits.total("waited_ns")
            ),
            "nic→arbiter": EdgeUse(capacity=None, high_water=3, waits=0, waited_ns=0),
        },
        software_latency=toy.software.percentiles(),
        nic_latency=toy.nic.percentiles(),
        verification=Verification(checked=PACKETS),
        hottest=tuple(
            HotSa(
                sa=sa,
                spi=0x1000_0000 + sa * 0x01F3_5A7,
                source=f"10.1.0.{sa}",
                destination="203.0.113.200",
                metric=float(toy.metric[sa]),
                packets=int(toy.counters.of(SAS)[sa]["packets"]),
                bytes=int(toy.counters.of(SAS)[sa]["bytes"]),
                packets_nic=int(toy.counters.of(SAS)[sa]["nic_packets"]),
                residency="resident" if sa in toy.residents else "absent",
                loads=toy.loads[sa],
            )
            for sa in toy.counters.hottest(10).tolist()
        ),
        warnings=("the capture is cut off mid-record; replayed up to there",),
        outputs={"page": "demo/report.html", "ESP packets": "demo/esp.pcap"},
        timeline=assemble_timeline(
            [toy.traffic, toy.moves, toy.drops],
            [toy.cache],
            {
                "arbiter→nic": toy.waits,
                "source→classifier": SumSeries(*WAITING),
            },
            toy.hottest,
        ),
    )
