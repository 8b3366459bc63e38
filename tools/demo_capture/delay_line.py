"""A wide-area link: carries frames between two devices, each as late as its office is far away.

A process of its own in the `wan` namespace: `python -m demo_capture.delay_line OFFICES SERVERS`,
the devices to either side. The kernel's netem would do the same, but many kernels of containers and
virtual machines come without it. Frames of one office keep their order, since the delay of an
office never changes; a frame with no office (ARP) goes on at once.
"""

from __future__ import annotations

import heapq
import select
import socket
import sys
import time

from demo_capture.network import OFFICE_DELAY_MS

OFFICE_DELAY_NS = {office: delay_ms * 1_000_000 for office, delay_ms in OFFICE_DELAY_MS.items()}

ETHERTYPE_ALL = 0x0003
# From Linux's headers; Python's socket module does not name them.
SO_RCVBUFFORCE = 33  # asm-generic/socket.h: a larger buffer than the system's default maximum
SOL_PACKET = 263  # linux/socket.h
PACKET_IGNORE_OUTGOING = 23  # linux/if_packet.h: do not hear what was sent here
FRAME_BYTES_MAX = 65535
# Over half a second of the faster direction: a pause of this process shall lose nothing.
RECEIVE_BUFFER_BYTES = 4 << 20

# Where a frame names its office: the second octet of an IPv4 address (10.OFFICE.0.0), the low octet
# of the third group of an IPv6 address (2001:db8:OFFICE::).
# EtherType → (offset in the source address, in the destination address).
OFFICE_OFFSETS = {b"\x08\x00": (14 + 12 + 1, 14 + 16 + 1), b"\x86\xdd": (14 + 8 + 5, 14 + 24 + 5)}


def delay_ns(frame: bytes, *, towards_offices: bool) -> int:
    """How long a frame stays on the way, in ns."""
    offsets = OFFICE_OFFSETS.get(frame[12:14])
    return OFFICE_DELAY_NS.get(frame[offsets[towards_offices]], 0) if offsets else 0


def open_device(name: str) -> socket.socket:
    """A socket that receives and sends whole frames on one device."""
    device = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_ALL))
    device.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    device.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    device.bind((name, 0))
    device.setblocking(False)
    return device


def carry(offices: socket.socket, servers: socket.socket) -> None:
    """Carry frames for ever."""
    # (due_ns, arrival number, frame, the device it leaves by); the number keeps equals in order.
    waiting: list[tuple[int, int, bytes, socket.socket]] = []
    arrivals = 0
    while True:
        timeout_s = max(0, waiting[0][0] - time.monotonic_ns()) / 1e9 if waiting else None
        readable, _, _ = select.select([offices, servers], [], [], timeout_s)
        now_ns = time.monotonic_ns()
        for device in readable:
            frame = device.recv(FRAME_BYTES_MAX)
            towards_offices = device is servers
            due_ns = now_ns + delay_ns(frame, towards_offices=towards_offices)
            leaves_by = offices if towards_offices else servers
            heapq.heappush(waiting, (due_ns, arrivals, frame, leaves_by))
            arrivals += 1
        while waiting and waiting[0][0] <= now_ns:
            _, _, frame, leaves_by = heapq.heappop(waiting)
            leaves_by.send(frame)


if __name__ == "__main__":
    carry(open_device(sys.argv[1]), open_device(sys.argv[2]))
