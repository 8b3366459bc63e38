"""What a placement rule is: two halves, and what they say to each other.

The keeper half owns the metrics, the arbiter half the residency. In the running system each half
lives in an actor of its own; the lab calls the same two in one loop. Everything that one half
needs of the other travels in the burst: the metric of each packet's SA right after that packet,
and the number of ticks by then.

    keeper.receive, observe ──metric, tick──▶ arbiter.receive, decide ──▶ commands to the card
    keeper.tick, candidates ──────(a review)──▶ arbiter.review ──▶ commands to the card
    keeper.cached ◀────────────the card: loaded────────────▶ arbiter.loaded

Every command is answered exactly once, by ``loaded`` or by ``failed``. Its victim is gone for the
arbiter from the decision on, whatever the answer: a card that refuses a load and so still holds the
victim has to be told to evict it. Ticks never go back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from saactors.placement.cost import CostModel, ThresholdAnalysis

Packets = npt.NDArray[np.void]  # a burst: record array of saactors.model.packets.PACKET

COMMAND: Final = np.dtype(
    [
        ("metric", "f8"),  # of the newcomer, at the decision
        ("lowest", "f8"),  # of the resident it replaces; 0 for an empty slot
        ("sa", "i4"),  # the newcomer
        ("victim", "i4"),  # the resident it replaces; NO_SA for an empty slot
        ("row", "i4"),  # the packet that asked, in its burst; -1 at a review
    ],
    align=True,
)


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """What a burst or a review made the arbiter decide.

    ``commands`` is a record array of ``COMMAND``, in the order of the decisions.
    """

    commands: npt.NDArray[np.void]
    refused: int = 0  # loads wanted while the loader had no room, once per asking
    card_full: int = 0  # SAs turned away for good (rules without replacement only)


NOTHING_DECIDED: Final = Decisions(np.empty(0, COMMAND))


class Decide(StrEnum):
    """When a rule decides what to load."""

    ARRIVAL = "arrival"  # as each packet arrives (claims 1, 9, 41)
    PERIODIC = "periodic"  # once per period, whatever arrives in between (claims 2, 42)


class RuleParameters(Protocol):
    """What a rule's parameters say to whoever drives it."""

    @property
    def period_ns(self) -> int | None:
        """Time between ticks; None for a rule that needs none."""

    @property
    def decide(self) -> Decide:
        """Whether ``decide`` or ``review`` loads."""

    def resolved(self, cost: CostModel, /) -> RuleParameters:
        """The same with what the cost analysis decides filled in."""

    def analysis(self, cost: CostModel, /) -> ThresholdAnalysis | None:
        """The cost analysis behind the threshold; None for a rule without one."""


class MetricKeeper(Protocol):
    """The half that owns the metrics."""

    @property
    def state(self) -> Any:  # noqa: ANN401 - each rule has arrays of its own
        """The arrays, as ``saactors.placement.functions`` takes them."""

    def make_room(self, sas_max: int, /) -> None:
        """Let the arrays be long enough for that many SAs, without receiving any."""

    @property
    def ticks(self) -> int:
        """Ticks so far."""

    def receive(self, sa_count: int, /) -> None:
        """The agent now has ``sa_count`` SAs; the new ones start with the initial metric."""

    def forget(self, sa: int, /) -> None:
        """The SA has been deleted; its index may be another's next, with the initial metric."""

    def observe(self, packets: Packets, /) -> None:
        """Count the burst's packets in order; writes ``packets["metric"]`` after each."""

    def tick(self) -> None:
        """One period has passed."""

    def cached(self, sa: int, /) -> None:
        """The SA has entered the card's cache."""

    def metrics(self) -> npt.NDArray[np.float64]:
        """The metric of every SA as of now: a copy."""

    def metrics_of(self, sas: npt.NDArray[np.int64], /) -> npt.NDArray[np.float64]:
        """The metrics of some SAs as of now."""

    def candidates(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """SAs, ascending, whose metric could earn a load, and those metrics."""

    def follow(self, parameters: RuleParameters, /) -> None:
        """Go on by other parameters, from the metrics as they stand.

        Raises:
            ParameterError: they are the parameters of another rule.
        """


class CacheArbiter(Protocol):
    """The half that owns the residency. Whoever drives it carries the commands to the card."""

    @property
    def state(self) -> Any:  # noqa: ANN401 - each rule has arrays of its own
        """The arrays, as ``saactors.placement.functions`` takes them."""

    @property
    def loads_outstanding(self) -> int:
        """Commands not answered yet."""

    def receive(self, sa_count: int, /) -> None:
        """The agent now has ``sa_count`` SAs; the new ones are ABSENT."""

    def decide(self, packets: Packets, tick: int, now_ns: int, /) -> Decisions:
        """Route the burst's packets in order and decide what to load.

        Writes ``packets["route"]``: NIC for an SA that is RESIDENT when the packet's turn comes,
        SOFTWARE for any other, BYPASS without an SA, DROP for a verdict other than PASSED.
        """

    def review(
        self,
        sas: npt.NDArray[np.int32],
        metrics: npt.NDArray[np.float64],
        tick: int,
        now_ns: int,
        /,
    ) -> Decisions:
        """Decide what to load among a keeper's candidates, best first, ties by index."""

    def inherit(self, sa: int, predecessor: int, now_ns: int, /) -> None:
        """Rekeying has put ``sa`` in the place of ``predecessor``; it may take over its merits."""

    def loaded(self, sa: int, tick: int, /) -> None:
        """The card holds the SA: it is RESIDENT from the next packet on."""

    def failed(self, sa: int, tick: int, /) -> None:
        """The card refused or lost the load: the SA is ABSENT again, its slot free."""

    def reset(self) -> None:
        """The card has forgotten its residents. Loads under way are still to be answered."""

    def forget(self, sa: int, /) -> None:
        """The SA has been deleted; its index may be another's next, of which nothing is known.

        If RESIDENT its slot is free, and whoever drives tells the card. It must not be LOADING.
        """

    def residency(self, sa: int, /) -> int:
        """Where the SA stands with the card (``nicmodel.residency.Residency``)."""

    @property
    def resident_count(self) -> int:
        """How many SAs are on the card."""

    def residents(self) -> npt.NDArray[np.int32]:
        """The SAs on the card, ascending."""

    def lowest(self) -> tuple[int, float] | None:
        """The resident that would be replaced next, and its metric; None if there is none."""

    def follow(self, parameters: RuleParameters, tick: int, /) -> None:
        """Go on by other parameters from that tick on; residents stay.

        Raises:
            ParameterError: they are the parameters of another rule.
        """


class SteerableArbiter(CacheArbiter, Protocol):
    """What a rule's arbiter can do besides, for whoever steers it (``placement.steered``)."""

    def evict(self, sa: int, /) -> None:
        """Somebody else takes a RESIDENT SA off the card: ABSENT, its slot free.

        Whoever asks for it sends the eviction to the card, as with ``forget``.
        """

    def adopt(self, sa: int, metric: float, tick: int, now_ns: int, /, *, loading: bool) -> None:
        """The card holds the SA, or is ``loading`` it, as if this rule had commanded it.

        There must be room, and the SA must be ABSENT so far. ``metric`` is as of ``tick``.
        """

    def limit(self, slots: int, loads: int, /) -> None:
        """Work with so many of the card's slots and loads at once from now on.

        At most as many as the arbiter was built for; those in use must fit.
        """

    @property
    def slots(self) -> int:
        """How many slots it works with; 0 for a rule that uses none."""

    def coldest(self) -> int:
        """The resident that would be missed least; there must be one."""

    def metric(self, sa: int, /) -> float:
        """The metric of an SA on the card, or on its way, as of the tick last heard of.

        0 for a rule that keeps none.
        """

    def loading(self) -> npt.NDArray[np.int32]:
        """The SAs on their way to the card, ascending."""
