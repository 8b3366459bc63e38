# ruff: noqa: INP001 - a rule of one's own is found by its path, in no package
"""CLOCK with counters: of two residents the one that has sent less lately is replaced.

Residents stand in a circle. A packet of a resident adds one to its count, up to ``chances``. Where
a newcomer needs a seat, a hand goes round: whoever has a count of zero gives up the seat, anybody
else pays one of the count for another round.

Which packets ask for a load is not decided here but by the gate: an SA is loaded once the savings
that it has missed reach what a load costs. Without that any rule of this kind loads far too much.

    saactors compare demo/traffic.pcap.gz --rules metric,examples/rules/frequent.py:frequent
    saactors rules check examples/rules/frequent.py:frequent
"""

from __future__ import annotations

from dataclasses import dataclass

from saactors.model.compiled import compiled
from saactors.placement.entry import policy_entry
from saactors.placement.policy import Policy
from saactors.placement.policy_parameters import GatedParameters, number
from saactors.placement.seats import FIRST_OWN_LIST, NOWHERE, Table, link_first, unlink

# A rule's own list of seats. The last of it is under the hand; whoever is spared goes to the front.
CIRCLE = FIRST_OWN_LIST


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequentParameters(GatedParameters):
    """``GatedParameters`` brings the gate; a rule without one takes ``PolicyParameters``."""

    chances: int = number(
        3, "rounds", "two bits of a counter are enough for most caches", least=1, most=255
    )


# Compiled functions see the module's numbers and other compiled functions, and nothing else of it.
@compiled
def touch(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """A packet of an SA on the card counts, up to the limit."""
    seat = table.seats[table.standings[sa]["place"]]
    if seat["count"] < table.settings[0]["chances"]:
        seat["count"] += 1


@compiled
def victim(table: Table, _sa: int, _now_ns: int) -> int:
    """Turn the circle until somebody has no chance left; every turn takes one from each."""
    place = table.lists[CIRCLE]["last"]
    while place != NOWHERE and table.seats[place]["count"] > 0:
        table.seats[place]["count"] -= 1
        unlink(table, CIRCLE, place)
        link_first(table, CIRCLE, place)
        place = table.lists[CIRCLE]["last"]
    return int(place)  # NOWHERE while all are still being loaded: then nobody is replaced


@compiled
def entered(table: Table, place: int) -> None:
    """A newcomer begins at the front, with nothing."""
    table.seats[place]["count"] = 0
    link_first(table, CIRCLE, place)


@compiled
def left(table: Table, place: int) -> None:
    """Whoever goes leaves the circle, also when the card was reset."""
    unlink(table, CIRCLE, place)


frequent = policy_entry(
    "frequent",
    "Loads an SA once the savings it has missed reach the load cost, in place of one\n"
    "that has sent so little that a counter of few chances has run out.",
    "an example; CLOCK with counters",
    Policy(touch=touch, victim=victim, entered=entered, left=left),
    FrequentParameters,
)
