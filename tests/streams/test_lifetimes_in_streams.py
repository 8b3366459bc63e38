"""Lifetimes where packets get their numbers, and where they leave: what is refused uses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saactors.esp.lifetime import NO_LIMIT, Lifetime
from saactors.esp.lifetimes import LifetimeEvent, Lifetimes
from saactors.esp.window import ReplayWindows
from saactors.model.burst import Burst, Component, Finished, Share
from saactors.model.packets import NO_SA, PACKET
from saactors.model.sa import SaTable
from saactors.model.selector import Action, Selector, Stream, selector_columns
from saactors.model.verdicts import Verdict
from saactors.streams.exit import Exit
from saactors.streams.outbound import OutboundClassifier
from saactors.streams.sa_maker import SaMaker, SaTemplate

P, EXPIRED = Verdict.PASSED, Verdict.LIFETIME_EXPIRED
BYPASSED = 53


def classifier(*lifetimes: Lifetime) -> OutboundClassifier:
    """SAs per flow, by a template per destination port from 1 on, with these lifetimes."""
    spd = [
        Selector(None, None, destination_ports=(BYPASSED, BYPASSED), action=Action.BYPASS),
        *(
            Selector(
                None, None, destination_ports=(port, port), stream=Stream.FLOW, target=port - 1
            )
            for port in range(1, len(lifetimes) + 1)
        ),
    ]
    templates = [SaTemplate(lifetime=lifetime) for lifetime in lifetimes]
    return OutboundClassifier(
        selector_columns(spd),
        SaTable(),
        SaMaker(templates, seed=1),
        sas_max=100,
        first_sequences=np.zeros(0, np.uint64),
    )


def to_ports(build: Any, ports: Sequence[int], length_bytes: int = 100) -> Burst:
    """A burst with a packet to each of these ports."""
    fields = [{"destination_port": port, "length_bytes": length_bytes} for port in ports]
    burst: Burst = build.burst(*fields)
    return burst


def columns(burst: Burst, *names: str) -> list[tuple[int, ...]]:
    """These columns of a burst, a tuple per packet."""
    found: list[tuple[int, ...]] = burst.packets[list(names)].tolist()
    return found


def briefly(events: list[LifetimeEvent]) -> list[tuple[int, str, str, int]]:
    """SA, kind, limit and time of each event."""
    return [(event.sa, event.kind, event.limit, event.time_ns) for event in events]


def test_a_packet_beyond_the_limit_is_refused_and_uses_no_number(build: Any) -> None:
    """Other SAs of the burst and what bypasses them go on; the next burst is refused too."""
    outbound = classifier(Lifetime(soft_packets=1, hard_packets=2), NO_LIMIT)
    burst = to_ports(build, [1, 2, 1, BYPASSED, 1, 2, 1])
    assert outbound.classify(burst, 70) == range(2)
    assert columns(burst, "sa", "order", "sequence", "verdict") == [
        (0, 0, 1, P), (1, 0, 1, P), (0, 1, 2, P), (NO_SA, -1, 0, P),
        (0, -1, 0, EXPIRED), (1, 1, 2, P), (0, -1, 0, EXPIRED),
    ]  # fmt: skip
    assert briefly(outbound.poll_events()) == [
        (0, "soft", "packets", 70),
        (0, "hard", "packets", 70),
    ]
    burst = to_ports(build, [2, 1])
    outbound.classify(burst, 80)
    assert columns(burst, "sequence", "verdict") == [(3, P), (0, EXPIRED)]
    assert outbound.poll_events() == []


def test_bytes_are_those_of_the_packets_inside(build: Any) -> None:
    """250 bytes are two packets of 100; a smaller one afterwards comes too late."""
    outbound = classifier(Lifetime(hard_bytes=250))
    burst = to_ports(build, [1, 1, 1])
    outbound.classify(burst)
    assert [verdict for (verdict,) in columns(burst, "verdict")] == [P, P, EXPIRED]
    burst = to_ports(build, [1], length_bytes=40)
    outbound.classify(burst)
    assert columns(burst, "verdict") == [(EXPIRED,)]


def test_the_time_of_a_made_sa_begins_with_its_first_packet(build: Any) -> None:
    """At 500 ns here; the limit is noticed by the first burst at or after it, whose SA it is."""
    outbound = classifier(Lifetime(soft_ns=10, hard_ns=1000), NO_LIMIT)
    outbound.classify(to_ports(build, [2]), 0)
    outbound.classify(to_ports(build, [1]), 500)
    outbound.classify(to_ports(build, [1]), 509)
    assert outbound.poll_events() == []
    last = to_ports(build, [1])
    outbound.classify(last, 1499)
    assert columns(last, "sequence", "verdict") == [(3, P)]
    outbound.classify(to_ports(build, [2]), 1500)
    late = to_ports(build, [1])
    outbound.classify(late, 1501)
    assert columns(late, "sequence", "verdict") == [(0, EXPIRED)]
    assert briefly(outbound.poll_events()) == [(1, "soft", "time", 1499), (1, "hard", "time", 1500)]


@given(bursts=st.lists(st.lists(st.sampled_from([1, 2, BYPASSED, 99]), min_size=1), max_size=5))
def test_limits_that_are_never_reached_change_nothing(build: Any, bursts: list[list[int]]) -> None:
    """Numbers come in a pass of their own then, and are the same."""
    without = classifier(NO_LIMIT, NO_LIMIT)
    with_limits = classifier(Lifetime(hard_bytes=10**9), NO_LIMIT)
    for ports in bursts:
        expected, found = to_ports(build, ports), to_ports(build, ports)
        assert with_limits.classify(found) == without.classify(expected)
        assert found.packets.tolist() == expected.packets.tolist()


def inbound_burst(sequences: Sequence[int], verdicts: Sequence[Verdict] | None = None) -> Burst:
    """Packets of SA 0 that a component has opened."""
    packets = np.zeros(len(sequences), PACKET)
    packets["sequence"], packets["order"] = sequences, range(len(sequences))
    packets["length_bytes"] = packets["captured_bytes"] = 150
    if verdicts is not None:
        packets["verdict"] = verdicts
    return Burst(np.zeros(0, np.uint8), packets, 0, sa_count=1, inbound=True)


def opened(burst: Burst, rows: Sequence[int], lengths: Sequence[int]) -> Finished:
    """These rows, the packets in them of these lengths."""
    return Finished(
        burst,
        np.array(rows, np.int32),
        Component.NIC,
        None,
        np.zeros(len(rows), np.int64),
        np.array(lengths, np.int32),
    )


def leaving(lifetime: Lifetime, windows: ReplayWindows | None) -> Exit:
    """An exit for one SA with that lifetime."""
    lifetimes = Lifetimes()
    lifetimes.limit(0, lifetime, 0)
    return Exit(windows, [], lifetimes)


def test_only_what_is_accepted_counts_inbound() -> None:
    """Not forgeries, not replays; the packet beyond the limit is dropped under its reason."""
    leave = leaving(Lifetime(hard_packets=2), ReplayWindows(64))
    burst = inbound_burst([5, 1, 1, 2, 3], [Verdict.ICV_FAILED, P, P, P, P])
    leave.accept(opened(burst, range(5), [100] * 5), 9)
    assert leave.drops == {"icv_failed": 1, "replayed": 1, "lifetime_expired": 1}
    assert leave.left == 2
    assert briefly(leave.poll_events()) == [(0, "hard", "packets", 9)]


@pytest.mark.parametrize("windows", [ReplayWindows(64), None], ids=["windows", "no cryptography"])
def test_bytes_are_those_of_the_packets_that_come_out(windows: ReplayWindows | None) -> None:
    """Each row's own, also where a packet had to wait for its turn and comes in another share."""
    leave = leaving(Lifetime(hard_bytes=115), windows)
    burst = inbound_burst([1, 2, 3, 4])
    leave.accept(opened(burst, [1, 3], [50, 7]), 1)
    assert leave.left == 0
    leave.accept(opened(burst, [0, 2], [40, 20]), 2)
    assert [verdict for (verdict,) in columns(burst, "verdict")] == [P, P, P, EXPIRED]
    assert leave.drops == {"lifetime_expired": 1}


def test_what_bypasses_crypto_is_charged_to_nobody() -> None:
    """It has no SA."""
    leave = leaving(Lifetime(hard_packets=1), None)
    burst = inbound_burst([0, 0])
    burst.packets["sa"], burst.packets["order"] = NO_SA, -1
    leave.accept_unprocessed(Share(burst, np.arange(2, dtype=np.int32)), 1)
    assert (leave.left, leave.drops) == (2, {})
