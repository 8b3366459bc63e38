"""A comparison as text in tables: what the terminal and the page both show."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple

from saactors.lab.outcome import Outcome
from saactors.lab.standings import Group, Mean, Standing, mean_of
from saactors.observe.units import count, duration, percent
from saactors.report.tables import Column, Table

COLUMNS: Final = (
    Column("rule", number=False),
    Column("saving"),
    Column("offloaded", optional=True),
    Column("bytes", optional=True),
    Column("loads/s", optional=True),
    Column("wasted", optional=True),
    Column("p99", optional=True),
    Column("loading", optional=True),
    Column("busiest", optional=True),
    Column("packets/s", optional=True),
)

_EXACT_GAP: Final = 1e-9  # below that, sums of floats differ

LEGEND: Final = MappingProxyType(
    {
        "saving": "of what could be saved, between never and the optimum",
        "offloaded": "packets on the card",
        "wasted": "loads that saved less than they cost",
        "p99": "latency from arrival to the end of crypto",
        "loading": "packets in software while their SA was loading",
        "busiest": "of one core, by the busiest SA in software",
        "packets/s": "of the run itself",
    }
)


class Told(NamedTuple):
    """A table with a sentence about it."""

    table: Table
    note: str


def told(group: Group) -> Told:
    """The group's table, the best rule first, and what the optimum is."""
    rows = tuple(_row(standing) for standing in group.standings)
    return Told(Table(title(group), COLUMNS, rows), note(group))


def title(group: Group) -> str:
    """Which trace on which card."""
    return f"{group.first.trace} on {group.first.profile} with {slots_text(group)}"


def slots_text(group: Group) -> str:
    """33 slots; of a share of the SAs also what it comes to, if that is the same for all seeds."""
    slots, wanted = f"{count(group.first.slots)} slots", group.first.slots_wanted or ""
    if not wanted.endswith("%"):
        return slots
    return f"slots for {wanted} of the SAs" if group.seeds > 1 else f"{slots} ({wanted})"


def note(group: Group) -> str:
    """How large the trace is, and what could be saved on it at best."""
    first, optima = group.first, group.optima
    runs = f", the first of {group.seeds} seeds" if group.seeds > 1 else ""
    size = (
        f"{count(first.packets)} packets of {count(first.sas)} SAs in "
        f"{duration(first.duration_ns)}{runs}"
    )
    if not optima or not first.never_ns:
        return f"{size}."
    shares = [
        1 - best.lower_ns / outcome.never_ns
        for best, outcome in zip(optima, group.standings[0].outcomes, strict=True)
        if outcome.never_ns
    ]
    gap = max(best.gap for best in optima)
    certified = certainty(gap)
    return (
        f"{size}. All in software takes {duration(first.never_ns)}; the optimum "
        f"({optima[0].kind}) saves {percent(mean_of(shares).value)} of it, {certified}."
    )


def _row(standing: Standing) -> tuple[str, ...]:
    loads = standing.mean(lambda one: one.loads).value
    wasted = standing.mean(lambda one: one.wasted_loads).value
    figures = standing.mean
    return (
        standing.rule,
        saving_text(standing.saving),
        percent(figures(lambda one: one.offload_packets).value),
        percent(figures(lambda one: one.offload_bytes).value),
        count(_three_digits(figures(lambda one: one.loads_per_s).value)),
        percent(wasted / loads) if loads else "",
        duration(figures(lambda one: one.latency_p99_ns).value),
        count(round(figures(lambda one: one.bypassed_loading).value)),
        percent(figures(_busiest).value),
        count(_three_digits(figures(lambda one: one.packets_per_s).value)),
    )


def certainty(gap: float) -> str:
    """How sure the optimum is, from its gap."""
    return "exact" if gap < _EXACT_GAP else f"certified to {100 * gap:.2g} %"


def saving_text(saving: Mean | None) -> str:
    """93.1 %, with its interval where there is one."""
    if saving is None:
        return "nothing to save"
    if saving.half_width is None:
        return f"{saving.value:,.1f} %"
    return f"{saving.value:,.1f} ± {saving.half_width:,.1f} %"


def _busiest(outcome: Outcome) -> float:
    return outcome.busiest_software_load


def _three_digits(value: float) -> float:
    """250.29146 → 250, so that a rate is read at a glance."""
    return float(f"{value:.3g}")
