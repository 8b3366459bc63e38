"""Bursts for the rules under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from saactors.model.packets import PACKET

Burst = npt.NDArray[np.void]


@pytest.fixture(scope="session")
def burst_of() -> Callable[..., Burst]:
    """Make a burst: a packet per SA index given, each ``length_bytes`` long."""

    def make(sas: Sequence[int], length_bytes: int | Sequence[int] = 100) -> Burst:
        packets = np.zeros(len(sas), PACKET)
        packets["sa"] = sas
        packets["length_bytes"] = length_bytes
        return packets

    return make
