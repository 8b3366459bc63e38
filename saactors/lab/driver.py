"""The lab's driver: a whole trace through a rule and a card, in one compiled loop per rule.

It does what keeper, decay timer, arbiter and NIC actor do between them, in the order in which they
do it, by calling the same compiled functions (law 8):

1. A tick that is due at or before the burst's instant comes first. A rule that decides by period
   then hears of the loads completed before the tick, strictly, and is asked for a review.
2. Keeper and arbiter hear of the loads completed before the burst's instant, strictly.
3. The keeper observes the burst, the arbiter decides it.
4. The packets routed to the card go there, then the commands of the burst.

What it leaves out are channels: a burst is placed at the instant at which it is ready, even where
in the running system it would have waited for a full edge (backpressure).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from nicmodel.flawless import (
    FlawlessCard,
    encrypt,
    load,
    next_report_ns,
    open_ring,
    take_report,
)
from saactors.model.compiled import compiled, specialised
from saactors.model.packets import NO_SA
from saactors.placement.functions import RuleFunctions
from saactors.placement.never import NEVER_FUNCTIONS
from saactors.placement.routing import NIC, Record

LAB_LOAD: Final = np.dtype(
    [
        ("time_ns", "i8"),  # of the decision
        ("done_ns", "i8"),  # when the card has it; -1 if the card refused
        ("before_row", "i8"),  # the first packet that was placed after the command
        ("metric", "f8"),
        ("lowest", "f8"),
        ("sa", "i4"),
        ("victim", "i4"),
    ],
    align=True,
)

PROGRESS: Final = np.dtype(
    [
        ("burst", "i8"),  # the next one
        ("tick", "i8"),  # ticks so far
        ("next_tick_ns", "i8"),
        ("period_ns", "i8"),
        ("periodic", "u1"),
        ("sa_count", "i8"),
        ("loads", "i8"),  # in the log
        ("refused", "i8"),
        ("card_full", "i8"),
    ],
    align=True,
)

NO_TICK_NS: Final = 0x7FFF_FFFF_FFFF_FFFF

Drive = Callable[..., None]


def driver_of(name: str, functions: RuleFunctions) -> Drive:
    """The compiled loop around the functions of the rule ``name``; see ``_drive``."""
    if functions not in _DRIVERS:
        _DRIVERS[functions] = specialised(
            _drive,
            name.rpartition(":")[2],  # less the file of a rule of one's own
            counts_references=True,  # reviews sort, which takes arrays
            receive=functions.receive,
            observe=functions.observe,
            cached=functions.cached,
            decide=functions.decide,
            review=functions.review,
            answer=functions.answer,
            inherit=functions.inherit,
        )
    return _DRIVERS[functions]


_DRIVERS: Final[dict[RuleFunctions, Drive]] = {}  # a file may change, and its functions with it

# In each copy of ``_drive`` these names stand for its own rule's functions.
receive, observe, cached, decide, review, answer, inherit = NEVER_FUNCTIONS


def _drive(
    packets: npt.NDArray[np.void],
    bursts: npt.NDArray[np.void],
    predecessors: npt.NDArray[np.int32],
    keeper: Record,
    arbiter: Record,
    card: FlawlessCard,
    commands: npt.NDArray[np.void],
    log: npt.NDArray[np.void],
    progress: npt.NDArray[np.void],
) -> None:
    """Place bursts until there are no more, or the log might not hold what the next one commands.

    ``packets`` is a record array of LAB_PACKET, ``bursts`` of LAB_BURST, ``predecessors`` names the
    SA whose place each SA took by rekeying, where there are any, ``log`` of LAB_LOAD,
    ``progress`` has one PROGRESS record.
    """
    state = progress[0]
    while state["burst"] < len(bursts):
        burst = bursts[state["burst"]]
        first = bursts[state["burst"] - 1]["stop"] if state["burst"] > 0 else 0
        placed_ns = burst["placed_ns"]
        while state["next_tick_ns"] <= placed_ns:
            if state["loads"] + len(commands) > len(log):
                return
            tick_ns = state["next_tick_ns"]
            state["tick"] += 1
            state["next_tick_ns"] = tick_ns + state["period_ns"]
            if state["periodic"]:
                while next_report_ns(card) < tick_ns:
                    sa, loaded = take_report(card)
                    if loaded:
                        cached(keeper, sa, state["tick"])
                    answer(arbiter, sa, state["tick"], loaded)
                commanded, refused, card_full = review(
                    keeper, arbiter, state["sa_count"], commands, state["tick"], tick_ns
                )
                state["refused"] += refused
                state["card_full"] += card_full
                issue(card, commands, commanded, log, state, tick_ns, first)
        if state["loads"] + len(commands) > len(log):
            return
        tick = state["tick"]
        while next_report_ns(card) < placed_ns:
            sa, loaded = take_report(card)
            if loaded:
                cached(keeper, sa, tick)
            answer(arbiter, sa, tick, loaded)
        if burst["sa_count"] > state["sa_count"]:
            receive(keeper, state["sa_count"], burst["sa_count"], tick)
            for sa in range(state["sa_count"], min(burst["sa_count"], len(predecessors))):
                if predecessors[sa] != NO_SA:
                    inherit(arbiter, sa, predecessors[sa], placed_ns)
            state["sa_count"] = burst["sa_count"]
        rows = packets[first : burst["stop"]]
        observe(keeper, rows, tick)
        commanded, refused, card_full = decide(arbiter, rows, commands, tick, placed_ns)
        submit(card, rows, placed_ns)
        state["refused"] += refused
        state["card_full"] += card_full
        state["burst"] += 1
        if commanded:
            issue(card, commands, commanded, log, state, placed_ns, burst["stop"])


@compiled
def submit(card: FlawlessCard, rows: npt.NDArray[np.void], placed_ns: int) -> None:
    """Give the card the packets of a burst that are routed to it."""
    taken_ns = -1
    for row in range(len(rows)):
        packet = rows[row]
        if packet["route"] == NIC:
            if taken_ns < 0:
                taken_ns = open_ring(card, placed_ns)
            packet["finish_ns"] = encrypt(card, packet["sa"], packet["length_bytes"], taken_ns)


@compiled
def issue(
    card: FlawlessCard,
    commands: npt.NDArray[np.void],
    commanded: int,
    log: npt.NDArray[np.void],
    state: Record,
    now_ns: int,
    before_row: int,
) -> None:
    """Give the card the commands and write them to the log."""
    for number in range(commanded):
        command = commands[number]
        entry = log[state["loads"]]
        entry["time_ns"] = now_ns
        entry["before_row"] = before_row
        entry["metric"] = command["metric"]
        entry["lowest"] = command["lowest"]
        entry["sa"] = command["sa"]
        entry["victim"] = command["victim"]
        entry["done_ns"] = load(card, command["sa"], command["victim"], now_ns)
        state["loads"] += 1
