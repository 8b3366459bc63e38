"""The arbiter half of every rule that is a policy (``saactors.placement.rule.CacheArbiter``)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from saactors.model.packets import NO_SA
from saactors.model.sa import grown
from saactors.placement.cost import CostModel
from saactors.placement.functions import NOTHING_KEPT
from saactors.placement.lazy_heap import BOUND, lowest_place
from saactors.placement.policy import PolicyFunctions, Room
from saactors.placement.policy_moves import PolicyMoves, park, policy_moves, unpark
from saactors.placement.policy_parameters import PolicyParameters
from saactors.placement.routing import ABSENT, LOADING, RESIDENT
from saactors.placement.rule import COMMAND, NOTHING_DECIDED, Decisions, Packets, RuleParameters
from saactors.placement.seats import (
    FIRST_OWN_LIST,
    FREE,
    FREE_GHOSTS,
    LIST,
    LISTS,
    NOWHERE,
    OWN_NUMBERS,
    SEAT,
    TABLE_LEDGER,
    Table,
    standing_dtype,
)
from saactors.placement.unmeasured import check_parameters

_FIRST_CHANCE = 0x9E3779B97F4A7C15  # what the coin starts from: odd, half of its bits set


def empty_table(
    card_slots: int, loading_max: int, settings: npt.NDArray[np.void], room: Room
) -> Table:
    """A card that holds nothing, as many ghosts as it has slots, and no SA known."""
    seats = np.zeros(2 * card_slots, SEAT)
    seats["sa"] = NO_SA
    lists = np.zeros(LISTS, LIST)
    lists["first"] = lists["last"] = NOWHERE
    for number, first in ((FREE, 0), (FREE_GHOSTS, card_slots)):
        if card_slots == 0:
            break
        places = np.arange(first, first + card_slots)
        seats["previous"][places] = places - 1
        seats["following"][places] = places + 1
        seats["previous"][first] = seats["following"][first + card_slots - 1] = NOWHERE
        lists[number] = (first, first + card_slots - 1, card_slots)
    ledger = np.zeros(1, TABLE_LEDGER)
    ledger["card_slots"] = card_slots
    ledger["loading_max"] = loading_max
    ledger["chance"] = _FIRST_CHANCE
    return Table(
        np.zeros(0, standing_dtype(room.traits)),
        seats,
        lists,
        np.zeros(card_slots, BOUND),
        np.zeros(OWN_NUMBERS),
        np.zeros((room.memory[0] + room.memory_per_slot * card_slots, room.memory[1])),
        ledger,
        settings,
    )


class PolicyArbiter:
    """Residency by a policy; whoever drives it carries the commands to the card."""

    __slots__ = (
        "_commands",
        "_cost",
        "_known",
        "_parameters_type",
        "_parked",
        "_table",
        "functions",
    )

    def __init__(
        self,
        functions: PolicyFunctions,
        parameters: PolicyParameters,
        cost: CostModel,
        card_slots: int,
        loads_outstanding_max: int,
    ) -> None:
        self.functions = functions  # what the methods call
        self._parameters_type = type(parameters)
        self._cost = cost
        settings = parameters.settings(cost, card_slots)
        self._table = empty_table(card_slots, loads_outstanding_max, settings, functions.room)
        self._known = 0
        self._parked: list[int] = []  # seats of the card that others use
        # A load occupies a seat and a place in the loader, so no more can come from one burst.
        self._commands = np.zeros(min(card_slots, loads_outstanding_max), COMMAND)

    @property
    def state(self) -> Table:
        """The arrays, for the compiled functions."""
        return self._table

    @property
    def loads_outstanding(self) -> int:
        """Commands not answered yet."""
        return int(self._table.ledger["loading"][0])

    def receive(self, sa_count: int, /) -> None:
        """SAs up to ``sa_count`` are known; the new ones are ABSENT."""
        known = len(self._table.standings)
        if sa_count > known:
            standings = grown(self._table.standings, sa_count)
            standings["place"][known:] = NOWHERE
            self._table = self._table._replace(standings=standings)
        self._known = max(self._known, sa_count)

    def choose(self, sas: npt.NDArray[np.int64], /) -> None:
        """Mark SAs that whoever knows the trace has chosen; a clairvoyant rule reads the mark."""
        self._table.standings["mark"][sas] = 1

    def decide(self, packets: Packets, tick: int, now_ns: int, /) -> Decisions:
        """Route the burst's packets in order and decide what to load."""
        decide = self.functions.rule.decide
        return self._decisions(*decide(self._table, packets, self._commands, tick, now_ns))

    def review(
        self,
        _sas: npt.NDArray[np.int32],
        _metrics: npt.NDArray[np.float64],
        tick: int,
        now_ns: int,
        /,
    ) -> Decisions:
        """A period is over: decide what to load by what this half knows itself."""
        review = self.functions.rule.review
        return self._decisions(
            *review(NOTHING_KEPT, self._table, self._known, self._commands, tick, now_ns)
        )

    def _decisions(self, commanded: int, refused: int, _card_full: int) -> Decisions:
        if commanded or refused:
            return Decisions(self._commands[:commanded].copy(), refused)
        return NOTHING_DECIDED

    def inherit(self, sa: int, predecessor: int, now_ns: int, /) -> None:
        """Rekeying has put ``sa`` in the place of ``predecessor``."""
        self.functions.rule.inherit(self._table, sa, predecessor, now_ns)

    def loaded(self, sa: int, tick: int, /) -> None:
        """The card holds the SA: RESIDENT from the next packet on."""
        self.functions.rule.answer(self._table, sa, tick, True)

    def failed(self, sa: int, tick: int, /) -> None:
        """The card refused or lost the load: ABSENT again, the seat free."""
        self.functions.rule.answer(self._table, sa, tick, False)

    def reset(self) -> None:
        """The card has forgotten its residents. Loads under way are still to be answered."""
        self.functions.reset(self._table)

    @property
    def _moves(self) -> PolicyMoves:
        return policy_moves(self.functions.name, self.functions.policy)

    def evict(self, sa: int, /) -> None:
        """Somebody else takes a RESIDENT SA off the card: it leaves as if replaced."""
        self._moves.evict(self._table, sa)

    def forget(self, sa: int, /) -> None:
        """The SA has been deleted: nothing of it stays, be it seat, ghost or standing."""
        assert self.residency(sa) != LOADING, f"SA {sa} is still being loaded"
        self._moves.forget(self._table, sa)
        if self.functions.room.traits and not self._moves.wipes_traits:
            self._table.standings["traits"][sa] = 0

    def adopt(self, sa: int, _metric: float, _tick: int, _now_ns: int, /, *, loading: bool) -> None:
        """The card holds the SA, or is loading it: it comes as if the policy had asked for it."""
        assert self.residency(sa) == ABSENT, f"SA {sa} is on the card, or on its way, already"
        assert self._table.lists["length"][FREE] > 0, "there is no room"
        self._moves.adopt(self._table, sa, np.zeros(1, COMMAND), loading)

    def limit(self, slots: int, loads: int, /) -> None:
        """Work with so many seats and loads at once from now on.

        The policy itself still goes by the number it was built for, in whatever shares it counts.
        """
        assert loads >= self.loads_outstanding
        assert slots <= self.slots + len(self._parked), "more than it was built for"
        self._table.ledger["loading_max"] = loads
        while self.slots < slots:
            unpark(self._table, self._parked.pop())
        while self.slots > slots:
            self._parked.append(park(self._table))

    @property
    def slots(self) -> int:
        """How many slots it works with."""
        return int(self._table.ledger["card_slots"][0]) - len(self._parked)

    def coldest(self) -> int:
        """The lowest of the heap, else the last of the first list, where a rule has either.

        Rules keep their lists from the newest to the oldest, the one with least merit first; one
        that does not loses a better resident here and nothing else.
        """
        place = lowest_place(self._table)
        if place != NOWHERE:
            return int(self._table.seats["sa"][place])
        for place in self._table.lists["last"][FIRST_OWN_LIST:]:
            if 0 <= place < self._table.ledger["card_slots"][0]:
                return int(self._table.seats["sa"][place])
        return int(self.residents()[0])

    def metric(self, _sa: int, /) -> float:
        """There is none that other rules would understand."""
        return 0.0

    def loading(self) -> npt.NDArray[np.int32]:
        """The SAs on their way to the card, ascending."""
        return np.flatnonzero(self._table.standings["residency"] == LOADING).astype(np.int32)

    def residency(self, sa: int, /) -> int:
        """Where the SA stands with the card."""
        return int(self._table.standings[sa]["residency"])

    @property
    def resident_count(self) -> int:
        """How many SAs are on the card."""
        return int(self._table.ledger["residents"][0])

    def residents(self) -> npt.NDArray[np.int32]:
        """The SAs on the card, ascending."""
        return np.flatnonzero(self._table.standings["residency"] == RESIDENT).astype(np.int32)

    def lowest(self) -> tuple[int, float] | None:
        """No resident has a metric, so there is no lowest one."""
        return None

    def follow(self, parameters: RuleParameters, _tick: int, /) -> None:
        """Go on by other parameters; residents and loads under way stay.

        Raises:
            ParameterError: they are the parameters of another rule.
        """
        check_parameters(parameters, self._parameters_type)
        assert isinstance(parameters, PolicyParameters)
        slots = int(self._table.ledger["card_slots"][0])
        self._table = self._table._replace(settings=parameters.settings(self._cost, slots))
