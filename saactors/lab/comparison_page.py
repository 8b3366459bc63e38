"""The page of a comparison: the figures, the plots, the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from saactors.lab.comparison_charts import charts, rules_by_saving
from saactors.lab.comparison_tables import LEGEND, certainty, saving_text, told
from saactors.lab.outcome import Outcome
from saactors.lab.page import Figure, Page, write_page
from saactors.lab.standings import Group, Mean, groups_of, mean_of
from saactors.observe.units import count, percent


def write_comparison_page(outcomes: Sequence[Outcome], path: str | Path) -> None:
    """Write the page to ``path``; raises ``OutputError``."""
    write_page(page_of(outcomes), path)


def page_of(outcomes: Sequence[Outcome]) -> Page:
    """The page of at least one outcome."""
    groups = groups_of(outcomes)
    traces = list(dict.fromkeys(group.first.trace for group in groups))
    profile, seeds = groups[0].first.profile, max(group.seeds for group in groups)
    runs = f", {seeds} seeds" if seeds > 1 else ""
    return Page(
        command="compare",
        heading=f"Placement rules on {', '.join(traces[:3])}{' and more' * (len(traces) > 3)}",
        setting=f"{len(groups[0].standings)} rules on the card {profile}{runs}",
        figures=list(_figures(groups, outcomes)),
        charts=list(charts(groups)),
        tables=[told(group) for group in groups],
        legend=LEGEND,
    )


def _figures(groups: Sequence[Group], outcomes: Sequence[Outcome]) -> Iterator[Figure]:
    rule = rules_by_saving(groups)[-1]
    among = f"in the mean over {len(groups)} traces and slots" if len(groups) > 1 else "of all run"
    yield Figure("Saves most", rule, among)
    standings = [one for group in groups for one in group.standings if one.rule == rule]
    known = [one.saving for one in standings if one.saving is not None]
    if known:
        mean = known[0] if len(known) == 1 else mean_of([saving.value for saving in known])
        worst = f"; {saving_text(min(known, key=_value))} at worst" if len(known) > 1 else ""
        yield Figure("Saving", saving_text(Mean(mean.value)), f"of the achievable{worst}")
        judged = [(one.optimum, one) for one in outcomes if one.optimum and one.never_ns]
        shares = [1 - best.lower_ns / one.never_ns for best, one in judged]
        gap = max(best.gap for best, _ in judged)
        note = f"of all in software, at most; {certainty(gap)}"
        yield Figure("Achievable", percent(max(shares)), note)
    packets, wall_s = (
        sum(getattr(one, name) for one in outcomes) for name in ("packets", "wall_s")
    )
    speed = count(float(f"{packets / wall_s:.3g}")) if wall_s else "0"
    yield Figure("Packets placed", count(packets), f"{speed}/s, rules' own time")


def _value(saving: Mean) -> float:
    return saving.value
