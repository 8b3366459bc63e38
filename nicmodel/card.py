"""The whole card: an SA cache, fetch units and a crypto engine behind four kinds of method.

Sans-IO. Everything is calculated when a command is given, so a driver never polls: a ticket says
when a load will be done, a submission when its packets will have left, and ``next_deadline_ns``
when the card next has something to report. The driver sleeps until then, calls ``handle_time`` and
collects the reports with ``poll_completion``. Commands apply what is due by themselves.

    getters     residency, residents, load_room_ns, engine_room_ns, is_done, statistics, ...
    commands    load, evict, submit, reset
    time        handle_time, next_deadline_ns
    reports     poll_completion

What the model takes as given:

- An accepted command is reported exactly once: a load as LOADED or LOST, an eviction (a victim's
  too) as EVICTED. A refused one leaves everything as it was.
- A load that would take longer than the driver waits (``load_timeout_ns``) is as lost as one that
  a fault loses. It keeps its slot until then, its fetch unit only as long as the fetch takes.
- On a card that stalls while it loads (``load_blocks_engine``) a fetch waits for the packets
  already submitted, and packets submitted later wait for the fetch.
- A reset empties cache, load queue and engine at once. Packets that were still in the engine are
  not done (``is_done``): software redoes them. A submission is done as a whole or not at all.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from nicmodel.engine import CryptoEngine
from nicmodel.faults import FaultPlan, Faults
from nicmodel.loader import draw_latency_ns, fetch
from nicmodel.profile import CardProfile
from nicmodel.reports import (
    NO_HANDLE,
    CardEvent,
    CardStatistics,
    LoadTicket,
    Refusal,
    Report,
    Submission,
)
from nicmodel.residency import Happening, Residency, SaCache

_NO_FAULTS: Final = FaultPlan()

# What a report says about the SA's residency.
_HAPPENINGS: Final = {
    Report.LOADED: Happening.LOADED,
    Report.LOST: Happening.LOST,
    Report.EVICTED: Happening.DRAINED,
}


class _Due(NamedTuple):
    """Something that will happen. ``number`` orders what happens at one instant: resets first."""

    time_ns: int
    number: int
    kind: Report
    handle: int
    victim: int
    frees_slot: bool


class Card:
    """A card, by its profile and its faults.

    Handles are small integers (indices of SAs), times integer nanoseconds that never run
    backwards. The generator is the caller's, made from the run's seed; only a profile or plan that
    leaves something to chance needs one. Reports wait until they are polled, and each reset is
    remembered; nothing else grows with the length of a run, only with the highest handle.
    """

    def __init__(
        self,
        profile: CardProfile,
        faults: FaultPlan = _NO_FAULTS,
        generator: np.random.Generator | None = None,
    ) -> None:
        assert generator is not None or profile.load_latency_distribution == "fixed", (
            "a load latency that varies needs a seeded generator"
        )
        self.profile = profile
        self.resets_planned_ns = tuple(sorted(set(faults.resets_ns)))
        self._generator = generator
        self._faults = Faults(faults, generator)
        self._cache = SaCache(profile.slots_max)
        self._engine = CryptoEngine(profile, faults.stalls)
        self._units_free_ns = np.zeros(profile.loads_at_once, np.int64)
        self._agenda = [  # a heap
            _Due(time_ns, 0, Report.RESET, NO_HANDLE, NO_HANDLE, frees_slot=False)
            for time_ns in self.resets_planned_ns
        ]
        self._numbered = 0
        self._reports: deque[CardEvent] = deque()
        self._resets_ns: list[int] = []
        self._now_ns = 0
        self._reported = dict.fromkeys(Report, 0)
        self._loads = 0
        self._loads_refused = dict.fromkeys(Refusal, 0)
        self._evictions = 0
        self._packets_refused = 0
        self._packets_flipped = 0
        self._loader_busy_ns = 0

    def residency(self, handle: int) -> Residency:
        """Where ``handle`` stands; one that was never loaded is ABSENT."""
        return self._cache.residency(handle)

    def residents(self) -> npt.NDArray[np.int64]:
        """The RESIDENT handles, ascending."""
        return self._cache.residents()

    def loading(self) -> npt.NDArray[np.int64]:
        """The LOADING handles, ascending."""
        return self._cache.loading()

    @property
    def resident_count(self) -> int:
        """How many handles are RESIDENT."""
        return self._cache.population(Residency.RESIDENT)

    @property
    def slots_free(self) -> int:
        """Slots that a load without a victim can take."""
        return self._cache.slots_free

    @property
    def loads_outstanding(self) -> int:
        """Loads accepted and not yet reported."""
        return self._cache.population(Residency.LOADING)

    @property
    def load_room(self) -> int:
        """How many more load commands the card takes now."""
        limit = self.profile.loads_at_once + self.profile.load_queue_max
        return limit - self.loads_outstanding

    def load_room_ns(self, now_ns: int) -> int:
        """From when on the card takes another load command; a reset may make it sooner."""
        if self.load_room > 0:
            return now_ns
        return min(due.time_ns for due in self._agenda if due.kind in (Report.LOADED, Report.LOST))

    def engine_room_ns(self, now_ns: int) -> int:
        """From when on the engine takes another submission."""
        return max(now_ns, self._engine.room_ns())

    def engine_queue_packets(self, now_ns: int) -> int:
        """Packets in the engine and its queue, at most ``engine_queue_packets_max``."""
        return self._engine.queue_packets(now_ns)

    def is_done(self, submission: Submission, now_ns: int) -> bool:
        """Whether every accepted packet of ``submission`` has left the engine by ``now_ns``.

        False before its ``finish_ns``, and for good if a reset came sooner.
        """
        self.handle_time(now_ns)
        if submission.resets < len(self._resets_ns):
            return submission.finish_ns <= self._resets_ns[submission.resets]
        return submission.finish_ns <= now_ns

    def statistics(self) -> CardStatistics:
        """Counts up to the last instant that the card was told."""
        packets, packet_bytes, engine_busy_ns = self._engine.served()
        return CardStatistics(
            loads=self._loads,
            loads_refused={reason.value: count for reason, count in self._loads_refused.items()},
            loaded=self._reported[Report.LOADED],
            lost=self._reported[Report.LOST],
            loads_outstanding=self.loads_outstanding,
            fetched_bytes=self._reported[Report.LOADED] * self.profile.context_bytes,
            evictions=self._evictions,
            evicted=self._reported[Report.EVICTED],
            resets=self._reported[Report.RESET],
            packets=packets,
            packets_refused=self._packets_refused,
            packets_flipped=self._packets_flipped,
            bytes=packet_bytes,
            engine_busy_ns=engine_busy_ns,
            loader_busy_ns=self._loader_busy_ns,
        )

    def load(self, handle: int, victim: int | None, now_ns: int) -> LoadTicket:
        """Fetch ``handle`` into the cache, in place of ``victim`` where that is not None.

        Refused, with nothing changed, unless ``handle`` is ABSENT, the load queue has room and
        the victim is RESIDENT or, without one, a slot is free; or by a fault.
        """
        assert handle >= 0, f"handles count from 0, found {handle}"
        self.handle_time(now_ns)
        reason = self._refusal(handle, victim)
        if reason is not None:
            self._loads_refused[reason] += 1
            return LoadTicket(reason, None, now_ns, now_ns)
        ready_ns = now_ns if victim is None else self._evict(victim, frees_slot=False)
        self._cache.begin_load(handle, in_place=victim is not None)
        self._loads += 1
        ticket = self._fetch(ready_ns)
        assert ticket.outcome is not None
        self._plan(
            ticket.done_ns,
            ticket.outcome,
            handle,
            NO_HANDLE if victim is None else victim,
            frees_slot=ticket.outcome == Report.LOST,
        )
        return ticket

    def evict(self, handle: int, now_ns: int) -> int | None:
        """Drop ``handle``; returns when its last packet has left, or None if it is not RESIDENT."""
        self.handle_time(now_ns)
        if self.residency(handle) != Residency.RESIDENT:
            return None
        return self._evict(handle, frees_slot=True)

    def submit(
        self, handles: npt.NDArray[np.int32], lengths_bytes: npt.NDArray[np.int32], now_ns: int
    ) -> Submission:
        """Give the engine a burst: contiguous int32 arrays of handles and packet lengths.

        It takes the packets of RESIDENT handles; the others are the caller's again. The caller
        has waited for ``engine_room_ns``.
        """
        self.handle_time(now_ns)
        assert self._engine.room_ns() <= now_ns, "the engine's queue is full: see engine_room_ns"
        finish_ns, refused = self._engine.submit(
            self._cache.contexts, handles, lengths_bytes, now_ns
        )
        self._packets_refused += len(refused)
        rows, bits = self._faults.flips(lengths_bytes, refused)
        self._packets_flipped += len(rows)
        accepted = len(handles) - len(refused)
        return Submission(finish_ns, accepted, refused, rows, bits, len(self._resets_ns))

    def reset(self, now_ns: int) -> None:
        """Forget every SA, every command and every packet in the engine."""
        self.handle_time(now_ns)
        self._reset(now_ns)

    def handle_time(self, now_ns: int) -> None:
        """Apply everything that is due at or before ``now_ns``."""
        assert now_ns >= self._now_ns, f"time runs backwards: {self._now_ns} to {now_ns} ns"
        self._now_ns = now_ns
        while self._agenda and self._agenda[0].time_ns <= now_ns:
            due = heappop(self._agenda)
            if due.kind == Report.RESET:
                self._reset(due.time_ns)
            else:
                self._end(due, due.kind, due.time_ns)

    def next_deadline_ns(self) -> int | None:
        """When the card next has something to report, planned resets included; None if never."""
        return self._agenda[0].time_ns if self._agenda else None

    def poll_completion(self) -> CardEvent | None:
        """The next report, in the order in which things happened; None if there is none."""
        return self._reports.popleft() if self._reports else None

    def _refusal(self, handle: int, victim: int | None) -> Refusal | None:
        if self.residency(handle) != Residency.ABSENT:
            return Refusal.HANDLE_NOT_ABSENT
        if self.load_room == 0:
            return Refusal.LOAD_QUEUE_FULL
        if victim is not None and self.residency(victim) != Residency.RESIDENT:
            return Refusal.VICTIM_NOT_RESIDENT
        if victim is None and self.slots_free == 0:
            return Refusal.NO_FREE_SLOT
        return Refusal.FAULT if self._faults.refuses_load() else None

    def _fetch(self, ready_ns: int) -> LoadTicket:
        """Schedule a fetch into a slot that is ready at ``ready_ns``."""
        profile = self.profile
        lost = self._faults.loses_load()
        latency_ns = draw_latency_ns(profile, self._generator)
        duration_ns = min(latency_ns, profile.load_timeout_ns)
        if profile.load_blocks_engine:
            ready_ns = max(ready_ns, self._engine.drained_ns())
        started_ns = fetch(self._units_free_ns, ready_ns, duration_ns)
        if profile.load_blocks_engine:
            self._engine.block(started_ns + duration_ns)
        self._loader_busy_ns += duration_ns
        if lost or latency_ns > profile.load_timeout_ns:
            return LoadTicket(None, Report.LOST, started_ns, started_ns + profile.load_timeout_ns)
        return LoadTicket(None, Report.LOADED, started_ns, started_ns + latency_ns)

    def _evict(self, handle: int, *, frees_slot: bool) -> int:
        drained_ns = max(self._now_ns, self._cache.begin_eviction(handle))
        self._evictions += 1
        self._plan(drained_ns, Report.EVICTED, handle, NO_HANDLE, frees_slot=frees_slot)
        return drained_ns

    def _plan(
        self, time_ns: int, kind: Report, handle: int, victim: int, *, frees_slot: bool
    ) -> None:
        self._numbered += 1
        heappush(self._agenda, _Due(time_ns, self._numbered, kind, handle, victim, frees_slot))

    def _end(self, due: _Due, kind: Report, time_ns: int) -> None:
        """A command ends, and this is its one report."""
        self._cache.end(due.handle, _HAPPENINGS[kind], frees_slot=due.frees_slot)
        self._report(CardEvent(kind, due.handle, due.victim, time_ns))

    def _reset(self, time_ns: int) -> None:
        """Every command ends here, in the order given: loads are lost, evictions have drained."""
        commands = [due for due in self._agenda if due.kind != Report.RESET]
        self._agenda = sorted(due for due in self._agenda if due.kind == Report.RESET)
        for due in sorted(commands, key=lambda due: due.number):
            ended = Report.EVICTED if due.kind == Report.EVICTED else Report.LOST
            self._end(due, ended, time_ns)
        self._cache.clear(time_ns)
        self._engine.flush(time_ns)
        self._units_free_ns[:] = time_ns
        self._resets_ns.append(time_ns)
        self._report(CardEvent(Report.RESET, NO_HANDLE, NO_HANDLE, time_ns))

    def _report(self, event: CardEvent) -> None:
        self._reported[event.kind] += 1
        self._reports.append(event)
