"""One event of every kind."""

from __future__ import annotations

import pytest

from saactors.observe import events
from saactors.observe.events import EVENTS, Event

DECISION = {"threshold": 500.0, "saving_ns": 1200.0, "load_host_ns": 14_400.0}


@pytest.fixture
def one_of_each() -> list[Event]:
    """An event of every kind, in the order of time; no field has its default."""
    found = [
        events.RunStarted(
            0, "0.1.0", 7, "metric", {"threshold": 500.0}, "nfp", "a.pcap", {"verify": True}
        ),
        events.SaAdded(5, 0, 0x1F2E3D4C, "aes-gcm-128", "tunnel", "out", "10.0.0.1", "2001:db8::2"),
        events.LifetimeReached(6, 0, 0x1F2E3D4C, "soft", "packets"),
        events.PacketsDropped(7, "unknown_spi", 3, 1),
        events.BurstPlaced(10, 1, 9, 4, 3, 2),
        events.LoadIssued(
            11, 0, 0x1F2E3D4C, 4, 0x99, 812.0, 310.0, reason="metric 812 is more", **DECISION
        ),
        events.Evicted(12, 4, 0, 310.0, 812.0, reason="metric 812 is more", **DECISION),
        events.Loaded(13, 0, 54_000),
        events.LoadRefused(14, 2, "queue full"),
        events.LoadLost(15, 3, 1_000_000),
        events.CardReset(16, 33),
        events.EdgeWaited(17, "arbiter→nic", 900),
        events.Ticked(18, 1, 33),
        events.RuleChanged(19, "metric", {"threshold": 20.0}),
        events.SaDeleted(19, 0, 0x1F2E3D4C, "asked"),
        events.SaPinned(19, 1, 0x99, "nic"),
        events.CardResized(19, 16),
        events.Logged(19, "warning", "sa_not_retired", {"problem": "busy"}),
        events.BurstHandled(19, "keeper", 1, 9, 18),
        events.EdgeDepth(19, "arbiter_nic", 3),
        events.MetricSampled(19, 1, 0x99, 12.5),
        events.PacketTraced(19, 1, "arbiter", 1, 0x99, "nic"),
        events.RunEnded(20, 9, 8, 4, 3, 1, 1, 5, 2, 1, 70_000),
    ]
    assert {event.kind for event in found} == set(EVENTS), "a kind has no example here"
    return found
