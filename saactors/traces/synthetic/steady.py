"""Streams that send all along: Zipf traffic, Zipf traffic with churn, and tunnels that rekey.

    packet → rank      drawn by Zipf weights, independently of all other packets
    rank → SA          itself (zipf), or whoever holds the rank by now (zipf-churn, rekeying)

Churn replaces the holder of a rank, drawn evenly from all ranks, at the events of a Poisson
process: the shape of the popularity stays, those who have it change. Rekeying replaces the SA of
each tunnel by an heir whenever its soft lifetime ends: a share of the lifetime, drawn anew each
time so that tunnels do not rekey in step (strongSwan's ``rekey_time`` and ``rand_time``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.model.compiled import compiled
from saactors.traces.synthetic.parameters import SAS_MAX, SECOND_NS, Model, Traffic, parameter
from saactors.traces.synthetic.popularity import draw_ranks, poisson_times
from saactors.traces.synthetic.sizes import (
    DEFAULT_SIZES,
    SIZES_UNIT,
    WHY_SIZES,
    draw_lengths,
    read_sizes,
)

REPLACEMENTS_MAX: Final = 100_000_000  # 1.6 GB


@dataclass(frozen=True, slots=True, kw_only=True)
class Zipf(Model):
    """Each packet's SA is drawn by Zipf weights, independently."""

    sas: int = parameter(
        100_000, "SAs", "more than any card holds, as many as a large gateway has", least=1,
        most=SAS_MAX,
    )  # fmt: skip
    exponent: float = parameter(
        1.0, "", "between thin remote-access tunnels (0.8) and site to site (1.2)", most=10
    )
    sizes: str = parameter(DEFAULT_SIZES, SIZES_UNIT, WHY_SIZES)

    def check(self) -> None:
        """Raises ParameterError for sizes that there are not."""
        read_sizes(self.sizes)

    def generate(self, rng: np.random.Generator) -> Traffic:
        """Keys are ranks."""
        return Traffic(*self._by_rank(rng), {})

    def _by_rank(
        self, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        times_ns = poisson_times(self.packets, self.packets_per_s, rng)
        ranks = draw_ranks(self.sas, self.exponent, self.packets, rng)
        return times_ns, ranks, draw_lengths(self.sizes, self.packets, rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipfChurn(Zipf):
    """Zipf traffic whose SAs are replaced by fresh ones, rank by rank."""

    sas: int = parameter(
        10_000, "SAs at a time", "so that the default churn renews a tenth of them in a trace",
        least=1, most=SAS_MAX,
    )  # fmt: skip
    churn_per_s: float = parameter(
        50.0, "SAs replaced per second", "each of 10 000 SAs then lives 200 s on average", most=1e9
    )

    def check(self) -> None:
        """Raises ParameterError for sizes that there are not, or more churn than fits."""
        read_sizes(self.sizes)
        if self.churn_per_s * self.duration_ns > REPLACEMENTS_MAX * SECOND_NS:
            most = REPLACEMENTS_MAX * SECOND_NS / self.duration_ns
            raise ParameterError("churn_per_s", self.churn_per_s, f"at most {most:g}")

    def generate(self, rng: np.random.Generator) -> Traffic:
        """Keys are ranks at first; newcomers count on from there."""
        times_ns, ranks, lengths_bytes = self._by_rank(rng)
        span_ns = times_ns[-1] + 1
        events = rng.poisson(self.churn_per_s * span_ns / SECOND_NS)
        event_times_ns = np.sort(rng.integers(span_ns, size=events))
        event_ranks = rng.integers(self.sas, size=events)
        keys = np.empty_like(ranks)
        replace_holders(times_ns, ranks, event_times_ns, event_ranks, np.arange(self.sas), keys)
        return Traffic(times_ns, keys, lengths_bytes, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekeying(Zipf):
    """Tunnels with Zipf shares of the traffic whose SAs are replaced every lifetime."""

    sas: int = parameter(
        10_000, "tunnels", "at one SA each: a middling gateway", least=1, most=SAS_MAX
    )
    lifetime_ns: int = parameter(
        5 * SECOND_NS,
        "ns",
        "short, so that a trace of 20 s sees four rekeyings; strongSwan's default is 1 h",
        least=1_000,
        most=10**15,
    )
    jitter: float = parameter(
        0.1,
        "share of the lifetime",
        "strongSwan rekeys up to a tenth of rekey_time early (rand_time in swanctl.conf)",
        assumed=False,
        most=0.99,
    )

    def generate(self, rng: np.random.Generator) -> Traffic:
        """Keys count SAs in the order of their first packets."""
        times_ns, tunnels, lengths_bytes = self._by_rank(rng)
        ends_ns = rng.integers(self.lifetime_ns, size=self.sas) + 1  # of SAs of every age
        keys = np.empty_like(tunnels)
        before = np.empty(self.packets, np.int64)
        made = rekey_tunnels(
            times_ns,
            tunnels,
            self.lifetime_ns,
            self.jitter,
            rng.random(self.packets),
            ends_ns,
            np.full(self.sas, -1, np.int64),
            keys,
            before,
        )
        heirs = np.flatnonzero(before[:made] >= 0)
        predecessor_of = dict(zip(heirs.tolist(), before[heirs].tolist(), strict=True))
        return Traffic(times_ns, keys, lengths_bytes, predecessor_of)


@compiled
def replace_holders(
    times_ns: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.int64],
    event_times_ns: npt.NDArray[np.int64],
    event_ranks: npt.NDArray[np.int64],
    holders: npt.NDArray[np.int64],
    keys: npt.NDArray[np.int64],
) -> None:
    """Write each packet's SA to ``keys``: the holder of its rank after the events up to then."""
    event = 0
    fresh = len(holders)
    for row in range(len(times_ns)):
        while event < len(event_times_ns) and event_times_ns[event] <= times_ns[row]:
            holders[event_ranks[event]] = fresh
            fresh += 1
            event += 1
        keys[row] = holders[ranks[row]]


@compiled
def rekey_tunnels(
    times_ns: npt.NDArray[np.int64],
    tunnels: npt.NDArray[np.int64],
    lifetime_ns: int,
    jitter: float,
    uniforms: npt.NDArray[np.float64],
    ends_ns: npt.NDArray[np.int64],
    holders: npt.NDArray[np.int64],
    keys: npt.NDArray[np.int64],
    before: npt.NDArray[np.int64],
) -> int:
    """Write each packet's SA to ``keys`` and each SA's predecessor, or -1, to ``before``.

    ``ends_ns`` says when each tunnel's first SA ends; ``holders`` are -1. SAs that no packet sees
    are skipped: an heir's predecessor is the last SA of its tunnel that sent. Returns the number of
    SAs.
    """
    made = 0
    for row in range(len(times_ns)):
        time_ns = times_ns[row]
        tunnel = tunnels[row]
        over = time_ns >= ends_ns[tunnel]
        if over:
            soft_ns = max(int(lifetime_ns * (1 - jitter * uniforms[row])), 1)
            missed = (time_ns - ends_ns[tunnel]) // soft_ns
            ends_ns[tunnel] += (missed + 1) * soft_ns
        if over or holders[tunnel] < 0:
            before[made] = holders[tunnel]
            holders[tunnel] = made
            made += 1
        keys[row] = holders[tunnel]
    return made
