"""Caches' rules, bare and gated, against the same told naively."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given, settings

from nicmodel.profile import CardProfile
from saactors.lab.run import LabRun
from saactors.placement.rivals import RIVALS
from tests.placement.policies.conftest import (
    ARRIVALS,
    AT_ONCE,
    EXAMPLES,
    LATENCIES_NS,
    SLOTS,
    NaiveRule,
    arranged,
    card_of,
    decided,
    naively_decided,
)


class _Lru(NaiveRule):
    """Most recent first."""

    def __init__(self, card: CardProfile) -> None:
        super().__init__(card)
        self.recent: list[int] = []

    def touch(self) -> None:
        self.recent.remove(self.sa)
        self.recent.insert(0, self.sa)

    def victim(self) -> int | None:
        return self.recent[-1] if self.recent else None

    def entered(self, sa: int) -> None:
        self.recent.insert(0, sa)

    def left(self, sa: int) -> None:
        self.recent.remove(sa)


class _Fifo(_Lru):
    """Newest first."""

    def touch(self) -> None:
        """No packet moves anybody."""


class _Clock(_Fifo):
    """The visited get another round."""

    def __init__(self, card: CardProfile) -> None:
        super().__init__(card)
        self.visited: set[int] = set()

    def touch(self) -> None:
        self.visited.add(self.sa)

    def victim(self) -> int | None:
        while self.recent and self.recent[-1] in self.visited:
            self.visited.remove(self.recent[-1])
            self.recent.insert(0, self.recent.pop())
        return super().victim()

    def left(self, sa: int) -> None:
        super().left(sa)
        self.visited.discard(sa)


class _Sieve(_Clock):
    """The hand stays where it took someone."""

    hand: int | None = None

    def victim(self) -> int | None:
        if not self.recent:
            return None
        hand = self.recent[-1] if self.hand is None else self.hand
        while hand in self.visited:
            self.visited.remove(hand)
            hand = self.recent[self.recent.index(hand) - 1]
        self.hand = hand
        return hand

    def left(self, sa: int) -> None:
        if sa == self.hand:
            newer = self.recent.index(sa) - 1
            self.hand = self.recent[newer] if newer >= 0 else None
        super().left(sa)


class _S3Fifo(NaiveRule):
    """Three queues, newest first."""

    def __init__(self, card: CardProfile) -> None:
        super().__init__(card)
        self.small: list[int] = []
        self.main: list[int] = []
        self.ghosts: list[int] = []
        self.counts: dict[int, int] = {}
        self.returning: set[int] = set()
        self.filling = True
        self.small_max = max(1, self.slots // 10)

    def touch(self) -> None:
        self.counts[self.sa] = min(3, self.counts[self.sa] + 1)

    def victim(self) -> int | None:
        self.filling = False
        if len(self.main) <= self.slots - self.small_max:
            while self.small and self.counts[self.small[-1]] >= 2:
                promoted = self.small.pop()
                self.counts[promoted] = 0
                self.main.insert(0, promoted)
            if self.small:
                return self.small[-1]
        while self.main and self.counts[self.main[-1]] > 0:
            self.counts[self.main[-1]] -= 1
            self.main.insert(0, self.main.pop())
        oldest = self.main or self.small
        return oldest[-1] if oldest else None

    def summoned(self, sa: int) -> None:
        if sa in self.ghosts:
            self.ghosts.remove(sa)
            self.returning.add(sa)
        else:
            self.returning.discard(sa)

    def entered(self, sa: int) -> None:
        filled = self.filling and len(self.small) >= self.small_max
        queue = self.main if filled or sa in self.returning else self.small
        queue.insert(0, sa)
        self.counts[sa] = 0

    def left(self, sa: int) -> None:
        if sa in self.main:
            self.main.remove(sa)
            return
        self.small.remove(sa)
        self.ghosts = [sa, *self.ghosts][: int(0.9 * self.slots)]


class _Arc(NaiveRule):
    """Two lists of residents, two of ghosts, most recent first."""

    def __init__(self, card: CardProfile) -> None:
        super().__init__(card)
        self.t1: list[int] = []
        self.t2: list[int] = []
        self.b1: list[int] = []
        self.b2: list[int] = []
        self.target = 0.0
        self.frequent: set[int] = set()
        self.forgotten = False

    def touch(self) -> None:
        (self.t1 if self.sa in self.t1 else self.t2).remove(self.sa)
        self.t2.insert(0, self.sa)

    def target_for(self, sa: int) -> float:
        if sa in self.b1:
            return min(self.target + max(1.0, len(self.b2) / len(self.b1)), self.slots)
        if sa in self.b2:
            return max(self.target - max(1.0, len(self.b1) / len(self.b2)), 0.0)
        return self.target

    def victim(self) -> int | None:
        beyond = len(self.t1) - self.target_for(self.sa)
        if self.t1 and (beyond > 0 or (beyond == 0 and self.sa in self.b2) or not self.t2):
            return self.t1[-1]
        return self.t2[-1] if self.t2 else None

    def summoned(self, sa: int) -> None:
        self.target = self.target_for(sa)
        self.frequent.discard(sa)
        for ghosts in (self.b1, self.b2):
            if sa in ghosts:
                ghosts.remove(sa)
                self.frequent.add(sa)
                return
        if len(self.t1) + len(self.b1) >= self.slots:
            self.forgotten = not self.b1
            del self.b1[-1:]

    def entered(self, sa: int) -> None:
        (self.t2 if sa in self.frequent else self.t1).insert(0, sa)

    def left(self, sa: int) -> None:
        residents, ghosts = (self.t1, self.b1) if sa in self.t1 else (self.t2, self.b2)
        residents.remove(sa)
        if self.forgotten:
            self.forgotten = False
            return
        if len(self.b1) + len(self.b2) == self.slots:
            (self.b2 or self.b1).pop()
        ghosts.insert(0, sa)


class _Lfu(NaiveRule):
    """Packets since the load, and the number of the last event; the least goes."""

    def __init__(self, card: CardProfile) -> None:
        super().__init__(card)
        self.keys: dict[int, tuple[int, int]] = {}
        self.number = 0

    def count(self, sa: int, packets: int) -> None:
        self.number += 1
        self.keys[sa] = (packets, self.number)

    def touch(self) -> None:
        self.count(self.sa, self.keys[self.sa][0] + 1)

    def victim(self) -> int | None:
        return min(self.keys, key=lambda one: self.keys[one], default=None)

    def entered(self, sa: int) -> None:
        self.count(sa, 1)

    def left(self, sa: int) -> None:
        del self.keys[sa]


CACHES: Final[dict[str, type[NaiveRule]]] = {
    "lru": _Lru,
    "fifo": _Fifo,
    "clock": _Clock,
    "sieve": _Sieve,
    "s3-fifo": _S3Fifo,
    "arc": _Arc,
    "lfu": _Lfu,
}
GATED: Final = {name: f"{name}-gated" if name != "lru" else "lru-ski-rental" for name in CACHES}


def gated(rule: type[NaiveRule]) -> type[NaiveRule]:
    """The same behind the ski-rental gate."""
    return type(f"Gated{rule.__name__}", (rule,), {"gated": True})


@pytest.mark.parametrize(
    ("name", "naive"),
    [
        *CACHES.items(),
        *((GATED[name], gated(naive)) for name, naive in CACHES.items()),
    ],
)
@settings(deadline=None, max_examples=EXAMPLES)
@given(arrivals=ARRIVALS, slots=SLOTS, latency_ns=LATENCIES_NS, at_once=AT_ONCE)
def test_a_caches_rule_decides_as_it_is_told(
    lab_run: Callable[..., LabRun],
    name: str,
    naive: type[NaiveRule],
    arrivals: list[tuple[int, int, int]],
    slots: int,
    latency_ns: int,
    at_once: int,
) -> None:
    """Every packet goes to the same side, and every load replaces the same SA."""
    card = card_of(slots, latency_ns, at_once)
    run = lab_run(name, arranged(arrivals), card)
    assert decided(run) == naively_decided(naive(card), run)


def test_every_cache_stands_bare_and_behind_the_gate() -> None:
    """The straw man and what becomes of it."""
    assert {*CACHES, *GATED.values()} <= set(RIVALS)
