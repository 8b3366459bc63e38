"""The control side: signals that make sense are followed, others change nothing."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from saactors.actors.signals import PlannedSignals, run_signals
from saactors.observe.events import RuleChanged
from saactors.placement.change import encode_signal
from saactors.placement.cost import CostModel
from saactors.placement.parameters import MetricParameters


def play(
    stage: Any, cost: CostModel, signals: list[tuple[int, bytes]], rule: str = "metric"
) -> list[tuple[int, Any]]:
    """Send signals to the control side of a system that runs ``rule``."""
    changes: list[tuple[int, Any]] = []

    async def scene() -> None:
        out, changes_in = stage.edge()
        network = PlannedSignals(signals, stage.clock)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.collect, changes_in, changes)
            with out:
                await run_signals(network, [out], rule, cost, stage.clock, stage.emitter())

    stage.run(scene)
    return changes


def test_a_signal_becomes_a_change_and_an_event(stage: Any, cost: CostModel) -> None:
    """When it arrives, with what it said and with every default filled in."""
    ((now_ns, change),) = play(stage, cost, [(70, encode_signal("metric", {"threshold": 9}))])
    assert now_ns == 70
    assert (change.rule, change.given) == ("metric", {"threshold": 9})
    assert change.parameters == MetricParameters(threshold=9, bonus=5)
    assert stage.events == [RuleChanged(70, "metric", {"threshold": 9})]


def test_signals_are_followed_in_the_order_of_their_instants(stage: Any, cost: CostModel) -> None:
    """However they were planned; those of one instant in the order given."""
    planned = [(at, encode_signal("metric", {"threshold": at})) for at in (30, 10, 20)]
    planned.insert(0, (20, encode_signal("metric", {"threshold": 90})))
    changes = play(stage, cost, planned)
    assert [(now_ns, change.given["threshold"]) for now_ns, change in changes] == [
        (10, 10),
        (20, 90),
        (20, 20),
        (30, 30),
    ]
    assert [change.time_ns for _, change in changes] == [10, 20, 20, 30]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"hello",
        encode_signal("never", {}),
        encode_signal("metric", {"threshold": -1}),
        b"\x83\xa1v\x01\xa4rule\xa6metric\xaaparameters\x81\xa5bonus" + b"\x91" * 990 + b"\xc0",
    ],
    ids=["no signal", "another rule", "out of range", "nested deeper than the stack"],
)
def test_nonsense_is_logged_and_changes_nothing(
    nonsense: bytes, stage: Any, cost: CostModel
) -> None:
    """Who sends it does not stop the traffic, nor the signals behind it."""
    with capture_logs() as logs:
        changes = play(stage, cost, [(1, nonsense), (2, encode_signal("metric", {}))])
    assert [now_ns for now_ns, _ in changes] == [2]
    assert [entry["event"] for entry in logs] == ["signal_ignored"]
    assert "expected" in logs[0]["problem"]
    assert [event.time_ns for event in stage.events] == [2]
