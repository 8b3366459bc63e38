"""Any history of commands keeps the card's laws, and the same history gives the same card.

Hypothesis plays the driver, with every fault and distribution switched on. Beside the card stands
a ledger of what was commanded and reported, from which the invariants are checked after each step;
at the end the whole history is played again on a second card with an equal generator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nicmodel.card import Card
from nicmodel.faults import FaultPlan, Stall
from nicmodel.presets import PROFILES
from nicmodel.profile import customised
from nicmodel.reports import LoadTicket, Report, Submission
from nicmodel.residency import Residency

HANDLES_MAX = 5
HANDLES = st.integers(0, HANDLES_MAX - 1)
PROBABILITIES = st.sampled_from([0.0, 0.2])


class CardHistory(RuleBasedStateMachine):
    """A driver that commands what it likes, at instants that never run backwards."""

    @initialize(
        slots=st.integers(1, HANDLES_MAX - 1),
        at_once=st.integers(1, 2),
        queue=st.integers(0, 2),
        places=st.integers(1, 6),
        blocks=st.booleans(),
        spread=st.sampled_from([("fixed", 0.0), ("exponential", 0.0), ("uniform", 0.5)]),
        refused=PROBABILITIES,
        lost=PROBABILITIES,
        flipped=PROBABILITIES,
        resets=st.lists(st.integers(0, 60_000), max_size=2),
        stalls=st.lists(st.builds(Stall, st.integers(0, 20_000), st.integers(1, 2000)), max_size=3),
        seed=st.integers(0, 2**32),
    )
    def build(self, **drawn: Any) -> None:
        """A small card, so that everything is scarce."""
        distribution, shape = drawn["spread"]
        self.profile = customised(
            PROFILES["82599"],
            slots_max=drawn["slots"],
            loads_at_once=drawn["at_once"],
            load_queue_max=drawn["queue"],
            load_latency_ns=1000,
            load_timeout_ns=2500,
            engine_packet_ns=20,
            engine_byte_ns=0.3,
            engine_queue_packets_max=drawn["places"],
            load_blocks_engine=drawn["blocks"],
            load_latency_distribution=distribution,
            load_latency_shape=shape,
        )
        self.faults = FaultPlan(
            load_refused_probability=drawn["refused"],
            load_lost_probability=drawn["lost"],
            bit_flip_probability=drawn["flipped"],
            resets_ns=tuple(drawn["resets"]),
            stalls=tuple(drawn["stalls"]),
        )
        self.seed = drawn["seed"]
        self.card = self.new_card()
        self.now_ns = 0
        self.calls: list[tuple[Callable[[Card], Any], str]] = []
        self.promised: dict[int, LoadTicket] = {}  # loads outstanding
        self.in_flight: dict[int, int] = {}  # last finish by handle
        self.submissions: list[Submission] = []
        self.reset_instants: list[int] = []
        self.accepted_loads = self.accepted_evictions = 0
        self.leaving: set[int] = set()  # EVICTING by a command of their own: they hold a slot
        self.last_report_ns = 0
        for handle in range(self.profile.slots_max):
            self.load(handle, None)
            self.wait(1500)

    def new_card(self) -> Card:
        """A card in its first state, with a generator of its own in its first state."""
        return Card(self.profile, self.faults, np.random.default_rng(self.seed))

    def call(self, command: Callable[[Card], Any]) -> Any:
        """Give a command and remember it with its answer."""
        answer = command(self.card)
        self.calls.append((command, repr(answer)))
        return answer

    @rule(pause_ns=st.integers(0, 3000))
    def wait(self, pause_ns: int) -> None:
        """Time passes."""
        self.now_ns = now_ns = self.now_ns + pause_ns
        self.call(lambda card: card.handle_time(now_ns))
        self.collect()

    @rule()
    def wait_for_the_deadline(self) -> None:
        """The driver sleeps until the card has something to report."""
        deadline_ns = self.card.next_deadline_ns()
        if deadline_ns is not None:
            self.now_ns = now_ns = max(self.now_ns, deadline_ns)
            self.call(lambda card: card.handle_time(now_ns))

    @rule(handle=HANDLES, victim=st.none() | HANDLES)
    def load(self, handle: int, victim: int | None) -> None:
        """A load finds its handle ABSENT, its victim RESIDENT and room, or is refused."""
        now_ns = self.now_ns
        self.collect()
        before = [self.card.residency(each) for each in range(HANDLES_MAX)]
        ticket = self.call(lambda card: card.load(handle, victim, now_ns))
        if not ticket.accepted:
            assert [self.card.residency(each) for each in range(HANDLES_MAX)] == before
            return
        assert before[handle] == Residency.ABSENT
        assert self.card.residency(handle) == Residency.LOADING
        if victim is not None:
            assert before[victim] == Residency.RESIDENT
            assert self.card.residency(victim) == Residency.EVICTING
            self.accepted_evictions += 1
        ready_ns = max(now_ns, 0 if victim is None else self.in_flight.get(victim, 0))
        if self.profile.load_blocks_engine:
            ready_ns = max(ready_ns, *self.in_flight.values(), 0)
        assert ticket.started_ns >= ready_ns
        if not self.promised:
            assert ticket.started_ns == ready_ns, "no other load is under way"
        assert now_ns <= ticket.started_ns <= ticket.done_ns
        assert ticket.done_ns <= ticket.started_ns + self.profile.load_timeout_ns
        self.promised[handle] = ticket
        running = [each for each in self.promised.values() if each.outcome == Report.LOADED]
        at_start = [each for each in running if each.started_ns <= ticket.started_ns < each.done_ns]
        assert len(at_start) <= self.profile.loads_at_once
        self.accepted_loads += 1

    @rule(choice=st.integers(0, 100), drops_one=st.booleans())
    def load_something_new(self, choice: int, drops_one: bool) -> None:
        """A command that makes sense: a newcomer, in place of a resident if there is one."""
        absent = [h for h in range(HANDLES_MAX) if self.card.residency(h) == Residency.ABSENT]
        residents = self.card.residents().tolist()
        if absent:
            victim = residents[choice % len(residents)] if drops_one and residents else None
            self.load(absent[choice % len(absent)], victim)

    @rule(handle=HANDLES)
    def evict(self, handle: int) -> None:
        """An eviction waits for exactly the packets of its handle."""
        now_ns = self.now_ns
        was = self.card.residency(handle)
        drained_ns = self.call(lambda card: card.evict(handle, now_ns))
        assert (drained_ns is not None) == (was == Residency.RESIDENT)
        if drained_ns is not None:
            assert drained_ns == max(now_ns, self.in_flight.get(handle, 0))
            self.leaving.add(handle)
            self.accepted_evictions += 1

    @rule(
        packets=st.lists(
            st.tuples(st.integers(-1, HANDLES_MAX), st.integers(20, 1500)), max_size=12
        ),
        patient=st.booleans(),
    )
    def submit(self, packets: list[tuple[int, int]], patient: bool) -> None:
        """Only RESIDENT handles encrypt; finishes never fall behind those before."""
        room_ns = self.card.engine_room_ns(self.now_ns)
        if room_ns > self.now_ns and not patient:
            return
        self.now_ns = now_ns = room_ns
        self.call(lambda card: card.handle_time(now_ns))
        self.collect()
        handles = np.array([handle for handle, _ in packets], np.int32)
        lengths = np.array([length for _, length in packets], np.int32)
        resident = [self.card.residency(handle) == Residency.RESIDENT for handle, _ in packets]
        submission = self.call(lambda card: card.submit(handles, lengths, now_ns))
        assert submission.refused_rows.tolist() == [
            row for row, taken in enumerate(resident) if not taken
        ]
        assert submission.accepted == sum(resident)
        assert (submission.flipped_rows < submission.accepted).all()
        if submission.accepted:
            if self.profile.load_blocks_engine:
                loading = [each for each in self.promised.values() if each.outcome == Report.LOADED]
                assert submission.finish_ns > max((each.done_ns for each in loading), default=0)
            assert submission.finish_ns >= max(self.in_flight.values(), default=now_ns)
        for handle in {
            handle for (handle, _), taken in zip(packets, resident, strict=True) if taken
        }:
            context = self.card._cache.contexts[
                handle
            ]  # nothing else tells packets of a burst apart
            self.in_flight[handle] = int(context["last_finish_ns"])
            assert now_ns <= self.in_flight[handle] <= submission.finish_ns
        self.submissions.append(submission)

    @rule(lengths=st.lists(st.integers(20, 1500), min_size=1, max_size=12))
    def submit_to_residents(self, lengths: list[int]) -> None:
        """Packets that the card can take, which keep its engine busy."""
        residents = self.card.residents().tolist()
        if residents:
            self.submit([(residents[i % len(residents)], b) for i, b in enumerate(lengths)], True)

    @rule()
    def evict_a_resident(self) -> None:
        """While its packets are in flight, as like as not."""
        if self.card.resident_count:
            self.evict(int(self.card.residents()[-1]))

    @precondition(lambda self: self.now_ns > 5000)
    @rule()
    def reset(self) -> None:
        """Everything is forgotten, packets in the engine included."""
        now_ns = self.now_ns
        self.call(lambda card: card.reset(now_ns))
        assert self.card.resident_count == 0
        assert self.card.slots_free == self.profile.slots_max
        assert self.card.engine_room_ns(now_ns) == now_ns

    @invariant()
    def collect(self) -> None:
        """Reports come in the order of time, one for each command and as promised."""
        now_ns = self.now_ns
        self.card.handle_time(now_ns)
        while (event := self.card.poll_completion()) is not None:
            assert self.last_report_ns <= event.time_ns <= now_ns
            self.last_report_ns = event.time_ns
            if event.kind in (Report.LOADED, Report.LOST):
                ticket = self.promised.pop(event.handle)
                if (event.kind, event.time_ns) != (ticket.outcome, ticket.done_ns):
                    assert event.kind == Report.LOST, "only a reset breaks a promise"
                    assert event.time_ns <= ticket.done_ns
            elif event.kind == Report.EVICTED:
                drained = self.in_flight.get(event.handle, 0) <= event.time_ns
                assert drained or self.card.statistics().resets > len(self.reset_instants)
                self.leaving.discard(event.handle)
            else:
                self.reset_instants.append(event.time_ns)
                self.in_flight = {
                    handle: min(finish_ns, event.time_ns)
                    for handle, finish_ns in self.in_flight.items()
                }

    @invariant()
    def slots_are_slots(self) -> None:
        """Law 4, counted from the states themselves."""
        states = Counter(self.card.residency(handle) for handle in range(HANDLES_MAX))
        assert states[Residency.RESIDENT] + states[Residency.LOADING] <= self.profile.slots_max
        assert self.card.resident_count == states[Residency.RESIDENT]
        assert self.card.loads_outstanding == states[Residency.LOADING] == len(self.promised)
        room = self.profile.loads_at_once + self.profile.load_queue_max - len(self.promised)
        assert self.card.load_room == room >= 0
        held = states[Residency.RESIDENT] + states[Residency.LOADING] + len(self.leaving)
        assert self.card.slots_free == self.profile.slots_max - held

    @invariant()
    def nothing_is_lost_from_the_counts(self) -> None:
        """Every command accepted is loaded, lost, evicted or under way."""
        statistics = self.card.statistics()
        assert statistics.loads == self.accepted_loads
        assert statistics.loads == (
            statistics.loaded + statistics.lost + statistics.loads_outstanding
        )
        evicting = sum(
            self.card.residency(each) == Residency.EVICTING for each in range(HANDLES_MAX)
        )
        assert statistics.evictions == self.accepted_evictions == statistics.evicted + evicting
        assert statistics.packets == sum(each.accepted for each in self.submissions)
        assert statistics.resets == len(self.reset_instants)
        assert self.card.engine_queue_packets(self.now_ns) <= self.profile.engine_queue_packets_max

    @invariant()
    def every_submission_is_done_or_caught_by_a_reset(self) -> None:
        """Law 5: no packet is both done and redone, and none is neither in the end."""
        for submission in self.submissions:
            later = self.reset_instants[submission.resets :]
            caught = bool(later) and later[0] < submission.finish_ns
            left = submission.finish_ns <= self.now_ns
            assert self.card.is_done(submission, self.now_ns) == (left and not caught)

    def teardown(self) -> None:
        """The same calls on a card with an equal generator: the same answers and counts."""
        if not hasattr(self, "card"):
            return
        again = self.new_card()
        for command, answer in self.calls:
            assert repr(command(again)) == answer
        again.handle_time(self.now_ns)
        assert again.statistics() == self.card.statistics()


TestCardHistory = CardHistory.TestCase
TestCardHistory.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
