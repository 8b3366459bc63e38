"""How long packets are: mixes of IP packet lengths, each with its source.

Lengths are drawn independently of SA and time: an **assumption**, which hides that bulk transfers
send long packets and their acknowledgements short ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError

LENGTH_BYTES_MIN: Final = 28  # an IPv4 header (RFC 791) and a UDP header (RFC 768)
LENGTH_BYTES_MAX: Final = 65_535


class Mix(NamedTuple):
    """Packet lengths and how often each comes up, as weights."""

    lengths_bytes: tuple[int, ...]
    weights: tuple[int, ...]
    source: str


MIXES: Final[Mapping[str, Mix]] = MappingProxyType(
    {
        "mobile": Mix(
            (114, 200, 491, 1000, 1428),
            (27_991, 5_841, 1_807, 2_488, 6_039),
            "5G/4G mix of a public tunnel benchmark, in packets/s of each size; mean 370 bytes",
        ),
        "imix": Mix(
            (40, 576, 1500),
            (7, 4, 1),
            "the customary 'simple IMIX' of test equipment, as IP lengths; mean 340 bytes",
        ),
    }
)

DEFAULT_SIZES: Final = "mobile"
WHY_SIZES: Final = (
    "the one mix here that was taken for tunnels; imix is custom, and fixed:1500 is the size at"
    " which the cost figures of the card profiles were measured"
)
SIZES_UNIT: Final = f"{', '.join(MIXES)} or fixed:BYTES"


def draw_lengths(sizes: str, packets: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """So many packet lengths of the mix ``sizes``; shape (packets,).

    Raises:
        ParameterError: no such mix.
    """
    lengths_bytes, weights = read_sizes(sizes)
    if len(lengths_bytes) == 1:
        return np.full(packets, lengths_bytes[0], np.int32)
    edges = np.cumsum(weights) / sum(weights)
    drawn = np.searchsorted(edges[:-1], rng.random(packets, np.float32), side="right")
    return np.array(lengths_bytes, np.int32)[drawn]


def read_sizes(sizes: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Lengths and weights of ``mobile``, ``imix`` or ``fixed:BYTES``.

    Raises:
        ParameterError: neither a mix by name nor a length in range.
    """
    if sizes in MIXES:
        return MIXES[sizes].lengths_bytes, MIXES[sizes].weights
    name, _, length = sizes.partition(":")
    if (
        name == "fixed"
        and length.isascii()
        and length.isdigit()
        and LENGTH_BYTES_MIN <= int(length) <= LENGTH_BYTES_MAX
    ):
        return (int(length),), (1,)
    expected = f"{SIZES_UNIT} ({LENGTH_BYTES_MIN} to {LENGTH_BYTES_MAX})"
    raise ParameterError("sizes", sizes, expected)
