"""The metric rule's arbiter half: holds the residency and carries out what the rule decides.

It knows metrics only as packets bring them. For SAs on the card or on the way there it keeps the
latest; for all others it needs none. What is decided when: ``saactors.placement.metric_decisions``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from saactors.model.packets import NO_SA
from saactors.model.sa import grown
from saactors.placement.cost import CostModel
from saactors.placement.metric_decisions import Placed, answer, decide_burst, review_candidates
from saactors.placement.metrics import metric_parameters
from saactors.placement.parameters import MetricParameters
from saactors.placement.residents import (
    advance,
    begin_load,
    decayed,
    empty_residents,
    enter,
    find_lowest,
    forget_residents,
    leave,
    rebase,
    settle,
    with_slots,
)
from saactors.placement.routing import ABSENT, LOADING, RESIDENT
from saactors.placement.rule import COMMAND, NOTHING_DECIDED, Decisions, Packets, RuleParameters


class MetricArbiter:
    """The arbiter half (``saactors.placement.rule.CacheArbiter``)."""

    __slots__ = ("_commands", "_cost", "_residents", "_settings")

    def __init__(
        self,
        parameters: MetricParameters,
        cost: CostModel,
        card_slots: int,
        loads_outstanding_max: int,
    ) -> None:
        self._cost = cost
        self._settings = parameters.settings(cost)
        self._residents = empty_residents(card_slots, loads_outstanding_max)
        # A load occupies a slot and a place in the loader, so no more can come from one burst.
        self._commands = np.zeros(min(card_slots, loads_outstanding_max), COMMAND)

    @property
    def state(self) -> Placed:
        """The arrays, for the compiled functions."""
        return Placed(self._residents, self._settings)

    @property
    def loads_outstanding(self) -> int:
        """Commands not answered yet."""
        return int(self._residents.ledger["loading"][0])

    def receive(self, sa_count: int, /) -> None:
        """SAs up to ``sa_count`` are known; the new ones are ABSENT."""
        known = self._residents
        if sa_count > len(known.residency):
            self._residents = known._replace(
                residency=grown(known.residency, sa_count), place=grown(known.place, sa_count)
            )

    def decide(self, packets: Packets, tick: int, _now_ns: int, /) -> Decisions:
        """Route the burst's packets in order and, deciding on arrival, decide what to load."""
        return self._decisions(*decide_burst(self.state, packets, self._commands, tick, 0))

    def review(
        self,
        sas: npt.NDArray[np.int32],
        metrics: npt.NDArray[np.float64],
        tick: int,
        _now_ns: int,
        /,
    ) -> Decisions:
        """Decide what to load among a keeper's candidates, best first, ties by index."""
        return self._decisions(*review_candidates(self.state, sas, metrics, self._commands, tick))

    def _decisions(self, commanded: int, refused: int, _card_full: int) -> Decisions:
        if commanded or refused:
            return Decisions(self._commands[:commanded].copy(), refused)
        return NOTHING_DECIDED

    def inherit(self, _sa: int, _predecessor: int, _now_ns: int, /) -> None:
        """A rekeyed SA starts as any other."""

    def loaded(self, sa: int, tick: int, /) -> None:
        """The card holds the SA: RESIDENT, with the bonus, from the next packet on."""
        answer(self.state, sa, tick, True)

    def failed(self, sa: int, tick: int, /) -> None:
        """The card refused or lost the load: ABSENT again, the slot free."""
        answer(self.state, sa, tick, False)

    def reset(self) -> None:
        """The card has forgotten its residents. Loads under way are still to be answered."""
        forget_residents(self._residents)

    def evict(self, sa: int, /) -> None:
        """Somebody else takes a RESIDENT SA off the card."""
        leave(self._residents, sa)

    def forget(self, sa: int, /) -> None:
        """The SA has been deleted; its metric comes with packets, so there is nothing to wipe."""
        assert self.residency(sa) != LOADING, f"SA {sa} is still being loaded"
        if self.residency(sa) == RESIDENT:
            leave(self._residents, sa)

    def adopt(self, sa: int, metric: float, tick: int, _now_ns: int, /, *, loading: bool) -> None:
        """The card holds the SA, or is loading it; the metric has the bonus already, if any."""
        assert self.residency(sa) == ABSENT, f"SA {sa} is on the card, or on its way, already"
        assert self.resident_count + self.loads_outstanding < self.slots, "there is no room"
        advance(self._residents, self._settings[0], tick)
        if loading:
            begin_load(self._residents, sa, metric, NO_SA)
        else:
            enter(self._residents, sa, metric)

    def limit(self, slots: int, loads: int, /) -> None:
        """Work with so many slots and loads at once from now on."""
        assert loads >= self.loads_outstanding
        self._residents.ledger["loading_max"] = loads
        if slots != self.slots:
            self._residents = with_slots(self._residents, slots)

    @property
    def slots(self) -> int:
        """How many slots it works with."""
        return len(self._residents.slots)

    def coldest(self) -> int:
        """The lowest."""
        lowest = self.lowest()
        assert lowest is not None
        return lowest[0]

    def metric(self, sa: int, /) -> float:
        """The metric of an SA on the card, or on its way, as of the tick last heard of."""
        slot = self._residents.slots[self._residents.place[sa]]
        ticks = int(self._residents.ledger["tick"][0] - slot["tick"])
        return float(decayed(self._settings[0], slot["metric"], ticks))

    def loading(self) -> npt.NDArray[np.int32]:
        """The SAs on their way to the card, ascending."""
        slots = self._residents.slots
        return np.sort(slots["sa"][len(slots) - self.loads_outstanding :])

    def residency(self, sa: int, /) -> int:
        """Where the SA stands with the card."""
        return int(self._residents.residency[sa])

    @property
    def resident_count(self) -> int:
        """How many SAs are on the card."""
        return int(self._residents.ledger["residents"][0])

    def residents(self) -> npt.NDArray[np.int32]:
        """The SAs on the card, ascending."""
        return np.sort(self._residents.slots["sa"][: self.resident_count])

    def lowest(self) -> tuple[int, float] | None:
        """The lowest resident and its metric as of the tick last heard of."""
        if self.resident_count == 0:
            return None
        lowest = find_lowest(self._residents, self._settings[0])
        return int(self._residents.slots["sa"][0]), float(lowest)

    def follow(self, parameters: RuleParameters, tick: int, /) -> None:
        """Go on by other parameters from ``tick`` on; residents and loads under way stay."""
        settings = metric_parameters(parameters).settings(self._cost)
        advance(self._residents, self._settings[0], tick)
        settle(self._residents, self._settings[0])
        self._settings = settings
        rebase(self._residents, settings[0])
