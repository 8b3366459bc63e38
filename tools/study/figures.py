"""The study's figures: the base point, the three axes, where ours falls short, and memories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
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
from study.results import (
    OURS,
    Result,
    by_cell,
    cost_of,
    cost_of_best,
    known,
    mean,
    saving_of,
    shortfall_of,
    suite_saving,
)

FOLDER: Final = "figures"
SHOWN: Final = ("adaptive", "metric", "tinylfu", "ewma", "lru-ski-rental", "first-come")
MEMORY_RULE: Final = "metric"
HINDSIGHT: Final = "best in hindsight"
LEAST: Final = -20  # per cent: what lies below is drawn here
MOST: Final = 100
STEP: Final = 20
NAMES_WIDTH: Final = 110.0
ROW: Final = 18.0
PANEL: Final = 240.0

Scale = Callable[[float], float]
Cost = Callable[[Result], float]
Cells = Mapping[str, Sequence[Result]]  # rows by workload


def draw_figures(results: Sequence[Result], docs: Path) -> list[str]:
    """Draw all that the results have something for; returns their paths from the document."""
    base = [one for one in results if one.point == BASE]
    drawings = {"base": base_figure(_at_base(base, OURS))}
    if len(base) < len(results):
        drawings["axes"] = axes_figure([one for one in results if not one.is_capture])
        drawings["shortfall"] = shortfall_figure(results)
    if MEMORY_RULE in base[0].costs:
        drawings["memory"] = memory_figure(_at_base(base, MEMORY_RULE))
    (docs / FOLDER).mkdir(exist_ok=True)
    paths = [f"{FOLDER}/study-{name}.svg" for name in drawings]
    for path, drawing in zip(paths, drawings.values(), strict=True):
        drawing.write(docs / path)
    return paths


def base_figure(cells: Cells) -> Drawing:
    """A row per workload, a dot per rule."""
    height = 60 + ROW * len(cells)
    drawing = Drawing(720, height, "Saving of some rules on each workload at the base point")
    scale = _scale(NAMES_WIDTH, 700)
    _legend(drawing, NAMES_WIDTH)
    for percent in range(LEAST, MOST + 1, STEP):
        x = scale(percent)
        drawing.line((x, 26), (x, height - 26), INK if percent == 0 else FAINT)
        drawing.words((x, height - 12), _percent_text(percent), "middle")
    for number, (name, rows) in enumerate(cells.items()):
        y = 26 + ROW * (number + 0.5)
        drawing.words((NAMES_WIDTH - 16, y + 4), name, "end")
        best = scale(max(LEAST, mean(rows, Result.best_saving) or 0.0))
        drawing.line((best, y - 7), (best, y + 7), INK, 3)
        for hue, rule in _painted(rows):
            saving = mean(rows, saving_of(rule)) or 0.0
            told = f"{rule}: {saving:.1f}%"
            drawing.dot((scale(max(LEAST, saving)), y), hue, 4.5 if rule == OURS else 3.5, told)
    return drawing


def axes_figure(results: Sequence[Result]) -> Drawing:
    """Saving over the suite along each axis, a line per rule."""
    drawing = Drawing(860, 280, "Saving over the workloads along each axis")
    _legend(drawing, 50)
    scale = _scale(236, 32)
    for panel, (axis, (title, values)) in enumerate(AXES.items()):
        left = 50 + (PANEL + 35) * panel
        for percent in range(LEAST, MOST + 1, STEP):
            y = scale(percent)
            drawing.line((left, y), (left + PANEL, y), INK if percent == 0 else FAINT)
            if panel == 0:
                drawing.words((left - 6, y + 4), _percent_text(percent), "end")
        drawing.words((left + PANEL / 2, 272), title, "middle")
        xs = [left + PANEL * (number + 0.5) / len(values) for number in range(len(values))]
        for x, value in zip(xs, values, strict=True):
            text = latency_text(value) if axis == "latency_us" else f"{value}"
            drawing.words((x, 254), text, "middle")
        on_axis = [[r for r in results if r.point == _moved(axis, value)] for value in values]
        curves: list[tuple[str, Cost]] = [(INK, cost_of_best)]
        curves += [(hue, cost_of(rule)) for hue, rule in _painted(results)]
        for hue, cost in curves:
            savings = [suite_saving(rows, cost) for rows in on_axis]
            _curve(drawing, xs, savings, scale, hue)
    return drawing


def shortfall_figure(results: Sequence[Result]) -> Drawing:
    """Workloads by points: how far ours stays under the best in hindsight."""
    cells = by_cell(results)
    points = sorted({point for _, point in cells}, key=_along_axes)
    names = list(dict.fromkeys(name for name, _ in cells))
    width, top = 56.0, 64.0
    size = (NAMES_WIDTH + width * len(points) + 10, top + ROW * len(names) + 12)
    drawing = Drawing(*size, "Points under the best in hindsight in each cell")
    for column, point in enumerate(points):
        x = NAMES_WIDTH + width * (column + 0.5)
        slots = f"{point.slots_percent}% slots"
        for line, text in enumerate(
            (f"cost {point.load_cost}", latency_text(point.latency_us), slots)
        ):
            drawing.words((x, 18 + 15 * line), text, "middle", size=10)
    for row, name in enumerate(names):
        y = top + ROW * row
        drawing.words((NAMES_WIDTH - 8, y + 13), name, "end")
        for column, point in enumerate(points):
            value = mean(cells.get((name, point), []), shortfall_of(OURS))
            text = "·" if value is None else f"{value:.1f}"
            _field(drawing, (NAMES_WIDTH + width * column, y), width, value, text)
    return drawing


def memory_figure(cells: Cells) -> Drawing:
    """The metric rule at the base point: saving by memory, a panel per threshold."""
    choices = grid_of(MEMORY_RULE)
    thresholds = sorted({choice.threshold for choice in choices})
    width, top, gap = 44.0, 50.0, 12.0
    size = (NAMES_WIDTH + width * len(choices) + 3 * gap, top + ROW * len(cells) + 12)
    drawing = Drawing(*size, "Saving of the metric rule by memory and threshold")
    for row, name in enumerate(cells):
        drawing.words((NAMES_WIDTH - 8, top + ROW * row + 13), name, "end")
    for panel, threshold in enumerate(thresholds):
        left = NAMES_WIDTH + panel * (width * len(MEMORIES_MS) + gap)
        drawing.words((left, 16), f"threshold {threshold:g} loads, memory")
        some = [choice for choice in choices if choice.threshold == threshold]
        for column, choice in enumerate(some):
            x = left + width * column
            drawing.words((x + width / 2, 36), memory_text(choice.memory_ms), "middle", size=10)
            for row, rows in enumerate(cells.values()):
                behind = mean(rows, shortfall_of(choice.label))
                text = f"{mean(rows, saving_of(choice.label)):.0f}"
                _field(drawing, (x, top + ROW * row), width, behind, text)
    return drawing


def _at_base(base: Sequence[Result], rule: str) -> Cells:
    """Workloads on which that rule could save anything."""
    cells = {name: rows for (name, _), rows in by_cell(base).items()}
    return {name: rows for name, rows in cells.items() if known(rows, saving_of(rule))}


def _scale(start: float, stop: float) -> Scale:
    return lambda percent: start + (percent - LEAST) / (MOST - LEAST) * (stop - start)


def _percent_text(percent: int) -> str:
    return f"{percent}%" if percent > LEAST else "less"


def _painted(rows: Sequence[Result]) -> list[tuple[str, str]]:
    """Hue and rule of those that were run, ours last and so on top."""
    painted = zip(HUES, SHOWN, strict=False)
    return [(hue, rule) for hue, rule in painted if rule in rows[0].costs][::-1]


def _legend(drawing: Drawing, left: float) -> None:
    for colour, name in zip((INK, *HUES), (HINDSIGHT, *SHOWN), strict=False):
        drawing.dot((left + 5, 12), colour, 4)
        drawing.words((left + 13, 16), name)
        left += 26 + 6.5 * len(name)


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


def _field(
    drawing: Drawing, corner: tuple[float, float], width: float, behind: float | None, text: str
) -> None:
    """A box with a figure, darker the farther behind."""
    x, y = corner
    drawing.box(corner, width - 2, ROW - 2, _shade(behind))
    drawing.words((x + width / 2 - 1, y + 12), text, "middle", size=10)


def _moved(axis: str, value: int) -> Point:
    figures = {name: getattr(BASE, name) for name in AXES}
    return Point(**{**figures, axis: value})


def _along_axes(point: Point) -> tuple[int, Point]:
    """The base first, then axis by axis, then what differs on several."""
    places = [
        number for number, axis in enumerate(AXES, 1) if getattr(point, axis) != getattr(BASE, axis)
    ]
    return (places[0] if len(places) == 1 else 4 * bool(places), point)


def _shade(behind: float | None) -> str:
    """Green where ahead, white up to one point behind, then deeper until thirty."""
    if behind is None:
        return "#f6f8fa"
    if behind < 0:
        return "#c6e6d9"
    depth = min(1.0, max(0.0, (behind - 1) / 29)) ** 0.5
    red, green, blue = (round(255 + (end - 255) * depth) for end in (213, 120, 60))
    return f"#{red:02x}{green:02x}{blue:02x}"
