"""What the metric rule decides: whom to load, in whose place (claims 1 to 6, 41 to 43); compiled.

A newcomer is loaded if its metric is greater than the lowest resident's by at least the threshold;
a free slot stands for a resident whose metric is 0. The comparison is made as each packet of an SA
that is not on the card arrives (``decide``), or once per period over all SAs whose metric could
pass (``review``). Only residents are replaced, never an SA that is still being loaded.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.model.compiled import compiled
from saactors.model.packets import NO_SA
from saactors.placement.functions import RuleFunctions, inherit_nothing
from saactors.placement.metrics import (
    Kept,
    add_bonus,
    candidates_now,
    observe_burst,
    receive_sas,
)
from saactors.placement.residents import (
    Residents,
    advance,
    begin_load,
    end_load,
    find_lowest,
    refresh,
)
from saactors.placement.routing import ABSENT, NIC, RESIDENT, SOFTWARE, Record, needs_crypto
from saactors.placement.rule import Packets

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
