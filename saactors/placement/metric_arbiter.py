"""The metric rule's arbiter half: what to load, in whose place (claims 1 to 6, 41 to 43).

A newcomer is loaded if its metric is greater than the lowest resident's by at least the threshold;
a free slot stands for a resident whose metric is 0. The comparison is made as each packet of an SA
that is not on the card arrives (``decide``), or once per period over all SAs whose metric could
pass (``review``). Only residents are replaced, never an SA that is still being loaded.

The arbiter knows metrics only as packets bring them. For SAs on the card or on the way there it
keeps the latest; for all others it needs none.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.model.compiled import compiled
from saactors.model.packets import NO_SA
from saactors.model.sa import grown
from saactors.placement.cost import CostModel
from saactors.placement.functions import RuleFunctions, inherit_nothing
from saactors.placement.metrics import (
    Kept,
    add_bonus,
    candidates_now,
    metric_parameters,
    observe_burst,
    receive_sas,
)
from saactors.placement.parameters import MetricParameters
from saactors.placement.residents import (
    Residents,
    advance,
    begin_load,
    empty_residents,
    end_load,
    find_lowest,
    forget_residents,
    rebase,
    refresh,
    settle,
)
from saactors.placement.routing import ABSENT, NIC, RESIDENT, SOFTWARE, Record, needs_crypto
from saactors.placement.rule import COMMAND, NOTHING_DECIDED, Decisions, Packets, RuleParameters

# What came of comparing a newcomer with the lowest resident.
DECLINED: Final = 0
COMMANDED: Final = 1
REFUSED: Final = 2  # it would be loaded, but the loader has no room


@compiled
def consider(
    residents: Residents,
    settings: Record,
    sa: int,
    metric: float,
    commands: npt.NDArray[np.void],
    number: int,
    row: int,
) -> int:
    """Load the ABSENT ``sa`` if it has earned that; the command then becomes that ``number``."""
    ledger = residents.ledger[0]
    card_full = ledger["residents"] + ledger["loading"] == len(residents.slots)
    if card_full and ledger["residents"] == 0:
        return DECLINED
    lowest = find_lowest(residents, settings) if card_full else 0.0
    if not (metric > lowest and metric >= lowest + settings["threshold"]):
        return DECLINED
    if ledger["loading"] == ledger["loading_max"]:
        return REFUSED
    victim = int(residents.slots[0]["sa"]) if card_full else NO_SA
    begin_load(residents, sa, metric, victim)
    command = commands[number]
    command["metric"] = metric
    command["lowest"] = lowest
    command["sa"] = sa
    command["victim"] = victim
    command["row"] = row
    return COMMANDED


class Placed(NamedTuple):
    """The arrays of the arbiter half."""

    residents: Residents
    settings: npt.NDArray[np.void]  # (1,) of SETTINGS


@compiled
def decide_burst(
    placed: Placed, packets: Packets, commands: npt.NDArray[np.void], tick: int, _now_ns: int
) -> tuple[int, int, int]:
    """Route every packet, consider every SA that is ABSENT; counts (commands, refused, 0)."""
    residents = placed.residents
    rule = placed.settings[0]
    advance(residents, rule, tick)
    commanded = refused = 0
    for row in range(len(packets)):
        packet = packets[row]
        if not needs_crypto(packet):
            continue
        sa = packet["sa"]
        residency = residents.residency[sa]
        packet["route"] = NIC if residency == RESIDENT else SOFTWARE
        metric = packet["metric"]
        if residency != ABSENT:
            refresh(residents, sa, metric)
        elif metric >= rule["threshold"] and not rule["periodic"]:
            outcome = consider(residents, rule, sa, metric, commands, commanded, row)
            commanded += outcome == COMMANDED
            refused += outcome == REFUSED
    return commanded, refused, 0


@njit(cache=True)
def review_candidates(
    placed: Placed,
    sas: npt.NDArray[np.int32],
    metrics: npt.NDArray[np.float64],
    commands: npt.NDArray[np.void],
    tick: int,
) -> tuple[int, int, int]:
    """Consider the candidates, ``sas`` being ascending, from the best metric down."""
    residents = placed.residents
    rule = placed.settings[0]
    advance(residents, rule, tick)
    commanded = refused = 0
    for index in np.argsort(-metrics, kind="mergesort"):  # stable: ties stay in order of SA
        sa = sas[index]
        if residents.residency[sa] == ABSENT:
            outcome = consider(residents, rule, sa, metrics[index], commands, commanded, -1)
            commanded += outcome == COMMANDED
            refused += outcome == REFUSED
    return commanded, refused, 0


@njit(cache=True)
def review_all(
    kept: Kept,
    placed: Placed,
    sa_count: int,
    commands: npt.NDArray[np.void],
    tick: int,
    _now_ns: int,
) -> tuple[int, int, int]:
    """What ``candidates`` of the keeper and ``review`` of the arbiter do together."""
    sas, metrics = candidates_now(kept, sa_count, tick)
    return review_candidates(placed, sas, metrics, commands, tick)


@compiled
def answer(placed: Placed, sa: int, tick: int, loaded: bool) -> None:
    """The card has answered the load of ``sa``."""
    advance(placed.residents, placed.settings[0], tick)
    end_load(placed.residents, placed.settings[0], sa, loaded)


METRIC_FUNCTIONS: Final = RuleFunctions(
    receive_sas, observe_burst, add_bonus, decide_burst, review_all, answer, inherit_nothing
)


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
