"""What a port is: whole IP packets in, whole IP packets out, in batches and without ever waiting.

Waiting is the actors' business (``receiver``, ``outgoing``): a port only says that there is nothing
to receive, or no room to send. What the network does is counted and never raised; what raises
``OSError`` is a device that is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from saactors.esp.association import Address

SLOT_BYTES: Final = 9216
"""Room for one received packet: a jumbo frame's 9000 bytes with headers. Longer ones, which only
come from links with segmentation offload, are counted as ``truncated`` and dropped."""

Octets = npt.NDArray[np.uint8]


def read_only(data: Octets) -> Octets:
    """The same octets as one type of array, so that compiled code has one version to be ready."""
    view = data.view()
    view.flags.writeable = False
    return view


class Port(Protocol):
    """A device, a socket or a capture."""

    name: str
    kind: str  # tun, udp, esp, packet or capture
    side: str  # inside or outside
    ip_version: int  # 4 or 6; 0: both
    detail: str  # what it is bound to, for people

    def fileno(self) -> int:
        """What to wait for; -1 for a port that is due by ``next_ns``."""

    def next_ns(self) -> int | None:
        """When the next packet of a port without a descriptor is due; None: never."""

    def receive(self, arena: Octets, packets: npt.NDArray[np.void], now_ns: int) -> int:
        """Take packets that are there: number i into ``arena[i * SLOT_BYTES:]``.

        ``packets`` is a zeroed record array of PACKET, of which the first so many are filled in, as
        a capture's reader does. Returns how many; 0: there are none.
        """

    def send(
        self, data: Octets, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32]
    ) -> int:
        """Send packets, each ``data[start : start + length]``; returns how many were taken.

        Fewer than all: there is no room at present. What the kernel refuses for good is taken.
        """

    def poll_path_mtus(self) -> Sequence[tuple[Address, int]]:
        """Destinations that took a packet for too big since this was last asked, with their MTUs.

        The kernel has them from its routes and, for sockets, from ICMP messages that came back.
        """

    def statistics(self) -> dict[str, int]:
        """Counts since the port was opened.

        ``received_packets``, ``received_bytes``, ``sent_packets``, ``sent_bytes``, ``ring_dropped``
        (by the kernel), ``send_refused``, ``truncated``.
        """

    def close(self) -> None:
        """Give the device or socket back; a second time does nothing."""
