"""Saving against slots as a table: what the terminal and the page both show."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from saactors.lab.comparison_tables import Told, certainty
from saactors.lab.sizing import Sizing
from saactors.observe.units import count, duration, percent
from saactors.report.tables import Column, Table

LEGEND: Final = MappingProxyType(
    {
        "slots": "of the card; savings are host time, in % of all in software",
        "optimum": "what it certainly saves",
        "mark": "whose slots these are, or the knee, where a slot earns what slots earn on average "
        "once every SA that is worth a load has one",
    }
)


def told(found: Sizing) -> Told:
    """A row per number of slots, a column per rule."""
    columns = (
        Column("slots"),
        Column("of SAs", optional=True),
        Column("optimum"),
        *(Column(rule, optional=True) for rule in found.curves),
        Column("mark", number=False),
    )
    rows = []
    for place, (slots, best) in enumerate(found.optima.items()):
        savings_ns = [curve[place].saving_ns for curve in found.curves.values()]
        shares = [share_of(found, ns) for ns in (found.never_ns - best.upper_ns, *savings_ns)]
        of_sas = f"{100 * slots / found.sas:.3g} %" if found.sas else ""
        marks = ", ".join(found.marks.get(slots, []))
        rows.append((f"{slots:,}", of_sas, *map(_percent, shares), marks))
    return Told(Table(title(found), columns, tuple(rows)), note(found))


def title(found: Sizing) -> str:
    """Which trace on which card."""
    return f"{found.trace} on {found.profile}, by slots"


def note(found: Sizing) -> str:
    """How large the trace is, and where the knees are."""
    gap = max((best.gap for best in found.optima.values()), default=0.0)
    certified = certainty(gap)
    size = (
        f"{count(found.packets)} packets of {count(found.sas)} SAs, "
        f"{count(found.sas_worth_a_load)} of them worth a load; all in software takes "
        f"{duration(found.never_ns)}; the optimum is {certified}."
    )
    if found.knee is None:
        return f"{size} There is nothing to save."
    knees = [f"{rule} {found.rule_knee(rule):,}" for rule in found.curves if found.rule_knee(rule)]
    of_rules = f" ({', '.join(knees)})" if knees else ""
    return f"{size} The knee is at {found.knee:,} slots{of_rules}."


def share_of(found: Sizing, saving_ns: float) -> float:
    """Of the host time that all in software takes."""
    return saving_ns / found.never_ns if found.never_ns else 0.0


def _percent(share: float) -> str:
    """Without the sign of a loss too small to show."""
    return percent(round(share, 3) + 0.0)
