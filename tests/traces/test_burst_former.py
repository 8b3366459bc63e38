"""The burst former: which packets a driver gets to see together, and when."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.model.packets import PACKET
from saactors.traces.burst_former import BURST_MAX, BURST_WAIT_NS, BurstFormer, next_burst


def at(*times_ns: int) -> npt.NDArray[np.void]:
    """Packets that arrive at these times."""
    packets = np.zeros(len(times_ns), PACKET)
    packets["time_ns"] = times_ns
    return packets


def bursts(
    packets: npt.NDArray[np.void], burst_max: int = BURST_MAX, wait_ns: int = 100
) -> list[tuple[int, int, int]]:
    """The bursts of one chunk: (first row, row behind the last, ready)."""
    return list(BurstFormer(burst_max, wait_ns).bursts(packets))


def test_a_burst_is_ready_when_its_wait_is_over() -> None:
    """The wait counts from the first packet, not from the last."""
    assert bursts(at(0, 60, 99, 150, 500)) == [(0, 3, 100), (3, 4, 250), (4, 5, 500)]


def test_a_full_burst_is_ready_with_its_last_packet() -> None:
    """Nobody waits for more when no more would fit."""
    assert bursts(at(0, 10, 20, 30, 40), burst_max=2) == [(0, 2, 10), (2, 4, 30), (4, 5, 40)]


def test_a_packet_that_arrives_when_the_wait_ends_is_in_the_next_burst() -> None:
    """The interrupt at 100 ns hands on what arrived before it."""
    assert bursts(at(0, 99, 100, 1000)) == [(0, 2, 100), (2, 3, 200), (3, 4, 1000)]


def test_without_a_wait_every_packet_is_a_burst() -> None:
    """Per-packet decisions, also for packets of the same nanosecond."""
    assert bursts(at(5, 5, 9), wait_ns=0) == [(0, 1, 5), (1, 2, 5), (2, 3, 9)]


def test_the_end_of_a_chunk_closes_a_burst_with_its_last_packet() -> None:
    """``complete`` tells such a burst from one that is full or has waited."""
    packets = at(0, 10, 20)
    assert next_burst(packets, 0, 256, 100) == (3, 20, False)
    assert next_burst(packets, 0, 3, 100) == (3, 20, True)
    assert next_burst(packets, 0, 256, 15) == (2, 15, True)


def test_a_chunk_without_packets_has_no_bursts() -> None:
    """Nothing in, nothing out."""
    assert bursts(at()) == []


@settings(deadline=None)
@given(
    gaps_ns=st.lists(st.integers(0, 150), max_size=60),
    burst_max=st.integers(1, 8),
    wait_ns=st.integers(0, 400),
)
def test_bursts_partition_the_packets_in_order_and_within_both_bounds(
    gaps_ns: list[int], burst_max: int, wait_ns: int
) -> None:
    """Every packet is in one burst; no burst is too long, waits too long or is ready too early."""
    packets = at(*np.cumsum(gaps_ns, dtype=np.int64).tolist())
    formed = bursts(packets, burst_max, wait_ns)
    rows = [row for start, stop, _ in formed for row in range(start, stop)]
    ready = [ready_ns for _, _, ready_ns in formed]
    assert rows == list(range(len(packets)))
    assert ready == sorted(ready)
    for start, stop, ready_ns in formed:
        first_ns, last_ns = packets["time_ns"][[start, stop - 1]].tolist()
        assert 1 <= stop - start <= burst_max
        assert last_ns <= ready_ns <= first_ns + wait_ns
        if stop < len(packets) and stop - start < burst_max:
            assert packets["time_ns"][stop] >= ready_ns == first_ns + wait_ns


def test_the_default_wait_is_that_of_20_000_interrupts_a_second() -> None:
    """The rate that ixgbe calls IXGBE_20K_ITR."""
    assert BURST_WAIT_NS * 20_000 == 1_000_000_000


@pytest.mark.parametrize(
    ("burst_max", "wait_ns", "problem"),
    [
        (0, 0, "burst: found 0, expected 1 to 256 packets"),
        (257, 0, "burst: found 257, expected 1 to 256 packets"),
        (1, -1, "burst_wait_ns: found -1, expected 0 to 1000000000 ns"),
        (1, 10**9 + 1, "burst_wait_ns: found 1000000001, expected 0 to 1000000000 ns"),
    ],
)
def test_parameters_outside_their_range_are_refused(
    burst_max: int, wait_ns: int, problem: str
) -> None:
    """The message names the parameter, the value and the range."""
    with pytest.raises(ParameterError) as caught:
        BurstFormer(burst_max, wait_ns)
    assert str(caught.value) == problem
