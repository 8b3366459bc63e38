"""Lifetimes against a model that keeps no more than it must: one SA, packet by packet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.esp.lifetime import NO_LIMIT, Lifetime
from saactors.esp.lifetimes import LifetimeEvent, Lifetimes
from saactors.model.verdicts import Verdict

START_NS = 1000


@st.composite
def lifetimes(draw: st.DrawFn) -> Lifetime:
    """Small limits, so that a few packets reach them; a soft one is below its hard one."""
    values = {}
    for kind in ("packets", "bytes", "ns"):
        hard = draw(st.integers(0, 12 if kind == "packets" else 600))
        soft = draw(st.integers(0, hard - 1 if hard else 600))
        values |= {f"soft_{kind}": soft, f"hard_{kind}": hard}
    return Lifetime(**values)


class Model:
    """What an SA has used, and what has been told."""

    def __init__(self, lifetime: Lifetime) -> None:
        self.lifetime = lifetime
        self.packets = self.bytes = 0
        self.told: set[tuple[str, str]] = set()

    def reach(self, kind: str, limit: str, now: bool) -> None:
        """Tell of a limit, once, and of none after a hard one."""
        if now and not any(told == "hard" for told, _ in self.told):
            self.told.add((kind, limit))

    def at(self, now_ns: int) -> None:
        """Time passes."""
        due = [
            (span_ns, kind)
            for kind in ("soft", "hard")
            if (span_ns := getattr(self.lifetime, f"{kind}_ns")) and now_ns >= START_NS + span_ns
        ]
        for _, kind in sorted(due):
            self.reach(kind, "time", now=True)

    def takes(self, size: int) -> bool:
        """Whether a packet passes; both limits of a kind are looked at before either is told."""
        if any(told == "hard" for told, _ in self.told):
            return False
        used = {"packets": self.packets + 1, "bytes": self.bytes + size}
        beyond = [
            kind
            for kind, value in used.items()
            if (most := getattr(self.lifetime, f"hard_{kind}")) and value > most
        ]
        if beyond:
            self.told |= {("hard", kind) for kind in beyond}
            return False
        self.packets, self.bytes = used["packets"], used["bytes"]
        for kind, value in used.items():
            soft = getattr(self.lifetime, f"soft_{kind}")
            self.reach("soft", kind, bool(soft) and value >= soft)
        return True


@settings(deadline=None)  # the first example waits for the compiler
@given(
    lifetime=lifetimes(),
    bursts=st.lists(st.tuples(st.integers(0, 200), st.lists(st.integers(0, 90), max_size=4))),
)
def test_an_sa_is_used_as_long_as_its_limits_allow(
    lifetime: Lifetime, bursts: list[tuple[int, list[int]]]
) -> None:
    """Bursts of packets at any times: verdicts, use and events are the model's; others pass."""
    ours, model = Lifetimes(), Model(lifetime)
    ours.limit(1, lifetime, START_NS)
    now_ns, events, expired = START_NS, list[LifetimeEvent](), 0
    for later_ns, sizes in bursts:
        now_ns += later_ns
        sa = np.array([number for _ in sizes for number in (0, 1, 2)], np.int32)
        lengths = np.repeat(np.array(sizes, np.int32), 3)
        verdicts = np.full(len(sa), Verdict.PASSED, np.uint8)
        verdicts[2::3] = Verdict.ICV_FAILED
        ours.charge(sa, lengths, verdicts, now_ns)
        ours.handle_time(now_ns)
        model.at(now_ns)
        passes = [model.takes(size) for size in sizes]
        expired += passes.count(False)
        assert verdicts[0::3].tolist() == [Verdict.PASSED] * len(sizes)
        assert verdicts[2::3].tolist() == [Verdict.ICV_FAILED] * len(sizes)
        assert (verdicts[1::3] == Verdict.PASSED).tolist() == passes
        events += ours.poll_events()
    assert ours.used(1) == ((model.packets, model.bytes) if lifetime.is_limited else (0, 0))
    assert {(event.kind, event.limit) for event in events} == model.told
    assert len(events) == len(model.told), "told once"
    assert ours.is_expired(1) == any(kind == "hard" for kind, _ in model.told)
    assert ours.statistics()["expired_packets"] == expired


def test_deadlines_are_the_limits_of_time_that_are_still_to_come() -> None:
    """Soft, then hard, then none; an SA without packets is told of all the same."""
    ours = Lifetimes()
    ours.limit(0, Lifetime(soft_ns=10, hard_ns=30), START_NS)
    ours.limit(1, Lifetime(hard_ns=20), START_NS)
    seen = []
    while (due_ns := ours.next_deadline_ns()) is not None:
        ours.handle_time(due_ns)
        seen += [(event.sa, event.kind, event.time_ns - START_NS) for event in ours.poll_events()]
    assert seen == [(0, "soft", 10), (1, "hard", 20), (0, "hard", 30)]


@pytest.mark.parametrize("kind", ["packets", "bytes", "ns"])
def test_a_soft_limit_that_would_come_too_late_is_refused(kind: str) -> None:
    """It could never be told of; and so are limits below 0."""
    with pytest.raises(ParameterError, match=f"soft_{kind}: found 9, expected less than hard_"):
        Lifetime(**{f"soft_{kind}": 9, f"hard_{kind}": 9})
    with pytest.raises(ParameterError, match=f"hard_{kind}: found -1"):
        Lifetime(**{f"hard_{kind}": -1})
    assert not NO_LIMIT.is_limited
