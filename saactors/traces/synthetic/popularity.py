"""Who sends how much, and when: Zipf popularity and Poisson arrivals.

Rank r of n has the weight r^-s; with s = 0 all are alike. Arrivals of a Poisson process have
exponential gaps.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from saactors.traces.columns import TraceColumns
from saactors.traces.synthetic.parameters import SECOND_NS


def zipf_weights(ranks: int, exponent: float) -> npt.NDArray[np.float64]:
    """Weights of ranks 1 to ``ranks``, most popular first; they sum to 1."""
    weights: npt.NDArray[np.float64] = np.arange(1, ranks + 1, dtype=np.float64) ** -exponent
    weights /= weights.sum()
    return weights


def draw_ranks(
    ranks: int, exponent: float, count: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """So many ranks, from 0 for the most popular, independently; shape (count,)."""
    if exponent == 0:
        return rng.integers(ranks, size=count)
    edges = np.cumsum(zipf_weights(ranks, exponent))
    return np.searchsorted(edges[:-1], rng.random(count), side="right")


def poisson_times(
    packets: int, packets_per_s: float, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Arrival times in ns, ascending; shape (packets,)."""
    gaps_ns = rng.exponential(SECOND_NS / packets_per_s, packets)
    return np.rint(np.cumsum(gaps_ns)).astype(np.int64)


def ascending_uniforms(count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """``count`` numbers uniform over [0, 1), sorted without sorting.

    Arrivals of a Poisson process, given their number, lie like sorted uniforms.
    """
    steps = np.cumsum(rng.exponential(size=count + 1))
    uniforms: npt.NDArray[np.float64] = steps[:-1] / steps[-1]
    return np.minimum(uniforms, np.nextafter(1.0, 0.0), out=uniforms)


def busiest_share(trace: TraceColumns, part: float) -> float:
    """The share of all packets with an SA that the busiest ``part`` of the SAs (0 to 1) carry."""
    counts = np.bincount(trace.sa[trace.sa >= 0], minlength=trace.sa_count)
    if counts.sum() == 0:
        return 0.0
    counts = np.sort(counts)[::-1]
    return float(counts[: math.ceil(part * len(counts))].sum() / counts.sum())
