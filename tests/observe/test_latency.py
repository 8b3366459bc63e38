"""The latency histogram against sorting all values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.observe.latency import LatencyHistogram, Percentiles

VALUES = st.lists(st.integers(0, 2**40) | st.integers(0, 5000), min_size=1, max_size=200)


def histogram_of(values: list[int]) -> LatencyHistogram:
    histogram = LatencyHistogram()
    histogram.record(np.array(values, np.int64))
    return histogram


@settings(deadline=None)  # the first call may compile
@given(VALUES, st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0]))
def test_a_percentile_is_within_half_a_percent_of_the_sorted_truth(
    values: list[int], share: float
) -> None:
    """The least value that this share of the values stay within (nearest rank)."""
    truth = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    found = histogram_of(values).percentile_ns(share)
    assert found is not None
    assert abs(found - truth) <= truth * 0.005


@settings(deadline=None)  # the first call may compile
@given(VALUES)
def test_small_values_and_the_extremes_are_exact(values: list[int]) -> None:
    """Under 256 ns there is a bucket a nanosecond; least and most are kept beside the buckets."""
    small = [value % 256 for value in values]
    assert histogram_of(small).percentile_ns(0.5) == sorted(small)[(len(small) + 1) // 2 - 1]
    assert histogram_of(values[:1]).percentile_ns(0.5) == values[0]


@settings(deadline=None)  # the first call may compile
@given(VALUES, VALUES)
def test_merging_is_counting_both(left: list[int], right: list[int]) -> None:
    """Several software workers have a histogram each."""
    merged = histogram_of(left)
    merged.merge(histogram_of(right))
    both = histogram_of(left + right)
    assert len(merged) == len(left) + len(right)
    assert merged.percentiles() == both.percentiles()


def test_nothing_counted_is_no_percentile() -> None:
    """None, not 0: no packet took no time."""
    assert LatencyHistogram().percentiles() is None
    assert LatencyHistogram().percentile_ns(0.5) is None


def test_percentiles_are_named() -> None:
    """1000 values from 1 to 1000."""
    found = histogram_of(list(range(1, 1001))).percentiles()
    assert found == pytest.approx(Percentiles(500, 990, 999), rel=0.005)


def test_the_largest_latency_has_a_bucket() -> None:
    """Half of 64 bits of nanoseconds is 292 years."""
    assert histogram_of([2**63 - 1]).percentile_ns(1.0) == 2**63 - 1


def test_a_packet_that_left_before_it_came_is_a_broken_invariant() -> None:
    """Our mistake, so an assertion."""
    with pytest.raises(AssertionError, match="before it came"):
        histogram_of([5, -1])
