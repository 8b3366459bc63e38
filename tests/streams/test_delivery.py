"""In-order delivery: however shares overtake each other, each SA's packets leave in order, once."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.model.burst import Burst, Component, Finished
from saactors.model.packets import NO_SA, PACKET
from saactors.streams.delivery import InOrder

Left = list[tuple[int, int]]  # SA and order of each packet, as they left


def burst_of(sas: list[int], orders: list[int], sa_count: int = 0) -> Burst:
    """A burst of packets with these SAs and orders."""
    packets = np.zeros(len(sas), PACKET)
    packets["sa"], packets["order"] = sas, orders
    return Burst(np.zeros(0, np.uint8), packets, 0, sa_count=sa_count or max(sas, default=0) + 1)


def finished(burst: Burst, rows: list[int]) -> Finished:
    """A share that a component is done with."""
    lengths = np.zeros(len(rows), np.int32)
    starts = np.zeros(len(rows), np.int64)
    return Finished(burst, np.array(rows, np.int32), Component.NIC, None, starts, lengths)


def release(in_order: InOrder, share: Finished) -> Left:
    """What leaves because of a share, in order; checks the form of the answer too."""
    left: Left = []
    for delivered, positions in in_order.release(share):
        assert positions.dtype == np.int32
        assert len(positions)
        rows = delivered.rows[positions]
        columns = delivered.burst.packets[["sa", "order"]][rows]
        left += columns.tolist()
    return left


@st.composite
def journeys(draw: st.DrawFn) -> tuple[list[Finished], Left]:
    """Bursts of a few SAs, cut into shares, in any order of arrival; and what went in.

    Packets without an SA, or dropped before they had an order, are among them.
    """
    orders: dict[int, int] = defaultdict(int)
    shares, sent = [], []
    for _ in range(draw(st.integers(1, 5))):
        sas = draw(st.lists(st.integers(NO_SA, 4), min_size=1, max_size=10))
        numbers = []
        for sa in sas:
            ordered = sa != NO_SA and draw(st.integers(0, 9)) > 0
            numbers.append(orders[sa] if ordered else -1)
            orders[sa] += ordered
        burst = burst_of(sas, numbers, sa_count=5)
        sent += list(zip(sas, numbers, strict=True))
        parts = draw(st.lists(st.integers(0, 2), min_size=len(sas), max_size=len(sas)))
        for part in range(3):
            rows = [row for row, mine in enumerate(parts) if mine == part]
            if rows:
                shares.append(finished(burst, rows))
    return draw(st.permutations(shares)), sent


@settings(deadline=None, max_examples=200)
@given(journeys())
def test_each_sas_packets_leave_in_order_and_each_once(
    journey: tuple[list[Finished], Left],
) -> None:
    """Whatever was cut how and whatever came first (law 3), and in the end nobody is left."""
    shares, sent = journey
    in_order = InOrder()
    left: Left = []
    arrived = 0
    for share in shares:
        left += release(in_order, share)
        arrived += len(share.rows)
        assert in_order.held_back == arrived - len(left)
    assert sorted(left) == sorted(sent)
    assert in_order.held_back == 0
    for sa in range(5):
        orders = [order for of_sa, order in left if of_sa == sa and order >= 0]
        assert orders == sorted(orders)


@settings(deadline=None, max_examples=100)
@given(journeys())
def test_nobody_is_held_back_longer_than_needed(journey: tuple[list[Finished], Left]) -> None:
    """After every arrival, what could leave has left: whoever waits, waits for a missing one."""
    shares, _ = journey
    in_order = InOrder()
    arrived: set[tuple[int, int]] = set()
    left: set[tuple[int, int]] = set()
    for share in shares:
        columns = share.burst.packets[["sa", "order"]][share.rows]
        arrived |= {packet for packet in columns.tolist() if packet[1] >= 0}
        left |= {packet for packet in release(in_order, share) if packet[1] >= 0}
        for sa, order in arrived - left:
            assert any((sa, earlier) not in arrived for earlier in range(order))


def test_a_share_that_nobody_overtook_leaves_whole_and_at_once() -> None:
    """As the one delivery that it came as, longer than any usual burst, too."""
    in_order = InOrder()
    for first in (0, 400):
        share = finished(burst_of([0] * 400, list(range(first, first + 400))), list(range(400)))
        ((delivered, positions),) = in_order.release(share)
        assert delivered is share
        assert positions.tolist() == list(range(400))


def test_a_packet_ahead_of_its_turn_waits_and_holds_up_no_other_sa() -> None:
    """SA 1 leaves past SA 0, whose second packet came first."""
    in_order = InOrder()
    burst = burst_of([0, 0, 1], [0, 1, 0])
    assert release(in_order, finished(burst, [1, 2])) == [(1, 0)]
    assert in_order.held_back == 1
    assert release(in_order, finished(burst, [0])) == [(0, 0), (0, 1)]
    assert in_order.held_back == 0


def test_packets_without_an_order_never_wait() -> None:
    """Bypassed ones, and ones that were dropped before they had a place in line."""
    in_order = InOrder()
    burst = burst_of([0, NO_SA, 0, 0], [1, -1, -1, 0])
    assert release(in_order, finished(burst, [0, 1, 2])) == [(NO_SA, -1), (0, -1)]
    assert release(in_order, finished(burst, [3])) == [(0, 0), (0, 1)]


def test_a_turn_that_comes_twice_shows_as_a_defect() -> None:
    """A packet delivered twice would leave twice."""
    in_order = InOrder()
    burst = burst_of([0, 0, 0], [0, 1, 2])
    release(in_order, finished(burst, [0]))
    release(in_order, finished(burst, [2]))
    with pytest.raises(AssertionError, match="turn came twice"):
        release(in_order, finished(burst, [0]))
