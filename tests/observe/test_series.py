"""Series over time: bounded, and exact in what they add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saactors.observe.series import LastSeries, SumSeries

TIMES = st.integers(0, 10**12) | st.integers(0, 5000)
BINS = st.sampled_from([2, 8, 512])


@given(st.lists(st.tuples(TIMES, st.integers(0, 10**6), st.integers(0, 9))), BINS)
def test_totals_survive_any_number_of_mergers(
    entries: list[tuple[int, int, int]], bins: int
) -> None:
    """Whatever the times and their order, not one packet is lost or counted twice."""
    series = SumSeries("bytes", "packets", bins=bins)
    for time_ns, size, packets in entries:
        series.add(time_ns, size, packets)
    assert series.total("bytes") == sum(size for _, size, _ in entries)
    assert series.total("packets") == sum(packets for _, _, packets in entries)
    assert series.used <= bins


@given(st.lists(st.tuples(TIMES, st.integers(1, 100)), min_size=1), BINS)
def test_each_amount_stands_in_the_bin_of_its_time(
    entries: list[tuple[int, int]], bins: int
) -> None:
    """Merging moves nothing: the same as if the final width had been known before."""
    series = SumSeries("packets", bins=bins)
    for time_ns, packets in entries:
        series.add(time_ns, packets)
    assert series.used == max(time_ns for time_ns, _ in entries) // series.width_ns + 1
    expected = np.zeros(series.used)
    for time_ns, packets in entries:
        expected[time_ns // series.width_ns] += packets
    assert series.column("packets", series.used).tolist() == expected.tolist()


@given(st.lists(st.tuples(TIMES, st.integers(0, 10**9)), max_size=20), BINS)
def test_a_span_is_shared_out_between_the_bins_that_it_covers(
    spans: list[tuple[int, int]], bins: int
) -> None:
    """A long wait is time in many bins, never more time in a bin than it is wide."""
    series = SumSeries("waited_ns", bins=bins)
    for began_ns, length_ns in spans:
        series.add_span(began_ns, began_ns + length_ns)
    assert series.total("waited_ns") == sum(length_ns for _, length_ns in spans)
    waited_ns = series.column("waited_ns", series.used)
    assert (waited_ns <= series.width_ns * max(len(spans), 1)).all()


@given(st.lists(TIMES, min_size=1), BINS)
def test_a_level_is_the_last_one_set_and_stands_until_the_next(times: list[int], bins: int) -> None:
    """Against a model that keeps everything."""
    times = sorted(times)
    series = LastSeries("residents", bins=bins)
    for level, time_ns in enumerate(times):
        series.set(time_ns, float(level))
    found = series.column("residents", series.used)
    for place in range(series.used):
        before_end = [n for n, t in enumerate(times) if t < (place + 1) * series.width_ns]
        if before_end:
            assert found[place] == before_end[-1]
        else:
            assert np.isnan(found[place])


def test_a_series_never_has_more_bins_than_it_was_given() -> None:
    """Law 9, over an hour of nanoseconds."""
    series = SumSeries("packets")
    for time_ns in range(0, 3_600_000_000_000, 7_000_000_000):
        series.add(time_ns, 1)
    assert 256 <= series.used <= 512
    assert series.width_ns * 512 >= 3_600_000_000_000


def test_two_series_come_to_one_width() -> None:
    """One that saw the end of the run and one that did not."""
    short, long = SumSeries("a"), SumSeries("a")
    short.add(100, 1)
    short.add(5000, 1)
    long.add(10**9, 1)
    short.coarsen(long.width_ns)
    assert short.width_ns == long.width_ns
    assert short.column("a", long.used).tolist() == [2.0] + [0.0] * (long.used - 1)


def test_a_forgotten_column_starts_anew() -> None:
    """Others keep what they have."""
    series = LastSeries("a", "b")
    series.set(0, 1.0, 2.0)
    series.forget(0)
    assert np.isnan(series.column("a", 1)[0])
    assert series.column("b", 3).tolist() == [2.0, 2.0, 2.0]


def test_a_width_that_is_no_power_of_two_is_a_mistake() -> None:
    """Two such series might never meet."""
    with pytest.raises(AssertionError, match="shift"):
        SumSeries("a", width_ns=1000)
