"""The actors' series, brought to one bin width: what the page plots over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from saactors.observe.hottest import HottestSas
from saactors.observe.series import LastSeries, SumSeries

Values: TypeAlias = npt.NDArray[np.float64]

HOTTEST_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Timeline:
    """Columns over the bins of a run, all of one length."""

    width_ns: int
    bins: int
    sums: Mapping[str, Values]  # per bin; names as in saactors.observe.series
    levels: Mapping[str, Values]  # at the end of a bin; NaN before the first
    waited_ns: Mapping[str, Values]  # edge → time waited in a bin
    metrics: Mapping[int, Values]  # SA → metric, for the hottest SAs, hottest first


def assemble_timeline(
    sums: Iterable[SumSeries],
    levels: Iterable[LastSeries],
    waiting: Mapping[str, SumSeries],
    hottest: HottestSas | None,
) -> Timeline:
    """One timeline of a finished run's series, all of which take on the width of the widest.

    Columns of the same name in several of ``sums`` are added up. ``hottest`` is None for a rule
    without metrics.
    """
    sums, levels = list(sums), list(levels)
    every: list[SumSeries | LastSeries] = [*sums, *levels, *waiting.values()]
    if hottest is not None:
        every.append(hottest.metrics)
    width_ns = max(series.width_ns for series in every)
    for series in every:
        series.coarsen(width_ns)
    bins = max(series.used for series in every)
    totals: dict[str, Values] = {}
    for series in sums:
        for name in series.names:
            totals[name] = totals.get(name, np.zeros(bins)) + series.column(name, bins)
    return Timeline(
        width_ns,
        bins,
        totals,
        {name: series.column(name, bins) for series in levels for name in series.names},
        {edge: series.column(series.names[0], bins) for edge, series in waiting.items()},
        _metrics(hottest, bins) if hottest is not None else {},
    )


def _metrics(hottest: HottestSas, bins: int) -> dict[int, Values]:
    leaders = hottest.leaders(HOTTEST_SHOWN)
    return {sa: hottest.metrics.column(place, bins) for sa, place in leaders.items()}
