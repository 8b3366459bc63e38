"""Setting up a network interface over rtnetlink: addresses, MTU, up (RFC 3549; rtnetlink(7))."""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import IPv4Interface, IPv6Interface
from typing import Final

_NEW_LINK, _NEW_ADDRESS = 16, 20
_REQUEST, _ACKNOWLEDGE, _REPLACE, _CREATE = 0x1, 0x4, 0x100, 0x400
_ERROR: Final = 2
_ADDRESS, _LOCAL, _MTU = 1, 2, 4
_NO_DAD: Final = 0x02  # an IPv6 address on a point-to-point device has nobody to collide with
_UP: Final = 0x1


def set_up(device: str) -> None:
    """Set an interface up; raises OSError."""
    _ask(_NEW_LINK, _link(device, flags=_UP, change=_UP))


def set_mtu(device: str, mtu_bytes: int) -> None:
    """Set an interface's MTU; raises OSError."""
    _ask(_NEW_LINK, _link(device) + _attribute(_MTU, struct.pack("=I", mtu_bytes)))


def add_address(device: str, address: IPv4Interface | IPv6Interface) -> None:
    """Give an interface an address, which it may have already; raises OSError."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    flags = 0 if address.version == 4 else _NO_DAD
    index = socket.if_nametoindex(device)
    body = struct.pack("=BBBBI", family, address.network.prefixlen, flags, 0, index)
    body += _attribute(_LOCAL, address.packed) + _attribute(_ADDRESS, address.packed)
    _ask(_NEW_ADDRESS, body, _CREATE | _REPLACE)


def _link(device: str, flags: int = 0, change: int = 0) -> bytes:
    index = socket.if_nametoindex(device)
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def _attribute(kind: int, value: bytes) -> bytes:
    size = 4 + len(value)
    return struct.pack("=HH", size, kind) + value + bytes(-size % 4)


def _ask(kind: int, body: bytes, flags: int = 0) -> None:
    """Send one request and wait for its acknowledgement."""
    size = 16 + len(body)
    header = struct.pack("=IHHII", size, kind, flags | _REQUEST | _ACKNOWLEDGE, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asking:
        asking.bind((0, 0))
        asking.send(header + body)
        answer = asking.recv(65_536)
    answered, error = struct.unpack("=H", answer[4:6])[0], struct.unpack("=i", answer[16:20])[0]
    if answered == _ERROR and error:
        raise OSError(-error, os.strerror(-error))
