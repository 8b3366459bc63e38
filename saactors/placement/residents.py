"""Which SAs the card holds or is loading, and which of them has earned least; compiled.

**Slots.** One array stands for the card's slots. Residents fill it from the left and form a binary
min-heap; loads under way fill it from the right; what lies between is free. ``place`` says where in
it an SA stands, so nothing is ever searched for.

**Order under decay.** Metrics decay at every tick, yet nobody walks over them: a slot keeps the
metric as of the tick at which it was last set, and what it is worth now is worked out when asked
for (``decayed``). The heap is ordered by a key that decay leaves alone:

    by factor:  key = metric * factor ^ -(tick - base)     all metrics shrink alike
    by amount:  key = metric + amount * (tick - base)      all metrics sink alike

Keys drift from the metrics with the distance from ``base``; before they overflow or lose digits,
all are made afresh from a later base (``Decay.rebase_ticks``).

**A lazy heap.** A resident's packets only raise its key, and nobody asks for the order until a
newcomer challenges the lowest. So ``refresh`` leaves the key in the heap as it is, a lower bound;
``find_lowest`` brings the root's up to date until the root's is true, and then it is the least of
all, for every other key is at least its bound. A resident's packet costs O(1), and what it did to
the order at most O(log slots) later; a tick costs O(1); a comparison reads the root.

**Ties.** Equal keys are ordered by SA index. Two residents that decay by amount has brought to 0
are still told apart by their keys: the one that got there first is the lower.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled
from saactors.placement.routing import ABSENT, LOADING, RESIDENT, Record

SLOT: Final = np.dtype(
    [
        ("key", "f8"),  # at most the key of ``metric``; meaningless while loading
        ("metric", "f8"),  # as of ``tick``
        ("tick", "i8"),
        ("sa", "i4"),
    ],
    align=True,
)

LEDGER: Final = np.dtype(
    [
        ("residents", "i8"),  # how many
        ("loading", "i8"),  # how many
        ("loading_max", "i8"),
        ("tick", "i8"),  # now
        ("base", "i8"),  # the tick at which a key equals its metric
        ("gain", "f8"),  # a metric as of now has the key metric * gain + lift
        ("lift", "f8"),
    ],
    align=True,
)


class Residents(NamedTuple):
    """The arrays, passed together to every function here."""

    residency: npt.NDArray[np.uint8]  # (SAs,): ABSENT, LOADING or RESIDENT
    place: npt.NDArray[np.int32]  # (SAs,): index in ``slots`` unless ABSENT
    slots: npt.NDArray[np.void]  # (card slots,) of SLOT
    ledger: npt.NDArray[np.void]  # (1,) of LEDGER


def empty_residents(card_slots: int, loading_max: int) -> Residents:
    """A card that holds nothing yet, and no SA known."""
    ledger = np.zeros(1, LEDGER)
    ledger["loading_max"] = loading_max
    ledger["gain"] = 1.0
    return Residents(
        np.zeros(0, np.uint8), np.zeros(0, np.int32), np.zeros(card_slots, SLOT), ledger
    )


@compiled
def decayed(settings: Record, metric: float, ticks: int) -> float:
    """What a metric is worth ``ticks`` later."""
    if ticks == 0:
        return metric
    left: float = metric * settings["decay_factor"] ** ticks - settings["decay_amount"] * ticks
    return max(0.0, left)


@compiled
def find_lowest(residents: Residents, settings: Record) -> float:
    """Bring the lowest resident to the root; returns its metric now. There must be a resident."""
    ledger = residents.ledger[0]
    root = residents.slots[0]
    while True:
        key = _key(settings, root, ledger["base"])
        if key == root["key"]:
            return decayed(settings, root["metric"], ledger["tick"] - root["tick"])
        root["key"] = key
        _sift_down(residents, 0)


@compiled
def refresh(residents: Residents, sa: int, metric: float) -> None:
    """Take over the metric that an SA on the card, or on its way there, has as of now."""
    ledger = residents.ledger[0]
    slot = residents.slots[residents.place[sa]]
    slot["metric"] = metric
    slot["tick"] = ledger["tick"]
    key = metric * ledger["gain"] + ledger["lift"]
    # Only rounding makes a key lower than it was, and then the bound must go down with it.
    if key < slot["key"] and residents.residency[sa] == RESIDENT:
        slot["key"] = key
        _sift_up(residents, residents.place[sa])


@compiled
def begin_load(residents: Residents, sa: int, metric: float, victim: int) -> None:
    """Give the ABSENT ``sa`` a slot: that of ``victim``, found lowest just now, or a free one."""
    ledger = residents.ledger[0]
    if victim >= 0:
        assert residents.slots[0]["sa"] == victim
        residents.residency[victim] = ABSENT
        ledger["residents"] -= 1
        _move(residents, ledger["residents"], 0)
        _sift_down(residents, 0)
    ledger["loading"] += 1
    place = len(residents.slots) - ledger["loading"]
    slot = residents.slots[place]
    slot["sa"] = sa
    slot["metric"] = metric
    slot["tick"] = ledger["tick"]
    residents.place[sa] = place
    residents.residency[sa] = LOADING


@compiled
def end_load(residents: Residents, settings: Record, sa: int, loaded: bool) -> None:
    """The card has answered the load of ``sa``: it holds the SA from now on, or it does not."""
    assert residents.residency[sa] == LOADING
    ledger = residents.ledger[0]
    slot = residents.slots[residents.place[sa]]
    metric = decayed(settings, slot["metric"], ledger["tick"] - slot["tick"]) + settings["bonus"]
    _move(residents, len(residents.slots) - ledger["loading"], residents.place[sa])
    ledger["loading"] -= 1
    residents.residency[sa] = ABSENT
    if loaded:
        enter(residents, sa, metric)


@compiled
def enter(residents: Residents, sa: int, metric: float) -> None:
    """Let the ABSENT ``sa`` be RESIDENT in a free slot, with the metric that it has as of now."""
    ledger = residents.ledger[0]
    place = ledger["residents"]
    ledger["residents"] += 1
    residents.slots[place]["sa"] = sa
    residents.slots[place]["key"] = np.inf
    residents.place[sa] = place
    residents.residency[sa] = RESIDENT
    refresh(residents, sa, metric)


@compiled
def leave(residents: Residents, sa: int) -> None:
    """Make a RESIDENT SA ABSENT, wherever it stands in the order."""
    ledger = residents.ledger[0]
    assert residents.residency[sa] == RESIDENT
    place = residents.place[sa]
    residents.residency[sa] = ABSENT
    ledger["residents"] -= 1
    if place < ledger["residents"]:
        _move(residents, ledger["residents"], place)
        _sift_down(residents, place)
        _sift_up(residents, place)


def with_slots(residents: Residents, slots: int) -> Residents:
    """The same on so many slots, in which all residents and loads under way must find room."""
    count, loading = (int(residents.ledger[name][0]) for name in ("residents", "loading"))
    assert count + loading <= slots
    fewer = np.zeros(slots, SLOT)
    fewer[:count] = residents.slots[:count]
    fewer[slots - loading :] = residents.slots[len(residents.slots) - loading :]
    residents.place[fewer["sa"][slots - loading :]] = np.arange(slots - loading, slots)
    return residents._replace(slots=fewer)


@compiled
def forget_residents(residents: Residents) -> None:
    """Make every RESIDENT SA ABSENT; loads under way stay."""
    ledger = residents.ledger[0]
    for place in range(ledger["residents"]):
        residents.residency[residents.slots[place]["sa"]] = ABSENT
    ledger["residents"] = 0


@compiled
def advance(residents: Residents, settings: Record, tick: int) -> None:
    """Go on to ``tick``, which is never in the past."""
    ledger = residents.ledger[0]
    ticks = tick - ledger["base"]
    if tick == ledger["tick"]:
        return
    assert tick > ledger["tick"]
    ledger["tick"] = tick
    if ticks > settings["rebase_ticks"]:
        rebase(residents, settings)
    else:
        ledger["gain"] = settings["decay_factor"] ** -ticks
        ledger["lift"] = settings["decay_amount"] * ticks


@compiled
def rebase(residents: Residents, settings: Record) -> None:
    """Make every key afresh so that a metric as of now is its own key."""
    ledger = residents.ledger[0]
    ledger["base"] = ledger["tick"]
    ledger["gain"] = 1.0
    ledger["lift"] = 0.0
    for place in range(ledger["residents"]):
        slot = residents.slots[place]
        slot["key"] = _key(settings, slot, ledger["base"])
    for place in range(ledger["residents"] // 2 - 1, -1, -1):
        _sift_down(residents, place)


@compiled
def settle(residents: Residents, settings: Record) -> None:
    """Bring every metric up to now, so that from here on it may decay by other settings."""
    ledger = residents.ledger[0]
    for place in range(len(residents.slots)):
        slot = residents.slots[place]
        slot["metric"] = decayed(settings, slot["metric"], ledger["tick"] - slot["tick"])
        slot["tick"] = ledger["tick"]


@compiled
def _key(settings: Record, slot: Record, base: int) -> float:
    ticks = slot["tick"] - base
    gain, lift = settings["decay_factor"] ** -ticks, settings["decay_amount"] * ticks
    return float(slot["metric"] * gain + lift)


@compiled
def _sift_up(residents: Residents, place: int) -> None:
    while place > 0 and _is_lower(residents, place, (place - 1) // 2):
        _swap(residents, place, (place - 1) // 2)
        place = (place - 1) // 2


@compiled
def _sift_down(residents: Residents, place: int) -> None:
    count = residents.ledger[0]["residents"]
    while 2 * place + 1 < count:
        child = 2 * place + 1
        if child + 1 < count and _is_lower(residents, child + 1, child):
            child += 1
        if not _is_lower(residents, child, place):
            return
        _swap(residents, place, child)
        place = child


@compiled
def _is_lower(residents: Residents, one: int, other: int) -> bool:
    a = residents.slots[one]
    b = residents.slots[other]
    return bool(a["key"] < b["key"] or (a["key"] == b["key"] and a["sa"] < b["sa"]))


@compiled
def _swap(residents: Residents, one: int, other: int) -> None:
    a = residents.slots[one]
    key, metric, tick, sa = a["key"], a["metric"], a["tick"], a["sa"]
    _move(residents, other, one)
    b = residents.slots[other]
    b["key"], b["metric"], b["tick"], b["sa"] = key, metric, tick, sa
    residents.place[sa] = other


@compiled
def _move(residents: Residents, source: int, target: int) -> None:
    residents.slots[target] = residents.slots[source]
    residents.place[residents.slots[target]["sa"]] = target
