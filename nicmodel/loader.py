"""Context fetches: how long one takes and when it can start.

The card has ``loads_at_once`` fetch units. A command takes the unit that is free first and holds it
from then on, in the order of the commands; its fetch starts when the unit is free and the slot is
ready (a victim may still have packets in flight). All of it is known when the command is given.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from nicmodel.profile import CardProfile


@njit(cache=True)
def fetch(units_free_ns: npt.NDArray[np.int64], ready_ns: int, duration_ns: int) -> int:
    """Give a fetch to the unit that is free first; returns when it starts, in ns.

    ``units_free_ns`` has one entry per unit, the instant from which it is free, and is updated.
    """
    unit = np.argmin(units_free_ns)
    started_ns: int = max(ready_ns, units_free_ns[unit])
    units_free_ns[unit] = started_ns + duration_ns
    return started_ns


def draw_latency_ns(profile: CardProfile, generator: np.random.Generator | None) -> int:
    """How long the next fetch takes; only distributions that are not fixed draw from the generator.

    Every distribution has the mean ``profile.load_latency_ns``.
    """
    mean_ns, shape = profile.load_latency_ns, profile.load_latency_shape
    if profile.load_latency_distribution == "fixed":
        return mean_ns
    assert generator is not None, "a load latency that varies needs a seeded generator"
    if profile.load_latency_distribution == "uniform":
        return round(generator.uniform(mean_ns * (1 - shape), mean_ns * (1 + shape)))
    if profile.load_latency_distribution == "exponential":
        return round(generator.exponential(mean_ns))
    if profile.load_latency_distribution == "lognormal":
        # E[exp(N(m, s))] = exp(m + s²/2)
        return round(mean_ns * math.exp(generator.normal(-shape * shape / 2, shape)))
    # NumPy's pareto starts at 0 (Lomax); the classical one from x has the mean x * a / (a - 1).
    return round(mean_ns * (shape - 1) / shape * (1 + generator.pareto(shape)))
