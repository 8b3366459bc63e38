"""Makes a virtual device act like a wire: packets leave with whole checksums and in single pieces.

Else the kernel hands on, from one end of a veth pair to the other, packets whose checksum is to be
made by a device that does not exist, and a packet socket gets them so.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from typing import Final

import interop_path  # noqa: F401  # it is there for the next ones
from namespace_sockets import socket_inside
from namespaces import Namespace

_SIOCETHTOOL: Final = 0x8946  # of <linux/sockios.h>
# ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO of <linux/ethtool.h>
_COMMANDS: Final = (0x17, 0x1F, 0x24, 0x2C)


def without_offloads(namespace: Namespace, device: str) -> None:
    """Turn them all off; what the device does not have is off already."""
    with socket_inside(namespace, socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in _COMMANDS:
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            request = struct.pack("16sP", device.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
            except OSError as problem:
                if problem.errno != 95:  # EOPNOTSUPP
                    raise
