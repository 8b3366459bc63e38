"""Lifetimes in replays: what is refused is counted, told once, and has used no number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.observe.events import Event, LifetimeReached, SaAdded
from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay
from saactors.report.result import RunResult
from saactors.scenario.load import scenario_of

SUITE_AND_ENDS = {
    "suite": "aes-gcm-128", "source": "192.0.2.1", "destination": "198.51.100.1"
}  # fmt: skip
# A card that takes SAs at once and is as fast as software, so that both end at the same instants.
CARD = {
    "slots_max": 2, "load_latency_ns": 1000, "load_timeout_ns": 9000, "load_host_ns": 1,
    "engine_packet_ns": 1000.0, "engine_byte_ns": 0.0,
}  # fmt: skip
SYSTEM = {"card": CARD, "host": {"software_packet_ns": 1000.0, "software_byte_ns": 0.0}}

Traffic = list[tuple[int, int, int]]  # time_ns, flow, length_bytes


def outbound(**lifetime: int) -> dict[str, Any]:
    """Protect everything, an SA per flow, with such a lifetime."""
    template = {**SUITE_AND_ENDS, "lifetime": lifetime}
    return {"policies": [{"action": "protect", "sa_per": "flow", "template": template}]}


def inbound(sas: int, **lifetime: int) -> dict[str, Any]:
    """The receiving end of the SAs that a replay with this seed makes on demand."""
    described = {**SUITE_AND_ENDS, "key_from_seed": True, "direction": "in", "lifetime": lifetime}
    return {"sas": [{"name": f"n{n}", "spi": 0xC000_0000 + n, **described} for n in range(sas)]}


def run(
    capture: Path, scenario: dict[str, Any], *, scheduler_seed: int = 0, **options: Any
) -> tuple[RunResult, list[Event]]:
    """The result of a replay, and its events."""
    events: list[Event] = []
    described = scenario_of("limits", {**SYSTEM, **scenario})
    chosen = ReplayOptions(
        capture=capture,
        scenario=described,
        seed=5,
        rule_parameters={"threshold": 2.0, "bonus": 1.0, "period_ns": 20_000},
        **options,
    )
    return replay(chosen, listeners=[events.append], scheduler_seed=scheduler_seed), events


def reached(events: list[Event]) -> list[LifetimeReached]:
    """What was told of lifetimes."""
    return [event for event in events if isinstance(event, LifetimeReached)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where captures go."""
    return tmp_path_factory.mktemp("lifetimes")


@pytest.fixture(scope="module")
def sealed(folder: Path, write_traffic: Callable[..., Path]) -> Callable[[Traffic], Path]:
    """Seal packets with SAs without limits; the capture of ESP packets."""

    def seal(packets: Traffic) -> Path:
        plain, esp = write_traffic(folder / "plain.pcap", packets), folder / "esp.pcap"
        run(plain, outbound(), write_esp=esp)
        return esp

    return seal


TRAFFIC = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 500, 1000, 3000]), st.integers(0, 3), st.sampled_from([60, 200])
    ),
    min_size=20,
    max_size=60,
).map(
    lambda packets: [
        (sum(gap for gap, _, _ in packets[: n + 1]), flow, size)
        for n, (_, flow, size) in enumerate(packets)
    ]
)


@settings(deadline=None, max_examples=25)
@given(packets=TRAFFIC, burst=st.sampled_from([1, 4, 256]), hard=st.integers(2, 12))
def test_an_sa_seals_as_many_packets_as_it_may_and_numbers_no_others(
    folder: Path, write_traffic: Callable[..., Path], packets: Traffic, burst: int, hard: int
) -> None:
    """Numbers of what leaves have no gap; what came is what left and what was dropped (law 1)."""
    capture, esp = write_traffic(folder / "out.pcap", packets), folder / "out_esp.pcap"
    limits = outbound(soft_packets=hard - 1, hard_packets=hard)
    result, events = run(capture, limits, write_esp=esp, burst=burst)
    sent = Counter(flow for _, flow, _ in packets)
    numbers: dict[bytes, list[int]] = {}
    with esp.open("rb") as file:
        for _, packet in dpkt.pcap.Reader(file):
            spi, number = packet[20:24], int.from_bytes(packet[24:28])
            numbers.setdefault(spi, []).append(number)
    assert sorted(map(len, numbers.values())) == sorted(min(n, hard) for n in sent.values())
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
    refused = sum(max(0, count - hard) for count in sent.values())
    assert result.drops == ({"lifetime_expired": refused} if refused else {})
    assert result.packets.entered == result.packets.left + refused
    expected = Counter({"soft": sum(n >= hard - 1 for n in sent.values())})
    expected["hard"] = sum(n > hard for n in sent.values())
    assert Counter(told.level for told in reached(events)) == +expected


@settings(deadline=None, max_examples=15)
@given(packets=TRAFFIC, scheduler_seed=st.integers(1, 1000))
def test_who_ran_first_does_not_show_in_what_is_told(
    sealed: Callable[[Traffic], Path], packets: Traffic, scheduler_seed: int
) -> None:
    """Software and card finish packets of several SAs at one instant: one order (law 7)."""
    esp = sealed(packets)
    limits = inbound(4, soft_packets=2, hard_packets=4)
    told = [
        reached(
            run(esp, limits, direction="in", burst=1, software_workers=2, scheduler_seed=seed)[1]
        )
        for seed in (0, scheduler_seed)
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize("crypto", ["real", "none"])
@pytest.mark.parametrize("direction", ["out", "in"])
def test_limits_hold_in_either_direction_with_and_without_cryptography(
    folder: Path, write_traffic: Callable[..., Path], sealed: Callable[[Traffic], Path],
    direction: str, crypto: str,
) -> None:  # fmt: skip
    """Three of five packets, whoever counts them."""
    packets = [(10_000 * number, 0, 100) for number in range(5)]
    limits = {"hard_packets": 3}
    if direction == "out":
        capture, scenario = write_traffic(folder / "five.pcap", packets), outbound(**limits)
    else:
        capture, scenario = sealed(packets), inbound(1, **limits)
    result, events = run(capture, scenario, direction=direction, crypto=crypto)
    assert result.drops == {"lifetime_expired": 2}
    assert [(told.level, told.limit, told.spi) for told in reached(events)] == [
        ("hard", "packets", 0xC000_0000)
    ]


def test_nothing_is_told_of_an_sa_before_the_sa(
    folder: Path, write_traffic: Callable[..., Path]
) -> None:
    """Not even if it ends with the burst that it was made for."""
    capture = write_traffic(folder / "burst.pcap", [(1000 * n, n % 2, 100) for n in range(20)])
    _, events = run(capture, outbound(soft_packets=1, hard_packets=3))
    kinds = [type(event) for event in events if isinstance(event, SaAdded | LifetimeReached)]
    assert kinds == [SaAdded] * 2 + [LifetimeReached] * 4
    times = [event.time_ns for event in events]
    assert times == sorted(times)


def test_an_sa_of_the_other_direction_has_no_lifetime(
    folder: Path, write_traffic: Callable[..., Path]
) -> None:
    """It stands in the scenario for another run."""
    capture = write_traffic(folder / "long.pcap", [(n * 10**9, 0, 100) for n in range(4)])
    given = {**SUITE_AND_ENDS, "key_from_seed": True, "lifetime": {"soft_s": 1, "hard_s": 2}}
    sas = [
        {
            "name": "sent",
            "spi": 300,
            "lifetime": {},
            **{k: v for k, v in given.items() if k != "lifetime"},
        },
        {"name": "received", "spi": 301, "direction": "in", **given},
    ]
    policies = [{"action": "protect", "sa": "sent"}]
    result, events = run(capture, {"sas": sas, "policies": policies})
    assert (result.packets.left, reached(events)) == (4, [])
