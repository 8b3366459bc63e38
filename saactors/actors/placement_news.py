"""The arbiter's events and series: every load and eviction with its reason."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np

from saactors.model.burst import Burst, Completion, Outcome
from saactors.model.packets import NO_SA, Route
from saactors.model.sa import SaTable
from saactors.observe.events import BurstPlaced, Evicted, LoadIssued, LoadRefused, reason_to_replace
from saactors.observe.observer import Emitter
from saactors.observe.series import CACHE, MOVES, LastSeries, SumSeries
from saactors.placement.rule import Decisions, RuleParameters
from saactors.placement.table import Rule

STEERED: Final = "steered: pinned, deleted, fewer slots or another rule"


class PlacementNews:
    """Tells of what the arbiter of ``rule`` decides, and keeps its series."""

    def __init__(
        self,
        emit: Emitter,
        sas: SaTable,
        rule: Rule,
    ) -> None:
        self._emit = emit
        self._sas = sas
        self._arbiter = rule.arbiter
        self._cost = rule.cost
        self._threshold = 0.0
        self._saving_ns = 0.0
        self._next_sample_ns = 0
        self.follow(rule.parameters)
        self.moves = SumSeries(*MOVES)
        self.cache = LastSeries(*CACHE)
        self.loads = 0
        self.evictions = 0
        self.refused = 0
        self.loads_of: Counter[int] = Counter()  # SA → loads

    def follow(self, parameters: RuleParameters) -> None:
        """Reasons from now on name this rule's threshold."""
        analysis = parameters.analysis(self._cost)
        threshold = getattr(parameters, "threshold", None)
        self._threshold = 0.0 if threshold is None else threshold
        if analysis is not None:
            self._saving_ns = analysis.cost.saving_ns(analysis.reference_packet_bytes)

    def tell(self, decisions: Decisions, now_ns: int) -> None:
        """Tell of the decisions made as of ``now_ns``."""
        if now_ns >= self._next_sample_ns:
            self.sample(now_ns)
        refused = decisions.refused + decisions.card_full
        if refused:
            self.refused += refused
            if self._emit.wants(LoadRefused):
                reason = "card_full" if decisions.card_full else "load_queue_full"
                self._emit(LoadRefused(now_ns, refused, reason))
        if not len(decisions.commands):
            return
        evictions = int((decisions.commands["victim"] != NO_SA).sum())
        self.loads += len(decisions.commands)
        self.evictions += evictions
        self.moves.add(now_ns, len(decisions.commands), evictions)
        self.loads_of.update(decisions.commands["sa"].tolist())
        if self._emit:
            for command in decisions.commands:
                self._tell_command(command, now_ns)

    def tell_dropped(self, sa: int, now_ns: int) -> None:
        """Tell of an SA that has to go in nobody's favour: because somebody steers."""
        self.evictions += 1
        self.moves.add(now_ns, 0, 1)
        if self._emit.wants(Evicted):
            figures = (0.0, 0.0, self._threshold, self._saving_ns, self._cost.load_host_ns)
            self._emit(Evicted(now_ns, sa, None, *figures, STEERED))

    def tell_burst(self, burst: Burst) -> None:
        """Tell where the packets of a burst go."""
        if self._emit.wants(BurstPlaced):
            routes = np.bincount(burst.packets["route"], minlength=len(Route))
            software, nic, bypass = (
                int(routes[route]) for route in (Route.SOFTWARE, Route.NIC, Route.BYPASS)
            )
            self._emit(
                BurstPlaced(
                    burst.observed_ns, burst.number, len(burst.packets), software, nic, bypass
                )
            )

    def sample(self, now_ns: int) -> None:
        """Note how many residents there are, and the lowest metric among them."""
        lowest = self._arbiter.lowest()
        self.cache.set(now_ns, self._arbiter.resident_count, lowest[1] if lowest else None)
        self._next_sample_ns = now_ns + self.cache.width_ns

    def hear(self, completion: Completion, now_ns: int) -> None:
        """Take note of what became of a load."""
        if completion.outcome is Outcome.REFUSED:
            self.refused += 1
            self._emit(LoadRefused(now_ns, 1, "card", completion.sa))

    def _tell_command(self, command: np.void, now_ns: int) -> None:
        metric, lowest = float(command["metric"]), float(command["lowest"])
        sa, victim = int(command["sa"]), int(command["victim"])
        spis = self._sas.records["spi"]
        slot_free = victim == NO_SA
        reason = reason_to_replace(metric, lowest, self._threshold, slot_free=slot_free)
        self._emit(
            LoadIssued(
                now_ns,
                sa,
                int(spis[sa]),
                None if slot_free else victim,
                None if slot_free else int(spis[victim]),
                metric,
                lowest,
                self._threshold,
                self._saving_ns,
                self._cost.load_host_ns,
                reason,
            )
        )
        if not slot_free:
            self._emit(
                Evicted(
                    now_ns,
                    victim,
                    sa,
                    lowest,
                    metric,
                    self._threshold,
                    self._saving_ns,
                    self._cost.load_host_ns,
                    reason,
                )
            )
