"""Rules told naively: lists and dicts, searched through from end to end, in place of seats.

A ``NaiveRule`` is what ``saactors.placement.policy`` compiles, written once more without any array.
It takes from the card only when each of its loads was done; which packets go where, and what is
loaded in place of what, it works out itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st
from numba import config

from nicmodel.presets import PROFILES
from nicmodel.profile import CardProfile, HostProfile, customised
from saactors.lab.run import LabRun, cost_model, run_rule
from saactors.lab.trace import lab_trace
from saactors.model.packets import Route
from saactors.traces.columns import trace_columns

# Without the compiler a packet takes a thousand times as long; what counts then are lines covered.
EXAMPLES: Final = 8 if config.DISABLE_JIT else 100

Packet = tuple[int, int, int]  # time_ns, SA, length_bytes
Load = tuple[int, int]  # SA, victim; -1: a free seat

# A packet of 100 bytes saves 200 ns and one of 1400 bytes 1500, and a load costs 600.
HOST: Final = HostProfile(name="test host", software_packet_ns=500.0, software_byte_ns=1.0)
NIC_PACKET_NS: Final = 400.0
LOAD_HOST_NS: Final = 600

GAPS_NS: Final = [0, 1, 100, 700, 1000, 4000, 30_000]
SIZES: Final = [100, 1400]
SAS: Final = [0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7]


def skewed_arrivals(seed: int) -> list[tuple[int, int, int]]:
    """Two thousand packets of a hundred SAs, some of which send far more than others."""
    generator = np.random.default_rng(seed)
    weights = np.arange(1, 101) ** -1.1
    sas = generator.choice(100, 2000, p=weights / weights.sum())
    sas[1000:] = (sas[1000:] + 5) % 100
    gaps_ns, sizes = generator.choice(GAPS_NS, 2000), generator.choice(SIZES, 2000)
    return list(zip(gaps_ns.tolist(), sas.tolist(), sizes.tolist(), strict=True))


# A few packets, where every case is near; or many, where cases come together.
ARRIVALS: Final = st.one_of(
    st.lists(st.tuples(*map(st.sampled_from, (GAPS_NS, SAS, SIZES))), min_size=1, max_size=150),
    st.builds(skewed_arrivals, st.integers(0, 2**32)),
)
SLOTS: Final = st.one_of(st.integers(1, 5), st.sampled_from([10, 25]))
LATENCIES_NS: Final = st.sampled_from([0, 0, 900, 5000])
AT_ONCE: Final = st.integers(1, 4)


def card_of(slots: int, latency_ns: int, at_once: int) -> CardProfile:
    """A card whose engine takes no time, so that no slot has to wait for its packets."""
    return customised(
        PROFILES["connectx6"],
        slots_max=slots,
        load_latency_ns=latency_ns,
        load_timeout_ns=latency_ns + 1,
        load_host_ns=LOAD_HOST_NS,
        loads_at_once=at_once,
        load_queue_max=0,
        load_full="refuse",
        engine_packet_ns=0.0,
        engine_byte_ns=0.0,
        nic_packet_ns=NIC_PACKET_NS,
        nic_byte_ns=0.0,
    )


class NaiveRule:
    """What every rule does; a rule overrides what makes it one.

    ``sa``, ``saving_ns`` and ``now_ns`` tell of the present packet.
    """

    period_ns: ClassVar[int | None] = None
    gated: ClassVar[bool] = False

    def __init__(self, card: CardProfile) -> None:
        self.slots = card.slots_max
        self.loading_max = card.loads_outstanding_max
        self.cost = cost_model(card, HOST)
        self.resident: set[int] = set()
        self.loading: set[int] = set()
        self.missed_ns: dict[int, float] = {}
        self.loads: list[Load] = []
        self.refused = 0
        self.now_ns = 0
        self.sa = -1  # of the present packet
        self.saving_ns = 0.0

    def heard(self) -> None:
        """Take note of the packet, whoever sent it."""

    def touch(self) -> None:
        """Take note of a packet on the card."""

    def wants(self) -> bool:
        """Always; behind the ski-rental gate once what was missed is worth a load."""
        if not self.gated:
            return True
        self.missed_ns[self.sa] = self.missed_ns.get(self.sa, 0.0) + self.saving_ns
        return self.missed_ns[self.sa] >= LOAD_HOST_NS

    def victim(self) -> int | None:
        """Whom the packet's SA may replace."""

    def summoned(self, sa: int) -> None:
        """It is going to be loaded."""

    def entered(self, sa: int) -> None:
        """The card holds it."""

    def left(self, sa: int) -> None:
        """The card holds it no more."""

    def review(self) -> None:
        """Load at the end of a period."""

    @property
    def has_free_seat(self) -> bool:
        """Whether nobody need go."""
        return len(self.resident) + len(self.loading) < self.slots

    def load(self, sa: int, victim: int | None) -> None:
        """Command a load."""
        self.summoned(sa)
        if victim is not None:
            self.left(victim)
            self.resident.remove(victim)
        self.missed_ns.pop(sa, None)
        self.loading.add(sa)
        self.loads.append((sa, -1 if victim is None else victim))

    def place(self, sa: int, length_bytes: int) -> Route:
        """Deal with a packet; where it goes."""
        self.sa = sa
        self.saving_ns = max(0.0, self.cost.saving_ns(length_bytes))
        self.heard()
        if sa in self.resident:
            self.touch()
            return Route.NIC
        if sa not in self.loading and self.wants():
            if len(self.loading) == self.loading_max:
                self.refused += 1
            elif self.has_free_seat:
                self.load(sa, None)
            elif (victim := self.victim()) is not None:
                self.load(sa, victim)
        return Route.SOFTWARE

    def done(self, sa: int) -> None:
        """The card holds it."""
        self.loading.remove(sa)
        self.resident.add(sa)
        self.entered(sa)


class Decided(NamedTuple):
    """What a rule decided."""

    routes: list[Route]
    loads: list[Load]
    refused: int


class Card:
    """When the loads of a naive rule are done: as those of the lab's run were, one by one."""

    def __init__(self, run: LabRun) -> None:
        self._done_ns = run.loads["done_ns"].tolist()
        assert min(self._done_ns, default=0) >= 0, "the card refused a load"
        self._answered = 0

    def answer(self, rule: NaiveRule, before_ns: int) -> None:
        """Tell the rule of all loads that are done by then, in their order."""
        pending = sorted(
            (self._done_ns[number], number)
            for number in range(self._answered, len(rule.loads))
            if number < len(self._done_ns)
        )
        for done_ns, number in pending:
            if done_ns < before_ns:
                assert number == self._answered, "equal latencies keep the order"
                rule.done(rule.loads[number][0])
                self._answered += 1


@pytest.fixture(scope="session")
def lab_run() -> Callable[..., LabRun]:
    """Run a rule of the table over packets, bursts of one."""

    def run(
        name: str,
        packets: Sequence[Packet],
        card: CardProfile,
        given: Mapping[str, object] | None = None,
    ) -> LabRun:
        times_ns, sas, sizes = zip(*packets, strict=True)
        columns = trace_columns(
            "test", np.array(times_ns, np.int64), np.array(sas, np.int64), np.array(sizes, np.int32)
        )
        return run_rule(lab_trace(columns, 1, 0), name, given or {}, card, HOST)

    return run


def decided(run: LabRun) -> Decided:
    """What the lab's run came to."""
    routes = [Route(route) for route in run.trace.packets["route"].tolist()]
    return Decided(routes, run.loads[["sa", "victim"]].tolist(), run.refused)


def naively_decided(rule: NaiveRule, run: LabRun) -> Decided:
    """The same packets once more, through ``rule``."""
    card = Card(run)
    routes = []
    next_tick_ns = rule.period_ns
    for packet in run.trace.packets:
        now_ns = int(packet["time_ns"])
        while next_tick_ns is not None and rule.period_ns is not None and next_tick_ns <= now_ns:
            card.answer(rule, next_tick_ns)
            rule.now_ns = next_tick_ns
            rule.review()
            next_tick_ns += rule.period_ns
        card.answer(rule, now_ns)
        rule.now_ns = now_ns
        routes.append(rule.place(int(packet["sa"]), int(packet["length_bytes"])))
    return Decided(routes, rule.loads, rule.refused)


def arranged(arrivals: Sequence[tuple[int, int, int]]) -> list[Packet]:
    """Packets at times from 0 on, from gaps between them."""
    now_ns, packets = 0, []
    for gap_ns, sa, length_bytes in arrivals:
        now_ns += gap_ns if packets else 0
        packets.append((now_ns, sa, length_bytes))
    return packets
