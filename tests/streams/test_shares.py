"""Shares: a burst cut by destination, every row once, in the burst's order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.model.burst import Burst
from saactors.model.packets import NO_SA, PACKET, Route
from saactors.streams.shares import Splitter

ROUTES = st.sampled_from([Route.SOFTWARE, Route.NIC, Route.BYPASS, Route.DROP])


def burst_of(placed: Sequence[tuple[Route, int]]) -> Burst:
    """A burst of packets with these routes and SAs."""
    packets = np.zeros(len(placed), PACKET)
    packets["route"] = [route for route, _ in placed]
    packets["sa"] = [sa for _, sa in placed]
    return Burst(np.zeros(0, np.uint8), packets, 0)


def split(splitter: Splitter, placed: Sequence[tuple[Route, int]]) -> dict[int, list[int]]:
    """The rows that each destination gets."""
    shares = splitter.split(burst_of(placed))
    found = {destination: share.rows.tolist() for destination, share in shares}
    assert len(found) == len(shares), "a destination had two shares"
    return found


@settings(deadline=None)
@given(
    placed=st.lists(st.tuples(ROUTES, st.integers(0, 20)), min_size=1, max_size=60),
    workers=st.integers(1, 4),
)
def test_every_row_is_in_one_share_and_rows_keep_the_bursts_order(
    placed: list[tuple[Route, int]], workers: int
) -> None:
    """Against one list per destination, filled packet by packet."""
    expected: dict[int, list[int]] = {}
    for row, (route, sa) in enumerate(placed):
        destination = {
            Route.SOFTWARE: Splitter.FIRST_SOFTWARE + sa % workers,
            Route.NIC: Splitter.NIC,
        }.get(route, Splitter.EXIT)
        expected.setdefault(destination, []).append(row)
    assert split(Splitter(workers), placed) == expected


@settings(deadline=None)
@given(
    bursts=st.lists(
        st.lists(st.tuples(ROUTES, st.integers(0, 9)), min_size=1, max_size=20), max_size=5
    )
)
def test_a_splitter_remembers_nothing_from_burst_to_burst(
    bursts: list[list[tuple[Route, int]]],
) -> None:
    """Whatever it cut before, it cuts as a new one would."""
    splitter = Splitter(3)
    for placed in bursts:
        assert split(splitter, placed) == split(Splitter(3), placed)


def test_a_burst_with_one_destination_goes_on_whole() -> None:
    """Each destination in turn, also the highest numbered one."""
    for route, sa, destination in (
        (Route.DROP, NO_SA, Splitter.EXIT),
        (Route.BYPASS, NO_SA, Splitter.EXIT),
        (Route.NIC, 5, Splitter.NIC),
        (Route.SOFTWARE, 4, Splitter.FIRST_SOFTWARE),
        (Route.SOFTWARE, 5, Splitter.FIRST_SOFTWARE + 1),
    ):
        assert split(Splitter(2), [(route, sa)] * 3) == {destination: [0, 1, 2]}


def test_an_sa_stays_with_one_worker() -> None:
    """So its packets need no putting in order between workers."""
    placed = [(Route.SOFTWARE, sa) for sa in (0, 1, 2, 3, 0, 1, 2, 3)]
    assert split(Splitter(3), placed) == {2: [0, 3, 4, 7], 3: [1, 5], 4: [2, 6]}


def test_a_share_names_rows_of_its_burst_and_copies_no_packet() -> None:
    """Rows are int32 and contiguous, as every compiled function expects them."""
    burst = burst_of([(Route.NIC, 1), (Route.SOFTWARE, 2), (Route.NIC, 1)])
    for _, share in Splitter(1).split(burst):
        assert share.burst is burst
        assert share.rows.dtype == np.int32
        assert share.rows.flags.c_contiguous
