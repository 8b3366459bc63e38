"""The study's figures: the base point, the three axes, where ours falls short, and memories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

from study.drawing import FAINT, HUES, INK, Drawing
from study.plan import (
    AXES,
    BASE,
    MEMORIES_MS,
    Point,
    grid_of,
    latency_text,
    memory_text,
)
from study.results import OURS, Result, by_cell, known, suite_mean

FOLDER: Final = "figures"
SHOWN: Final = ("adaptive", "metric", "tinylfu", "ewma", "lru-ski-rental", "first-come")
HINDSIGHT: Final = "best in hindsight"
LEAST: Final = -20.0  # per cent: what lies below is drawn here
NAMES_WIDTH: Final = 110.0
ROW: Final = 18.0

Scale = Callable[[float], float]


def draw_figures(results: Sequence[Result], docs: Path) -> list[str]:
    """Draw all that the results have something for; returns their paths from the document."""
    made = [r for r in results if not r.is_capture]
    drawings = {"base": base_figure(results)}
    if len({one.point for one in made}) > 1:
        drawings["axes"] = axes_figure(made)
        drawings["shortfall"] = shortfall_figure(results)
    if made:
        drawings["memory"] = memory_figure(made)
    (docs / FOLDER).mkdir(exist_ok=True)
    paths = [f"{FOLDER}/study-{name}.svg" for name in drawings]
    for path, drawing in zip(paths, drawings.values(), strict=True):
        drawing.write(docs / path)
    return paths


def base_figure(results: Sequence[Result]) -> Drawing:
    """A row per workload, a dot per rule."""
    cells = {name: rows for (name, point), rows in by_cell(results).items() if point == BASE}
    rows = {name: rows for name, rows in cells.items() if known(rows, lambda r: r.saving(OURS))}
    height = 60 + ROW * len(rows)
    drawing = Drawing(720, height, "Saving of some rules on each workload at the base point")
    scale = _scale(LEAST, 100, NAMES_WIDTH, 700)
    _legend(drawing, (HINDSIGHT, *SHOWN), NAMES_WIDTH)
    for percent in range(-20, 101, 20):
        x = scale(percent)
        drawing.line((x, 26), (x, height - 26), INK if percent == 0 else FAINT)
        label = f"{percent}%" if percent > LEAST else "less"
        drawing.words((x, height - 12), label, "middle")
    for number, (name, rows_of) in enumerate(rows.items()):
        y = 26 + ROW * (number + 0.5)
        drawing.words((NAMES_WIDTH - 16, y + 4), name, "end")
        best = fmean(known(rows_of, lambda r: r.saving(r.best())))
        drawing.line((scale(best), y - 7), (scale(best), y + 7), INK, 3)
        for hue, rule in reversed(list(enumerate(SHOWN))):
            saving = fmean(known(rows_of, lambda r, rule=rule: r.saving(rule)))  # type: ignore[misc]
            place = (scale(max(LEAST, saving)), y)
            drawing.dot(place, HUES[hue], 4.5 if rule == OURS else 3.5, f"{rule}: {saving:.1f}%")
    return drawing


def axes_figure(results: Sequence[Result]) -> Drawing:
    """Mean saving over the suite along each axis, a line per rule."""
    drawing = Drawing(860, 280, "Mean saving over the workloads along each axis")
    _legend(drawing, (HINDSIGHT, *SHOWN), 50)
    scale = _scale(LEAST, 100, 236, 32)
    for panel, (axis, (title, values)) in enumerate(AXES.items()):
        left = 50 + 275 * panel
        for percent in range(-20, 101, 20):
            y = scale(percent)
            drawing.line((left, y), (left + 240, y), INK if percent == 0 else FAINT)
            if panel == 0:
                label = f"{percent}%" if percent > LEAST else "less"
                drawing.words((left - 6, y + 4), label, "end")
        drawing.words((left + 120, 272), title, "middle")
        xs = [left + 240 * (number + 0.5) / len(values) for number in range(len(values))]
        for x, value in zip(xs, values, strict=True):
            text = latency_text(value) if axis == "latency_us" else f"{value}"
            drawing.words((x, 254), text, "middle")
        on_axis = [[r for r in results if r.point == _moved(axis, value)] for value in values]
        best = [suite_mean(rows, lambda r: r.saving(r.best())) for rows in on_axis]
        _curve(drawing, xs, best, scale, INK)
        for hue, rule in reversed(list(enumerate(SHOWN))):
            means = [
                suite_mean(rows, lambda r, rule=rule: r.saving(rule))  # type: ignore[misc]
                for rows in on_axis
            ]
            _curve(drawing, xs, means, scale, HUES[hue])
    return drawing


def shortfall_figure(results: Sequence[Result]) -> Drawing:
    """Workloads by points: how far ours stays under the best in hindsight."""
    cells = by_cell(results)
    points = sorted({point for _, point in cells}, key=_along_axes)
    names = list(dict.fromkeys(name for name, _ in cells))
    width, top = 50.0, 64.0
    height = top + ROW * len(names) + 12
    drawing = Drawing(NAMES_WIDTH + width * len(points) + 10, height, "Shortfall in each cell")
    for column, point in enumerate(points):
        x = NAMES_WIDTH + width * (column + 0.5)
        texts = (f"{point.load_cost} pkt", latency_text(point.latency_us), _slots_text(point))
        for line, text in enumerate(texts):
            drawing.words((x, 18 + 15 * line), text, "middle", size=10)
    for row, name in enumerate(names):
        y = top + ROW * row
        drawing.words((NAMES_WIDTH - 8, y + 13), name, "end")
        for column, point in enumerate(points):
            shortfalls = known(cells.get((name, point), []), lambda r: r.shortfall)
            corner = (NAMES_WIDTH + width * column, y)
            value = fmean(shortfalls) if shortfalls else None
            drawing.box(corner, width - 2, ROW - 2, _shade(value))
            text = "·" if value is None else f"{value:.1f}"
            drawing.words((corner[0] + width / 2 - 1, y + 12), text, "middle", size=10)
    return drawing


def memory_figure(results: Sequence[Result]) -> Drawing:
    """The metric rule at the base point: saving by memory, a panel per threshold."""
    at_base = [one for one in results if one.point == BASE]
    names = [n for n in dict.fromkeys(r.workload for r in at_base)]
    choices = grid_of("metric")
    width, top = 44.0, 50.0
    drawing = Drawing(
        NAMES_WIDTH + width * len(choices) + 40, top + ROW * len(names) + 12,
        "Saving of the metric rule by memory and threshold",
    )  # fmt: skip
    thresholds = sorted({choice.threshold for choice in choices})
    for row, name in enumerate(names):
        drawing.words((NAMES_WIDTH - 8, top + ROW * row + 13), name, "end")
    for panel, threshold in enumerate(thresholds):
        left = NAMES_WIDTH + panel * (width * len(MEMORIES_MS) + 12)
        drawing.words((left, 16), f"threshold {threshold:g} loads, memory")
        some = [choice for choice in choices if choice.threshold == threshold]
        for column, choice in enumerate(some):
            x = left + width * column
            label = memory_text(choice.memory_ms)
            drawing.words((x + width / 2, 36), label, "middle", size=10)
            for row, name in enumerate(names):
                rows = [one for one in at_base if one.workload == name]
                behind = known(rows, lambda r, label=choice.label: _behind(r, label))  # type: ignore[misc]
                savings = known(rows, lambda r, label=choice.label: r.saving(label))  # type: ignore[misc]
                y = top + ROW * row
                drawing.box((x, y), width - 2, ROW - 2, _shade(fmean(behind) if behind else None))
                text = f"{fmean(savings):.0f}" if savings else "·"
                drawing.words((x + width / 2 - 1, y + 12), text, "middle", size=10)
    return drawing


def _behind(one: Result, label: str) -> float | None:
    """Points of saving behind the best in hindsight."""
    own, best = one.saving(label), one.saving(one.best())
    return None if own is None or best is None else best - own


def _scale(least: float, most: float, start: float, stop: float) -> Scale:
    return lambda value: start + (value - least) / (most - least) * (stop - start)


def _legend(drawing: Drawing, names: Sequence[str], left: float) -> None:
    for number, name in enumerate(names):
        colour = INK if number == 0 else HUES[number - 1]
        drawing.dot((left + 5, 12), colour, 4)
        drawing.words((left + 13, 16), name)
        left += 24 + 6.2 * len(name)


def _curve(
    drawing: Drawing, xs: Sequence[float], values: Sequence[float | None], scale: Scale, colour: str
) -> None:
    places = [
        (x, scale(max(LEAST, value)))
        for x, value in zip(xs, values, strict=True)
        if value is not None
    ]
    drawing.path(places, colour)
    for place in places:
        drawing.dot(place, colour, 3)


def _moved(axis: str, value: int) -> Point:
    figures = {name: getattr(BASE, name) for name in AXES}
    return Point(**{**figures, axis: value})


def _along_axes(point: Point) -> tuple[int, Point]:
    """The base first, then axis by axis."""
    places = [number for number, axis in enumerate(AXES, 1) if _differs(point, axis)]
    return (places[0] if len(places) == 1 else 4 * bool(places), point)


def _differs(point: Point, axis: str) -> bool:
    return bool(getattr(point, axis) != getattr(BASE, axis))


def _slots_text(point: Point) -> str:
    return f"{point.slots_percent}% slots"


def _shade(behind: float | None) -> str:
    """White up to one point, then deeper until thirty."""
    if behind is None:
        return "#f6f8fa"
    if behind < 0:
        return "#c6e6d9"
    depth = min(1.0, max(0.0, (behind - 1) / 29)) ** 0.5
    red, green, blue = (round(255 + (end - 255) * depth) for end in (213, 120, 60))
    return f"#{red:02x}{green:02x}{blue:02x}"
