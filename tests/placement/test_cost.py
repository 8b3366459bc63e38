"""The cost model and the threshold that follows from it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.placement.cost import CostModel, Weight, threshold_analysis

# DESIGN.md §7 (ConnectX-6 Dx at 1500 bytes): 2.0 µs in software, 0.43 µs on the card.
CONNECTX = CostModel(
    software_packet_ns=500, software_byte_ns=1, nic_packet_ns=430, nic_byte_ns=0, load_host_ns=5000
)


def test_costs_add_up_over_packets_and_bytes() -> None:
    """A component's time is its cost per packet and per byte, times packets and bytes."""
    assert CONNECTX.software_ns(packets=2, total_bytes=3000) == 2 * 500 + 3000
    assert CONNECTX.nic_ns(packets=2, total_bytes=3000) == 2 * 430


def test_saving_is_what_the_card_spares_the_host() -> None:
    """A packet saves its cost in software less its cost on the card."""
    assert CONNECTX.saving_ns(1500) == 2000 - 430
    assert CONNECTX.saving_ns(0) == 70


@pytest.mark.parametrize("cost_ns", [-1.0, math.inf, math.nan])
def test_a_cost_that_is_no_time_is_refused(cost_ns: float) -> None:
    """Costs are finite and not negative, and the message names the one that is not."""
    with pytest.raises(ParameterError, match=r"load_host_ns: found .*, expected a finite number"):
        CostModel(1, 1, 1, 1, cost_ns)


@pytest.mark.parametrize(
    ("weight", "threshold"),
    [
        (Weight.PACKETS, 5000 / 1570),
        (Weight.BYTES, 5000 / 1570 * 1500),
        (Weight.SAVED_NS, 5000.0),
    ],
)
def test_threshold_is_load_cost_over_saving(weight: Weight, threshold: float) -> None:
    """It comes in the metric's own unit: packets, bytes or saved ns."""
    analysis = threshold_analysis(CONNECTX, weight, reference_packet_bytes=1500)
    assert analysis.threshold == pytest.approx(threshold)


def test_threshold_grows_with_the_increment() -> None:
    """A metric that counts each packet twice must lead by twice as much."""
    once = threshold_analysis(CONNECTX, Weight.PACKETS, 1500)
    twice = threshold_analysis(CONNECTX, Weight.PACKETS, 1500, increment=2)
    assert twice.threshold == 2 * once.threshold


@given(
    packets=st.integers(0, 1000),
    size=st.integers(20, 9000),
    load_ns=st.floats(1, 1e7),
    weight=st.sampled_from(Weight),
)
def test_a_stream_that_earns_the_threshold_pays_for_its_load(
    packets: int, size: int, load_ns: float, weight: Weight
) -> None:
    """Packets worth at least the threshold save at least what the load costs, and only those."""
    cost = CostModel(500, 1, 430, 0, load_ns)
    weights = {Weight.PACKETS: 1, Weight.BYTES: size, Weight.SAVED_NS: cost.saving_ns(size)}
    earned = packets * weights[weight]
    threshold = threshold_analysis(cost, weight, reference_packet_bytes=size).threshold
    if earned >= threshold * (1 + 1e-9):
        assert packets * cost.saving_ns(size) >= load_ns
    if earned <= threshold * (1 - 1e-9):
        assert packets * cost.saving_ns(size) <= load_ns


def test_the_calculation_prints_every_figure_with_its_unit() -> None:
    """A reader can redo the division from the lines alone."""
    assert threshold_analysis(CONNECTX, Weight.PACKETS, 1500).lines() == [
        "load cost: 5,000 ns of host time",
        "saving on 1500 bytes: 2,000 ns in software - 430 ns on the card = 1,570 ns",
        "threshold: 5,000 ns / 1,570 ns per packet = 3.185 packets",
    ]
    assert threshold_analysis(CONNECTX, Weight.BYTES, 1500, increment=2).lines()[-1] == (
        "threshold: 5,000 ns / 1.047 ns per byte * increment 2 = 9,554 bytes"
    )
    assert threshold_analysis(CONNECTX, Weight.SAVED_NS, 1500).lines()[-1] == (
        "threshold: 5,000 ns / 1 ns per saved ns = 5,000 saved-ns"
    )


@pytest.mark.parametrize("weight", list(Weight))
def test_a_card_that_saves_nothing_has_no_threshold(weight: Weight) -> None:
    """Where a packet costs as much on the card as in software, no load can ever pay."""
    analysis = threshold_analysis(CostModel(430, 0, 430, 0, 5000), weight, 1500)
    assert analysis.threshold == math.inf
    assert analysis.lines()[-1] == (
        "threshold: none, for the card saves nothing; nothing is ever loaded"
    )
