"""The compiled card without faults is the card: the same commands get the same answers.

Both cards are driven by one agent that behaves as an arbiter does: it knows of completions only
what happened strictly before now, sends packets to SAs that it knows RESIDENT, names such an SA as
victim or none where it believes a slot free, and keeps its loads within what the card's driver may
have unanswered. The card proper is driven over a command ring as the NIC actor drives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nicmodel.card import Card
from nicmodel.flawless import (
    encrypt,
    flawless_card,
    load,
    next_report_ns,
    open_ring,
    take_report,
)
from nicmodel.presets import PROFILES
from nicmodel.profile import CardProfile, customised
from nicmodel.reports import Refusal

HANDLES = 6
NEVER_NS = 0x7FFF_FFFF_FFFF_FFFF


class Answer(NamedTuple):
    """What became of a load, and when."""

    time_ns: int
    handle: int
    loaded: bool


class Burst(NamedTuple):
    """Packets, each to one of those that are RESIDENT then: (which of them, length in bytes)."""

    packets: Sequence[tuple[int, int]]


class Wish(NamedTuple):
    """A load of one of those that are ABSENT then, if possible in place of a resident."""

    newcomer: int
    victim: int
    replaces: bool


class Step(NamedTuple):
    """What the agent does ``gap_ns`` after the step before."""

    gap_ns: int
    what: Burst | Wish


class CommandRing:
    """The card proper behind its command ring: each entry is taken when the one before it was."""

    def __init__(self, profile: CardProfile) -> None:
        self.card = Card(profile)
        self.waits = 0
        self._taken_ns = 0
        self._answers: list[Answer] = []

    def submit(self, handles: list[int], lengths_bytes: list[int], now_ns: int) -> int:
        """Returns when the last packet leaves."""
        self._take(now_ns)
        self._take(self.card.engine_room_ns(self._taken_ns))
        submission = self.card.submit(
            np.array(handles, np.int32), np.array(lengths_bytes, np.int32), self._taken_ns
        )
        assert submission.accepted == len(handles), "the agent knows who is RESIDENT"
        return submission.finish_ns

    def load(self, handle: int, victim: int, now_ns: int) -> int:
        """Returns when the SA will be on the card, or -1 if it will not."""
        self._take(now_ns)
        while self.card.profile.load_full == "wait" and self.card.load_room == 0:
            self.waits += 1
            self._take(self.card.load_room_ns(self._taken_ns))
        ticket = self.card.load(handle, None if victim < 0 else victim, self._taken_ns)
        self._collect()
        if ticket.accepted:
            return ticket.done_ns
        self._answers.append(Answer(self._taken_ns, handle, loaded=False))
        if victim >= 0:
            self.card.evict(victim, self._taken_ns)
        return -1

    def hear(self, now_ns: int) -> list[Answer]:
        """The answers that were given before ``now_ns``, strictly; in order."""
        self.card.handle_time(max(now_ns - 1, self._taken_ns))
        self._collect()
        heard = [answer for answer in self._answers if answer.time_ns < now_ns]
        del self._answers[: len(heard)]
        return heard

    def _take(self, instant_ns: int) -> None:
        self._taken_ns = max(self._taken_ns, instant_ns)
        self.card.handle_time(self._taken_ns)

    def _collect(self) -> None:
        while (event := self.card.poll_completion()) is not None:
            if event.kind.name != "EVICTED":
                loaded = event.kind.name == "LOADED"
                self._answers.append(Answer(event.time_ns, event.handle, loaded))


class Agent:
    """What an arbiter knows, and what it may command knowing no more."""

    def __init__(self, profile: CardProfile) -> None:
        self.residents: list[int] = []
        self.loading: list[int] = []
        self._slots = profile.slots_max
        self._loads_max = profile.loads_outstanding_max

    def hear(self, answer: Answer) -> None:
        """The card has answered a load."""
        self.loading.remove(answer.handle)
        if answer.loaded:
            self.residents.append(answer.handle)

    def command(self, wish: Wish) -> tuple[int, int] | None:
        """The newcomer and its victim (-1: none), or None where no such command is possible."""
        absent = [h for h in range(HANDLES) if h not in self.residents + self.loading]
        has_room = len(self.residents) + len(self.loading) < self._slots
        if not absent or len(self.loading) == self._loads_max:
            return None
        if not self.residents and not has_room:
            return None
        newcomer = absent[wish.newcomer % len(absent)]
        victim = -1
        if self.residents and (wish.replaces or not has_room):
            victim = self.residents.pop(wish.victim % len(self.residents))
        self.loading.append(newcomer)
        return newcomer, victim


def compare(profile: CardProfile, steps: Sequence[Step]) -> CommandRing:
    """Do the steps to both cards, and demand the same of both at every step."""
    ring = CommandRing(profile)
    flawless = flawless_card(profile, HANDLES, profile.loads_outstanding_max)
    agent = Agent(profile)

    def hear(now_ns: int) -> None:
        heard = []
        while (time_ns := next_report_ns(flawless)) < now_ns:
            heard.append(Answer(time_ns, *take_report(flawless)))
        assert heard == ring.hear(now_ns)
        for answer in heard:
            agent.hear(answer)

    now_ns = 0
    for step in steps:
        now_ns += step.gap_ns
        hear(now_ns)
        if isinstance(step.what, Wish):
            command = agent.command(step.what)
            if command is not None:
                assert load(flawless, *command, now_ns) == ring.load(*command, now_ns)
        elif agent.residents:
            handles = [
                agent.residents[which % len(agent.residents)] for which, _ in step.what.packets
            ]
            lengths = [length_bytes for _, length_bytes in step.what.packets]
            taken_ns = open_ring(flawless, now_ns)
            finishes_ns = [
                encrypt(flawless, *packet, taken_ns)
                for packet in zip(handles, lengths, strict=True)
            ]
            assert finishes_ns[-1] == ring.submit(handles, lengths, now_ns)
            kept_ns = ring.card._engine._finishes_ns  # nothing else tells of every packet
            assert flawless.finishes_ns.tolist() == kept_ns.tolist()
            last_ns = dict(zip(handles, finishes_ns, strict=True))
            contexts = ring.card._cache.contexts
            assert {each: contexts[each]["last_finish_ns"] for each in last_ns} == last_ns
    hear(NEVER_NS)
    assert agent.loading == []
    return ring


PROFILES_DRAWN = st.fixed_dictionaries(
    {
        "slots_max": st.integers(1, 4),
        "loads_at_once": st.integers(1, 3),
        "load_queue_max": st.integers(0, 2),
        "load_latency_ns": st.sampled_from([0, 500, 1000, 3000]),
        "load_full": st.sampled_from(["wait", "refuse"]),
        "load_blocks_engine": st.booleans(),
        "engine_packet_ns": st.sampled_from([20, 500, 1000]),
        "engine_byte_ns": st.sampled_from([0, 0.3]),
        "engine_queue_packets_max": st.sampled_from([1, 2, 8]),
    }
)
# Many instants coincide: of commands, packets and the ends of loads.
GAPS_NS = st.sampled_from([0, 0, 1, 100, 500, 500, 1000, 3000])
BURSTS = st.builds(
    Burst,
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([20, 100, 1500])), min_size=1, max_size=6
    ),
)
WISHES = st.builds(Wish, st.integers(0, 5), st.integers(0, 5), st.booleans())
STEPS = st.lists(st.builds(Step, GAPS_NS, BURSTS | WISHES), min_size=5, max_size=60)


def profile_of(figures: dict[str, Any]) -> CardProfile:
    """A card with these figures."""
    return customised(PROFILES["82599"], **figures)


@settings(deadline=None, max_examples=500)
@given(figures=PROFILES_DRAWN, steps=STEPS)
def test_both_cards_answer_every_command_alike(figures: dict[str, Any], steps: list[Step]) -> None:
    """Answers, completions and their order, and when every packet leaves."""
    compare(profile_of(figures), steps)


def test_both_cards_hold_up_packets_behind_a_load_that_waits() -> None:
    """The engine is idle and has room; what blocks the command ring is the loader."""
    profile = profile_of(
        {
            "slots_max": 3,
            "loads_at_once": 1,
            "load_queue_max": 0,
            "load_latency_ns": 3000,
            "load_full": "wait",
            "engine_packet_ns": 100,
        }
    )
    load_one, send_one = Wish(0, 0, replaces=False), Burst([(0, 100)])
    ring = compare(
        profile, [Step(0, load_one), Step(4000, load_one), Step(0, load_one), Step(100, send_one)]
    )
    assert ring.waits == 1
    assert ring.card.statistics().packets == 1
    assert ring.card._engine.drained_ns() > 4000 + 3000


def busy_steps(seed: int, count: int = 1500) -> list[Step]:
    """More packets than the engine has time for, and loads all the while."""
    generator = np.random.default_rng(seed)

    def any_step() -> Step:
        gap_ns = int(generator.choice([0, 100, 500, 1000]))
        newcomer, victim, replaces, packets = generator.integers(0, (6, 6, 2, 4)).tolist()
        if packets == 0:
            return Step(gap_ns, Wish(newcomer, victim, bool(replaces)))
        return Step(gap_ns, Burst([(newcomer + row, 100) for row in range(packets)]))

    return [any_step() for _ in range(count)]


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("full", ["wait", "refuse"])
def test_both_cards_refuse_and_wait_alike_under_pressure(full: str, blocks: bool) -> None:
    """Every refusal that an arbiter can meet is met, and a full loader that makes it wait."""
    profile = profile_of(
        {
            "slots_max": 4,
            "loads_at_once": 2,
            "load_queue_max": 1,
            "load_latency_ns": 700,
            "load_full": full,
            "load_blocks_engine": blocks,
            "engine_packet_ns": 600,
            "engine_byte_ns": 0,
            "engine_queue_packets_max": 16,
        }
    )
    rings = [compare(profile, busy_steps(seed)) for seed in range(5)]
    refused = {
        reason: sum(ring.card.statistics().loads_refused[reason] for ring in rings)
        for reason in Refusal
    }
    assert refused[Refusal.HANDLE_NOT_ABSENT] > 10, "it was still draining"
    assert refused[Refusal.NO_FREE_SLOT] > 0, "its victim was still draining"
    assert refused[Refusal.LOAD_QUEUE_FULL] == refused[Refusal.VICTIM_NOT_RESIDENT] == 0
    assert (sum(ring.waits for ring in rings) > 10) == (full == "wait")


def test_the_ring_of_reports_closes_and_keeps_the_order_of_time() -> None:
    """A victim that drains for long lets later loads be done before its own."""
    profile = profile_of(
        {
            "slots_max": 2,
            "loads_at_once": 2,
            "load_latency_ns": 1000,
            "load_full": "refuse",
            "load_queue_max": 0,
            "engine_packet_ns": 5000,
            "engine_byte_ns": 0,
        }
    )
    flawless = flawless_card(profile, HANDLES, profile.loads_outstanding_max)
    now_ns = 0
    for turn in range(5):
        slow, fast = (0, 1) if turn % 2 == 0 else (2, 3)
        slow_victim, fast_victim = (-1, -1) if turn == 0 else (2 - slow, 4 - fast)
        if turn > 0:
            assert encrypt(flawless, slow_victim, 100, open_ring(flawless, now_ns)) > now_ns
        slow_ns = load(flawless, slow, slow_victim, now_ns)
        fast_ns = load(flawless, fast, fast_victim, now_ns)
        expected = sorted([(slow_ns, slow), (fast_ns, fast)])
        assert turn == 0 or expected[0] == (fast_ns, fast)
        for time_ns, handle in expected:
            assert next_report_ns(flawless) == time_ns
            assert take_report(flawless) == (handle, True)
        assert next_report_ns(flawless) == NEVER_NS
        now_ns = slow_ns + 1
