"""The arrays of ``recvmmsg`` and ``sendmmsg``, and the IP headers that sockets take off packets.

A socket gives and takes less than a whole IP packet, while the gateway deals in whole ones:

    socket            the kernel keeps               what we write or leave out
    UDP               IP and UDP header              28 bytes (IPv4), 48 (IPv6)
    raw ESP, IPv4     nothing (IP_HDRINCL)           0
    raw ESP, IPv6     IP header                      40
    AF_PACKET         the link's header              0

Addresses come in a message's name, DSCP and ECN in its control message (RFC 6040 needs the ECN of
the outer header). Layouts are those of 64-bit Linux.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.esp.wire import ESP, UDP
from saactors.gateway.ports.port import SLOT_BYTES
from saactors.model.compiled import compiled
from saactors.traces.decode import fill_packet
from saactors.traces.links import RAW

# struct mmsghdr
MESSAGE: Final = np.dtype(
    [
        ("name", "u8"),
        ("name_bytes", "u4"),
        ("pad", "u4"),
        ("pieces", "u8"),  # struct iovec *
        ("pieces_count", "u8"),
        ("control", "u8"),
        ("control_bytes", "u8"),
        ("flags", "i4"),
        ("pad_2", "u4"),
        ("length", "u4"),  # out: bytes received or sent
        ("pad_3", "u4"),
    ]
)
PIECE: Final = np.dtype([("base", "u8"), ("length", "u8")])  # struct iovec

NAME_BYTES: Final = 32  # a sockaddr_in6 has 28, a sockaddr_ll 20
CONTROL_BYTES: Final = 32  # one struct cmsghdr with an int
CMSG_HEADER_BYTES: Final = 16
CMSG_INT_SPACE: Final = 24

FLAG_TRUNCATED: Final = 0x20  # MSG_TRUNC
HOP_LIMIT: Final = 64  # of headers that we write; the real one is not told and not needed

IPV4, IPV6, LINK = 2, 10, 17  # address families
_IP_LEVEL, _TOS = 0, 1
_IPV6_LEVEL, _TRAFFIC_CLASS = 41, 67


class Messages:
    """Room for so many messages, laid out once; every message has one piece and one name."""

    def __init__(self, count: int) -> None:
        self.messages = np.zeros(count, MESSAGE)
        self.pieces = np.zeros(count, PIECE)
        self.names = np.zeros((count, NAME_BYTES), np.uint8)
        self.controls = np.zeros((count, CONTROL_BYTES), np.uint8)
        rows = np.arange(count, dtype=np.uint64)
        self.messages["name"] = self.names.ctypes.data + rows * NAME_BYTES
        self.messages["pieces"] = self.pieces.ctypes.data + rows * PIECE.itemsize
        self.messages["pieces_count"] = 1
        self.messages["control"] = self.controls.ctypes.data + rows * CONTROL_BYTES


@compiled
def prepare_receiving(
    messages: npt.NDArray[np.void],
    pieces: npt.NDArray[np.void],
    arena: npt.NDArray[np.uint8],
    count: int,
    header_bytes: int,
) -> None:
    """Let message i be received behind room for a header in slot i."""
    base = arena.ctypes.data
    for row in range(count):
        pieces[row]["base"] = base + row * SLOT_BYTES + header_bytes
        pieces[row]["length"] = SLOT_BYTES - header_bytes
        message = messages[row]
        message["name_bytes"] = NAME_BYTES
        message["control_bytes"] = CONTROL_BYTES
        message["flags"] = 0


@compiled
def take_in(
    messages: npt.NDArray[np.void],
    names: npt.NDArray[np.uint8],
    controls: npt.NDArray[np.uint8],
    arena: npt.NDArray[np.uint8],
    packets: npt.NDArray[np.void],
    got: int,
    version: int,
    in_udp: bool,
    has_header: bool,
    local: npt.NDArray[np.uint8],
    port: int,
    now_ns: int,
) -> tuple[int, int]:
    """Make whole packets of what was received; returns (packets, truncated ones left out).

    Packet i ends up in slot i: behind a truncated one, packets move up.
    """
    row = truncated = 0
    for number in range(got):
        message = messages[number]
        if message["flags"] & FLAG_TRUNCATED:
            truncated += 1
            continue
        start, length = number * SLOT_BYTES, int(message["length"])
        if not has_header:
            header = header_bytes_of(version, in_udp)
            traffic_class = _class_of(controls[number], int(message["control_bytes"]))
            write_header(
                arena[start : start + header],
                names[number],
                version,
                in_udp,
                local,
                port,
                traffic_class,
                length,
            )
            length += header
        if row < number:
            slot = row * SLOT_BYTES
            for place in range(length):
                arena[slot + place] = arena[start + place]
            start = slot
        packet = packets[row]
        fill_packet(packet, arena, start, length, length, RAW, now_ns)
        row += 1
    return row, truncated


@compiled
def header_bytes_of(version: int, in_udp: bool) -> int:
    """What a socket of that kind leaves out."""
    return (20 if version == 4 else 40) + (8 if in_udp else 0)


@compiled
def _class_of(control: npt.NDArray[np.uint8], size: int) -> int:
    """DSCP and ECN, from the control message of a received one; 0 without."""
    if size <= CMSG_HEADER_BYTES:
        return 0
    return int(control[CMSG_HEADER_BYTES])  # an octet, or the first of a little-endian int


@compiled
def write_header(
    header: npt.NDArray[np.uint8],
    name: npt.NDArray[np.uint8],
    version: int,
    in_udp: bool,
    local: npt.NDArray[np.uint8],
    port: int,
    traffic_class: int,
    payload_bytes: int,
) -> None:
    """Write the IP header, and the UDP header, that the kernel has taken off a packet to us."""
    for place in range(len(header)):
        header[place] = 0
    protocol = UDP if in_udp else ESP
    if version == 4:
        at = 20
        total = len(header) + payload_bytes
        header[0], header[1] = 0x45, traffic_class
        header[2], header[3] = total >> 8, total & 0xFF
        header[8], header[9] = HOP_LIMIT, protocol
        for place in range(4):
            header[12 + place], header[16 + place] = name[4 + place], local[place]
        total = 0
        for word in range(10):
            total += (int(header[2 * word]) << 8) | int(header[2 * word + 1])
        total = (total & 0xFFFF) + (total >> 16)
        total = ~(total + (total >> 16)) & 0xFFFF
        header[10], header[11] = total >> 8, total & 0xFF
    else:
        at = 40
        following = len(header) - 40 + payload_bytes
        header[0], header[1] = 0x60 | traffic_class >> 4, (traffic_class & 0xF) << 4
        header[4], header[5] = following >> 8, following & 0xFF
        header[6], header[7] = protocol, HOP_LIMIT
        for place in range(16):
            header[8 + place], header[24 + place] = name[8 + place], local[place]
    if in_udp:
        size = 8 + payload_bytes
        header[at], header[at + 1] = name[2], name[3]
        header[at + 2], header[at + 3] = port >> 8, port & 0xFF
        header[at + 4], header[at + 5] = size >> 8, size & 0xFF
        # The checksum was the kernel's business; 0 says that there is none.


@compiled
def prepare_sending(
    messages: npt.NDArray[np.void],
    pieces: npt.NDArray[np.void],
    names: npt.NDArray[np.uint8],
    controls: npt.NDArray[np.uint8],
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    count: int,
    version: int,
    in_udp: bool,
    has_header: bool,
) -> None:
    """Let message i be packet i, addressed by its own header, which the kernel writes anew."""
    base = data.ctypes.data
    for row in range(count):
        start, length = starts[row], lengths[row]
        left_out = 0 if has_header else header_bytes_of(version, in_udp)
        pieces[row]["base"] = base + start + left_out
        pieces[row]["length"] = max(length - left_out, 0)
        message, name = messages[row], names[row]
        for place in range(NAME_BYTES):
            name[place] = 0
        if version == 4:
            name[0] = IPV4
            for place in range(4):
                name[4 + place] = data[start + 16 + place]
            message["name_bytes"] = 16
            at = start + 20
        else:
            name[0] = IPV6
            for place in range(16):
                name[8 + place] = data[start + 24 + place]
            message["name_bytes"] = 28
            at = start + 40
        if in_udp:
            name[2], name[3] = data[at + 2], data[at + 3]
        message["control_bytes"] = 0
        message["flags"] = 0
        # The socket's own class is 0; the kernel takes 5 % longer where it is told so.
        if not has_header and _class_in(data, start, version):
            message["control_bytes"] = CMSG_INT_SPACE
            _write_class(controls[row], version, _class_in(data, start, version))


@compiled
def _class_in(data: npt.NDArray[np.uint8], start: int, version: int) -> int:
    """DSCP and ECN of the packet's own header."""
    if version == 4:
        return int(data[start + 1])
    return (int(data[start]) & 0xF) << 4 | int(data[start + 1]) >> 4


@compiled
def _write_class(control: npt.NDArray[np.uint8], version: int, traffic_class: int) -> None:
    """A control message with DSCP and ECN."""
    for place in range(CONTROL_BYTES):
        control[place] = 0
    control[0] = CMSG_HEADER_BYTES + 4
    if version == 4:
        control[8], control[12] = _IP_LEVEL, _TOS
    else:
        control[8], control[12] = _IPV6_LEVEL, _TRAFFIC_CLASS
    control[CMSG_HEADER_BYTES] = traffic_class
