"""How long flows are: published distributions as tables, each with its source.

Two kinds. Data-centre distributions give **bytes** a flow, as points of the cumulative distribution
with straight lines in between. The campus distribution gives **packets** a flow, as a mixture:

    F(x) = Σ wᵢ Fᵢ(x),  Fᵢ uniform on [0, b] or log-normal (shape s, scale e^μ)

of a continuous x, so that a flow has ⌈x⌉ packets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

SEGMENT_BYTES: Final = 1460  # of payload, in 1500 bytes of IPv4 and TCP without options
HEADER_BYTES: Final = 40


class Flows(NamedTuple):
    """Flows drawn: how many packets each has, and how long its last one is."""

    packets: npt.NDArray[np.int64]
    last_bytes: npt.NDArray[np.int64]  # of the IP packet


class FlowSizes(Protocol):
    """A distribution of flow sizes."""

    @property
    def source(self) -> str:
        """Who published it."""

    def draw(self, flows: int, rng: np.random.Generator, /) -> Flows:
        """So many flows, independently."""

    def draw_lengths(self, packets: int, rng: np.random.Generator, /) -> npt.NDArray[np.int32]:
        """Lengths of packets that are not the last of their flow; shape (packets,)."""


@dataclass(frozen=True)
class ByteTable:
    """Bytes a flow by points of the distribution; flows are sent in full segments."""

    bytes: tuple[int, ...]
    percent: tuple[float, ...]
    source: str

    @property
    def mean_bytes(self) -> float:
        """Of a flow."""
        steps, middles = np.diff(self.percent), np.convolve(self.bytes, (0.5, 0.5), "valid")
        return float(np.dot(steps, middles) / 100)

    def draw(self, flows: int, rng: np.random.Generator) -> Flows:
        """So many flows, independently."""
        sizes_bytes = np.interp(100 * rng.random(flows), self.percent, self.bytes)
        return in_segments(np.ceil(sizes_bytes))

    def draw_lengths(self, packets: int, _rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """Full segments."""
        return np.full(packets, SEGMENT_BYTES + HEADER_BYTES, np.int32)


@dataclass(frozen=True)
class ParetoBytes:
    """Bytes a flow by a generalised Pareto distribution: least + scale (u^-k - 1) / k."""

    least: float
    scale: float
    shape: float
    source: str

    @property
    def mean_bytes(self) -> float:
        """Of a flow."""
        return self.least + self.scale / (1 - self.shape)

    def draw(self, flows: int, rng: np.random.Generator) -> Flows:
        """So many flows, independently."""
        lifted = ((1 - rng.random(flows)) ** -self.shape - 1) / self.shape
        return in_segments(np.ceil(self.least + self.scale * lifted))

    def draw_lengths(self, packets: int, _rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """Full segments."""
        return np.full(packets, SEGMENT_BYTES + HEADER_BYTES, np.int32)


@dataclass(frozen=True)
class PacketMixture:
    """Packets a flow by a mixture; packets are long or short so that their mean is right."""

    uniform: tuple[tuple[float, float], ...]  # weight, upper bound
    log_normal: tuple[tuple[float, float, float], ...]  # weight, shape, scale
    mean_packet_bytes: float
    source: str

    @property
    def mean_packets(self) -> float:
        """Of a flow, as the continuous mixture has it."""
        low = sum(weight * bound / 2 for weight, bound in self.uniform)
        return low + sum(w * scale * math.exp(s * s / 2) for w, s, scale in self.log_normal)

    def draw(self, flows: int, rng: np.random.Generator) -> Flows:
        """So many flows, independently."""
        weights = np.array([part[0] for part in (*self.uniform, *self.log_normal)])
        part = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], rng.random(flows), "right")
        low = part < len(self.uniform)
        size = np.empty(flows)
        bounds = np.array([bound for _, bound in self.uniform])
        size[low] = bounds[part[low]] * (1 - rng.random(np.count_nonzero(low)))
        shapes, scales = np.array(self.log_normal).T[1:]
        high = part[~low] - len(self.uniform)
        size[~low] = scales[high] * np.exp(shapes[high] * rng.standard_normal(len(high)))
        packets = np.maximum(np.ceil(size), 1).astype(np.int64)
        return Flows(packets, self.draw_lengths(flows, rng).astype(np.int64))

    def draw_lengths(self, packets: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """Full segments and bare acknowledgements: an assumption, only their mean is published."""
        full = SEGMENT_BYTES + HEADER_BYTES
        share = (self.mean_packet_bytes - HEADER_BYTES) / SEGMENT_BYTES
        return np.where(rng.random(packets, np.float32) < share, full, HEADER_BYTES).astype(
            np.int32
        )


def in_segments(sizes_bytes: npt.NDArray[np.float64]) -> Flows:
    """Flows of so many bytes, 1 or more, cut into segments."""
    sizes = np.maximum(sizes_bytes, 1).astype(np.int64)
    packets = -(-sizes // SEGMENT_BYTES)
    return Flows(packets, sizes - (packets - 1) * SEGMENT_BYTES + HEADER_BYTES)


FLOW_SIZES: Final[Mapping[str, FlowSizes]] = MappingProxyType(
    {
        "campus-2015": PacketMixture(
            uniform=(
                (0.3050265769901237, 1),
                (0.2484198800441619, 2),
                (0.06366063664158106, 3),
                (0.049216499659328734, 4),
                (0.00931559166293732, 5),
                (0.08217474157187248, 6),
            ),
            log_normal=(
                (0.13126374982514846, 0.5207023493412835, 7.8055992790704085),
                (0.07328615421743477, 0.7701056575379265, 22.10972501544739),
                (0.0292891264871594, 1.1252645297342514, 128.6451515069839),
                (0.00834704290025077, 1.98383694524085, 1084.4707584768782),
            ),
            mean_packet_bytes=870.6,
            source="Jurkiewicz et al., arXiv:1809.03486: 4.03 G flows of a campus in 2015",
        ),
        "websearch": ByteTable(
            bytes=(
                *(0, 10_000, 20_000, 30_000, 50_000, 80_000, 200_000),
                *(1_000_000, 2_000_000, 5_000_000, 10_000_000, 30_000_000),
            ),
            percent=(0, 15, 20, 30, 40, 53, 60, 70, 80, 90, 97, 100),
            source="Alizadeh et al., DCTCP, SIGCOMM 2010, as commonly tabulated",
        ),
        "hadoop": ByteTable(
            bytes=(
                *(0, 100, 200, 300, 350, 400, 500, 600, 700, 1_000, 2_000, 7_000, 30_000),
                *(50_000, 80_000, 120_000, 300_000, 1_000_000, 2_000_000, 10_000_000),
            ),
            percent=(
                *(0, 1, 2, 5, 15, 20, 30, 40, 50, 60, 67, 70, 72),
                *(82, 87, 90, 95, 97.5, 99, 100),
            ),
            source="Roy et al., SIGCOMM 2015, a Hadoop cluster, as commonly tabulated",
        ),
        "storage": ByteTable(
            bytes=(0, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 2_000_000),
            percent=(0, 22.93, 69.21, 80.61, 90.47, 93.53, 96.77, 97.53, 100),
            source="a storage service of 2019, as commonly tabulated for congestion control",
        ),
        "cache-rpc": ParetoBytes(
            least=15,
            scale=214.476,
            shape=0.348238,
            source="Atikoglu et al., SIGMETRICS 2012: values of Facebook's Memcached pool ETC",
        ),
    }
)
