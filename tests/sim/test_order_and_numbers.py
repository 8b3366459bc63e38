"""Laws 2 and 3 on the ESP that a run writes: numbers are never used twice, order is never lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.model.burst import Component

OpenEsp = Callable[[Path, int], list[Any]]

FAULTS = st.fixed_dictionaries(
    {
        "load_lost_probability": st.sampled_from([0.0, 0.3]),
        "load_refused_probability": st.sampled_from([0.0, 0.3]),
        "resets_ns": st.lists(st.integers(0, 400_000), max_size=6),
        "stalls": st.lists(
            st.fixed_dictionaries(
                {"start_ns": st.integers(0, 400_000), "duration_ns": st.integers(1, 50_000)}
            ),
            max_size=3,
        ),
    }
)
# From an engine that races ahead of software to one that falls behind it.
CARDS = st.fixed_dictionaries(
    {
        "engine_packet_ns": st.sampled_from([10.0, 400.0, 3000.0]),
        "load_latency_ns": st.sampled_from([100, 3000]),
        "load_blocks_engine": st.booleans(),
        "engine_queue_packets_max": st.sampled_from([4, 512]),
    }
)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    workers=st.integers(1, 4),
    burst=st.sampled_from([1, 3, 32]),
    software_ns=st.sampled_from([50.0, 1000.0, 3000.0]),
    rx_ring=st.sampled_from([4, 512]),
    card=CARDS,
    faults=FAULTS,
)
def test_an_sa_s_packets_leave_in_order_with_numbers_of_their_own(
    simulate: Callable[..., Any],
    traffic: Callable[..., Any],
    open_esp: OpenEsp,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    workers: int,
    burst: int,
    software_ns: float,
    rx_ring: int,
    card: dict[str, Any],
    faults: dict[str, Any],
) -> None:
    """Across moves, lost loads, resets and stalls, with up to four workers.

    Per SPI the sequence numbers are 1, 2, 3, … as the file has them, no IV comes twice, and the
    payloads say that the packets stand in the order in which they were sent.
    """
    path = tmp_path_factory.getbasetemp() / "esp.pcap"
    run = simulate(
        traffic(seed, 300, gap_ns=800, phases=12),
        seed=seed,
        scheduler_seed=seed,
        software_workers=workers,
        burst=burst,
        burst_wait_ns=4000,
        rx_ring=rx_ring,
        host={"software_packet_ns": software_ns},
        card=card,
        faults=faults,
        write_esp=path,
    )
    opened = open_esp(path, seed)
    assert len(opened) == run.result.packets.left
    by_spi = defaultdict(list)
    for packet in opened:
        by_spi[packet.spi].append(packet)
    for packets in by_spi.values():
        assert [packet.sequence for packet in packets] == list(range(1, len(packets) + 1))
        assert len({packet.iv for packet in packets}) == len(packets)
        assert len({packet.flow for packet in packets}) == 1
        numbers = [packet.number for packet in packets]
        assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_a_packet_that_is_done_early_waits_for_its_turn(
    workers: int, simulate: Callable[..., Any], traffic: Callable[..., Any]
) -> None:
    """While an SA moves to the card, the fast engine overtakes slow software; the egress does not.

    Such packets leave at the very instant of the one that they waited for.
    """
    run = simulate(
        traffic(7, gap_ns=2500),
        burst=1,
        software_workers=workers,
        host={"software_packet_ns": 6000.0},
        card={"engine_packet_ns": 10.0, "load_latency_ns": 100},
    )
    assert run.result.loads > 20
    held_back = 0
    last: dict[int, Any] = {}
    for packet in run.left:
        before = last.get(packet.sa)
        assert packet.order == (before.order + 1 if before else 0)
        if before and before.component is Component.SOFTWARE and packet.component is Component.NIC:
            held_back += packet.left_ns == before.left_ns
        last[packet.sa] = packet
    assert held_back > 5


@pytest.mark.parametrize(
    ("extended", "first"), [(False, 2**32 - 40), (True, 2**64 - 40), (True, 2**32 - 40)]
)
def test_an_sa_whose_numbers_are_used_up_stops(
    extended: bool, first: int, simulate: Callable[..., Any], traffic: Callable[..., Any]
) -> None:
    """No number comes round again (RFC 4303 §3.3.3); extended ones go past 32 bits instead.

    The SA moves between software and card meanwhile, and others are not affected.
    """
    sa = {
        "suite": "aes-gcm-128", "mode": "tunnel", "key_from_seed": True,
        "source": "192.0.2.1", "destination": "198.51.100.1",
    }  # fmt: skip
    sas = [
        {
            **sa,
            "name": "ending",
            "spi": 300,
            "first_sequence": first,
            "extended_sequence": extended,
        },
        {**sa, "name": "other", "spi": 301},
    ]
    policies = [
        {"action": "protect", "source": "10.1.0.0/32", "sa": "ending"},
        {"action": "protect", "sa": "other"},
    ]
    sent = traffic(3, 800)
    run = simulate(
        sent, burst=1, verify=True, card={"slots_max": 2}, more={"sas": sas, "policies": policies}
    )
    of_ending = [packet.sequence for packet in run.left if packet.sa == 0]
    wanted = sum(flow == 0 for _, flow, _ in sent)
    left = min(wanted, (2**64 if extended else 2**32) - first)
    assert of_ending == list(range(first, first + left))
    assert run.result.drops == ({"sequence_exhausted": wanted - left} if left < wanted else {})
    assert sum(packet.sa == 1 for packet in run.left) == len(sent) - wanted
    assert {packet.component for packet in run.left if packet.sa == 0} == {
        Component.SOFTWARE,
        Component.NIC,
    }
    assert run.result.verification.checked == len(run.left)
    assert run.result.verification.failed == 0
