"""Bursty streams: Pareto on/off sources over slow phases.

    phase    ├──── active ────┤                     ├──── active ───      5 to 60 s each
    on/off     ▂▂  ▂  ▂▂▂▂   ▂                        ▂ ▂▂▂▂   ▂          20 ms on, 200 ms off

Each SA alternates between on and off times, both Pareto distributed with their means and a shape;
with shape 1.5 the variance is infinite, and the sum of many such sources is bursty at every time
scale (Willinger et al., "Self-similarity through high-variability", 1997). On and off times lie in
phases, by turns active and silent and uniform between two bounds, that stand for sessions.

How much each SA sends while it is on is its Zipf weight. All packets of the trace are points of one
Poisson process over the concatenated on times of all SAs, each stretched by its SA's weight:
exactly ``packets`` of them, whatever was drawn. Averages over time therefore hold for the trace as
a whole, not for each second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.traces.synthetic.parameters import SAS_MAX, SECOND_NS, Model, Traffic, parameter
from saactors.traces.synthetic.popularity import ascending_uniforms, zipf_weights
from saactors.traces.synthetic.sizes import (
    DEFAULT_SIZES,
    SIZES_UNIT,
    WHY_SIZES,
    draw_lengths,
    read_sizes,
)

CYCLES_MAX: Final = 20_000_000  # 1.5 GB while they are made
_CYCLES_BEFORE: Final = 10  # that sources may have run before the trace begins
_FIGURES: Final = "Pareto(1.5) on/off traffic of 20 ms and 200 ms means"

Columns = npt.NDArray[np.float64]
Draw = Callable[[int, int], tuple[Columns, Columns]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnOff(Model):
    """SAs that send in bursts, in sessions; Zipf weights say how densely."""

    sas: int = parameter(
        10_000, "SAs", "a middling gateway, with some 450 of them on at a time", least=1,
        most=SAS_MAX,
    )  # fmt: skip
    exponent: float = parameter(
        0.8, "", "thin remote-access tunnels: weights differ less than bursts do", most=10
    )
    shape: float = parameter(
        1.5, "Pareto shape", f"the usual {_FIGURES}; infinite variance", least=1.01, most=100
    )
    on_ns: int = parameter(20_000_000, "ns", f"mean; {_FIGURES}", least=1_000, most=10**15)
    off_ns: int = parameter(200_000_000, "ns", f"mean; {_FIGURES}", least=1_000, most=10**15)
    phase_min_ns: int = parameter(
        5 * SECOND_NS, "ns", "sessions of 5 to 60 s, active or silent", least=1_000, most=10**15
    )
    phase_max_ns: int = parameter(
        60 * SECOND_NS, "ns", "sessions of 5 to 60 s, active or silent", least=1_000, most=10**15
    )
    sizes: str = parameter(DEFAULT_SIZES, SIZES_UNIT, WHY_SIZES)

    def check(self) -> None:
        """Raises ParameterError for sizes that there are not, or more on times than fit."""
        read_sizes(self.sizes)
        if self.phase_min_ns > self.phase_max_ns:
            expected = f"phase_max_ns ({self.phase_max_ns}) or less"
            raise ParameterError("phase_min_ns", self.phase_min_ns, expected)
        cycle_ns = min(self.on_ns + self.off_ns, (self.phase_min_ns + self.phase_max_ns) / 2)
        # Pareto times with a shape near 1 are mostly far below their mean.
        cycle_ns *= 1 - 1 / self.shape
        most = int(CYCLES_MAX / (self.duration_ns / cycle_ns + _CYCLES_BEFORE))
        if self.sas > most:
            expected = f"at most {most} where each is on so often, or fewer packets"
            raise ParameterError("sas", self.sas, expected)

    def generate(self, rng: np.random.Generator) -> Traffic:
        """Keys are ranks by weight."""
        on = self._on_times(rng)
        weights = zipf_weights(self.sas, self.exponent)[on.owner] * (on.end_ns - on.start_ns)
        edges = np.cumsum(weights)
        drawn = ascending_uniforms(self.packets, rng) * edges[-1]
        at = np.minimum(np.searchsorted(edges, drawn, side="right"), len(edges) - 1)
        left = np.clip((edges[at] - drawn) / weights[at], 0, 1)
        times_ns = on.end_ns[at] - left * (on.end_ns[at] - on.start_ns[at])
        lengths_bytes = draw_lengths(self.sizes, self.packets, rng)
        return Traffic(np.rint(times_ns).astype(np.int64), on.owner[at], lengths_bytes, {})

    def _on_times(self, rng: np.random.Generator) -> Spans:
        """On times that begin in an active phase, cut to the trace."""
        duration_ns = self.duration_ns

        def cycles(rows: int, columns: int) -> tuple[Columns, Columns]:
            on_ns = self._pareto(self.on_ns, (rows, columns), rng)
            return on_ns, on_ns + self._pareto(self.off_ns, (rows, columns), rng)

        cycle_ns = self.on_ns + self.off_ns
        begin_ns = -_CYCLES_BEFORE * cycle_ns * rng.random(self.sas)
        on = alternate(begin_ns, duration_ns, cycle_ns, cycles)
        kept = (on.end_ns > 0) & self._active(on, rng)
        kept &= np.minimum(on.end_ns, duration_ns) > np.maximum(on.start_ns, 0)
        if not kept.any():  # a trace so short that nobody is on: one of them is, throughout
            return Spans(np.zeros(1, np.int64), np.zeros(1), np.array([duration_ns]))
        return Spans(
            on.owner[kept],
            np.maximum(on.start_ns[kept], 0),
            np.minimum(on.end_ns[kept], duration_ns),
        )

    def _active(self, on: Spans, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
        """Which on times begin in an active phase of their SA."""
        mean_ns = (self.phase_min_ns + self.phase_max_ns) / 2
        before_ns = _CYCLES_BEFORE * (self.on_ns + self.off_ns) + self.phase_max_ns

        def phases(rows: int, columns: int) -> tuple[Columns, Columns]:
            lengths_ns = rng.uniform(self.phase_min_ns, self.phase_max_ns, (rows, columns))
            return lengths_ns, lengths_ns

        begin_ns = -before_ns - rng.random(self.sas) * self.phase_max_ns
        phase = alternate(begin_ns, self.duration_ns, mean_ns, phases)
        # One ascending number says SA and time, so that one search finds all phases.
        span_ns = 2 * (before_ns + self.phase_max_ns + self.duration_ns)
        edges = phase.owner + (phase.start_ns - begin_ns[phase.owner]) / span_ns
        wanted = on.owner + (on.start_ns - begin_ns[on.owner]) / span_ns
        # It counts the phases of the SAs before, too: as good a beginning as any.
        number = np.searchsorted(edges, wanted, side="right")
        active_first = rng.integers(2, size=self.sas)
        parity: npt.NDArray[np.bool_] = (number + active_first[on.owner]) % 2 == 1
        return parity

    def _pareto(
        self, mean_ns: float, shape: tuple[int, int], rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Times of that mean: least · u^(-1/shape) with least = mean · (1 - 1/shape)."""
        least_ns = mean_ns * (1 - 1 / self.shape)
        times_ns: npt.NDArray[np.float64] = least_ns * (1 - rng.random(shape)) ** (-1 / self.shape)
        return times_ns


class Spans(NamedTuple):
    """Times of SAs: ``owner`` (n,) ascending, and within an owner ascending in time."""

    owner: npt.NDArray[np.int64]
    start_ns: npt.NDArray[np.float64]
    end_ns: npt.NDArray[np.float64]


def alternate(
    begin_ns: npt.NDArray[np.float64], until_ns: float, cycle_ns: float, draw: Draw
) -> Spans:
    """Cycles of each owner from its ``begin_ns`` until all begin after ``until_ns``.

    ``draw(rows, columns)`` gives the first part and the whole of so many cycles of ``cycle_ns`` on
    average; a span is the first part.
    """
    alive = np.arange(len(begin_ns))
    next_ns = begin_ns.copy()
    parts = []
    while len(alive):
        columns = int((until_ns - next_ns[alive].min()) / cycle_ns) // 2 + 8
        first_ns, whole_ns = draw(len(alive), columns)
        ends_ns = next_ns[alive, None] + np.cumsum(whole_ns, axis=1)
        starts_ns = ends_ns - whole_ns
        within = starts_ns < until_ns
        owners = np.broadcast_to(alive[:, None], within.shape)[within]
        starts_ns, first_ns = starts_ns[within], first_ns[within]
        parts.append(Spans(owners, starts_ns, starts_ns + first_ns))
        next_ns[alive] = ends_ns[:, -1]
        alive = alive[next_ns[alive] < until_ns]
    owner, start_ns, end_ns = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(owner, kind="stable")
    return Spans(owner[order], start_ns[order], end_ns[order])
