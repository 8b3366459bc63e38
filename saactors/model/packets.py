"""Packets as columns: one record array per chunk of a trace, one writer per field.

No Python object exists per packet between the source and the egress. A chunk holds the bytes as
read and a record array over them; compiled code fills the fields in as the packets travel:

    field                               written by
    time_ns … transport_offset          the capture reader (``saactors.traces``)
    verdict                             the reader, then whoever holds the packet
    sa, order, sequence, esp_offset     the classifier
    metric                              the metric keeper
    route                               the cache arbiter

An address is two unsigned 64-bit numbers, high and low half in network order; IPv4 stands as
IPv4-mapped IPv6 (``::ffff:a.b.c.d``, RFC 4291 §2.5.5.2), so that one comparison serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

PACKET: Final = np.dtype(
    [
        ("time_ns", "i8"),  # arrival, from the start of the trace
        ("offset", "i8"),  # of the IP header in the chunk's data, in bytes
        ("source_high", "u8"),
        ("source_low", "u8"),
        ("destination_high", "u8"),
        ("destination_low", "u8"),
        ("metric", "f8"),  # of the packet's SA after this packet
        ("order", "i8"),  # ordinal of the packet within its SA, from 0
        ("sequence", "u8"),  # 64-bit ESP sequence number (outbound)
        ("length_bytes", "i4"),  # the IP packet on the wire
        ("captured_bytes", "i4"),  # of it, present in the data
        ("transport_offset", "i4"),  # from the IP header to the upper-layer header, in bytes
        ("esp_offset", "i4"),  # from the IP header to the ESP header (inbound), in bytes
        ("sa", "i4"),  # index in the SA table; NO_SA if the packet has none
        ("source_port", "u2"),  # 0 where the protocol has none or the packet is a later fragment
        ("destination_port", "u2"),
        ("ip_version", "u1"),  # 4 or 6; 0 where the packet is not IP
        ("protocol", "u1"),  # upper-layer protocol, after IPv6 extension headers
        ("fragment", "u1"),  # 1: any fragment of a larger packet
        ("verdict", "u1"),  # saactors.model.verdicts.Verdict
        ("route", "u1"),  # saactors.model.packets.Route
    ],
    align=True,
)

NO_SA: Final = -1


class Route(IntEnum):
    """Where the arbiter sends a packet. Compiled code compares the numbers."""

    SOFTWARE = 0
    NIC = 1
    BYPASS = 2
    DROP = 3


@dataclass(slots=True)
class Chunk:
    """A stretch of a trace: ``packets`` (record array of ``PACKET``) over ``data`` (uint8)."""

    data: npt.NDArray[np.uint8]
    packets: npt.NDArray[np.void]
