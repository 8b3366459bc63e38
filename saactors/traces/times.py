"""Time stamps: from what a capture file counts to nanoseconds from the first packet, exactly.

All of it is integer arithmetic: epoch seconds in a float could not resolve 238 ns. pcap counts
seconds and micro- or nanoseconds. A pcapng interface counts ticks in a 64-bit number, of 10⁻ⁿ s or
of 2⁻ⁿ s, from an epoch that may be offset by whole seconds (if_tsresol and if_tsoffset,
draft-ietf-opsawg-pcapng §4.2).

The replay needs times that never run backwards, but captures of several interfaces or queues do
hold such steps. A packet that claims to be earlier than one before it gets the latest time seen so
far, and is counted.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled

SECOND_NS: Final = 1_000_000_000

# 146 years: keeps "time + wait" of any later computation inside 64 bits, whatever a file claims.
TIME_MAX_NS: Final = 1 << 62

CLOCK: Final = np.dtype(
    [
        ("first_epoch_ns", "i8"),  # nanoseconds since 1970 of the first packet that has a time
        ("latest_ns", "i8"),  # the latest time given so far, from the first packet
        ("backwards", "i8"),  # packets whose own time was earlier than that
        ("started", "i8"),  # 1 once first_epoch_ns is known
        ("read_ahead", "i8"),  # means nothing; see saactors.traces.scan.read_ahead
    ]
)

TICKS: Final = np.dtype(
    [
        ("multiplier", "u8"),  # decimal: ns = ticks * multiplier // divisor
        ("divisor", "u8"),
        ("shift", "i8"),  # binary: a tick is 2**-shift seconds; DECIMAL otherwise
        ("offset_s", "i8"),  # added to the result
    ]
)

DECIMAL: Final = -1


def ticks_of(resolution: int, offset_s: int) -> tuple[int, int, int, int]:
    """The ``TICKS`` record for an if_tsresol octet and an if_tsoffset in seconds."""
    exponent = resolution & 0x7F
    if resolution & 0x80:
        return 1, 1, exponent, offset_s
    if exponent <= 9:
        return 10 ** (9 - exponent), 1, DECIMAL, offset_s
    if exponent <= 28:
        return 1, 10 ** (exponent - 9), DECIMAL, offset_s
    return 0, 1, DECIMAL, offset_s  # 2⁶⁴ such ticks are less than a nanosecond


@compiled
def epoch_ns_of(tick_count: np.uint64, ticks: np.record) -> int:
    """Nanoseconds since 1970 (rounded down) of a 64-bit ``tick_count`` in ``ticks`` units."""
    if ticks.shift == DECIMAL:
        unsigned_ns = tick_count * ticks.multiplier // ticks.divisor
    else:
        unsigned_ns = binary_ticks_ns(tick_count, np.uint64(ticks.shift))
    since_epoch_ns: int = np.int64(unsigned_ns)  # type: ignore[assignment]  # as in octets
    offset_s: int = ticks.offset_s
    return since_epoch_ns + offset_s * SECOND_NS


@compiled
def binary_ticks_ns(tick_count: np.uint64, shift: np.uint64) -> np.uint64:
    """``tick_count * 10**9 >> shift`` without losing the product's upper bits.

    The product has up to 94 bits, so it is built as ``high * 2**32 + low`` with ``low < 2**32``.
    """
    thirty_two = np.uint64(32)
    low_mask = np.uint64(0xFFFFFFFF)
    second_ns = np.uint64(SECOND_NS)
    low_product = (tick_count & low_mask) * second_ns
    high = (tick_count >> thirty_two) * second_ns + (low_product >> thirty_two)
    if shift < thirty_two:
        return (high << (thirty_two - shift)) + ((low_product & low_mask) >> shift)
    if shift - thirty_two > np.uint64(63):
        return np.uint64(0)
    return high >> (shift - thirty_two)


@compiled
def trace_time_ns(clock: npt.NDArray[np.void], epoch_ns: int) -> int:
    """The time of a packet stamped ``epoch_ns``, from the first packet, never running backwards.

    ``clock`` is an array of one ``CLOCK`` record, which this updates.
    """
    state = clock[0]
    if state.started == 0:
        state.started = 1
        state.first_epoch_ns = epoch_ns
    latest_ns: int = state.latest_ns
    time_ns: int = min(epoch_ns - state.first_epoch_ns, TIME_MAX_NS)
    if time_ns < latest_ns:
        state.backwards += 1
        return latest_ns
    state.latest_ns = time_ns
    return time_ns
