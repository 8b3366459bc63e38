"""A TUN device: what this host routes into it comes out here as IP packets, and back.

The device is made with the port and goes with it, unless it was there before and is persistent.
No segmentation offloads are asked for, so no packet is longer than the device's MTU, and the kernel
itself fragments or refuses what is longer, with the ICMP messages that are due.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Sequence
from ipaddress import ip_interface
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.esp.association import Address
from saactors.gateway.ports.interface_setup import add_address, set_mtu, set_up
from saactors.gateway.ports.port import Octets, read_only
from saactors.gateway.ports.system_calls import (
    COUNTS,
    GONE,
    LAST_ERROR,
    RECEIVED,
    RECEIVED_BYTES,
    REFUSED,
    SENT,
    SENT_BYTES,
    TRUNCATED,
    read_packets,
    write_packets,
)

_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_DEVICE: Final = "/dev/net/tun"
_NAME_BYTES_MAX: Final = 15  # IFNAMSIZ less the zero at its end


class TunPort:
    """A TUN device as a port."""

    kind = "tun"
    ip_version = 0

    def __init__(self, name: str, side: str, device: str, descriptor: int) -> None:
        self.name, self.side, self.detail = name, side, device
        self._descriptor = descriptor
        self._counts = np.zeros(COUNTS, np.int64)
        self._dropped_before = _dropped(device)

    def fileno(self) -> int:
        """The device's descriptor."""
        return self._descriptor

    def next_ns(self) -> int | None:
        """Never: whoever waits, waits for the descriptor."""
        return None

    def receive(self, arena: Octets, packets: npt.NDArray[np.void], now_ns: int) -> int:
        """Take packets that are there."""
        count = int(read_packets(self._descriptor, arena, packets, now_ns, self._counts))
        self._raise_if_gone()
        return count

    def send(
        self, data: Octets, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32]
    ) -> int:
        """Hand packets to the kernel."""
        taken = int(write_packets(self._descriptor, read_only(data), starts, lengths, self._counts))
        self._raise_if_gone()
        return taken

    def poll_path_mtus(self) -> Sequence[tuple[Address, int]]:
        """None: nothing lies behind it."""
        return ()

    def statistics(self) -> dict[str, int]:
        """Counts since the port was opened."""
        counts = self._counts
        return {
            "received_packets": int(counts[RECEIVED]),
            "received_bytes": int(counts[RECEIVED_BYTES]),
            "sent_packets": int(counts[SENT]),
            "sent_bytes": int(counts[SENT_BYTES]),
            "send_refused": int(counts[REFUSED]),
            "truncated": int(counts[TRUNCATED]),
            "ring_dropped": max(_dropped(self.detail) - self._dropped_before, 0),
        }

    def close(self) -> None:
        """Give the device back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _raise_if_gone(self) -> None:
        error = int(self._counts[LAST_ERROR])
        if error in GONE:
            raise OSError(error, f"device {self.detail} is gone")


def open_tun(
    name: str, side: str, device: str, addresses: Sequence[str], mtu: int | None
) -> TunPort:
    """Make or take over a TUN device, with these addresses and that MTU, and set it up.

    Raises:
        ParameterError: the device cannot be had: no permission, or somebody else has it.
    """
    if not 0 < len(device.encode()) <= _NAME_BYTES_MAX:
        expected = f"a device's name of 1 to {_NAME_BYTES_MAX} bytes"
        raise ParameterError(f"ports: {name}", device, expected)
    try:
        descriptor = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        found = f"{_DEVICE}: {problem.strerror}"
        expected = "a device that this user may open; load the kernel's module tun where it is not"
        raise ParameterError(f"ports: {name}", found, expected) from None
    request = struct.pack("16sH22x", device.encode(), _IFF_TUN | _IFF_NO_PI)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, request)
        # Whoever made a persistent device may have asked for offloads, and they stay with it.
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, 0)
        if mtu is not None:
            set_mtu(device, mtu)
        for address in addresses:
            add_address(device, ip_interface(address))
        set_up(device)
    except OSError as problem:
        os.close(descriptor)
        expected = "a TUN device that is free, and the right to set it up (CAP_NET_ADMIN)"
        found = f"{device}: {problem.strerror}"
        raise ParameterError(f"ports: {name}", found, expected) from None
    return TunPort(name, side, device, descriptor)


def _dropped(device: str) -> int:
    """Packets for the device that the kernel had no room for, since it was made."""
    with open("/proc/self/net/dev", encoding="ascii") as table:  # noqa: PTH123 - a pseudo-file
        for line in table:
            found, _, counted = line.partition(":")
            if found.strip() == device:
                return int(counted.split()[11])
    return 0
