"""Bursts for the rules under test, and a card that answers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from saactors.model.packets import PACKET
from saactors.placement.table import Rule


@pytest.fixture(scope="session")
def burst_of() -> Callable[..., npt.NDArray[np.void]]:
    """Make a burst: a packet per SA index given, each ``length_bytes`` long."""

    def make(sas: Sequence[int], length_bytes: int | Sequence[int] = 100) -> npt.NDArray[np.void]:
        packets = np.zeros(len(sas), PACKET)
        packets["sa"] = sas
        packets["length_bytes"] = length_bytes
        return packets

    return make


@pytest.fixture(scope="session")
def answer() -> Callable[[Rule, int, bool], None]:
    """Tell both halves of a rule that a load has ended, as the card would."""

    def tell(rule: Rule, sa: int, loaded: bool) -> None:
        if loaded:
            rule.keeper.cached(sa)
            rule.arbiter.loaded(sa, rule.keeper.ticks)
        else:
            rule.arbiter.failed(sa, rule.keeper.ticks)

    return tell
