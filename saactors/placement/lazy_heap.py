"""A min-heap of seats whose keys mostly rise, so that a packet costs O(1).

The heap orders lower bounds. A resident's packets raise its seat's ``key`` and leave the bound
alone; ``lowest_place`` brings the root's bound up to its key until the root's is true, and then it
is the least of all, for every key is at least its bound. Equal keys are ordered by SA. A rule that
lowers keys has to ``rebuild``.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from saactors.model.compiled import compiled
from saactors.placement.seats import NOWHERE, Table

BOUND: Final = np.dtype([("bound", "f8"), ("sa", "i4"), ("place", "i4")], align=True)

# How many residents the heap holds is a rule's last own number.
_LENGTH: Final = -1


@compiled
def lowest_place(table: Table) -> int:
    """The seat of least key, or NOWHERE."""
    if table.own[_LENGTH] == 0:
        return NOWHERE
    root = table.heap[0]
    while True:
        key = table.seats[root["place"]]["key"]
        if key == root["bound"]:
            return int(root["place"])
        root["bound"] = key
        _sift_down(table, 0)


@compiled
def push(table: Table, place: int) -> None:
    """Enter a seat with its key."""
    index = int(table.own[_LENGTH])
    table.own[_LENGTH] = index + 1
    entry = table.heap[index]
    entry["bound"] = table.seats[place]["key"]
    entry["sa"] = table.seats[place]["sa"]
    entry["place"] = place
    _sift_up(table, index)


@compiled
def drop(table: Table, place: int) -> None:
    """Take out a seat: at once if it is the lowest, else by a search (a reset, a removal)."""
    length = int(table.own[_LENGTH])
    index = 0
    while table.heap[index]["place"] != place:
        index += 1
    last = table.heap[length - 1]
    entry = table.heap[index]
    entry["bound"], entry["sa"], entry["place"] = last["bound"], last["sa"], last["place"]
    table.own[_LENGTH] = length - 1
    if index < length - 1:
        _sift_down(table, index)
        _sift_up(table, index)


@compiled
def rebuild(table: Table) -> None:
    """Order the heap afresh by the keys as they are; for a rule that has changed them all."""
    length = int(table.own[_LENGTH])
    for index in range(length):
        table.heap[index]["bound"] = table.seats[table.heap[index]["place"]]["key"]
    for index in range(length // 2 - 1, -1, -1):
        _sift_down(table, index)


@compiled
def _sift_up(table: Table, index: int) -> None:
    while index > 0 and _is_lower(table, index, (index - 1) // 2):
        _swap(table, index, (index - 1) // 2)
        index = (index - 1) // 2


@compiled
def _sift_down(table: Table, index: int) -> None:
    length = int(table.own[_LENGTH])
    while 2 * index + 1 < length:
        child = 2 * index + 1
        if child + 1 < length and _is_lower(table, child + 1, child):
            child += 1
        if not _is_lower(table, child, index):
            return
        _swap(table, index, child)
        index = child


@compiled
def _is_lower(table: Table, one: int, other: int) -> bool:
    a = table.heap[one]
    b = table.heap[other]
    return bool(a["bound"] < b["bound"] or (a["bound"] == b["bound"] and a["sa"] < b["sa"]))


@compiled
def _swap(table: Table, one: int, other: int) -> None:
    a = table.heap[one]
    b = table.heap[other]
    bound, sa, place = a["bound"], a["sa"], a["place"]
    a["bound"], a["sa"], a["place"] = b["bound"], b["sa"], b["place"]
    b["bound"], b["sa"], b["place"] = bound, sa, place
