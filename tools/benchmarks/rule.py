"""The metric rule alone: what it costs to count a packet and to decide where it goes.

Both halves are called as the actors call them, and every load is answered at once, as if the card
took no time. Beside it the bare primitive on the smallest packet: what the decision is about.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.bare import contexts, encrypt_all
from benchmarks.figures import Cell, Column, Section
from benchmarks.rounds import Contender, Effort, Sample, Timing, contend, timed
from nicmodel.presets import HOST, PROFILES
from saactors.model.packets import PACKET
from saactors.placement.cost import CostModel
from saactors.placement.table import Rule, make_rule

PACKETS: Final = 1 << 19
SAS: Final = (10, 1_000, 100_000)
BURSTS: Final = (256, 1)
BURSTS_A_TICK: Final = 64
SMALLEST_BYTES: Final = 64
ZIPF: Final = 1.2
CARD: Final = PROFILES["82599"]

COLUMNS: Final = (
    Column("traffic", "\nSAs are drawn"),
    Column("sas", "\nSAs", ",d"),
    Column("burst", "\nburst", "d"),
    Column("observe_ns", "observe\nns", ",.1f"),
    Column("decide_ns", "decide\nns", ",.1f"),
    Column("both_ns", "both\nns", ",.1f"),
    Column("bare_ns", "AES-GCM\nns", ",.0f"),
    Column("ratio", "both/\nAES-GCM", ".3f"),
    Column("loads", "loads per\n1000 packets", ",.2f"),
)


def measure(effort: Effort, _folder: Path) -> Section:
    """Uniform and skewed traffic over few and many SAs, in full bursts and one by one."""
    rows = [
        compare(traffic, sas, burst, effort)
        for traffic in ("uniform", "Zipf 1.2")
        for sas in SAS
        for burst in BURSTS
    ]
    return Section(
        "Metric rule",
        "ns of CPU time per packet: the keeper's observe, the arbiter's decide with its loads "
        f"answered; a tick every {BURSTS_A_TICK * 256:,} packets. AES-GCM: one bare call on "
        f"{SMALLEST_BYTES} bytes.",
        COLUMNS,
        tuple(rows),
    )


def compare(traffic: str, sas: int, burst: int, effort: Effort) -> tuple[Cell, ...]:
    """A row."""
    count = effort.packets(PACKETS) if burst > 1 else effort.packets(PACKETS) // 16
    packets = np.zeros(count // burst * burst, PACKET)
    packets["sa"] = drawn(traffic, sas, len(packets))
    packets["length_bytes"] = packets["captured_bytes"] = SMALLEST_BYTES
    run = Halves(packets, sas, burst)
    timings = contend([run, bare()], effort.rounds)
    both = Timing(
        [
            Sample(one.packets, one.cpu_ns + other.cpu_ns, one.wall_ns + other.wall_ns)
            for one, other in zip(
                timings["observe"].samples, timings["decide"].samples, strict=True
            )
        ]
    )
    return (
        traffic,
        sas,
        burst,
        timings["observe"].cpu_ns,
        timings["decide"].cpu_ns,
        both.cpu_ns,
        timings["bare"].cpu_ns,
        both.times(timings["bare"]),
        1000 * run.loads / len(packets),
    )


def drawn(traffic: str, sas: int, count: int) -> npt.NDArray[np.int64]:
    """An SA for every packet."""
    generator = np.random.default_rng(3)
    if traffic == "uniform":
        return generator.integers(0, sas, count)
    weights = np.arange(1, sas + 1) ** -ZIPF
    return generator.choice(sas, count, p=weights / weights.sum())


def bare() -> Contender:
    """The bare primitive on a packet of the smallest size."""
    keyed, packets = contexts("aes-gcm-128", 1), [bytes(SMALLEST_BYTES)] * 20_000
    return lambda: {"bare": timed(lambda: encrypt_all(keyed, [0] * len(packets), packets))}


class Halves:
    """A contender: a fresh rule over all packets, each half timed by itself."""

    def __init__(self, packets: npt.NDArray[np.void], sas: int, burst: int) -> None:
        self._bursts = [packets[start : start + burst] for start in range(0, len(packets), burst)]
        self._packets = len(packets)
        self._sas = sas
        self._bursts_a_tick = BURSTS_A_TICK * 256 // burst
        self.loads = 0

    def __call__(self) -> dict[str, Sample]:
        """Observe everything, noting metrics and ticks in the packets; then decide everything."""
        rule = new_rule(self._sas)
        self.loads = 0
        return {
            "observe": timed(lambda: self._observe(rule)),
            "decide": timed(lambda: self._decide(rule)),
        }

    def _observe(self, rule: Rule) -> int:
        observe = rule.keeper.observe
        for number, burst in enumerate(self._bursts, 1):
            observe(burst)
            if number % self._bursts_a_tick == 0:
                rule.keeper.tick()
        return self._packets

    def _decide(self, rule: Rule) -> int:
        arbiter = rule.arbiter
        tick = 0
        for number, burst in enumerate(self._bursts, 1):
            decisions = arbiter.decide(burst, tick, 0)
            for command in decisions.commands:
                arbiter.loaded(int(command["sa"]), tick)
                self.loads += 1
            if number % self._bursts_a_tick == 0:
                tick += 1
        return self._packets


def new_rule(sas: int) -> Rule:
    """The metric rule with its defaults for the card, knowing that many SAs."""
    cost = CostModel(
        HOST.software_packet_ns,
        HOST.software_byte_ns,
        CARD.nic_packet_ns,
        CARD.nic_byte_ns,
        CARD.load_host_ns,
    )
    rule = make_rule("metric", {}, CARD.slots_max, CARD.slots_max, cost)
    rule.keeper.receive(sas)
    rule.arbiter.receive(sas)
    return rule
