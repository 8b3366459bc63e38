"""Numbers out of bytes, for compiled code: network order and either order.

Every number comes back as int64 (addresses' halves as uint64), because Numba, like NumPy, makes a
float of an int64 and a uint64 that meet. No function checks bounds; the caller has.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled

Octets: TypeAlias = npt.NDArray[np.uint8]


@compiled
def octet(data: Octets, at: int) -> int:
    """The byte at index ``at``, in signed arithmetic."""
    return np.int64(data[at])  # type: ignore[return-value]  # compiled code knows no other int


@compiled
def network_u16(data: Octets, at: int) -> int:
    """The 16-bit number in network order at index ``at``."""
    return octet(data, at) << 8 | octet(data, at + 1)


@compiled
def network_u32(data: Octets, at: int) -> int:
    """The 32-bit number in network order at index ``at``."""
    return network_u16(data, at) << 16 | network_u16(data, at + 2)


@compiled
def network_u64(data: Octets, at: int) -> np.uint64:
    """The 64-bit number in network order at index ``at``, unsigned."""
    high = np.uint64(network_u32(data, at))
    return high << np.uint64(32) | np.uint64(network_u32(data, at + 4))


@compiled
def ordered_u16(data: Octets, at: int, big_endian: bool) -> int:
    """The 16-bit number at index ``at``, in the byte order that a capture's header states."""
    if big_endian:
        return network_u16(data, at)
    return octet(data, at + 1) << 8 | octet(data, at)


@compiled
def ordered_u32(data: Octets, at: int, big_endian: bool) -> int:
    """The 32-bit number at index ``at``, in the byte order that a capture's header states."""
    if big_endian:
        return network_u32(data, at)
    return ordered_u16(data, at + 2, False) << 16 | ordered_u16(data, at, False)
