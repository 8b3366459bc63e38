"""Columns as a capture: raw-IP packets that any tool can read, cut to their headers.

Each SA has its own UDP flow, its own pair of hosts and its own pair of /24s, so whatever is given
an SA per flow, per host pair or per subnet has the SAs of the trace again:

    SA 0x0abcdef → source 10.cd.ef.1 port 1024 + …, destination 172.(16 + a).0bb.1

Addresses are private (RFC 1918). Of a packet only its 28 bytes of IPv4 and UDP header are written;
its length stands in them and in the record, as in a capture with a short snap length, which a
replay pads. So a packet takes 44 bytes in the file, however long it is. A packet without SA has IP
version 0, which no reader takes for IP.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.model.packets import NO_SA
from saactors.traces import links
from saactors.traces.columns import TraceColumns
from saactors.traces.pcap import MAGIC_NS
from saactors.traces.times import SECOND_NS

CAPTURED_BYTES: Final = 28
SAS_MAX: Final = 1 << 28  # pairs of a /24 in 10.0.0.0/8 and one in 172.16.0.0/12
_TIME_NS_MAX: Final = (1 << 32) * SECOND_NS
_SLAB_PACKETS: Final = 65_536
_PORT: Final = 1024  # the first that is no well-known one (RFC 6335)
_PORTS: Final = 65_536 - _PORT

RECORD: Final = np.dtype(
    [
        ("seconds", "<u4"),
        ("fraction_ns", "<u4"),
        ("captured_bytes", "<u4"),
        ("wire_bytes", "<u4"),
        ("version_and_header", "u1"),  # RFC 791 §3.1, from here
        ("service", "u1"),
        ("total_bytes", ">u2"),
        ("identification", ">u2"),
        ("fragment", ">u2"),
        ("time_to_live", "u1"),
        ("protocol", "u1"),
        ("checksum", ">u2"),
        ("source", ">u4"),
        ("destination", ">u4"),
        ("source_port", ">u2"),  # RFC 768, from here
        ("destination_port", ">u2"),
        ("udp_bytes", ">u2"),
        ("udp_checksum", ">u2"),  # 0: none
    ]
)


def write_pcap(trace: TraceColumns, path: str | Path) -> None:
    """Write a trace as a pcap file with nanosecond times from 1970 on.

    Reading it gives the same times, SAs and lengths. Its chunks are those of the reader.

    Raises:
        ParameterError: a packet shorter than its headers, times before the start or beyond what
            pcap has room for, or more SAs than there are pairs of subnets.
        OSError: the file cannot be written.
    """
    _check(trace)
    with Path(path).open("wb") as file:
        file.write(struct.pack("<IHHIIII", MAGIC_NS, 2, 4, 0, 0, CAPTURED_BYTES, links.RAW))
        for first in range(0, len(trace), _SLAB_PACKETS):
            _write_records(trace.part(first, min(first + _SLAB_PACKETS, len(trace))), file)


def _check(trace: TraceColumns) -> None:
    if not len(trace):
        return
    if trace.length_bytes.min() < CAPTURED_BYTES:
        expected = f"{CAPTURED_BYTES} or more: a packet of a capture has an IPv4 and a UDP header"
        raise ParameterError("length_bytes", int(trace.length_bytes.min()), expected)
    if trace.time_ns[0] < 0 or trace.time_ns[-1] >= _TIME_NS_MAX:
        found = int(min(trace.time_ns[0], trace.time_ns[-1], key=lambda time_ns: time_ns >= 0))
        raise ParameterError("time_ns", found, f"0 to {_TIME_NS_MAX - 1}, what pcap has room for")
    if trace.sa_count > SAS_MAX:
        raise ParameterError("sa_count", trace.sa_count, f"at most {SAS_MAX} for a capture")


def _write_records(part: TraceColumns, file: BinaryIO) -> None:
    records = np.zeros(len(part), RECORD)
    records["seconds"], records["fraction_ns"] = np.divmod(part.time_ns, SECOND_NS)
    records["captured_bytes"] = CAPTURED_BYTES
    records["wire_bytes"] = part.length_bytes
    records["version_and_header"] = np.where(part.sa == NO_SA, 0x05, 0x45)
    # As captures taken above segmentation offload have it: 0 for what the field cannot hold.
    fits = part.length_bytes <= 0xFFFF
    records["total_bytes"] = np.where(fits, part.length_bytes, 0)
    records["udp_bytes"] = np.where(fits, part.length_bytes - 20, 0)
    records["time_to_live"], records["protocol"] = 64, 17
    sa = np.maximum(part.sa, 0).astype(np.uint32)
    records["source"] = 0x0A00_0001 | (sa & 0xFFFF) << 8
    records["destination"] = 0xAC10_0001 | (sa >> 16) << 8
    records["source_port"] = _PORT + sa % _PORTS
    records["destination_port"] = _PORT
    records["checksum"] = _checksums(records)
    file.write(records.tobytes())


def _checksums(records: npt.NDArray[np.void]) -> npt.NDArray[np.uint32]:
    """Header checksums (RFC 1071) of records in which that field is 0."""
    headers = records.view(np.uint8).reshape(len(records), RECORD.itemsize)[:, 16:36]
    words = headers.copy().view(">u2").astype(np.uint32)
    sums: npt.NDArray[np.uint32] = words.sum(axis=1, dtype=np.uint32)
    for _ in range(2):
        sums = (sums & 0xFFFF) + (sums >> 16)
    return ~sums & np.uint32(0xFFFF)
