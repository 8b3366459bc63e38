"""What can be asked of a steered arbiter: the card as rule and steering together have it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from saactors.placement.plan import RulePlan
from saactors.placement.routing import ABSENT, LOADING, RESIDENT
from saactors.placement.rule import RuleParameters, SteerableArbiter
from saactors.placement.sharing import Held, SharedSlots, Where

_RESIDENCIES: Final = {
    Held.WAITING: ABSENT,
    Held.FAILED: ABSENT,
    Held.LOADING: LOADING,
    Held.RESIDENT: RESIDENT,
}


class SteeredView:
    """The getters of ``saactors.placement.steered.SteeredArbiter``."""

    __slots__ = ("_plan", "_shared")

    _plan: RulePlan
    _shared: SharedSlots

    @property
    def plan(self) -> RulePlan:
        """The rule that is steered, as it is now."""
        return self._plan

    @property
    def rule_name(self) -> str:
        """The rule's name in the table of rules."""
        return self._plan.name

    @property
    def parameters(self) -> RuleParameters:
        """The rule's parameters, what the cost analysis decides filled in."""
        return self._plan.parameters

    @property
    def inner(self) -> SteerableArbiter:
        """The rule's own arbiter."""
        return self._shared.inner

    @property
    def state(self) -> Any:  # noqa: ANN401 - each rule has arrays of its own
        """The arrays of the rule's own."""
        return self.inner.state

    @property
    def slots(self) -> int:
        """The slots of the card, whoever has them."""
        return self._shared.slots

    @property
    def loads_outstanding(self) -> int:
        """Commands not answered yet."""
        return self.inner.loads_outstanding + self._shared.count(Held.LOADING)

    def residency(self, sa: int, /) -> int:
        """Where the SA stands with the card."""
        state = self._shared.held.get(sa)
        return self.inner.residency(sa) if state is None else _RESIDENCIES[state]

    @property
    def resident_count(self) -> int:
        """How many SAs are on the card, those that are about to be evicted not counted."""
        return self.inner.resident_count + self._shared.count(Held.RESIDENT)

    def residents(self) -> npt.NDArray[np.int32]:
        """The SAs on the card, ascending."""
        held = [sa for sa, state in self._shared.held.items() if state is Held.RESIDENT]
        return np.sort(np.concatenate([self.inner.residents(), np.array(held, np.int32)]))

    def loading(self) -> npt.NDArray[np.int32]:
        """The SAs on their way to the card, ascending."""
        held = [sa for sa, state in self._shared.held.items() if state is Held.LOADING]
        return np.sort(np.concatenate([self.inner.loading(), np.array(held, np.int32)]))

    def lowest(self) -> tuple[int, float] | None:
        """The resident that would be replaced next; a pinned one never is."""
        return self.inner.lowest()

    def pinned(self, sa: int) -> Where:
        """Where somebody wants the SA's crypto to run."""
        return self._shared.pins.get(sa, Where.AUTO)

    @property
    def pinned_count(self) -> int:
        """How many SAs are pinned to the card, be they there yet or not."""
        return sum(where is Where.NIC for where in self._shared.pins.values())
