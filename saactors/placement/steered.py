"""An arbiter that is steered while it works: SAs pinned and deleted, rules and slots exchanged.

A rule decides for itself; people have wishes. ``SteeredArbiter`` stands around the rule's arbiter
and shares the card's slots with it (``saactors.placement.sharing``). The rule does not see packets
of SAs that are pinned, held or about to be evicted (``saactors.placement.hiding``); for the rule
such an SA is one that has been deleted.

Whoever drives it calls ``poll_evictions`` and then ``poll_loads`` after each burst, review, answer
or wish, and tells the card in this order. Wishes are carried out between two bursts. ``loaded`` and
``failed`` answer the commands of both.

While there is no wish to be followed, ``decide`` *is* the rule's own and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.model.packets import NO_SA
from saactors.placement.hiding import OPEN, hide, show
from saactors.placement.plan import RulePlan
from saactors.placement.routing import ABSENT, LOADING, RESIDENT
from saactors.placement.rule import (
    NOTHING_DECIDED,
    Decisions,
    Packets,
    RuleParameters,
)
from saactors.placement.sharing import Held, SharedSlots, Where
from saactors.placement.steered_view import SteeredView


class SteeredArbiter(SteeredView):
    """The arbiter half of a rule that can be steered (``rule.CacheArbiter``)."""

    __slots__ = ("_known", "_masked", "_tick", "decide")

    decide: Callable[[Packets, int, int], Decisions]
    """As ``CacheArbiter.decide``; read it anew for each burst, for it may be the rule's own."""

    def __init__(self, plan: RulePlan, slots: int, loads_outstanding_max: int) -> None:
        """Steer an arbiter of that rule, on a card with so many slots and loads at once."""
        self._plan = plan
        inner = plan.arbiter(slots, loads_outstanding_max)
        self._shared = SharedSlots(inner, slots, loads_outstanding_max)
        self._known = 0
        self._tick = 0
        self._masked = np.zeros(256, np.int32)
        self._settle()

    # Wishes, in between bursts.

    def pin(self, sa: int, where: str, tick: int, now_ns: int) -> None:
        """From now on the SA's crypto runs there: ``auto``, ``nic`` or ``software``.

        One pinned to the card is loaded as soon as that is possible, and never replaced.

        Raises:
            ParameterError: no such place, or more SAs pinned to the card than it has slots.
        """
        shared = self._shared
        if where not in tuple(Where):
            raise ParameterError("where", where, f"one of {', '.join(Where)}")
        wanted, before = Where(where), self.pinned(sa)
        if wanted is before:
            return
        if wanted is Where.NIC and self.pinned_count >= shared.slots:
            raise ParameterError(
                "where",
                where,
                f"at most {shared.slots} SAs pinned to the card, one per slot; unpin another first",
            )
        if before is Where.AUTO and sa not in shared.held:
            self._take(sa, tick)
        shared.withdraw(sa)
        if wanted is Where.AUTO:
            del shared.pins[sa]
        else:
            shared.pins[sa] = wanted
        self._move(sa, wanted, tick, now_ns)
        shared.look(sa)
        self._settle()

    def _take(self, sa: int, tick: int) -> None:
        """Take an SA out of the rule's hands."""
        shared, inner = self._shared, self.inner
        residency = inner.residency(sa)
        shared.views["metric"][sa] = 0.0 if residency == ABSENT else inner.metric(sa)
        if residency == LOADING:
            inner.failed(sa, tick)  # for the rule; the steering hears how it really ends
            shared.hold(sa, Held.LOADING)
        elif residency == RESIDENT:
            shared.hold(sa, Held.RESIDENT)
        inner.forget(sa)

    def _move(self, sa: int, wanted: Where, tick: int, now_ns: int) -> None:
        shared = self._shared
        state = shared.held.get(sa)
        if wanted is Where.NIC:
            if state is None:
                shared.hold(sa, Held.WAITING)
        elif wanted is Where.AUTO:
            if state is not None:
                shared.release(sa, tick, now_ns)
        elif state is not None and state is not Held.LOADING:
            del shared.held[sa]
            if state is Held.RESIDENT:
                shared.drop(sa)

    def resize(self, slots: int, tick: int, now_ns: int) -> None:
        """The card has so many slots from now on; the coldest residents beyond them are evicted.

        The rule is made anew for that size and takes over who is there, with its metrics. Loads
        under way cannot be called back: where they alone are too many, some are evicted when they
        arrive.

        Raises:
            ParameterError: fewer slots than SAs pinned to the card.
        """
        if slots < self.pinned_count:
            expected = f"{self.pinned_count} or more, for so many SAs are pinned to the card"
            raise ParameterError("slots", slots, expected)
        if slots == self._shared.slots:
            return
        self._shared.resize(slots)
        self._take_over(self.inner.metric, tick, now_ns)

    def exchange(self, plan: RulePlan, tick: int, now_ns: int) -> None:
        """Another rule takes over, with the residents and loads under way that it has room for.

        ``tick`` is that of the new rule's keeper half. Everybody starts with the initial metric.
        """
        self._plan = plan
        self._shared.views["metric"] = plan.initial_metric
        self._take_over(lambda _sa: plan.initial_metric, tick, now_ns)

    def go_on_by(self, plan: RulePlan, tick: int, now_ns: int) -> None:
        """Follow other parameters of the same rule, or exchange the rule."""
        if plan.is_of(self._plan):
            self.follow(plan.parameters, tick)
        else:
            self.exchange(plan, tick, now_ns)

    def _take_over(self, metric_of: Callable[[int], float], tick: int, now_ns: int) -> None:
        new = self._plan.arbiter(self._shared.slots, self._shared.loads_max)
        new.receive(self._known)
        self._shared.take_over(new, metric_of, tick, now_ns)
        self._settle()

    def release(self, sa: int, tick: int, now_ns: int) -> bool:
        """Let go of an SA that is to be deleted: off the card, and not to be loaded any more.

        False as long as it is on its way to the card; ask again then. Once True, and the card has
        told that it is gone, it can be forgotten.
        """
        self.pin(sa, Where.SOFTWARE, tick, now_ns)
        return self.residency(sa) != LOADING

    def forget(self, sa: int, /) -> None:
        """The SA has been deleted, its pin with it; if it was RESIDENT the card will be told."""
        shared = self._shared
        shared.withdraw(sa)
        assert self.residency(sa) != LOADING, f"SA {sa} is still being loaded"
        shared.pins.pop(sa, None)
        if shared.held.pop(sa, None) is Held.RESIDENT or self.inner.residency(sa) == RESIDENT:
            shared.drop(sa)
        self.inner.forget(sa)
        shared.views["metric"][sa] = 0.0
        shared.look(sa)
        self._settle()

    # What the card has to be told that no burst has asked for.

    def poll_evictions(self, tick: int) -> Sequence[int]:
        """SAs that the card has to drop now, being no load's victims."""
        if self._shared.quiet:
            return ()
        if tick != self._tick:
            self._tick = tick
            self._shared.retry()
            self._settle()
        evictions = self._shared.take_evictions()
        if evictions:
            self._settle()
        return evictions

    def poll_loads(self) -> Decisions:
        """Loads of pinned SAs; to be asked for after the evictions."""
        if self._shared.quiet:
            return NOTHING_DECIDED
        commands = self._shared.take_commands()
        if not len(commands):
            return NOTHING_DECIDED
        self._settle()
        return Decisions(commands)

    # The rule's arbiter, as others see it.

    def _settle(self) -> None:
        shared = self._shared
        shared.settle()
        hides = shared.pins or shared.held or shared.leaving
        self.decide = self._decide_hiding if hides else self.inner.decide

    def _decide_hiding(self, packets: Packets, tick: int, now_ns: int, /) -> Decisions:
        if len(packets) > len(self._masked):
            self._masked = np.zeros(len(packets), np.int32)
        views = self._shared.views
        hidden = hide(packets, views, self._masked)
        decisions = self.inner.decide(packets, tick, now_ns)
        if hidden and show(packets, views, self._masked):
            self._settle()
        return self._permitted(decisions, tick)

    def review(
        self,
        sas: npt.NDArray[np.int32],
        metrics: npt.NDArray[np.float64],
        tick: int,
        now_ns: int,
        /,
    ) -> Decisions:
        """Decide what to load among a keeper's candidates, pinned ones left out."""
        open_ = self._shared.views["way"][sas] == OPEN
        return self._permitted(self.inner.review(sas[open_], metrics[open_], tick, now_ns), tick)

    def _permitted(self, decisions: Decisions, tick: int) -> Decisions:
        """The decisions without loads of SAs that are not the rule's, should it have had the idea.

        A rule that reviews by itself may still know of one. Its victim is gone nevertheless.
        """
        commands = decisions.commands
        if not len(commands):
            return decisions
        refused = self._shared.views["way"][commands["sa"]] != OPEN
        if not refused.any():
            return decisions
        for command in commands[refused]:
            self.inner.failed(int(command["sa"]), tick)
            if command["victim"] != NO_SA:
                self._shared.drop(int(command["victim"]))
        self._settle()
        return Decisions(commands[~refused], decisions.refused, decisions.card_full)

    def receive(self, sa_count: int, /) -> None:
        """SAs up to ``sa_count`` are known; the new ones are ABSENT."""
        if sa_count > self._known:
            self._known = sa_count
            self._shared.receive(sa_count)

    def loaded(self, sa: int, tick: int, /) -> None:
        """The card holds the SA: it is RESIDENT from the next packet on, unless it is a stray."""
        shared = self._shared
        if sa not in shared.held:
            self.inner.loaded(sa, tick)
        elif self._answered(sa) is Where.NIC:
            shared.hold(sa, Held.RESIDENT)
        else:
            del shared.held[sa]
            shared.drop(sa)
        if not shared.quiet:
            self._settle()

    def failed(self, sa: int, tick: int, /) -> None:
        """The card refused or lost the load; one of a pinned SA is tried again."""
        shared = self._shared
        if sa not in shared.held:
            self.inner.failed(sa, tick)
        elif self._answered(sa) is Where.NIC:
            shared.hold(sa, Held.FAILED)
        else:
            del shared.held[sa]
            shared.look(sa)
        if not shared.quiet:
            self._settle()

    def _answered(self, sa: int) -> Where:
        assert self._shared.held[sa] is Held.LOADING, f"SA {sa} was not being loaded"
        return self.pinned(sa)

    def reset(self) -> None:
        """The card has forgotten its residents; pinned ones are loaded again."""
        self._shared.reset()
        self._settle()

    def inherit(self, sa: int, predecessor: int, now_ns: int, /) -> None:
        """Rekeying has put ``sa`` in the place of ``predecessor``; a pin stays where it is."""
        self.inner.inherit(sa, predecessor, now_ns)

    def follow(self, parameters: RuleParameters, tick: int, /) -> None:
        """Let the rule go on by other parameters from that tick on; residents stay."""
        self.inner.follow(parameters, tick)
        self._plan = self._plan.following(parameters)
