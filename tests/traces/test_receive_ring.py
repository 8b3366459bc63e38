"""The receive ring, against a list of packets that waits in front of a busy agent."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.model.packets import PACKET
from saactors.model.verdicts import Verdict
from saactors.traces.burst_former import BurstFormer
from saactors.traces.receive_ring import RING_PACKETS, ReceiveRing

GAPS = st.lists(st.sampled_from([0, 0, 1, 3, 10, 40]), max_size=60)
CLOSED_LOOP = None


def at(*times_ns: int) -> npt.NDArray[np.void]:
    """Packets that arrive at these times; their lengths differ."""
    packets = np.zeros(len(times_ns), PACKET)
    packets["time_ns"] = times_ns
    packets["length_bytes"] = 100 + np.arange(len(times_ns))
    return packets


@dataclass
class Agent:
    """Takes bursts from a ring as the source does, busy for a while after each."""

    ring: ReceiveRing
    busy_ns: list[int] = field(default_factory=list)  # after each burst; 0 when used up
    now_ns: int = 0
    looks_ns: list[int] = field(default_factory=list)  # when it asked the ring anything
    bursts: list[tuple[range, int, int]] = field(default_factory=list)  # rows, ready, taken

    def read(self, packets: npt.NDArray[np.void]) -> None:
        """Take every burst of a chunk."""
        self.ring.open(packets)
        while True:
            self.looks_ns.append(self.now_ns)
            ready_ns = self.ring.next_burst(self.now_ns)
            if ready_ns is None:
                return
            self.now_ns = max(self.now_ns, ready_ns)
            self.looks_ns.append(self.now_ns)
            burst = self.ring.take(self.now_ns)
            first = row_of(packets, burst)
            self.bursts.append((range(first, first + len(burst)), ready_ns, self.now_ns))
            self.now_ns += self.busy_ns.pop(0) if self.busy_ns else 0


def row_of(packets: npt.NDArray[np.void], burst: npt.NDArray[np.void]) -> int:
    """Where a view of the packets begins."""
    apart = burst.__array_interface__["data"][0] - packets.__array_interface__["data"][0]
    return int(apart // PACKET.itemsize)


def dropped_by_a_list(
    packets: npt.NDArray[np.void], agent: Agent, packets_max: int | None
) -> list[int]:
    """Which packets find a list full that the agent empties just as it emptied the ring."""
    waiting: list[int] = []
    dropped: list[int] = []
    arriving = list(enumerate(packets["time_ns"].tolist()))
    taken = iter(agent.bursts)
    for look, now_ns in enumerate(agent.looks_ns):
        while arriving and arriving[0][1] <= now_ns:
            row, _ = arriving.pop(0)
            full = packets_max is not None and len(waiting) == packets_max
            (dropped if full else waiting).append(row)
        if look % 2:  # every second time it takes a burst
            rows, _, _ = next(taken)
            assert waiting[: len(rows)] == list(rows), "a burst was not what waited longest"
            del waiting[: len(rows)]
    assert not waiting
    return dropped


def test_what_has_arrived_includes_what_waits_and_what_was_dropped() -> None:
    """A run that is interrupted between two bursts accounts for these too (law 1)."""
    ring = ReceiveRing(BurstFormer(256, 20), 2)
    ring.open(at(0, 0, 0, 0, 0, 30))
    assert (ring.arrived, ring.passed) == (0, 0)
    ring.next_burst(0)
    assert (ring.arrived, ring.passed, ring.dropped) == (5, 0, 3)
    ring.take(0)
    assert (ring.arrived, ring.passed, ring.dropped) == (5, 2, 3)
    ring.next_burst(30)
    assert (ring.arrived, ring.passed, ring.dropped) == (6, 5, 3)


@settings(deadline=None, max_examples=250)
@given(
    gaps_ns=GAPS,
    busy_ns=st.lists(st.integers(0, 60), max_size=40),
    burst_max=st.integers(1, 6),
    wait_ns=st.sampled_from([0, 5, 20, 100]),
    packets_max=st.sampled_from([1, 2, 5, 9, CLOSED_LOOP]),
)
def test_the_ring_holds_and_drops_what_a_list_would(
    gaps_ns: list[int], busy_ns: list[int], burst_max: int, wait_ns: int, packets_max: int | None
) -> None:
    """Packets are dropped exactly when the ring is full, and counted; all others come out once."""
    packets = at(*np.cumsum(gaps_ns, dtype=np.int64).tolist())
    agent = Agent(ReceiveRing(BurstFormer(burst_max, wait_ns), packets_max), busy_ns)
    agent.read(packets)
    expected = dropped_by_a_list(packets, agent, packets_max)
    dropped = np.flatnonzero(packets["verdict"] == Verdict.RX_RING_FULL).tolist()
    taken = [row for rows, _, _ in agent.bursts for row in rows]
    assert dropped == expected
    assert taken == sorted(taken)
    assert sorted(taken + dropped) == list(range(len(packets)))
    ring = agent.ring
    assert (ring.arrived, ring.passed, ring.dropped) == (len(packets), len(packets), len(dropped))
    assert ring.bytes == packets["length_bytes"].sum()
    if packets_max is CLOSED_LOOP:
        assert not dropped


@settings(deadline=None, max_examples=200)
@given(
    gaps_ns=GAPS,
    busy_ns=st.lists(st.integers(0, 60), max_size=40),
    burst_max=st.integers(1, 6),
    wait_ns=st.sampled_from([0, 5, 20, 100]),
    packets_max=st.sampled_from([2, 5, CLOSED_LOOP]),
)
def test_a_late_agent_takes_all_that_has_gathered_and_none_that_has_not(
    gaps_ns: list[int], busy_ns: list[int], burst_max: int, wait_ns: int, packets_max: int | None
) -> None:
    """As many as fit into a burst; and nobody waits longer than the wait if the agent does not."""
    packets = at(*np.cumsum(gaps_ns, dtype=np.int64).tolist())
    agent = Agent(ReceiveRing(BurstFormer(burst_max, wait_ns), packets_max), busy_ns)
    agent.read(packets)
    times_ns = packets["time_ns"].tolist()
    for rows, ready_ns, taken_ns in agent.bursts:
        assert 1 <= len(rows) <= burst_max
        assert times_ns[rows[-1]] <= taken_ns
        assert ready_ns <= times_ns[rows[0]] + wait_ns
        room = len(rows) < burst_max and packets_max is CLOSED_LOOP
        if taken_ns > ready_ns and room and rows.stop < len(packets):
            assert times_ns[rows.stop] > taken_ns


@settings(deadline=None, max_examples=150)
@given(
    gaps_ns=GAPS,
    burst_max=st.integers(1, 6),
    wait_ns=st.sampled_from([0, 3, 20, 100]),
    closed_loop=st.booleans(),
)
def test_an_agent_that_keeps_up_gets_the_bursts_of_the_burst_former(
    gaps_ns: list[int], burst_max: int, wait_ns: int, closed_loop: bool
) -> None:
    """So that replay and lab decide alike (law 8), also for packets of one and the same instant."""
    packets = at(*np.cumsum(gaps_ns, dtype=np.int64).tolist())
    former = BurstFormer(burst_max, wait_ns)
    agent = Agent(ReceiveRing(former, CLOSED_LOOP if closed_loop else RING_PACKETS))
    agent.read(packets)
    formed = [(range(start, stop), ready_ns) for start, stop, ready_ns in former.bursts(packets)]
    assert [(rows, ready_ns) for rows, ready_ns, _ in agent.bursts] == formed


@settings(deadline=None, max_examples=60)
@given(
    chunks=st.lists(GAPS, max_size=4),
    busy_ns=st.lists(st.integers(0, 200), max_size=20),
    packets_max=st.sampled_from([1, 4, CLOSED_LOOP]),
)
def test_counts_go_on_from_chunk_to_chunk(
    chunks: list[list[int]], busy_ns: list[int], packets_max: int | None
) -> None:
    """Every packet of every chunk is given out or dropped, and counted."""
    agent = Agent(ReceiveRing(BurstFormer(4, 20), packets_max), busy_ns)
    total = dropped = 0
    start_ns = 0
    for gaps_ns in chunks:
        packets = at(*(start_ns + np.cumsum(gaps_ns, dtype=np.int64)).tolist())
        start_ns += sum(gaps_ns)
        agent.read(packets)
        total += len(packets)
        dropped += int((packets["verdict"] == Verdict.RX_RING_FULL).sum())
        assert (agent.ring.passed, agent.ring.dropped) == (total, dropped)
    assert sum(len(rows) for rows, _, _ in agent.bursts) == total - dropped


def test_a_ring_of_four_drops_what_comes_while_four_wait() -> None:
    """In figures: the agent is away from 0 to 100 ns, and six packets come meanwhile."""
    packets = at(0, 10, 20, 30, 40, 50, 60, 200)
    agent = Agent(ReceiveRing(BurstFormer(256, 0), 4), [100])
    agent.read(packets)
    assert [list(rows) for rows, _, _ in agent.bursts] == [[0], [1, 2, 3, 4], [7]]
    assert np.flatnonzero(packets["verdict"]).tolist() == [5, 6]


def test_a_chunk_that_was_left_before_its_end_shows_as_a_defect() -> None:
    """Packets must not disappear between chunks."""
    ring = ReceiveRing(BurstFormer(4, 20))
    ring.open(at(0, 1))
    with pytest.raises(AssertionError, match="left before its end"):
        ring.open(at(2))


@pytest.mark.parametrize("packets_max", [0, -1])
def test_a_ring_without_room_is_refused(packets_max: int) -> None:
    """It would drop everything."""
    with pytest.raises(ParameterError) as caught:
        ReceiveRing(BurstFormer(), packets_max)
    assert str(caught.value) == f"rx_ring: found {packets_max}, expected 1 packet or more"
