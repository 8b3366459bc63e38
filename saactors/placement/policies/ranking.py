"""The SAs of greatest key, found in one pass: what a review ranks its candidates with.

As many as are wanted are kept in a min-heap over the table's ghosts, which a rule that remembers
nobody has no other use for; whoever beats the least of them takes its place. A pass over n SAs that
keeps k costs O(n) and O(log k) more for each that gets in. ``sort`` then turns the heap into a
ranking, in place. Among equal keys the lower SA comes first.
"""

from __future__ import annotations

from saactors.model.compiled import compiled
from saactors.placement.seats import Table


@compiled
def offer(table: Table, kept: int, most: int, sa: int, key: float) -> int:
    """Keep ``sa`` if it is among the ``most`` greatest; returns how many are kept.

    ``most`` is at most the slots of the card.
    """
    base = table.ledger[0]["card_slots"]
    if kept < most:
        table.seats[base + kept]["key"] = key
        table.seats[base + kept]["sa"] = sa
        _sift_up(table, kept)
        return kept + 1
    if most > 0:
        least = table.seats[base]
        if key > least["key"] or (key == least["key"] and sa < least["sa"]):
            least["key"] = key
            least["sa"] = sa
            _sift_down(table, kept, 0)
    return kept


@compiled
def sort(table: Table, kept: int) -> None:
    """Order those that are kept, the greatest first."""
    for last in range(kept - 1, 0, -1):
        _swap(table, 0, last)
        _sift_down(table, last, 0)


@compiled
def ranked(table: Table, rank: int) -> int:
    """The SA of that rank, from 0 on."""
    return int(table.seats[table.ledger[0]["card_slots"] + rank]["sa"])


@compiled
def _sift_up(table: Table, index: int) -> None:
    while index > 0 and _is_lower(table, index, (index - 1) // 2):
        _swap(table, index, (index - 1) // 2)
        index = (index - 1) // 2


@compiled
def _sift_down(table: Table, kept: int, index: int) -> None:
    while 2 * index + 1 < kept:
        child = 2 * index + 1
        if child + 1 < kept and _is_lower(table, child + 1, child):
            child += 1
        if not _is_lower(table, child, index):
            return
        _swap(table, index, child)
        index = child


@compiled
def _is_lower(table: Table, one: int, other: int) -> bool:
    base = table.ledger[0]["card_slots"]
    a, b = table.seats[base + one], table.seats[base + other]
    return bool(a["key"] < b["key"] or (a["key"] == b["key"] and a["sa"] > b["sa"]))


@compiled
def _swap(table: Table, one: int, other: int) -> None:
    base = table.ledger[0]["card_slots"]
    a, b = table.seats[base + one], table.seats[base + other]
    key, sa = a["key"], a["sa"]
    a["key"], a["sa"] = b["key"], b["sa"]
    b["key"], b["sa"] = key, sa
