"""The two halves of a rule driven in Python, as the actors drive them, and watched while they run.

Nothing that a rule says of itself is believed. What the card holds is kept here from commands and
answers alone, and each command, each route and each count of the arbiter is held against it.
"""

from __future__ import annotations

from collections import deque
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from nicmodel.flawless import flawless_card, load, next_report_ns, take_report
from nicmodel.profile import CardProfile
from saactors.lab.driver import submit
from saactors.lab.rule_interpreted import counted_lines
from saactors.lab.trace import LabTrace
from saactors.model.packets import NO_SA
from saactors.placement.routing import BYPASS, NIC, SOFTWARE
from saactors.placement.rule import Decide, Decisions
from saactors.placement.table import Rule

SLOTS: Final = "residents and loads under way fit the slots"
ROUTES: Final = "packets use the card exactly while their SA is on it"
LOADS: Final = "loads under way are no more than the card takes"


class BrokenLawError(Exception):
    """A rule has broken a law; ``law`` is one of those above."""

    def __init__(self, law: str, found: str) -> None:
        self.law = law
        super().__init__(found)


class Command(NamedTuple):
    """A load as it was decided."""

    time_ns: int
    sa: int
    victim: int


@dataclass(frozen=True, slots=True, eq=False)
class Driven:
    """What the halves decided of a trace."""

    routes: npt.NDArray[np.uint8]
    commands: list[Command]


class WatchedCard(Protocol):
    """What the driver asks of a card."""

    def send(self, rows: npt.NDArray[np.void], placed_ns: int, /) -> None:
        """Take the packets that are routed to the card."""

    def load(self, command: Command, /) -> None:
        """Begin a load, which will be reported."""

    def reports(self, before_ns: int, /) -> list[tuple[int, bool]]:
        """What has become of loads by then, strictly: SA, and whether it is loaded."""

    def forgets(self) -> bool:
        """Whether the card has just been reset."""


class LabCard:
    """The card of the lab's own driver."""

    def __init__(self, profile: CardProfile, sas: int) -> None:
        self._arrays = flawless_card(profile, sas, profile.loads_outstanding_max)

    def send(self, rows: npt.NDArray[np.void], placed_ns: int, /) -> None:
        """Serve them."""
        submit(self._arrays, rows, placed_ns)

    def load(self, command: Command, /) -> None:
        """Load as the card's model says."""
        load(self._arrays, command.sa, command.victim, command.time_ns)

    def reports(self, before_ns: int, /) -> list[tuple[int, bool]]:
        """In the order of time."""
        found = []
        while next_report_ns(self._arrays) < before_ns:
            found.append(take_report(self._arrays))
        return found

    def forgets(self) -> bool:
        """Never."""
        return False


class FaultyCard:
    """A card that loses every third load, and is reset every now and then."""

    def __init__(self, latency_ns: int, rng: np.random.Generator) -> None:
        self._latency_ns = latency_ns
        self._rng = rng
        self._under_way: deque[tuple[int, int, bool]] = deque()

    def send(self, _rows: npt.NDArray[np.void], _placed_ns: int, /) -> None:
        """Nothing becomes of them."""

    def load(self, command: Command, /) -> None:
        """One latency for each."""
        loaded = bool(self._rng.random() > 1 / 3)
        self._under_way.append((command.time_ns + self._latency_ns, command.sa, loaded))

    def reports(self, before_ns: int, /) -> list[tuple[int, bool]]:
        """In the order of the commands."""
        found = []
        while self._under_way and self._under_way[0][0] < before_ns:
            _, sa, loaded = self._under_way.popleft()
            found.append((sa, loaded))
        return found

    def forgets(self) -> bool:
        """Once in fifty bursts."""
        return bool(self._rng.random() < 1 / 50)


@dataclass(slots=True)
class Holding:
    """What the card holds, by commands and answers alone: SA → whether it is RESIDENT."""

    slots: int
    loads_max: int
    held: dict[int, bool] = field(default_factory=dict)

    @property
    def loading(self) -> int:
        """Loads that are not answered yet."""
        return len(self.held) - sum(self.held.values())

    def command(self, command: Command) -> None:
        """Load one SA in place of another, or of nobody.

        Raises:
            BrokenLawError: who goes was not on the card, who comes is, or there is no room.
        """
        sa, victim = command.sa, command.victim
        if victim != NO_SA and not self.held.get(victim, False):
            stands = "still being loaded" if victim in self.held else "not on the card"
            raise BrokenLawError(SLOTS, f"SA {sa} replaces SA {victim}, which is {stands}")
        if sa in self.held:
            raise BrokenLawError(SLOTS, f"SA {sa} is loaded while it is on the card or loading")
        self.held.pop(victim, None)
        self.held[sa] = False
        if len(self.held) > self.slots:
            raise BrokenLawError(SLOTS, f"{len(self.held)} SAs hold {self.slots} slots")
        if self.loading > self.loads_max:
            raise BrokenLawError(LOADS, f"{self.loading} under way, at most {self.loads_max}")

    def answer(self, sa: int, loaded: bool) -> None:
        """The card has answered a load."""
        if loaded:
            self.held[sa] = True
        else:
            del self.held[sa]

    def reset(self) -> None:
        """The card has forgotten its residents."""
        self.held = {sa: False for sa, resident in self.held.items() if not resident}

    def compare(self, rule: Rule) -> None:
        """Hold against this what the arbiter says of itself.

        Raises:
            BrokenLawError: it says something else.
        """
        residents = sorted(sa for sa, resident in self.held.items() if resident)
        said = [int(sa) for sa in rule.arbiter.residents()]
        if said != residents or rule.arbiter.resident_count != len(residents):
            told = f"the arbiter has {said} on the card and counts {rule.arbiter.resident_count}"
            raise BrokenLawError(SLOTS, f"{told}, but the card holds {residents}")
        if rule.arbiter.loads_outstanding != self.loading:
            told = f"the arbiter counts {rule.arbiter.loads_outstanding} loads under way"
            raise BrokenLawError(LOADS, f"{told}, but the card has {self.loading}")

    def check_routes(self, rows: npt.NDArray[np.void], decided: npt.NDArray[np.void]) -> None:
        """Demand of every packet of a burst the route that its SA's residency gives.

        To be called before the burst's commands are taken: a victim leaves with the packet that
        asked for its seat.
        """
        leaving = {int(c["row"]): int(c["victim"]) for c in decided}
        resident = {sa for sa, there in self.held.items() if there}
        for row, packet in enumerate(rows):
            sa, route = int(packet["sa"]), int(packet["route"])
            expected = BYPASS if sa == NO_SA else NIC if sa in resident else SOFTWARE
            if route != expected:
                where = {NIC: "the card", SOFTWARE: "software"}.get(route, f"route {route}")
                stands = "is" if sa in resident else "is not"
                told = f"a packet of SA {sa} goes to {where}, while the SA {stands} on the card"
                raise BrokenLawError(ROUTES, told)
            resident.discard(leaving.get(row, NO_SA))


def drive(
    rule: Rule,
    trace: LabTrace,
    card: WatchedCard,
    holding: Holding,
    *,
    interpreted: bool = False,
) -> Driven:
    """Place a whole trace, burst by burst, in the order of ``saactors.lab.driver``.

    Raises:
        BrokenLawError: as soon as the rule breaks a law.
        EndlessError: it is ``interpreted`` and a burst does not come to an end.
    """
    packets = trace.packets.copy()
    packets["route"] = 0
    driver = _Driver(rule, card, holding, interpreted)
    start = 0
    for burst in trace.bursts:
        driver.tick_until(int(burst["placed_ns"]))
        rows = packets[start : burst["stop"]]
        driver.place(rows, int(burst["placed_ns"]), int(burst["sa_count"]), trace)
        start = int(burst["stop"])
    return Driven(packets["route"].copy(), driver.commands)


class _Driver:
    """The state of ``drive``: keeper, decay timer and arbiter in one."""

    def __init__(self, rule: Rule, card: WatchedCard, holding: Holding, interpreted: bool) -> None:
        self.commands: list[Command] = []
        self._rule, self._card, self._holding = rule, card, holding
        self._guard: Any = counted_lines if interpreted else nullcontext
        self._next_tick_ns = rule.parameters.period_ns
        self._sa_count = 0

    def tick_until(self, now_ns: int) -> None:
        """Let the periods pass that end by then."""
        rule = self._rule
        while self._next_tick_ns is not None and self._next_tick_ns <= now_ns:
            tick_ns = self._next_tick_ns
            assert rule.parameters.period_ns is not None
            self._next_tick_ns += rule.parameters.period_ns
            rule.keeper.tick()
            if rule.parameters.decide is Decide.PERIODIC:
                self._hear(tick_ns)
                sas, metrics = rule.keeper.candidates()
                with self._guard():
                    found = rule.arbiter.review(sas, metrics, rule.keeper.ticks, tick_ns)
                self._command(found, tick_ns)

    def place(
        self, rows: npt.NDArray[np.void], now_ns: int, sa_count: int, trace: LabTrace
    ) -> None:
        """Place a burst."""
        rule = self._rule
        self._hear(now_ns)
        if self._card.forgets():
            rule.arbiter.reset()
            self._holding.reset()
            self._holding.compare(rule)
        self._receive(sa_count, trace.columns.predecessors, now_ns)
        rule.keeper.observe(rows)
        with self._guard():
            found = rule.arbiter.decide(rows, rule.keeper.ticks, now_ns)
        self._holding.check_routes(rows, found.commands)
        self._card.send(rows, now_ns)
        self._command(found, now_ns)

    def _hear(self, before_ns: int) -> None:
        rule = self._rule
        for sa, loaded in self._card.reports(before_ns):
            if loaded:
                rule.keeper.cached(sa)
            with self._guard():
                answer = rule.arbiter.loaded if loaded else rule.arbiter.failed
                answer(sa, rule.keeper.ticks)
            self._holding.answer(sa, loaded)
            self._holding.compare(rule)

    def _receive(self, sa_count: int, predecessors: npt.NDArray[np.int32], now_ns: int) -> None:
        rule = self._rule
        rule.keeper.receive(sa_count)
        rule.arbiter.receive(sa_count)
        for sa in range(self._sa_count, min(sa_count, len(predecessors))):
            if predecessors[sa] != NO_SA:
                rule.arbiter.inherit(sa, int(predecessors[sa]), now_ns)
        self._sa_count = max(self._sa_count, sa_count)

    def _command(self, decided: Decisions, now_ns: int) -> None:
        for each in decided.commands:
            command = Command(now_ns, int(each["sa"]), int(each["victim"]))
            self._holding.command(command)
            self._card.load(command)
            self.commands.append(command)
        self._holding.compare(self._rule)
