"""The SPD of a gateway: policies come and go, and the SA of one may be missing for a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.esp.association import Address
from saactors.model.packets import NO_SA
from saactors.model.selector import Selector, selector_columns
from saactors.scenario.spd import ACTIONS
from saactors.scenario.tables import POLICIES_MAX, Policy


@dataclass(frozen=True, slots=True)
class NumberedPolicy:
    """A policy with the number that it is deleted by; numbers are never given twice."""

    number: int
    policy: Policy


class Policies:
    """Policies in order: the first that matches decides (RFC 4301 §4.4.1)."""

    def __init__(self) -> None:
        self._entries: list[NumberedPolicy] = []
        self._next = 1

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> Sequence[NumberedPolicy]:
        """The policies in the order in which they are asked."""
        return tuple(self._entries)

    def add(self, policy: Policy, before: int | None = None) -> int:
        """Add a policy at the end or before another; returns its number.

        Raises:
            ParameterError: no policy has the number ``before``, or there are too many.
        """
        if len(self._entries) >= POLICIES_MAX:
            raise ParameterError("policies", len(self._entries) + 1, f"at most {POLICIES_MAX}")
        place = len(self._entries) if before is None else self._place(before)
        number, self._next = self._next, self._next + 1
        self._entries.insert(place, NumberedPolicy(number, policy))
        return number

    def delete(self, number: int) -> None:
        """Delete the policy with that number.

        Raises:
            ParameterError: there is none.
        """
        del self._entries[self._place(number)]

    def selectors(
        self, by_name: Mapping[str, int], by_peer: Mapping[Address, int]
    ) -> npt.NDArray[np.void]:
        """The SPD for the classifier; a policy whose SA is missing has the target NO_SA."""
        return selector_columns(
            [_selector(entry.policy, by_name, by_peer) for entry in self._entries]
        )

    def _place(self, number: int) -> int:
        for place, entry in enumerate(self._entries):
            if entry.number == number:
                return place
        raise ParameterError("policy", number, "the number of a policy; policy list shows them")


def _selector(
    policy: Policy, by_name: Mapping[str, int], by_peer: Mapping[Address, int]
) -> Selector:
    target = NO_SA
    if policy.sa is not None:
        target = by_name.get(policy.sa, NO_SA)
    elif policy.peer is not None:
        target = by_peer.get(policy.peer, NO_SA)
    return Selector(
        source=policy.source,
        destination=policy.destination,
        protocol=policy.protocol,
        source_ports=policy.source_ports,
        destination_ports=policy.destination_ports,
        action=ACTIONS[policy.action],
        target=target,
    )
