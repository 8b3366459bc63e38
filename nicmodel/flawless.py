"""A card without faults, as compiled functions: what a driver of whole traces asks of ``Card``.

Theory. Without faults and with a fixed latency everything a command leads to is known when it is
given, also where its turn comes later: commands and packets are taken in one order, that of the
command ring, and none overtakes another. So nothing has to be simulated step by step. ``ring_ns``
says from when on the card takes the next entry of the ring, and per SA one number is enough:

    last_finish_ns      when its last packet leaves the engine

An SA that has been replaced is EVICTING until then, so a new load of it is refused before
(``HANDLE_NOT_ABSENT`` of ``Card``), and a load in its slot waits for it. Whoever drives this
submits packets of RESIDENT SAs only and names a RESIDENT victim, so no other refusal is left but
that of a slot that a refused load's victim still drains (``NO_FREE_SLOT``).

What becomes of loads is reported in the order in which it happens, one report per command.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from nicmodel.engine import ENGINE, STALL, block, drained_ns, room_ns, serve
from nicmodel.loader import fetch
from nicmodel.profile import CardProfile

LOAD_REPORT: Final = np.dtype(
    [
        ("time_ns", "i8"),
        ("handle", "i4"),
        ("loaded", "u1"),  # 0: refused
    ],
    align=True,
)

LOADER: Final = np.dtype(
    [
        ("ring_ns", "i8"),  # from when on the next entry of the command ring is taken
        ("load_latency_ns", "i8"),
        ("slots_max", "i8"),
        ("slots_used", "i8"),
        ("first_report", "i8"),  # in the ring of reports
        ("reports", "i8"),  # how many wait there
        ("freeing", "i8"),  # slots whose SA is draining, with nobody to follow
        ("waits_when_full", "u1"),
        ("blocks_engine", "u1"),
    ],
    align=True,
)

_NO_STALLS: Final = np.zeros(0, STALL)


class FlawlessCard(NamedTuple):
    """The arrays, passed together to every function here."""

    last_finish_ns: npt.NDArray[np.int64]  # (handles,)
    engine: npt.NDArray[np.void]  # (1,) of ENGINE
    finishes_ns: npt.NDArray[np.int64]  # the engine's ring of last finishes
    stalls: npt.NDArray[np.void]  # none
    units_free_ns: npt.NDArray[np.int64]  # fetch units
    taken_ns: npt.NDArray[np.int64]  # ends of the last loads, one per place of units and queue
    freeing_ns: npt.NDArray[np.int64]  # (slots,): when slots become free that nobody takes over
    reports: npt.NDArray[np.void]  # ring of LOAD_REPORT, in the order of time
    loader: npt.NDArray[np.void]  # (1,) of LOADER


def flawless_card(profile: CardProfile, handles: int, loads_outstanding_max: int) -> FlawlessCard:
    """An empty card for handles below ``handles`` and that many loads unanswered at once."""
    assert profile.load_latency_distribution == "fixed", "chance belongs to faults"
    # Its functions name fields as attributes, which without the compiler only these records have.
    engine = np.zeros(1, ENGINE).view(np.recarray)
    engine["packet_ps"] = round(profile.engine_packet_ns * 1000)
    engine["byte_ps"] = round(profile.engine_byte_ns * 1000)
    loader = np.zeros(1, LOADER)
    loader["load_latency_ns"] = profile.load_latency_ns
    loader["slots_max"] = profile.slots_max
    loader["waits_when_full"] = profile.load_full == "wait"
    loader["blocks_engine"] = profile.load_blocks_engine
    return FlawlessCard(
        np.zeros(handles, np.int64),
        engine,
        np.zeros(profile.engine_queue_packets_max, np.int64),
        _NO_STALLS,
        np.zeros(profile.loads_at_once, np.int64),
        np.zeros(profile.loads_at_once + profile.load_queue_max, np.int64),
        np.zeros(max(1, profile.slots_max), np.int64),
        np.zeros(max(1, loads_outstanding_max), LOAD_REPORT),
        loader,
    )


@njit(cache=True)
def open_ring(card: FlawlessCard, now_ns: int) -> int:
    """When the card takes packets that are handed over at ``now_ns``."""
    loader = card.loader[0]
    taken_ns = max(now_ns, loader["ring_ns"], room_ns(card.engine, card.finishes_ns))
    loader["ring_ns"] = taken_ns
    return int(taken_ns)


@njit(cache=True)
def encrypt(card: FlawlessCard, handle: int, length_bytes: int, taken_ns: int) -> int:
    """Serve a packet of a RESIDENT handle, taken at ``taken_ns``; returns when it leaves, in ns."""
    finish_ns: int = serve(card.engine, card.finishes_ns, card.stalls, length_bytes, taken_ns)
    card.last_finish_ns[handle] = finish_ns
    return finish_ns


@njit(cache=True)
def load(card: FlawlessCard, handle: int, victim: int, now_ns: int) -> int:
    """Load ``handle`` in place of the RESIDENT ``victim`` (-1: into a free slot).

    Returns when it will be done, in ns, or -1 if the card refuses; either way it is reported. The
    victim of a refused load is evicted all the same.
    """
    loader = card.loader[0]
    now_ns = max(now_ns, loader["ring_ns"])
    place = np.argmin(card.taken_ns)
    if loader["waits_when_full"]:
        now_ns = max(now_ns, card.taken_ns[place])
    loader["ring_ns"] = now_ns
    _free_slots(card, now_ns)
    if card.last_finish_ns[handle] > now_ns or (
        victim < 0 and loader["slots_used"] == loader["slots_max"]
    ):
        if victim >= 0:
            card.freeing_ns[loader["freeing"]] = max(now_ns, card.last_finish_ns[victim])
            loader["freeing"] += 1
        _report(card, handle, now_ns, False)
        return -1
    ready_ns = now_ns
    if victim >= 0:
        ready_ns = max(now_ns, card.last_finish_ns[victim])
    else:
        loader["slots_used"] += 1
    latency_ns = loader["load_latency_ns"]
    if loader["blocks_engine"]:
        ready_ns = max(ready_ns, drained_ns(card.engine, card.finishes_ns))
    started_ns = fetch(card.units_free_ns, ready_ns, latency_ns)
    done_ns: int = started_ns + latency_ns
    if loader["blocks_engine"]:
        block(card.engine, done_ns)
    card.taken_ns[place] = done_ns
    _report(card, handle, done_ns, True)
    return done_ns


@njit(cache=True)
def next_report_ns(card: FlawlessCard) -> int:
    """When the next report is due; the greatest time there is if none is to come."""
    loader = card.loader[0]
    if loader["reports"] == 0:
        return 0x7FFF_FFFF_FFFF_FFFF
    return int(card.reports[loader["first_report"]]["time_ns"])


@njit(cache=True)
def take_report(card: FlawlessCard) -> tuple[int, bool]:
    """The next report: handle, and whether it is loaded; there must be one."""
    loader = card.loader[0]
    report = card.reports[loader["first_report"]]
    loader["first_report"] = (loader["first_report"] + 1) % len(card.reports)
    loader["reports"] -= 1
    return int(report["handle"]), bool(report["loaded"])


@njit(cache=True)
def _report(card: FlawlessCard, handle: int, time_ns: int, loaded: bool) -> None:
    """Put a report behind all that are not later; mostly that is the end."""
    loader = card.loader[0]
    assert loader["reports"] < len(card.reports)
    place = loader["first_report"] + loader["reports"]
    while place > loader["first_report"]:
        before = card.reports[(place - 1) % len(card.reports)]
        if before["time_ns"] <= time_ns:
            break
        card.reports[place % len(card.reports)] = before
        place -= 1
    report = card.reports[place % len(card.reports)]
    report["time_ns"] = time_ns
    report["handle"] = handle
    report["loaded"] = loaded
    loader["reports"] += 1


@njit(cache=True)
def _free_slots(card: FlawlessCard, now_ns: int) -> None:
    loader = card.loader[0]
    waiting = 0
    for number in range(loader["freeing"]):
        if card.freeing_ns[number] > now_ns:
            card.freeing_ns[waiting] = card.freeing_ns[number]
            waiting += 1
        else:
            loader["slots_used"] -= 1
    loader["freeing"] = waiting
