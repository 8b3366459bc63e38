"""The page of a search: how sure it is, the surface around what was chosen, and every trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from saactors.lab.page import Figure, Page, write_page
from saactors.lab.tune_judge import CONFIDENCE_PERCENT, Verdict
from saactors.lab.tune_report import (
    LEGEND,
    analysis_table,
    points,
    share,
    trials_table,
    verdict_lines,
)
from saactors.lab.tune_search import Trial
from saactors.lab.tune_space import Dimension, Value
from saactors.lab.tune_trace import Judged, Surface, Tuning
from saactors.observe.units import count, duration
from saactors.report.charts import Chart, Trace

_CLASSES: Final = 5  # of trials, from the worst to the best fifth
# From little to much saved; the paper's colour to the card's.
_SCALE: Final = [[0, "var(--card)"], [1, "var(--nic)"]]
_ANSWERS: Final = {
    Verdict.BEYOND_DOUBT: ("yes", "beyond doubt, on the held-out part"),
    Verdict.LIKELY: ("maybe", "on the held-out part, not beyond doubt"),
    Verdict.NO_BETTER: ("no", "keep the defaults"),
    Verdict.TOO_LITTLE: ("unknown", "too little held-out traffic to tell"),
}


def write_tuning_page(tuning: Tuning, grid: Surface | None, path: str | Path) -> None:
    """Write the page to ``path``; without ``grid`` it has no surface. Raises ``OutputError``."""
    write_page(page_of(tuning, grid), path)


def page_of(tuning: Tuning, grid: Surface | None) -> Page:
    """The page; without ``grid`` it has no surface."""
    told, *sentences = verdict_lines(tuning)
    charts = [judged_chart(tuning)]
    if grid is not None:
        charts.append(surface_chart(tuning, grid))
    charts.append(trials_chart(tuning))
    return Page(
        command="tune",
        heading=f"The rule {tuning.rule} on {tuning.trace}",
        setting=f"{tuning.card.name} with {count(tuning.card.slots_max)} slots, "
        f"{len(tuning.trials)} trials. {told}",
        figures=_figures(tuning),
        charts=charts,
        tables=[
            (trials_table(tuning), " ".join(sentences)),
            (analysis_table(tuning), "What a load costs against what a packet on the card saves."),
        ],
        legend=LEGEND,
    )


def _figures(tuning: Tuning) -> list[Figure]:
    best = tuning.best.against_defaults
    never_ns = tuning.held_out_never_ns
    low, mean, high = (
        points(value / never_ns if never_ns else 0.0)
        for value in (best.low_ns, best.mean_ns, best.high_ns)
    )
    return [
        Figure("Saved when tuned", share(tuning.best.saved), "of host time, held-out part"),
        Figure("Saved by the defaults", share(tuning.defaults.saved), "there too"),
        Figure("Difference", f"{mean} points", f"{CONFIDENCE_PERCENT} % interval {low} to {high}"),
        Figure("Better than the defaults?", *_ANSWERS[tuning.verdict]),
    ]


def judged_chart(tuning: Tuning) -> Chart:
    """A row per candidate: what it saves more than the defaults, with its interval."""
    judged = list(reversed(tuning.judged))
    names = [_candidate(tuning, each) for each in judged]
    scale = 100 / tuning.held_out_never_ns if tuning.held_out_never_ns else 0.0
    found = [each.against_defaults for each in judged]
    dots: Trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "saved more than the defaults",
        "x": [_six(each.mean_ns * scale) for each in found],
        "y": names,
        "error_x": {
            "type": "data",
            "array": [_six((each.high_ns - each.mean_ns) * scale) for each in found],
            "color": "var(--nic)",
        },
        "marker": {"color": "var(--nic)", "size": 10},
        "hovertemplate": "%{y}: %{x:+.3f} points",
    }
    return Chart(
        "judged",
        "Against the defaults",
        "Held-out host time saved more than the defaults save, in points of what all in software "
        f"takes. All intervals hold together in {CONFIDENCE_PERCENT} of 100 cases; one that "
        "crosses 0 leaves doubt.",
        " ".join(verdict_lines(tuning)),
        [dots],
        {
            "showlegend": False,
            "xaxis": {"title": {"text": "points more than the defaults"}, "zeroline": True},
            "yaxis": {"categoryorder": "array", "categoryarray": names, "type": "category"},
        },
    )


def surface_chart(tuning: Tuning, grid: Surface) -> Chart:
    """What is saved over the two dimensions that matter most."""
    lowest, highest = min(map(min, grid.saved)), max(map(max, grid.saved))
    # A loss of many times what could be saved must not flatten all that saves.
    least = 0.0 if highest > 0 else lowest
    axes = across, along = grid.axes
    ranges = not (across.choices or along.choices)
    surface: Trace = {
        "type": "contour" if ranges else "heatmap",
        "x": list(grid.across),
        "y": list(grid.along),
        "z": [[_six(100 * max(value, least)) for value in row] for row in grid.saved],
        "colorscale": _SCALE,
        "colorbar": {"title": {"text": "saved, %"}, "thickness": 12, "outlinewidth": 0},
        "hovertemplate": f"{across.name} %{{x:.4~g}}<br>{along.name} %{{y:.4~g}}<br>%{{z:.2f}} %"
        "<extra></extra>",
    }
    if ranges:
        surface["contours"] = {"showlabels": True, "labelfont": {"color": "var(--ink)"}}
        surface["line"] = {"color": "var(--quiet)", "width": 0.6}
    marks = [
        _mark(point, axes, name, symbol)
        for name, point, symbol in (
            ("defaults", tuning.space.start() or {}, "circle-open"),
            ("tuned", tuning.best.trial.values, "x"),
        )
        if {axis.name for axis in axes} <= point.keys()
    ]
    return Chart(
        "surface",
        "The surface",
        f"Host time saved on the training part over {across.name} and {along.name}, which matter "
        "most, with all else as in the best candidate; a loss is shown as 0.",
        f"From {share(lowest)} to {share(highest)}.",
        [surface, *marks],
        {"xaxis": _axis(across), "yaxis": _axis(along)},
    )


def trials_chart(tuning: Tuning) -> Chart:
    """Every trial as a line across the dimensions; the last axis is what it saved."""
    axes = tuning.space.dimensions
    saved = [trial.saved for trial in tuning.trials]
    low, high = min(saved), max(saved)
    names = [*(axis.name for axis in axes), "saved"]
    ranked = sorted(tuning.trials, key=lambda trial: trial.saved)
    bounds = [round(step * len(ranked) / _CLASSES) for step in range(_CLASSES + 1)]
    traces = [
        _lines(ranked[first:stop], axes, names, (low, high), place)
        for place, (first, stop) in enumerate(pairwise(bounds))
        if stop > first
    ]
    ends = [
        *(_end(number, axis.steps(2), axis.choices, axis.unit) for number, axis in enumerate(axes)),
        _end(len(axes), (100 * low, 100 * high), (), "%"),
    ]
    return Chart(
        "trials",
        "All trials",
        "A line is a trial: where it crosses an axis stands its value, on the last one the host "
        "time saved on the training part. Dark lines saved most.",
        f"{len(saved)} trials, from {share(low)} to {share(high)}.",
        traces,
        {
            "xaxis": {
                "tickmode": "array",
                "tickvals": list(range(len(names))),
                "ticktext": [name.removesuffix("_ns") for name in names],
                "range": [-0.3, len(names) - 0.7],
            },
            "yaxis": {"visible": False, "range": [-0.16, 1.16]},
            "annotations": [note for pair in ends for note in pair],
        },
    )


def _candidate(tuning: Tuning, judged: Judged) -> str:
    return f"trial {tuning.trials.index(judged.trial) + 1}"


def _lines(
    trials: Sequence[Trial],
    axes: Sequence[Dimension],
    names: Sequence[str],
    ends: tuple[float, float],
    place: int,
) -> Trace:
    """The trials of one class in one trace, with a gap between two of them."""
    x: list[int | None] = []
    y: list[float | None] = []
    low, high = ends
    for trial in trials:
        x += [*range(len(names)), None]
        y += [*(_position(axis, trial.values[axis.name]) for axis in axes)]
        y += [(trial.saved - low) / (high - low) if high > low else 1.0, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": ("worst", "", "middle", "", "best")[place] + " fifth" * (place % 2 == 0),
        "showlegend": place % 2 == 0,
        "x": x,
        "y": [None if value is None else _six(value) for value in y],
        "opacity": (0.35, 0.35, 0.45, 0.6, 0.9)[place],
        "line": {"color": "var(--nic)" if place >= 3 else "var(--bypass)", "width": 1 + place / 4},
        "hoverinfo": "skip",
    }


def _position(axis: Dimension, value: Value) -> float:
    """Where on its axis a value stands, from 0 to 1."""
    if axis.choices:
        return axis.choices.index(str(value)) / max(1, len(axis.choices) - 1)
    if axis.log:
        return math.log(float(value) / axis.low) / math.log(axis.high / axis.low)
    return (float(value) - axis.low) / (axis.high - axis.low)


def _end(
    number: int, values: Sequence[Value], choices: Sequence[str], unit: str
) -> list[dict[str, Any]]:
    """What stands below and above an axis; a choice is written at each of its places."""
    if choices:
        spots = [(index / max(1, len(choices) - 1), name) for index, name in enumerate(choices)]
    else:
        low, high = (
            duration(float(value)) if unit == "ns" else f"{float(value):.4g} {unit[:1]}".rstrip()
            for value in (values[0], values[-1])
        )
        spots = [(0.0, low), (1.0, high)]
    return [
        {
            "x": number,
            "y": spot,
            "text": text,
            "showarrow": False,
            "yanchor": "top" if spot == 0 else "bottom",
            "font": {"size": 11},
        }
        for spot, text in spots
    ]


def _mark(
    point: Any,  # noqa: ANN401 - dimension → value
    axes: tuple[Dimension, Dimension],
    name: str,
    symbol: str,
) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [point[axes[0].name]],
        "y": [point[axes[1].name]],
        "marker": {
            "symbol": symbol,
            "size": 12,
            "color": "var(--software)",
            "line": {"width": 2, "color": "var(--software)"},
        },
        "hovertemplate": f"{name}: %{{x:.4~g}}, %{{y:.4~g}}<extra></extra>",
    }


def _axis(axis: Dimension) -> dict[str, Any]:
    kind = "category" if axis.choices else "log" if axis.log else "linear"
    if not (axis.log and axis.unit == "ns"):
        return {"title": {"text": axis.label}, "type": kind}
    decades = range(math.ceil(math.log10(axis.low)), math.floor(math.log10(axis.high)) + 1)
    return {
        "title": {"text": axis.name.removesuffix("_ns")},
        "type": kind,
        "tickvals": [10**decade for decade in decades],
        "ticktext": [duration(10**decade) for decade in decades],
    }


def _six(value: float) -> float:
    """Six significant digits say all that a plot can show."""
    return float(f"{value:.6g}")
