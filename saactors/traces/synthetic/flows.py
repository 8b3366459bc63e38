"""Flows of published sizes between pairs of hosts, each pair with an SA of its own.

    flow     arrives by a Poisson process, belongs to a pair by Zipf weights, has a published size
    packet k of a flow leaves at  start + (k + u) · gap,  u uniform over [0, 1)

A flow's gap is the mean gap times a log-normal factor. A trace is cut from an endless one: what a
flow would send after the end goes to the beginning, as if an equal flow had begun before the trace.
So the rate is the same from first to last, although a few flows last longer than the trace; those
are cut to its length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.traces.synthetic.flow_sizes import FLOW_SIZES
from saactors.traces.synthetic.flow_sizes import Flows as Drawn
from saactors.traces.synthetic.parameters import (
    SAS_MAX,
    Model,
    Traffic,
    expected_names,
    parameter,
)
from saactors.traces.synthetic.popularity import draw_ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows(Model):
    """Paced flows with sizes from a published distribution, an SA per host pair."""

    pairs: int = parameter(
        1_000, "host pairs", "at one SA each: a gateway of middling size", least=1, most=SAS_MAX
    )
    exponent: float = parameter(
        1.0, "", "Zipf weights of the pairs: between remote access (0.8) and site to site (1.2)",
        most=10,
    )  # fmt: skip
    distribution: str = parameter(
        "campus-2015", ", ".join(FLOW_SIZES), "users' traffic; the others are of data centres"
    )
    gap_ns: int = parameter(
        1_000_000, "ns", "between packets of a flow: 12 Mb/s in packets of 1500 bytes", least=1,
        most=10**15,
    )  # fmt: skip
    gap_spread: float = parameter(
        1.0,
        "standard deviation of ln(gap)",
        "two flows in three within a factor of e of the mean rate",
        most=5,
    )

    def check(self) -> None:
        """Raises ParameterError for a distribution that there is not."""
        if self.distribution not in FLOW_SIZES:
            expected = expected_names(self.distribution, list(FLOW_SIZES))
            raise ParameterError("distribution", self.distribution, expected)

    def generate(self, rng: np.random.Generator) -> Traffic:
        """Keys are ranks of pairs."""
        drawn, gaps_ns = self._draw_flows(rng)
        flows = len(gaps_ns)
        starts_ns = rng.random(flows) * self.duration_ns
        pairs = draw_ranks(self.pairs, self.exponent, flows, rng)
        flow = np.repeat(np.arange(flows), drawn.packets)
        stops = np.cumsum(drawn.packets)
        number = np.arange(self.packets) - (stops - drawn.packets)[flow]
        late_ns = (number + rng.random(self.packets)) * gaps_ns[flow]
        times_ns = np.fmod(starts_ns[flow] + late_ns, self.duration_ns)
        lengths_bytes = FLOW_SIZES[self.distribution].draw_lengths(self.packets, rng)
        lengths_bytes[stops - 1] = drawn.last_bytes
        return Traffic(np.rint(times_ns).astype(np.int64), pairs[flow], lengths_bytes, {})

    def _draw_flows(self, rng: np.random.Generator) -> tuple[Drawn, npt.NDArray[np.float64]]:
        """Flows with so many packets in all, and their gaps in ns."""
        sizes = FLOW_SIZES[self.distribution]
        packets, last_bytes, gaps_ns = [], [], []
        left = self.packets
        wanted = 1024
        while left > 0:
            drawn = sizes.draw(wanted, rng)
            gap_ns = self.gap_ns * np.exp(self.gap_spread * rng.standard_normal(wanted))
            fitting = np.maximum(self.duration_ns / gap_ns, 1).astype(np.int64)
            sent = np.minimum(drawn.packets, fitting)
            enough = int(np.searchsorted(np.cumsum(sent), left)) + 1
            packets.append(sent[:enough])
            last_bytes.append(drawn.last_bytes[:enough])
            gaps_ns.append(gap_ns[:enough])
            left -= int(packets[-1].sum())
            wanted = min(2 * wanted, 1 << 20)
        packets[-1][-1] += left  # 0, or what is too much
        return Drawn(np.concatenate(packets), np.concatenate(last_bytes)), np.concatenate(gaps_ns)
