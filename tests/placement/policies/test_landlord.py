"""Landlord with bypassing, against the same told naively."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings

from nicmodel.profile import CardProfile
from saactors.lab.run import LabRun
from tests.placement.policies.conftest import (
    ARRIVALS,
    AT_ONCE,
    EXAMPLES,
    LATENCIES_NS,
    LOAD_HOST_NS,
    SLOTS,
    NaiveRule,
    arranged,
    card_of,
    decided,
    naively_decided,
)


class _Landlord(NaiveRule):
    """Every resident pays by itself; whoever has paid most since its last packet goes."""

    def __init__(self, card: CardProfile) -> None:
        super().__init__(card)
        self.credit_ns: dict[int, float] = {}
        self.account_ns: dict[int, float] = {}

    def touch(self) -> None:
        del self.credit_ns[self.sa]  # the dictionary is in the order of last packets
        self.credit_ns[self.sa] = LOAD_HOST_NS

    def wants(self) -> bool:
        self.account_ns[self.sa] = self.account_ns.get(self.sa, 0.0) + self.saving_ns
        can_buy = self.account_ns[self.sa] >= LOAD_HOST_NS
        if self.has_free_seat:
            return can_buy
        for resident in self.credit_ns:
            self.credit_ns[resident] -= self.saving_ns
        return can_buy and self.victim() is not None

    def victim(self) -> int | None:
        for resident, credit_ns in self.credit_ns.items():
            return resident if credit_ns <= 0 else None
        return None

    def summoned(self, sa: int) -> None:
        del self.account_ns[sa]

    def entered(self, sa: int) -> None:
        self.credit_ns[sa] = LOAD_HOST_NS

    def left(self, sa: int) -> None:
        del self.credit_ns[sa]


@settings(deadline=None, max_examples=EXAMPLES)
@given(arrivals=ARRIVALS, slots=SLOTS, latency_ns=LATENCIES_NS, at_once=AT_ONCE)
def test_landlord_decides_as_it_is_told(
    lab_run: Callable[..., LabRun],
    arrivals: list[tuple[int, int, int]],
    slots: int,
    latency_ns: int,
    at_once: int,
) -> None:
    """One sum of rents does for everybody."""
    card = card_of(slots, latency_ns, at_once)
    run = lab_run("landlord", arranged(arrivals), card)
    assert decided(run) == naively_decided(_Landlord(card), run)


def test_a_resident_stays_while_others_miss_less_than_a_load(
    lab_run: Callable[..., LabRun],
) -> None:
    """A load costs 600 ns and a packet saves 200: three packets of SA 1 buy one, no sooner."""
    resident = [(time_ns, 0, 100) for time_ns in (0, 1, 2, 3)]
    two, three = [(10 + n, 1, 100) for n in range(2)], [(10 + n, 1, 100) for n in range(3)]
    card = card_of(1, 0, 1)
    assert len(lab_run("landlord", [*resident, *two], card).loads) == 1
    assert lab_run("landlord", [*resident, *three], card).loads["victim"].tolist() == [-1, 0]
    sends_between = [*resident, *two, (12, 0, 100), (13, 1, 100), (14, 1, 100)]
    assert len(lab_run("landlord", sends_between, card).loads) == 1
    sends_between.append((15, 1, 100))
    assert len(lab_run("landlord", sends_between, card).loads) == 2
