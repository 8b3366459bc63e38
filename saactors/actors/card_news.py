"""The card's reports: in the agent's words for arbiter and keeper, and as events."""

from __future__ import annotations

from collections.abc import Iterator

from nicmodel.card import Card
from nicmodel.reports import CardEvent, Report
from saactors.model.burst import Completion, Outcome
from saactors.observe.events import CardReset, Loaded, LoadLost
from saactors.observe.observer import Emitter

# An eviction has no entry: for the arbiter a victim is gone from the decision on.
_OUTCOMES = {
    Report.LOADED: Outcome.LOADED,
    Report.LOST: Outcome.LOST,
    Report.RESET: Outcome.RESET,
}


class CardNews:
    """Collects a card's reports."""

    def __init__(self, card: Card, emit: Emitter) -> None:
        self._card = card
        self._emit = emit
        self._issued_ns: dict[int, int] = {}
        self._held = 0
        self.lost = 0

    def issued(self, sa: int, now_ns: int) -> None:
        """A load of ``sa`` was accepted."""
        self._issued_ns[sa] = now_ns

    def completions(self) -> Iterator[Completion]:
        """Everything the card has to report, in order."""
        while (event := self._card.poll_completion()) is not None:
            self._tell(event)
            outcome = _OUTCOMES.get(event.kind)
            if outcome is not None:
                yield Completion(outcome, event.handle, event.victim, event.time_ns)

    def _tell(self, event: CardEvent) -> None:
        if event.kind is Report.RESET:
            self._emit(CardReset(event.time_ns, self._held))
            self._held = 0
        elif event.kind is Report.EVICTED:
            self._held -= 1
        elif event.kind is Report.LOADED:
            self._held += 1
            latency_ns = event.time_ns - self._issued_ns.pop(event.handle)
            self._emit(Loaded(event.time_ns, event.handle, latency_ns))
        else:
            self.lost += 1
            waited_ns = event.time_ns - self._issued_ns.pop(event.handle)
            self._emit(LoadLost(event.time_ns, event.handle, waited_ns))
