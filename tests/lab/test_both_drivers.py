"""Law 8: the running system and the lab decide alike, packet by packet.

The same capture goes through the actors and through the lab's loop. Both must send every packet to
the same component, stamp it with the same metric, and command the same loads at the same instants
by the same metrics. What the lab leaves out, that a sender has to wait, must not have happened.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from saactors.placement.table import RULES
from tests.lab.conftest import Decided, Replayed, options_for

DEMO = Path(__file__).parents[2] / "demo" / "traffic.pcap.gz"
PLAIN = ("echo-connections.pcap.gz", "modbus.pcap", "gnutella.pcap", "alexa.pcapng")
CAPTURES = [
    pytest.param(DEMO, id="demo"),
    *(pytest.param(f"plain/{name}", marks=pytest.mark.shared) for name in PLAIN),
]

# Who must know the trace beforehand cannot run: the running system refuses it.
ONLINE = [name for name, entry in RULES.items() if not entry.clairvoyant]

# Many instants coincide: of packets, ticks and the ends of loads.
GAPS_NS = st.sampled_from([0, 1, 300, 1000, 2000, 2500, 4000, 10_000, 30_000])
FLOWS = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4])
TRAFFIC = st.lists(
    st.tuples(GAPS_NS, FLOWS, st.sampled_from([60, 1400])), min_size=20, max_size=100
)
CARDS = st.fixed_dictionaries(
    {
        "slots_max": st.integers(1, 3),
        "loads_at_once": st.integers(1, 2),
        "load_queue_max": st.integers(0, 2),
        "load_latency_ns": st.sampled_from([0, 1000, 4000, 10_000]),
        "load_full": st.sampled_from(["refuse", "refuse", "wait"]),
        "load_blocks_engine": st.booleans(),
        "engine_packet_ns": st.sampled_from([100.0, 1000.0, 3000.0]),
        "engine_queue_packets_max": st.sampled_from([4, 1024]),
    }
)
BURSTS = st.fixed_dictionaries(
    {"burst": st.sampled_from([1, 1, 4, 256]), "burst_wait_ns": st.sampled_from([0, 2500, 9000])}
)
METRIC_PARAMETERS = st.fixed_dictionaries(
    {
        "decay": st.sampled_from(["factor:1", "factor:0.5", "amount:1", "amount:3"]),
        "initial": st.sampled_from([0.0, 0.0, 3.0]),
        "bonus": st.sampled_from([0.0, 1.0, 4.0]),
        "threshold": st.sampled_from([0.0, 1.0, 3.0]),
        "period_ns": st.sampled_from([4000, 10_000]),
        "weight": st.sampled_from(["packets", "bytes", "saved-ns"]),
        "decide": st.sampled_from(["arrival", "periodic"]),
    }
)
Decider = Callable[..., Any]


def earlier_than(decided: Decided, end_ns: int) -> Decided:
    """The same without loads that were done later, of which nobody needs to hear."""
    return decided._replace(loaded=[told for told in decided.loaded if told[0] < end_ns])


def arranged(arrivals: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Packets at times from 0 on, from gaps between them."""
    now_ns, packets = 0, []
    for gap_ns, flow, length_bytes in arrivals:
        now_ns += gap_ns if packets else 0
        packets.append((now_ns, flow, length_bytes))
    return packets


def compare(replayed: Replayed, decided: Decided) -> None:
    """Demand that both drivers decided alike; nobody may have waited."""
    assert not replayed.waited
    assert replayed.returned == 0
    assert "rx_ring_full" not in replayed.result.drops
    end_ns = replayed.ended_ns
    assert earlier_than(decided, end_ns) == earlier_than(replayed.decided, end_ns)


@pytest.mark.parametrize("rule", ONLINE)
@settings(deadline=None, max_examples=30)
@given(arrivals=TRAFFIC, card=CARDS, bursts=BURSTS)
def test_both_drivers_decide_alike_on_any_traffic(
    tmp_path_factory: pytest.TempPathFactory,
    write_traffic: Callable[..., Path],
    replay_decisions: Decider,
    lab_decisions: Decider,
    rule: str,
    arrivals: list[tuple[int, int, int]],
    card: dict[str, Any],
    bursts: dict[str, int],
) -> None:
    """Any few packets, on any small card, in bursts of any kind."""
    packets = arranged(arrivals)
    capture = write_traffic(tmp_path_factory.getbasetemp() / "both.pcap", packets)
    options = options_for(capture, rule, card=card, software_workers=4, **bursts)
    replayed = replay_decisions(options)
    assume(not replayed.waited)
    compare(replayed, lab_decisions(options))


@settings(deadline=None, max_examples=200)
@given(arrivals=TRAFFIC, card=CARDS, bursts=BURSTS, parameters=METRIC_PARAMETERS)
def test_both_drivers_decide_alike_by_any_metric(
    tmp_path_factory: pytest.TempPathFactory,
    write_traffic: Callable[..., Path],
    replay_decisions: Decider,
    lab_decisions: Decider,
    arrivals: list[tuple[int, int, int]],
    card: dict[str, Any],
    bursts: dict[str, int],
    parameters: dict[str, Any],
) -> None:
    """Whatever the metric rule's parameters, also where it decides once per period."""
    packets = arranged(arrivals)
    capture = write_traffic(tmp_path_factory.getbasetemp() / "metric.pcap", packets)
    options = options_for(capture, "metric", parameters, card, software_workers=4, **bursts)
    replayed = replay_decisions(options)
    assume(not replayed.waited)
    compare(replayed, lab_decisions(options))


@pytest.mark.parametrize("rule", ONLINE)
@pytest.mark.parametrize("burst", [1, 32])
def test_both_drivers_decide_alike_where_much_happens(
    burst: int,
    rule: str,
    tmp_path: Path,
    write_traffic: Callable[..., Path],
    traffic: Callable[..., Any],
    replay_decisions: Decider,
    lab_decisions: Decider,
) -> None:
    """Thousands of packets for a card of few slots: SAs come and go, some still draining."""
    packets = traffic(burst, 1500)
    card = {
        "engine_packet_ns": 2000.0,
        "engine_queue_packets_max": 8,
        "loads_at_once": 2,
        "load_queue_max": 1,
    }
    options = options_for(
        write_traffic(tmp_path / "much.pcap", packets),
        rule,
        card=card,
        software_workers=4,
        burst=burst,
        burst_wait_ns=9000,
    )
    replayed = replay_decisions(options)
    compare(replayed, lab_decisions(options))
    assert (len(replayed.decided.loads) > 1) == (rule != "never")


@pytest.fixture(params=CAPTURES)
def capture(request: pytest.FixtureRequest) -> Path:
    """A capture of real traffic; a test skips where the folder that it stands in is missing."""
    if request.param == DEMO:
        return DEMO
    folder: Path = request.getfixturevalue("shared_folder")
    return folder / "captures" / request.param


@pytest.mark.slow
@pytest.mark.parametrize("rule", ONLINE)
def test_both_drivers_decide_alike_on_real_captures(
    rule: str, capture: Path, replay_decisions: Decider, lab_decisions: Decider
) -> None:
    """With each rule's own defaults, in long bursts, during which loads take their time."""
    card = {"slots_max": 16, "load_latency_ns": 20_000_000, "load_timeout_ns": 100_000_000}
    options = options_for(
        capture, rule, {}, card, software_workers=4, closed_loop=True, burst_wait_ns=50_000_000
    )
    replayed = replay_decisions(options)
    compare(replayed, lab_decisions(options))


@pytest.mark.slow
def test_both_drivers_decide_alike_in_the_usual_bursts_of_real_captures(
    capture: Path, replay_decisions: Decider, lab_decisions: Decider
) -> None:
    """The metric rule with all defaults but the card's, on which few SAs find a slot."""
    card = {"slots_max": 16, "load_latency_ns": 100_000, "load_timeout_ns": 1_000_000}
    options = options_for(capture, "metric", {}, card, software_workers=4, closed_loop=True)
    replayed = replay_decisions(options)
    compare(replayed, lab_decisions(options))
    assert sum(replayed.decided.routes) > 1000
