"""Rules that others have built for tables of flows or SAs, against the same told naively."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nicmodel.profile import CardProfile
from saactors.lab.run import LabRun
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


class _Ovs(NaiveRule):
    """Sorts both sides at each review, and pairs them."""

    def __init__(self, card: CardProfile, period_ns: int) -> None:
        super().__init__(card)
        self.period_ns = period_ns
        self.packets: Counter[int] = Counter()

    def heard(self) -> None:
        self.packets[self.sa] += 1

    def wants(self) -> bool:
        return self.has_free_seat

    def review(self) -> None:
        there = self.resident | self.loading
        waiting = sorted(self.packets.keys() - there, key=lambda sa: (-self.packets[sa], sa))
        offloaded = sorted(self.resident, key=lambda sa: (self.packets[sa], sa))
        for sa in waiting:
            slowest = None if self.has_free_seat else next(iter(offloaded), None)
            if not self.has_free_seat and (
                slowest is None or self.packets[sa] <= self.packets[slowest]
            ):
                break
            if len(self.loading) == self.loading_max:
                self.refused += 1
                break
            if slowest is not None:
                offloaded.remove(slowest)
            self.load(sa, slowest)
        self.packets.clear()


class _Rate(NaiveRule):
    """Counts in windows; remembers each resident's last window with enough."""

    def __init__(self, card: CardProfile, window_ns: int, rate_packets_per_s: float) -> None:
        super().__init__(card)
        self.window_ns = window_ns
        self.quota = rate_packets_per_s * window_ns / 1e9
        self.packets: Counter[tuple[int, int]] = Counter()
        self.last_heard = 0  # the window of the last packet of all
        self.qualified: dict[int, int] = {}  # in the order of last qualifying

    @property
    def window(self) -> int:
        return self.now_ns // self.window_ns

    def heard(self) -> None:
        self.packets[self.sa, self.window] += 1
        self.last_heard = self.window

    def touch(self) -> None:
        enough = self.packets[self.sa, self.window] >= self.quota
        if enough and self.qualified[self.sa] != self.window:
            del self.qualified[self.sa]
            self.qualified[self.sa] = self.window

    def wants(self) -> bool:
        if self.packets[self.sa, self.window] < self.quota:
            return False
        return self.has_free_seat or self.victim() is not None

    def victim(self) -> int | None:
        for resident, window in self.qualified.items():
            return resident if window < self.window - 1 else None
        return None

    def entered(self, sa: int) -> None:
        self.qualified[sa] = self.last_heard

    def left(self, sa: int) -> None:
        del self.qualified[sa]


class _Nru(NaiveRule):
    """Marks everybody by hand; the order is that in which marks came off."""

    def __init__(self, card: CardProfile, interval_per_slot: float) -> None:
        super().__init__(card)
        self.interval = interval_per_slot * self.slots
        self.packets = 0
        self.order: list[int] = []
        self.marked: set[int] = set()

    def heard(self) -> None:
        if self.packets >= self.interval:
            self.packets = 0
            self.marked = set(self.order)
        self.packets += 1

    def touch(self) -> None:
        if self.sa in self.marked:
            self.marked.remove(self.sa)
            self.order.remove(self.sa)
            self.order.append(self.sa)

    def wants(self) -> bool:
        return self.has_free_seat or self.victim() is not None

    def victim(self) -> int | None:
        return next((resident for resident in self.order if resident in self.marked), None)

    def entered(self, sa: int) -> None:
        self.order.append(sa)

    def left(self, sa: int) -> None:
        self.order.remove(sa)
        self.marked.discard(sa)


class _Elixir(NaiveRule):
    """Two windows, two parts."""

    def __init__(
        self,
        card: CardProfile,
        period_ns: int,
        large_packets: float,
        burst_window_ns: int,
        burst_packets: float,
        burst_share: float,
    ) -> None:
        super().__init__(card)
        self.period_ns = period_ns
        self.large_packets = large_packets
        self.burst_window_ns = burst_window_ns
        self.burst_packets = burst_packets
        self.large_max = int(self.slots * (1 - burst_share))
        self.packets: Counter[int] = Counter()
        self.burst: Counter[tuple[int, int]] = Counter()
        self.last_window: dict[int, int] = {}
        self.chosen: list[int] = []
        self.large: list[int] = []  # who became large last comes first
        self.bursty: list[int] = []  # the first to be replaced comes first

    @property
    def window(self) -> int:
        return self.now_ns // self.burst_window_ns

    def heard(self) -> None:
        self.packets[self.sa] += 1
        self.burst[self.sa, self.window] += 1
        self.last_window[self.sa] = self.window

    def touch(self) -> None:
        if self.sa in self.bursty:
            self.bursty.remove(self.sa)
            self.bursty.append(self.sa)

    def wants(self) -> bool:
        if self.burst[self.sa, self.window] < self.burst_packets:
            return False
        return self.has_free_seat or self.victim() is not None

    def victim(self) -> int | None:
        if self.bursty and self.last_window[self.bursty[0]] < self.window - 1:
            return self.bursty[0]
        return None

    def entered(self, sa: int) -> None:
        if sa in self.chosen:
            self.large.insert(0, sa)
        else:
            self.bursty.append(sa)

    def left(self, sa: int) -> None:
        (self.large if sa in self.large else self.bursty).remove(sa)

    def review(self) -> None:
        there = self.resident | self.loading
        enough = [sa for sa, packets in self.packets.items() if packets >= self.large_packets]
        enough.sort(key=lambda sa: (-self.packets[sa], sa not in there, sa))
        self.chosen = enough[: self.large_max]
        self.packets.clear()
        for sa in [sa for sa in self.large if sa not in self.chosen]:
            self.large.remove(sa)
            self.bursty.insert(0, sa)
        for sa in [sa for sa in self.chosen if sa in self.bursty]:
            self.bursty.remove(sa)
            self.large.insert(0, sa)
        for sa in self.chosen:
            if sa in there:
                continue
            if not self.has_free_seat and not self.bursty:
                break
            if len(self.loading) == self.loading_max:
                self.refused += 1
                break
            self.load(sa, None if self.has_free_seat else self.bursty[0])


@settings(deadline=None, max_examples=EXAMPLES)
@given(
    arrivals=ARRIVALS,
    slots=SLOTS,
    latency_ns=LATENCIES_NS,
    at_once=AT_ONCE,
    period_ns=st.sampled_from([1500, 10_000, 40_000]),
    name=st.sampled_from(["ovs", "ovs-fast"]),
)
def test_ovs_decides_as_it_is_told(
    lab_run: Callable[..., LabRun],
    arrivals: list[tuple[int, int, int]],
    slots: int,
    latency_ns: int,
    at_once: int,
    period_ns: int,
    name: str,
) -> None:
    """However often it reviews."""
    card = card_of(slots, latency_ns, at_once)
    run = lab_run(name, arranged(arrivals), card, {"period_ns": period_ns})
    assert decided(run) == naively_decided(_Ovs(card, period_ns), run)


@settings(deadline=None, max_examples=EXAMPLES)
@given(
    arrivals=ARRIVALS,
    slots=SLOTS,
    latency_ns=LATENCIES_NS,
    at_once=AT_ONCE,
    window_ns=st.sampled_from([700, 5000, 30_000]),
    quota=st.sampled_from([0.0, 1.0, 2.0, 3.0]),
)
def test_rate_decides_as_it_is_told(
    lab_run: Callable[..., LabRun],
    arrivals: list[tuple[int, int, int]],
    slots: int,
    latency_ns: int,
    at_once: int,
    window_ns: int,
    quota: float,
) -> None:
    """Whatever the window and what is enough in it."""
    card = card_of(slots, latency_ns, at_once)
    given = {"window_ns": window_ns, "rate_packets_per_s": quota * 1e9 / window_ns}
    run = lab_run("rate", arranged(arrivals), card, given)
    assert decided(run) == naively_decided(_Rate(card, **given), run)


@settings(deadline=None, max_examples=EXAMPLES)
@given(
    arrivals=ARRIVALS,
    slots=SLOTS,
    latency_ns=LATENCIES_NS,
    at_once=AT_ONCE,
    interval_per_slot=st.sampled_from([0.0, 0.5, 1.0, 3.0, 10.0]),
)
def test_nru_decides_as_it_is_told(
    lab_run: Callable[..., LabRun],
    arrivals: list[tuple[int, int, int]],
    slots: int,
    latency_ns: int,
    at_once: int,
    interval_per_slot: float,
) -> None:
    """However often all are marked."""
    card = card_of(slots, latency_ns, at_once)
    given = {"interval_per_slot": interval_per_slot}
    run = lab_run("nru", arranged(arrivals), card, given)
    assert decided(run) == naively_decided(_Nru(card, interval_per_slot), run)


@settings(deadline=None, max_examples=EXAMPLES)
@given(
    arrivals=ARRIVALS,
    slots=SLOTS,
    latency_ns=LATENCIES_NS,
    at_once=AT_ONCE,
    given=st.fixed_dictionaries(
        {
            "period_ns": st.sampled_from([5000, 40_000]),
            "large_packets": st.sampled_from([1.0, 3.0]),
            "burst_window_ns": st.sampled_from([500, 3000]),
            "burst_packets": st.sampled_from([1.0, 2.0, 3.0]),
            "burst_share": st.sampled_from([0.0, 0.2, 0.5, 1.0]),
        }
    ),
)
def test_elixir_decides_as_it_is_told(
    lab_run: Callable[..., LabRun],
    arrivals: list[tuple[int, int, int]],
    slots: int,
    latency_ns: int,
    at_once: int,
    given: dict[str, Any],
) -> None:
    """Whatever the windows, and however the card is shared."""
    card = card_of(slots, latency_ns, at_once)
    run = lab_run("elixir", arranged(arrivals), card, given)
    assert decided(run) == naively_decided(_Elixir(card, **given), run)
