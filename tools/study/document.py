"""The study as a document: ``template.md`` with its ``{{names}}`` replaced by figures and tables.

It is made from results alone: the same results and the same words give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Final

from study import plan, tables
from study.figures import draw_figures
from study.plan import BASE, WORKLOADS
from study.results import (
    OURS,
    Result,
    by_cell,
    cost_of,
    cost_of_best,
    default_rules,
    mean,
    rival_choices,
    saving_of,
    shortfall_of,
    suite_mean,
    suite_ratio,
)
from study.tables import MISS, shown

NAME: Final = "study.md"
TEMPLATE: Final = Path(__file__).with_name("template.md")
FIGURES: Final = {
    "base": "Saving on each workload at the base point: a dot per rule, a bar for hindsight",
    "axes": "Saving over the workloads along load cost, load latency and slots",
    "shortfall": "Points under the best in hindsight, a row per workload, a column per point",
    "memory": "Saving of the metric rule by memory and threshold, a row per workload",
}


def write_document(results: Sequence[Result], docs: Path) -> None:
    """Write the document and its figures."""
    figures = draw_figures(results, docs)
    (docs / NAME).write_text(document(results, figures), encoding="utf-8")


def document(results: Sequence[Result], figures: Sequence[str]) -> str:
    """The document's text; ``figures`` are paths of those that have been drawn."""
    suite = [one for one in results if not one.is_capture]
    captures = [one for one in results if one.is_capture]
    made = _at_base(suite)
    values = {
        **in_short(made, suite),
        **{f"{name}_figure": _figure(figures, name) for name in FIGURES},
        "suite_table": tables.suite_table(_at_base(results)),
        "left_out": _left_out(results),
        "base_table": tables.base_table(made),
        "nothing_table": tables.nothing_table(made),
        "rules_table": tables.rules_table(suite),
        "winners_table": tables.winners_table(suite),
        "counts": counts(suite),
        "missed_table": tables.missed_table(suite),
        "lost_table": tables.lost_table(suite),
        "axes_table": tables.axes_table(suite),
        "fixed_table": tables.fixed_table(suite),
        "captures_table": tables.base_table(_at_base(captures)),
        "captures_nothing_table": tables.nothing_table(_at_base(captures)),
        "captures_missed_table": tables.missed_table(captures),
        "captures_lost_table": tables.lost_table(captures),
        **{f"{rule}_wins_table": tables.wins_table(suite, rule) for rule in plan.GRID_RULES},
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], TEMPLATE.read_text("utf-8"))


def in_short(made: Sequence[Result], suite: Sequence[Result]) -> dict[str, str]:
    """The answers in figures."""
    labels = suite[0].costs
    cost = {label: suite_ratio(suite, cost_of(label)) for label in labels}
    rivals = [name for name in default_rules(labels) if name != OURS]
    rival = min(rivals, key=cost.__getitem__)
    fixed = min(rival_choices(labels), key=cost.__getitem__)
    cells = by_cell(suite)
    worst = max(by_cell(made).values(), key=lambda rows: mean(rows, shortfall_of(OURS)) or 0.0)
    return {
        "ours": OURS,
        "base": shown(suite_mean(made, saving_of(OURS))),
        "base_best": shown(suite_mean(made, Result.best_saving)),
        "choices": str(len(rival_choices(labels))),
        "worst": worst[0].workload,
        "worst_short": shown(mean(worst, shortfall_of(OURS))),
        "cells": str(len(cells)),
        "gap": shown(max(one.gap for one in suite), 2),
        "cost": shown(cost[OURS]),
        "hindsight": shown(suite_ratio(suite, cost_of_best)),
        "rival": rival,
        "rival_cost": shown(cost[rival]),
        "fixed": fixed,
        "fixed_cost": shown(cost[fixed]),
        "miss": f"{MISS:g}",
        "within": str(len(cells) - len(tables.missed(suite))),
        "lost": str(len(tables.lost(suite))),
        "fixed_missed": str(_misses(suite, fixed)),
        "rival_missed": str(_misses(suite, rival)),
    }


def counts(suite: Sequence[Result]) -> str:
    """How the shortfalls are spread."""
    means = [mean(rows, shortfall_of(OURS)) for rows in by_cell(suite).values()]
    shortfalls = [one for one in means if one is not None]
    if not shortfalls:
        return "Nothing can be saved anywhere."
    ahead = sum(one < 0 for one in shortfalls)
    near = sum(0 <= one <= 1 for one in shortfalls)
    far = sum(one > MISS for one in shortfalls)
    return (
        f"Of {len(shortfalls)} cells in which anything can be saved, `{OURS}` is ahead of the\n"
        f"best in hindsight in {ahead}, at most 1 point behind it in {near}, 1 to {MISS:g} points "
        f"in {len(shortfalls) - ahead - near - far}, farther in {far};\nthe mean is "
        f"{shown(fmean(shortfalls))} points behind, the median {shown(median(shortfalls))}."
    )


def _at_base(results: Sequence[Result]) -> list[Result]:
    return [one for one in results if one.point == BASE]


def _misses(suite: Sequence[Result], choice: str) -> int:
    """Cells in which that choice stays too far under the best in hindsight."""
    cells = by_cell(suite).values()
    return sum((mean(rows, shortfall_of(choice)) or 0.0) > MISS for rows in cells)


def _left_out(results: Sequence[Result]) -> str:
    missing = [name for name in WORKLOADS if name not in {one.workload for one in results}]
    return f"**Left out here:** {', '.join(missing)}." if missing else "Nothing is left out."


def _figure(figures: Sequence[str], name: str) -> str:
    found = [path for path in figures if path.endswith(f"-{name}.svg")]
    return "\n".join(f"![{FIGURES[name]}]({path})" for path in found) or "(Not run.)"
