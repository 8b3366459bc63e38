"""Who is hot, and what became of their metrics."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.model.packets import NO_SA, PACKET
from saactors.observe.hottest import TRACKED, HottestSas
from saactors.observe.series import FIRST_WIDTH_NS


def burst_of(sas: list[int]) -> np.ndarray:
    burst = np.zeros(len(sas), PACKET)
    burst["sa"] = sas
    return burst


@settings(deadline=None)  # the first call may compile
@given(st.lists(st.lists(st.integers(NO_SA, 99), max_size=60), max_size=12))
def test_the_board_holds_exactly_the_sas_with_the_most_packets(bursts: list[list[int]]) -> None:
    """By exact count, at any time; who of equals has the last places is open."""
    metrics = np.zeros(100)
    hottest = HottestSas(lambda sas: metrics[sas])
    counts: Counter[int] = Counter()
    for number, sas in enumerate(bursts):
        hottest.observe(number * 1000, burst_of(sas), 100)
        counts.update(sa for sa in sas if sa != NO_SA)
    hottest.sample(len(bursts) * 1000)
    leaders = hottest.leaders(TRACKED)
    assert sorted((counts[sa] for sa in leaders), reverse=True) == [
        count for _, count in counts.most_common(TRACKED)
    ]
    assert [counts[sa] for sa in leaders] == sorted((counts[sa] for sa in leaders), reverse=True)


def test_each_leader_has_its_own_metric_over_time() -> None:
    """Asked of the keeper once a bin, for those on the board only."""
    metrics = np.zeros(100)
    asked: list[list[int]] = []

    def metrics_of(sas: np.ndarray) -> np.ndarray:
        asked.append(sas.tolist())
        return metrics[sas]

    hottest = HottestSas(metrics_of)
    tenth_ns = FIRST_WIDTH_NS * 100 // 1024
    for time_ns in range(0, 100 * tenth_ns, tenth_ns):
        metrics[7] += 1
        metrics[3] += 2
        hottest.observe(time_ns, burst_of([7, 7, 3]), 100)
    assert len(asked) == 10
    assert {sa for sas in asked for sa in sas} == {3, 7}
    leaders = hottest.leaders(10)
    assert list(leaders) == [7, 3]
    first_in_each_bin = [1, 12, 22, 32, 42, 53, 63, 73, 83, 94]
    assert hottest.metrics.column(leaders[7], 10).tolist() == first_in_each_bin
    assert hottest.metrics.column(leaders[3], 10).tolist() == [2 * n for n in first_in_each_bin]


def test_whoever_takes_a_place_does_not_inherit_its_history() -> None:
    """A line on the plot is one SA's, never two."""
    metrics = np.arange(100.0)
    hottest = HottestSas(lambda sas: metrics[sas])
    hottest.observe(0, burst_of(list(range(TRACKED))), 100)
    hottest.observe(49 * FIRST_WIDTH_NS, burst_of([99] * 3), 100)
    leaders = hottest.leaders(1)
    assert list(leaders) == [99]
    history = hottest.metrics.column(leaders[99], 50)
    assert np.isnan(history[:48]).all()
    assert history[49] == 99.0


def test_memory_grows_with_the_sas_and_not_with_the_packets() -> None:
    """Law 9."""
    hottest = HottestSas(lambda sas: np.zeros(len(sas)))
    for number in range(3000):
        hottest.observe(number * 10_000_000, burst_of([number % 50]), 50)
    assert hottest.metrics.used <= 512
    assert len(hottest.leaders(TRACKED)) == TRACKED
