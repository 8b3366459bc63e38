"""Series of several actors on one axis."""

from __future__ import annotations

import numpy as np
import pytest

from saactors.observe.hottest import HottestSas
from saactors.observe.series import CACHE, DROPS, WAITING, LastSeries, SumSeries
from saactors.report.result import RunResult
from saactors.report.timeline import assemble_timeline


def test_all_columns_have_one_width_and_length(result: RunResult) -> None:
    """Whenever each actor last had something to say."""
    timeline = result.timeline
    assert timeline is not None
    columns = [
        *timeline.sums.values(),
        *timeline.levels.values(),
        *timeline.waited_ns.values(),
        *timeline.metrics.values(),
    ]
    assert {len(column) for column in columns} == {timeline.bins}
    assert timeline.bins <= 512


def test_the_plots_add_up_to_the_summary(result: RunResult) -> None:
    """Both are told by the same actors."""
    timeline = result.timeline
    assert timeline is not None
    assert timeline.sums["nic_packets"].sum() == result.packets.nic
    assert timeline.sums["software_packets"].sum() == result.packets.software
    assert timeline.sums["dropped_packets"].sum() == result.dropped
    assert timeline.sums["loads"].sum() == result.loads
    assert timeline.waited_ns["arbiter→nic"].sum() == result.edges["arbiter→nic"].waited_ns


def test_drops_told_by_several_actors_are_added_up() -> None:
    """At the width of the one that saw the most time."""
    source, egress = SumSeries(*DROPS), SumSeries(*DROPS)
    source.add(3000, 3)
    egress.add(10, 2)
    egress.add(5_000_000, 1)
    timeline = assemble_timeline([source, egress], [], {}, None)
    assert timeline.width_ns == egress.width_ns
    assert timeline.sums["dropped_packets"][0] == 5
    assert timeline.sums["dropped_packets"].sum() == 6


def test_the_hottest_ten_are_kept_hottest_first(result: RunResult) -> None:
    """The same SAs as in the table, where traffic has hot SAs at all."""
    timeline = result.timeline
    assert timeline is not None
    assert list(timeline.metrics) == [sa.sa for sa in result.hottest]


def test_a_run_without_packets_has_no_bins() -> None:
    """An empty capture is a run, too."""
    timeline = assemble_timeline(
        [SumSeries(*DROPS)],
        [LastSeries(*CACHE)],
        {"a→b": SumSeries(*WAITING)},
        HottestSas(lambda sas: np.zeros(len(sas))),
    )
    assert timeline.bins == 0
    assert timeline.metrics == {}


@pytest.mark.parametrize("level", [0.0, 3.5])
def test_a_level_set_once_stands_to_the_end(level: float) -> None:
    """A card that is full stays full on the plot, also where no burst came."""
    cache, traffic = LastSeries("residents"), SumSeries("nic_packets")
    cache.set(0, level)
    traffic.add(1_000_000_000, 1)
    timeline = assemble_timeline([traffic], [cache], {}, None)
    assert set(timeline.levels["residents"].tolist()) == {level}
