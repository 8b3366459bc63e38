"""The SPD of a gateway: policies come and go, and the SA of one may be missing for a while."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.gateway.live_sa import NewestSas
from saactors.model.packets import NO_SA
from saactors.model.selector import Selector, selector_columns
from saactors.scenario.spd import ACTIONS
from saactors.scenario.tables import POLICIES_MAX, Policy


class Policies:
    """Policies in order: the first that matches decides (RFC 4301 §4.4.1); numbers are places."""

    def __init__(self) -> None:
        self._entries: list[Policy] = []

    @property
    def entries(self) -> Sequence[Policy]:
        """The policies in the order in which they are asked."""
        return tuple(self._entries)

    def add(self, policy: Policy, before: int | None = None) -> int:
        """Add a policy at the end or before another; returns its number.

        Raises:
            ParameterError: no policy has the number ``before``, or there are too many.
        """
        if len(self._entries) >= POLICIES_MAX:
            raise ParameterError("policies", len(self._entries) + 1, f"at most {POLICIES_MAX}")
        place = len(self._entries) if before is None else self._checked(before)
        self._entries.insert(place, policy)
        return place

    def delete(self, number: int) -> None:
        """Delete the policy with that number; those behind it move up by one.

        Raises:
            ParameterError: there is none.
        """
        del self._entries[self._checked(number)]

    def replace(self, policies: Sequence[Policy]) -> None:
        """Go by these from now on."""
        self._entries = list(policies)

    def selectors(self, newest: NewestSas) -> npt.NDArray[np.void]:
        """The SPD for the classifier; a policy whose SA is missing has the target NO_SA."""
        return selector_columns([_selector(policy, newest) for policy in self._entries])

    def _checked(self, number: int) -> int:
        if 0 <= number < len(self._entries):
            return number
        raise ParameterError("policy", number, "the number of a policy; policy list shows them")


def _selector(policy: Policy, newest: NewestSas) -> Selector:
    known = None
    if policy.sa is not None:
        known = newest.named(policy.sa)
    elif policy.peer is not None:
        known = newest.to(policy.peer)
    target = NO_SA if known is None else known.sa
    return Selector(
        source=policy.source,
        destination=policy.destination,
        protocol=policy.protocol,
        source_ports=policy.source_ports,
        destination_ports=policy.destination_ports,
        action=ACTIONS[policy.action],
        target=target,
    )
