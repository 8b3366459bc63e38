"""The exit: every packet is accounted for, replays stop here, and sinks get what leaves."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.esp.window import ReplayWindows
from saactors.model.burst import Burst, Component, Finished, Share
from saactors.model.packets import NO_SA, PACKET
from saactors.model.verdicts import Verdict
from saactors.streams.exit import Exit

P = Verdict.PASSED
COMPONENTS = st.sampled_from(list(Component))
VERDICTS = st.sampled_from([P, P, P, Verdict.ICV_FAILED, Verdict.PACKET_TOO_LONG])


class Collector:
    """A sink that remembers who left when: (row's time, now) of every packet."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int]] = []

    def take(self, finished: Finished, positions: npt.NDArray[np.int32], now_ns: int) -> None:
        """Remember the packets at these positions."""
        times = finished.burst.packets["time_ns"][finished.rows[positions]]
        self.taken += [(time_ns, now_ns) for time_ns in times.tolist()]


def burst_of(
    verdicts: list[Verdict],
    *,
    sas: list[int] | None = None,
    orders: list[int] | None = None,
    sequences: list[int] | None = None,
) -> Burst:
    """Packets of 100 bytes, arriving at 0, 1, 2 … ns; of SA 0 and in order unless said."""
    count = len(verdicts)
    packets = np.zeros(count, PACKET)
    packets["time_ns"] = np.arange(count)
    packets["verdict"] = verdicts
    packets["length_bytes"] = packets["captured_bytes"] = 100
    packets["sa"] = [0] * count if sas is None else sas
    packets["order"] = range(count) if orders is None else orders
    packets["sequence"] = range(1, count + 1) if sequences is None else sequences
    return Burst(np.zeros(0, np.uint8), packets, 0, sa_count=5, inbound=True)


def finished(burst: Burst, component: Component, rows: list[int] | None = None) -> Finished:
    """These rows of a burst (or all), done by a component."""
    chosen = np.arange(len(burst.packets)) if rows is None else np.array(rows)
    starts, lengths = np.zeros(len(chosen), np.int64), np.full(len(chosen), 150, np.int32)
    return Finished(burst, chosen.astype(np.int32), component, None, starts, lengths)


@settings(deadline=None, max_examples=150)
@given(
    bursts=st.lists(st.tuples(st.lists(VERDICTS, min_size=1, max_size=12), COMPONENTS), max_size=6)
)
def test_in_is_out_and_drops_by_reason_at_every_moment(
    bursts: list[tuple[list[Verdict], Component]],
) -> None:
    """Whatever the components report, in total and per component (law 1)."""
    sink = Collector()
    leave = Exit(None, [sink])
    entered: Counter[Component] = Counter()
    passed: Counter[Component] = Counter()
    reasons: Counter[str] = Counter()
    for number, (verdicts, component) in enumerate(bursts):
        orders = range(entered.total(), entered.total() + len(verdicts))
        burst = burst_of(verdicts, orders=list(orders))
        refused = [verdict.label for verdict in verdicts if verdict is not P]
        assert leave.accept(finished(burst, component), 1000 + number) == len(refused)
        entered[component] += len(verdicts)
        passed[component] += len(verdicts) - len(refused)
        reasons.update(refused)
        assert leave.left == passed.total() == len(sink.taken)
        assert leave.drops == dict(reasons)
        assert leave.left + sum(leave.drops.values()) == entered.total()
    for component in (Component.SOFTWARE, Component.NIC):
        assert leave.packets[component] == entered[component]
        assert leave.bytes[component] == 100 * entered[component]
        assert len(leave.latencies[component]) == passed[component]
    assert leave.packets[Component.NONE] == passed[Component.NONE]
    assert leave.traffic.total("software_packets") == entered[Component.SOFTWARE]
    assert leave.traffic.total("nic_packets") == entered[Component.NIC]
    assert leave.traffic.total("bypass_packets") == passed[Component.NONE]
    assert leave.dropped.total("dropped_packets") == reasons.total()


def test_drops_are_told_once_as_news() -> None:
    """What is asked for again is only what came since."""
    leave = Exit(None, [])
    leave.accept(finished(burst_of([Verdict.ICV_FAILED, P]), Component.NIC), 5)
    assert leave.newly_dropped() == {"icv_failed": 1}
    assert leave.newly_dropped() == {}
    later = burst_of([Verdict.ICV_FAILED, Verdict.DUMMY], orders=[2, 3])
    leave.accept(finished(later, Component.SOFTWARE), 6)
    assert leave.newly_dropped() == {"icv_failed": 1, "dummy": 1}
    assert leave.drops == {"icv_failed": 2, "dummy": 1}


def test_sinks_get_what_passes_when_it_passes() -> None:
    """A packet that waits for its turn is taken when it leaves, with that time."""
    sinks = [Collector(), Collector()]
    leave = Exit(None, sinks)
    burst = burst_of([P, Verdict.ICV_FAILED, P])
    leave.accept(finished(burst, Component.NIC, [1, 2]), 10)
    assert leave.held_back == 2
    assert sinks[0].taken == []
    leave.accept(finished(burst, Component.SOFTWARE, [0]), 30)
    assert leave.held_back == 0
    assert sinks[0].taken == sinks[1].taken == [(0, 30), (2, 30)]
    latencies = leave.latencies
    assert latencies[Component.SOFTWARE].percentile_ns(1.0) == 30
    assert latencies[Component.NIC].percentile_ns(1.0) == 28


def test_a_dropped_packet_gives_its_turn_on() -> None:
    """Whoever was dropped in a component does not hold up those behind it."""
    leave = Exit(None, [])
    burst = burst_of([P, Verdict.PACKET_TOO_LONG, P])
    leave.accept(finished(burst, Component.NIC, [2]), 1)
    leave.accept(finished(burst, Component.SOFTWARE, [0, 1]), 2)
    assert (leave.left, leave.held_back) == (2, 0)


def test_what_needs_no_crypto_leaves_as_it_was_captured() -> None:
    """Bypassed packets leave with the bytes that are there, others under their reason."""
    lengths = []

    class Lengths:
        def take(self, share: Finished, positions: npt.NDArray[np.int32], _now_ns: int) -> None:
            assert share.component is Component.NONE
            lengths.extend(zip(share.starts[positions], share.lengths[positions], strict=True))

    leave = Exit(None, [Lengths()])
    burst = burst_of([P, Verdict.NO_POLICY, P], sas=[NO_SA] * 3, orders=[-1] * 3)
    burst.packets["offset"] = [14, 200, 400]
    burst.packets["captured_bytes"][2] = 60
    dropped = leave.accept_unprocessed(Share(burst, np.arange(3, dtype=np.int32)), 1)
    assert dropped == 1
    assert lengths == [(14, 100), (400, 60)]
    assert leave.packets[Component.NONE] == 2
    assert leave.drops == {"no_policy": 1}


def verdicts_after(leave: Exit, burst: Burst, component: Component) -> list[Verdict]:
    """The verdicts once the burst has met the windows."""
    leave.accept(finished(burst, component), 100)
    return [Verdict(number) for number in burst.packets["verdict"]]


@pytest.mark.parametrize("component", [Component.SOFTWARE, Component.NIC])
def test_an_inbound_packet_meets_its_sas_replay_window(component: Component) -> None:
    """Whoever opened it: taken once, and neither zero nor too old (RFC 4303 §3.4.3)."""
    leave = Exit(ReplayWindows(64), [])
    burst = burst_of([P] * 6, sequences=[100, 100, 0, 37, 36, 101])
    assert verdicts_after(leave, burst, component) == [
        P,
        Verdict.REPLAYED,
        Verdict.SEQUENCE_ZERO,
        P,
        Verdict.TOO_OLD,
        P,
    ]
    assert leave.drops == {"replayed": 1, "sequence_zero": 1, "too_old": 1}


def test_a_forged_packet_does_not_move_the_window() -> None:
    """Its number is the sender's word only."""
    leave = Exit(ReplayWindows(64), [])
    burst = burst_of([Verdict.ICV_FAILED, P], sequences=[10**9, 1])
    assert verdicts_after(leave, burst, Component.NIC) == [Verdict.ICV_FAILED, P]


def test_the_window_is_asked_in_the_order_of_arrival_not_of_completion() -> None:
    """A burst that the card overtakes: the late one is not too old, for it was not late."""
    leave = Exit(ReplayWindows(64), [])
    burst = burst_of([P, P], sequences=[1, 1000])
    leave.accept(finished(burst, Component.NIC, [1]), 1)
    leave.accept(finished(burst, Component.SOFTWARE, [0]), 2)
    assert leave.left == 2
    assert leave.drops == {}


def test_what_bypasses_crypto_meets_no_window() -> None:
    """It has no SA and no sequence number."""
    leave = Exit(ReplayWindows(64), [])
    burst = burst_of([P], sas=[NO_SA], orders=[-1], sequences=[0])
    leave.accept_unprocessed(Share(burst, np.zeros(1, np.int32)), 1)
    assert leave.left == 1


def test_each_sa_has_a_window_of_its_own_and_counts_of_its_own() -> None:
    """The same number on two SAs is taken twice; packets are counted where they belong."""
    leave = Exit(ReplayWindows(), [])
    burst = burst_of([P] * 3, sas=[1, 3, 1], orders=[0, 0, 1], sequences=[7, 7, 7])
    verdicts = verdicts_after(leave, burst, Component.NIC)
    assert verdicts == [P, P, Verdict.REPLAYED]
    counts = leave.counters.of(5)[["packets", "bytes", "nic_packets"]]
    assert counts.tolist() == [(0, 0, 0), (2, 200, 2), (0, 0, 0), (1, 100, 1), (0, 0, 0)]
