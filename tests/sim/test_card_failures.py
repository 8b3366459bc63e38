"""Law 5: a full card, a refused or lost load, a reset card: the traffic goes on in software."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from saactors.model.burst import Component
from saactors.observe.events import CardReset, Evicted, Loaded, LoadLost, LoadRefused

RESETS_NS = list(range(20_000, 1_400_000, 20_000))
FAILURES: dict[str, dict[str, Any]] = {
    "every load refused": {"load_refused_probability": 1.0},
    "every load lost": {"load_lost_probability": 1.0},
    "half of the loads refused": {"load_refused_probability": 0.5},
    "half of the loads lost": {"load_lost_probability": 0.5},
    "resets": {"resets_ns": RESETS_NS},
    "all of it": {
        "load_refused_probability": 0.3,
        "load_lost_probability": 0.3,
        "resets_ns": RESETS_NS,
        "stalls": [{"start_ns": 150_000, "duration_ns": 100_000}],
    },
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(("seed", "burst"), [(1, 1), (2, 16)])
@pytest.mark.parametrize("load_full", ["refuse", "wait"])
def test_whatever_fails_every_packet_leaves_rightly_encrypted(
    failure: str,
    seed: int,
    burst: int,
    load_full: str,
    simulate: Callable[..., Any],
    traffic: Callable[..., Any],
) -> None:
    """And the card is used as far as it can be."""
    sent = traffic(seed)
    run = simulate(
        sent,
        seed=seed,
        burst=burst,
        burst_wait_ns=5000,
        verify=True,
        card={"load_full": load_full},
        faults=FAILURES[failure],
    )
    result = run.result
    assert (result.packets.left, result.dropped) == (len(sent), 0)
    assert (result.verification.checked, result.verification.failed) == (len(sent), 0)
    assert (result.packets.nic == 0) == failure.startswith("every load")
    assert (len(run.told(Loaded)) == 0) == failure.startswith("every load")
    assert (result.loads_lost > 0) == ("refused" not in failure)
    assert (len(run.told(LoadLost)) > 0) == ("refused" not in failure)
    refused_by_card = any(told.reason == "card" for told in run.told(LoadRefused))
    assert refused_by_card or "refused" not in failure


def test_after_a_reset_the_residents_go_on_in_software_until_they_are_loaded_again(
    simulate: Callable[..., Any],
) -> None:
    """Packet by packet; the one that was still in the engine is done again in software."""
    reset_ns, load_ns = 100_500, 4000
    run = simulate(
        [(1000 * n, 0, 100) for n in range(200)],
        burst=1,
        verify=True,
        card={"engine_packet_ns": 700.0, "load_latency_ns": load_ns},
        faults={"resets_ns": [reset_ns]},
        rule={"decay": "factor:1"},
    )
    assert [told.forgotten_count for told in run.told(CardReset)] == [1]
    first, second = (told.time_ns for told in run.told(Loaded))
    assert second == 101_000 + load_ns  # asked for by the first packet that came after the reset
    for packet in run.left:
        cached = first < packet.arrived_ns <= 99_000 or second < packet.arrived_ns
        assert packet.component is (Component.NIC if cached else Component.SOFTWARE)
    assert run.result.verification.failed == 0


@pytest.mark.parametrize(("rule", "moves"), [("first-come", False), ("metric", True)])
def test_who_finds_the_card_full_goes_on_in_software(
    rule: str, moves: bool, simulate: Callable[..., Any], traffic: Callable[..., Any]
) -> None:
    """For good by today's drivers' rule; by the metric rule until the SA has earned a place."""
    sent = traffic(1)
    run = simulate(sent, burst=1, verify=True, rule_name=rule)
    ever_loaded = {told.sa for told in run.told(Loaded)}
    assert (len(ever_loaded) > 3) == moves
    assert (len(run.told(Evicted)) > 0) == moves
    for packet in run.left:
        assert packet.component is Component.SOFTWARE or packet.sa in ever_loaded
    assert run.result.packets.left == run.result.verification.checked == len(sent)
    assert run.result.verification.failed == 0


def test_a_card_that_flips_bits_is_caught_by_the_verification(
    simulate: Callable[..., Any], traffic: Callable[..., Any]
) -> None:
    """Every flipped packet fails, and no other: so the checks above can fail.

    But for a bit of the outer header, which ESP does not protect and few of these long packets hit.
    """
    sent = [(time_ns, flow, 1400) for time_ns, flow, _ in traffic(1)]
    run = simulate(sent, burst=4, verify=True, faults={"bit_flip_probability": 0.1})
    flipped = run.built.system.card.statistics().packets_flipped
    assert flipped > 10
    assert run.result.verification.failed == flipped
