"""Takes IKE, and nothing else, between two devices of its namespace.

    python ike_relay.py DEVICE DEVICE [PORT...]

The gateway and the daemon that negotiates its SAs have the same addresses, as they would have on
one host; but each has a namespace of its own, so that the daemon's own ESP gets no packet. Frames
are copied as they are: both sides have the same MAC address, too. IKE is told from ESP in UDP by
RFC 3948 §2.2: on port 4500 four zero bytes stand before it. The kernel looks at each frame first
(classic BPF), so that the traffic costs this process nothing.

UDP ports that nobody has in this namespace are taken, so that the kernel does not tell the other
end that they are unreachable.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import subprocess
import sys
from selectors import EVENT_READ, DefaultSelector
from typing import Final

_IKE: Final = (
    "udp dst port 500 or (ip and udp dst port 4500 and udp[8:4] = 0)"
    " or (ip6 and udp dst port 4500 and ip6[48:4] = 0)"
)
_ALL_PROTOCOLS: Final = 3  # ETH_P_ALL of <linux/if_ether.h>
_SO_ATTACH_FILTER: Final = 26  # of <asm-generic/socket.h>
# Whole checksums are the device's business; with this header what is left to do goes along.
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15  # of <linux/socket.h>, <linux/if_packet.h>
_FRAME_MAX_BYTES: Final = 65_600


def main(devices: list[str], ports: list[int]) -> None:
    """Copy until the process is ended."""
    held = [_held(family, port) for port in ports for family in (socket.AF_INET, socket.AF_INET6)]
    links = [_link(device) for device in devices]
    with DefaultSelector() as selector:
        for link, other in zip(links, reversed(links), strict=True):
            selector.register(link, EVENT_READ, other)
        print(f"between {' and '.join(devices)}; holds {len(held)} ports", flush=True)
        while True:
            for key, _ in selector.select():
                frame, address = key.fileobj.recvfrom(_FRAME_MAX_BYTES)
                if address[2] != socket.PACKET_OUTGOING:
                    key.data.send(frame)


def _link(device: str) -> socket.socket:
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # hears nothing before its filter
    link.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    program = _program()
    octets = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
    pointer = struct.pack("HxxxxxxP", len(program), ctypes.addressof(octets))
    link.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
    link.bind((device, _ALL_PROTOCOLS))
    return link


def _program() -> list[tuple[int, int, int, int]]:
    """The expression as instructions: opcode, two jumps, operand."""
    words = ["tcpdump", "-ddd", "-y", "EN10MB", _IKE]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [tuple(map(int, line.split())) for line in done.stdout.splitlines()[1:]]


def _held(family: int, port: int) -> socket.socket:
    held = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    held.bind(("", port))
    return held


if __name__ == "__main__":
    main(sys.argv[1:3], [int(port) for port in sys.argv[3:]])
