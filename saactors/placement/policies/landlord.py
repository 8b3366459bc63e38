"""Landlord with bypassing: residents pay rent for what newcomers miss.

File caching as an online problem: a file may be fetched at a cost or, here, passed by at a smaller
one, the packet's lost saving (Young, "On-line File Caching", Algorithmica 33, 2002, without
bypassing; Epstein, Imreh, Levin, Nagy-György, "Online File Caching with Rejection Penalties",
Algorithmica 71, 2015, with it). Both raise dual variables until a constraint is tight, and that
reads like this:

- A resident's **credit** is the load cost when it is loaded, and again with each of its packets.
- Whenever an SA that is not on the card loses a saving, that much is put on its **account**, and
  every resident pays as much **rent** from its credit. (While a seat is free nobody pays.)
- An account that has reached the load cost buys a load, as soon as some resident has no credit
  left; that one goes. Until then packets are passed by and accounts and rents go on.

So an account is the ski-rental gate, and a credit protects a resident for as long as others
together have not lost a load's worth since its last packet.

**One list.** As every load costs the same, rent is one sum for all, and a credit lasts until that
sum has grown by the load cost since the resident's last packet. So credits stand in the order of
last packets: a list in that order (LRU) finds the lowest without a heap.
"""

from __future__ import annotations

from typing import Final

from saactors.model.compiled import compiled
from saactors.placement.policies.lru import RECENT, left
from saactors.placement.policies.lru import victim as silent_for_longest
from saactors.placement.policy import Policy, free_seat
from saactors.placement.seats import NOWHERE, Table, link_first, move_first, saving_ns

_RENT_NS: Final = 0  # own number: what each seat has had to pay so far


@compiled
def renew(table: Table, place: int) -> None:
    """The key of a seat is the rent at which its credit is used up."""
    table.seats[place]["key"] = table.own[_RENT_NS] + table.settings[0]["load_host_ns"]


@compiled
def touch(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """Full credit again, and the most recent."""
    place = table.standings[sa]["place"]
    renew(table, place)
    move_first(table, RECENT, place)


@compiled
def wants(table: Table, sa: int, length_bytes: int, _now_ns: int) -> bool:
    """Book what it misses; whether it can buy and someone's credit is used up."""
    standing = table.standings[sa]
    missed_ns = saving_ns(table, length_bytes)
    standing["earned"] += missed_ns
    can_buy = standing["earned"] >= table.settings[0]["load_host_ns"] and standing["earned"] > 0
    if free_seat(table) != NOWHERE:
        return bool(can_buy)
    table.own[_RENT_NS] += missed_ns
    place = table.lists[RECENT]["last"]
    return bool(can_buy and place != NOWHERE and table.seats[place]["key"] <= table.own[_RENT_NS])


@compiled
def entered(table: Table, place: int) -> None:
    """With full credit."""
    renew(table, place)
    link_first(table, RECENT, place)


LANDLORD: Final = Policy(touch, silent_for_longest, entered, left, wants)
