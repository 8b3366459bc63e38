"""Results of a study as rows, in a file of text, and what is reckoned from them.

A row is a group: one trace on one card. All costs are in % of the cost of doing everything in
software, so

    saving = 100 · (100 - cost) / (100 - optimum)

in % of what could be saved, where the optimum is its certified lower bound. Documents and figures
are made from the file, never from what lay behind it, so the file says all that they say.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

from saactors.placement.table import RULES
from study.plan import CAPTURES, Point

OURS: Final = "adaptive"
COST_DIGITS: Final = 5  # of a per cent
LOADS: Final = " loads"  # behind a choice's name, in the heading of the column
CAPTURE_NAMES: Final = frozenset(workload.name for workload in CAPTURES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One trace on one card."""

    workload: str
    seed: int | None
    point: Point
    packets: int
    sas: int
    slots: int
    duration_ns: int
    optimum: float  # lower bound, % of never
    gap: float  # between the optimum's bounds, % of the achievable saving
    optimum_loads: int
    half: float | None  # of our loads were commanded by then, % of the trace; None without loads
    costs: dict[str, float]  # by choice, % of never
    loads: dict[str, int]  # by choice

    @property
    def is_capture(self) -> bool:
        """Whether it was recorded and not made."""
        return self.workload in CAPTURE_NAMES

    @property
    def achievable(self) -> float:
        """What the optimum saves, in % of never."""
        return max(0.0, 100 - self.optimum)

    def saving(self, choice: str) -> float | None:
        """In % of the achievable saving; None where nothing can be saved."""
        if self.achievable <= 0:
            return None
        return 100 * (100 - self.costs[choice]) / self.achievable

    def best(self) -> str:
        """The best choice in hindsight: neither ours nor one that knows the future."""
        return min(rival_choices(self.costs), key=self.costs.__getitem__)

    def best_default(self) -> str:
        """The best rule with its defaults, ours among them."""
        return min(default_rules(self.costs), key=self.costs.__getitem__)

    def best_saving(self) -> float | None:
        """What the best in hindsight saves."""
        return self.saving(self.best())

    def shortfall(self, choice: str = OURS) -> float | None:
        """Points of saving by which it stays under the best in hindsight; None without any."""
        own, best = self.saving(choice), self.best_saving()
        return None if own is None or best is None else best - own


def default_rules(labels: Container[str]) -> list[str]:
    """The rules that a driver could follow with their defaults, ours among them."""
    rules = [name for name, entry in RULES.items() if not entry.clairvoyant]
    return [name for name in rules if name in labels]


def rival_choices(labels: Iterable[str]) -> list[str]:
    """The choices that a driver without ours could have made."""
    return [
        label
        for label in labels
        if label != OURS and not RULES[label.partition(" ")[0]].clairvoyant
    ]


Figure = Callable[[Result], float | None]


def write(results: Sequence[Result], path: Path) -> None:
    """As CSV, a line per row."""
    labels = list(results[0].costs)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_HEADINGS, *labels, *(label + LOADS for label in labels)])
        for one in results:
            seed = "" if one.seed is None else one.seed
            point = (one.point.load_cost, one.point.latency_us, one.point.slots_percent)
            trace = (one.packets, one.sas, one.slots, one.duration_ns)
            optimum = (_number(one.optimum), _number(one.gap))
            costs = [_number(one.costs[label]) for label in labels]
            loads = [one.loads[label] for label in labels]
            named = (one.workload, seed, *point, *trace)
            half = "" if one.half is None else _number(one.half)
            writer.writerow([*named, *optimum, one.optimum_loads, half, *costs, *loads])


_HEADINGS: Final = (
    "workload", "seed", "load_cost_packets", "load_latency_us", "slots_percent", "packets",
    "sas", "slots", "duration_ns", "optimum", "gap", "optimum_loads",
    "half_of_loads",
)  # fmt: skip


def read(path: Path) -> list[Result]:
    """What ``write`` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        heading, *lines = csv.reader(file)
    labels = [name for name in heading[len(_HEADINGS) :] if not name.endswith(LOADS)]
    return [_result(labels, line) for line in lines]


def _result(labels: Sequence[str], line: Sequence[str]) -> Result:
    workload, seed, *figures = line[: len(_HEADINGS)]
    whole = [int(figure) for figure in figures[:7]]
    rest = line[len(_HEADINGS) :]
    costs = [float(cost) for cost in rest[: len(labels)]]
    loads = [int(count) for count in rest[len(labels) :]]
    return Result(
        workload=workload,
        seed=int(seed) if seed else None,
        point=Point(*whole[:3]),
        packets=whole[3],
        sas=whole[4],
        slots=whole[5],
        duration_ns=whole[6],
        optimum=float(figures[7]),
        gap=float(figures[8]),
        optimum_loads=int(figures[9]),
        half=float(figures[10]) if figures[10] else None,
        costs=dict(zip(labels, costs, strict=True)),
        loads=dict(zip(labels, loads, strict=True)),
    )


def _number(value: float) -> str:
    return f"{value:.{COST_DIGITS}f}".rstrip("0").rstrip(".")


def saving_of(choice: str) -> Figure:
    """What that choice saves, as a figure of a row."""
    return lambda one: one.saving(choice)


def shortfall_of(choice: str) -> Figure:
    """How far it stays under the best in hindsight, likewise."""
    return lambda one: one.shortfall(choice)


def cost_of(choice: str) -> Callable[[Result], float]:
    """What it costs, likewise."""
    return lambda one: one.costs[choice]


def by_cell(results: Iterable[Result]) -> dict[tuple[str, Point], list[Result]]:
    """Rows of one workload and point together: they differ in seed."""
    cells: dict[tuple[str, Point], list[Result]] = {}
    for one in results:
        cells.setdefault((one.workload, one.point), []).append(one)
    return cells


def known(rows: Iterable[Result], figure: Figure) -> list[float]:
    """The figure of every row that has one."""
    return [value for one in rows if (value := figure(one)) is not None]


def mean(rows: Iterable[Result], figure: Figure) -> float | None:
    """The mean of the rows that have the figure; None if none has."""
    values = known(rows, figure)
    return fmean(values) if values else None


def suite_mean(results: Iterable[Result], figure: Figure) -> float | None:
    """The mean over cells of the mean over seeds: a cell counts once; None without any figure."""
    means = [mean(rows, figure) for rows in by_cell(results).values()]
    some = [one for one in means if one is not None]
    return fmean(some) if some else None


def suite_ratio(results: Iterable[Result], figure: Callable[[Result], float]) -> float:
    """The geometric mean of a ratio, likewise."""
    logarithm = suite_mean(results, lambda one: math.log(figure(one)))
    return math.exp(logarithm) if logarithm is not None else math.nan


def suite_saving(results: Sequence[Result], cost: Callable[[Result], float]) -> float | None:
    """Saving in % between the geometric means of never (0%) and the optimum (100%)."""
    best = suite_ratio(results, lambda one: min(one.optimum, 100.0))
    return 100 * (100 - suite_ratio(results, cost)) / (100 - best) if best < 100 else None


def cost_of_best(one: Result) -> float:
    """What the best in hindsight costs."""
    return one.costs[one.best()]
