"""A simulator of rule and card that shares no code with the system: slow, and easy to check by eye.

Written from the design's words alone: dictionaries, one packet at a time, every tick walked over
every SA, a card that is a list of what is due. It knows no backpressure: a burst is placed when it
is ready. Figures are whole numbers and binary fractions, which floating point holds exactly, so
that what follows from them can be compared to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from saactors.model.burst import Component

PACKET_NS = {"software": 1000, "nic": 200}  # host time, as in the simulated host and card


@dataclass(frozen=True)
class RuleSetup:
    """The metric rule's parameters; a tick makes of a metric ``metric * factor - amount``."""

    initial: float
    increment: float
    bonus: float
    threshold: float
    factor: float
    amount: float
    period_ns: int
    weight: str
    periodic: bool

    def earned(self, length_bytes: int) -> float:
        """What a packet adds to the metric of its SA."""
        saved_ns = PACKET_NS["software"] - PACKET_NS["nic"]
        weights = {"packets": 1, "bytes": length_bytes, "saved-ns": saved_ns}
        return self.increment * weights[self.weight]


@dataclass
class Setup:
    """What both are given. Bursts hold ``burst`` packets at most and wait ``burst_wait_ns``."""

    slots: int
    loads_at_once: int
    load_queue: int
    load_ns: int
    timeout_ns: int
    engine_ns: int  # per packet
    blocks_engine: bool
    loses_loads: bool
    refuses_loads: bool
    resets_ns: list[int]
    burst: int
    burst_wait_ns: int
    rule: RuleSetup
    changes: list[tuple[int, RuleSetup]]  # when a signal arrives, and what it says

    @property
    def loads_max(self) -> int:
        """Loads that may be unanswered."""
        return self.loads_at_once + self.load_queue


@dataclass
class ReferenceCard:
    """A card whose every SA is ``loading``, ``resident`` or ``evicting``, or not there."""

    setup: Setup
    state: dict[int, str] = field(default_factory=dict)
    due: list[tuple[int, str, int, bool]] = field(default_factory=list)  # …, frees a slot
    reports: list[tuple[int, str, int]] = field(default_factory=list)
    slots_used: int = 0
    engine_free_ns: int = 0
    engine_drained_ns: int = 0
    last_finish_ns: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.units_ns = [0] * self.setup.loads_at_once
        self.resets_ns = sorted(set(self.setup.resets_ns))

    def advance(self, now_ns: int) -> None:
        """Let happen what is due by now; of one instant a reset comes first."""
        while True:
            reset_ns = self.resets_ns[0] if self.resets_ns else math.inf
            first = min(self.due, key=lambda due: due[0], default=(math.inf, "", 0, False))
            if min(reset_ns, first[0]) > now_ns:
                return
            if reset_ns <= first[0]:
                self.reset(self.resets_ns.pop(0))
            else:
                self.due.remove(first)
                self.end(*first)

    def end(self, time_ns: int, what: str, sa: int, frees_slot: bool) -> None:
        """Report that a load or an eviction has ended."""
        self.slots_used -= frees_slot
        if what == "loaded":
            self.state[sa] = "resident"
        else:
            del self.state[sa]
        self.reports.append((time_ns, what, sa))

    def reset(self, now_ns: int) -> None:
        """Forget everything; loads under way have failed."""
        lost = [sa for sa, state in self.state.items() if state == "loading"]
        self.reports += [(now_ns, "failed", sa) for sa in lost] + [(now_ns, "reset", -1)]
        self.state.clear()
        self.due.clear()
        self.slots_used = 0
        self.units_ns = [now_ns] * len(self.units_ns)
        self.engine_free_ns = self.engine_drained_ns = now_ns
        self.last_finish_ns.clear()

    def evict(self, sa: int, now_ns: int, *, frees_slot: bool) -> int:
        """Give up a resident; returns when its last packet has left the engine."""
        self.state[sa] = "evicting"
        drained_ns = max(now_ns, self.last_finish_ns.get(sa, 0))
        self.due.append((drained_ns, "evicted", sa, frees_slot))
        return drained_ns

    def load(self, sa: int, victim: int | None, now_ns: int) -> None:
        """Take a load command, or refuse it and give up the victim all the same."""
        self.advance(now_ns)
        setup = self.setup
        if (
            sa in self.state
            or (victim is not None and self.state.get(victim) != "resident")
            or (victim is None and self.slots_used == setup.slots)
            or setup.refuses_loads
        ):
            self.reports.append((now_ns, "refused", sa))
            if self.state.get(victim) == "resident":
                self.evict(victim, now_ns, frees_slot=True)
            return
        ready_ns = now_ns if victim is None else self.evict(victim, now_ns, frees_slot=False)
        self.slots_used += victim is None
        self.state[sa] = "loading"
        if setup.blocks_engine:
            ready_ns = max(ready_ns, self.engine_drained_ns)
        unit = self.units_ns.index(min(self.units_ns))
        started_ns = max(ready_ns, self.units_ns[unit])
        self.units_ns[unit] = started_ns + setup.load_ns
        if setup.blocks_engine:
            self.engine_free_ns = max(self.engine_free_ns, started_ns + setup.load_ns)
        if setup.loses_loads:
            self.due.append((started_ns + setup.timeout_ns, "failed", sa, True))
        else:
            self.due.append((started_ns + setup.load_ns, "loaded", sa, False))

    def encrypt(self, sas: Iterable[int], now_ns: int) -> list[bool]:
        """Whether each packet of a burst is done here, or has to be done again in software."""
        self.advance(now_ns)
        taken = [self.state.get(sa) == "resident" for sa in sas]
        finish_ns = now_ns
        for sa, is_taken in zip(sas, taken, strict=True):
            if is_taken:
                finish_ns = max(now_ns, self.engine_free_ns) + self.setup.engine_ns
                self.engine_free_ns = self.engine_drained_ns = finish_ns
                self.last_finish_ns[sa] = finish_ns
        cut_short = bool(self.resets_ns) and self.resets_ns[0] < finish_ns
        return [is_taken and not cut_short for is_taken in taken]


@dataclass
class ReferenceAgent:
    """The driver agent; ``loads`` and ``components`` are what it decides.

    ``earned`` is an SA's metric, but goes on falling below 0 where the metric stops: of two metrics
    of 0 the one that got there first is the lower.
    """

    setup: Setup
    earned: dict[int, float] = field(default_factory=dict)
    residents: set[int] = field(default_factory=set)
    loading: set[int] = field(default_factory=set)
    loads: list[tuple[int, int, int | None, float, float]] = field(default_factory=list)
    refused: int = 0
    components: dict[tuple[int, int], Component] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rule = self.setup.rule
        self.changes = sorted(self.setup.changes, key=lambda change: change[0])
        self.card = ReferenceCard(self.setup)
        self.heard = 0
        self.next_tick_ns = self.rule.period_ns

    def metric(self, sa: int) -> float:
        """The metric of an SA now."""
        return max(0.0, self.earned[sa])

    def run(self, packets: list[tuple[int, int, int]]) -> None:
        """Place packets of (time_ns, SA, length_bytes)."""
        numbers: dict[int, int] = {}
        for observed_ns, burst in bursts(packets, self.setup):
            while self.next_tick_ns <= observed_ns:
                self.tick(self.next_tick_ns)
                self.next_tick_ns += self.rule.period_ns
            for sa, component in zip(
                [sa for _, sa, _ in burst], self.place(burst, observed_ns), strict=True
            ):
                self.components[sa, numbers.setdefault(sa, 0)] = component
                numbers[sa] += 1
        self.card.advance(10**18)

    def follow(self, now_ns: int) -> None:
        """Take over what signals said before now."""
        while self.changes and self.changes[0][0] < now_ns:
            self.rule = self.changes.pop(0)[1]
            self.earned = {sa: self.metric(sa) for sa in self.earned}

    def tick(self, now_ns: int) -> None:
        """Let a period end: every metric decays, and a periodic rule decides."""
        self.follow(now_ns)
        for sa in self.earned:
            self.earned[sa] = self.earned[sa] * self.rule.factor - self.rule.amount
        if self.rule.periodic:
            self.listen(now_ns)
            metrics = {sa: self.metric(sa) for sa in self.earned}
            commands = []
            for sa in sorted(metrics, key=lambda sa: (-metrics[sa], sa)):
                if metrics[sa] > 0:
                    commands += self.consider(sa, metrics[sa], now_ns)
            for sa, victim in commands:
                self.card.load(sa, victim, now_ns)

    def listen(self, now_ns: int) -> None:
        """Take note of what the card reported before now, and not at this very instant."""
        self.card.advance(now_ns)
        self.card.reports.sort(key=lambda report: report[0])
        while self.heard < len(self.card.reports) and self.card.reports[self.heard][0] < now_ns:
            _, what, sa = self.card.reports[self.heard]
            self.heard += 1
            self.refused += what == "refused"
            if what == "reset":
                self.residents.clear()
            elif what != "evicted":
                self.loading.remove(sa)
                if what == "loaded":
                    self.residents.add(sa)
                    self.earned[sa] = self.metric(sa) + self.rule.bonus

    def place(self, burst: list[tuple[int, int, int]], now_ns: int) -> list[Component]:
        """Where the crypto of each packet runs; a rule that decides on arrival decides."""
        self.follow(now_ns)
        self.listen(now_ns)
        commands, to_card = [], []
        for row, (_, sa, length_bytes) in enumerate(burst):
            self.earned.setdefault(sa, self.rule.initial)
            self.earned[sa] = self.metric(sa) + self.rule.earned(length_bytes)
            if sa in self.residents:
                to_card.append(row)
            elif not self.rule.periodic:
                commands += self.consider(sa, self.metric(sa), now_ns)
        components = [Component.SOFTWARE] * len(burst)
        done = self.card.encrypt([burst[row][1] for row in to_card], now_ns)
        for row, is_done in zip(to_card, done, strict=True):
            components[row] = Component.NIC if is_done else Component.SOFTWARE
        for sa, victim in commands:
            self.card.load(sa, victim, now_ns)
        return components

    def consider(self, sa: int, metric: float, now_ns: int) -> list[tuple[int, int | None]]:
        """Load ``sa`` if it leads the lowest on the card by the threshold; an empty slot has 0."""
        if sa in self.residents or sa in self.loading:
            return []
        lowest, victim = 0.0, None
        if len(self.residents) + len(self.loading) == self.setup.slots:
            if not self.residents:
                return []
            victim = min(self.residents, key=lambda sa: (self.earned[sa], sa))
            lowest = self.metric(victim)
        if not (metric > lowest and metric - lowest >= self.rule.threshold):
            return []
        if len(self.loading) == self.setup.loads_max:
            self.refused += 1
            return []
        self.residents.discard(victim)
        self.loading.add(sa)
        self.loads.append((now_ns, sa, victim, metric, lowest))
        return [(sa, victim)]


def bursts(
    packets: list[tuple[int, int, int]], setup: Setup
) -> Iterable[tuple[int, list[tuple[int, int, int]]]]:
    """(when it is handed on, packets); the last burst waits for nobody."""
    burst: list[tuple[int, int, int]] = []
    for packet in packets:
        if burst and packet[0] >= burst[0][0] + setup.burst_wait_ns:
            yield burst[0][0] + setup.burst_wait_ns, burst
            burst = []
        burst.append(packet)
        if len(burst) == setup.burst:
            yield packet[0], burst
            burst = []
    if burst:
        yield burst[-1][0], burst
