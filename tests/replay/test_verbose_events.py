"""The events that come with every burst and every tick, for those who ask for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from saactors.observe.events import BurstPlaced, Event, Ticked
from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay


def heard(capture: Path, *, verbose: bool) -> list[Event]:
    """What a listener hears of a run with bursts of one and a tick every 10 µs."""
    events: list[Event] = []
    options = ReplayOptions(capture=capture, burst=1, rule_parameters={"period_ns": 10_000})
    replay(options, listeners=[events.append], verbose=verbose)
    return [event for event in events if isinstance(event, BurstPlaced | Ticked)]


def test_a_verbose_run_tells_of_every_burst_and_tick(
    tmp_path: Path, write_traffic: Callable[..., Path]
) -> None:
    """Every burst with where its packets went, every tick with the SAs whose metric it lowered."""
    capture = write_traffic(tmp_path / "c.pcap", [(15_000 * n, n % 2, 100) for n in range(4)])
    events = heard(capture, verbose=True)
    bursts = [event for event in events if isinstance(event, BurstPlaced)]
    ticks = [event for event in events if isinstance(event, Ticked)]
    assert [(burst.number, burst.packets, burst.software_packets) for burst in bursts] == [
        (number, 1, 1) for number in range(4)
    ]
    assert [(tick.time_ns, tick.number, tick.sa_count) for tick in ticks[:4]] == [
        (10_000, 1, 1),
        (20_000, 2, 2),
        (30_000, 3, 2),
        (40_000, 4, 2),
    ]


def test_a_usual_run_tells_of_none(tmp_path: Path, write_traffic: Callable[..., Path]) -> None:
    """They are many, so nobody gets them unasked."""
    capture = write_traffic(tmp_path / "c.pcap", [(15_000 * n, n % 2, 100) for n in range(4)])
    assert heard(capture, verbose=False) == []
