"""The security policy database (SPD): which packets to protect, let pass or discard.

The SPD is an ordered list; the first entry whose selectors all match decides (RFC 4301 §4.4.1), and
what none matches is discarded. An entry is one record of ``SELECTOR``, a packet one of ``PACKET``,
and ``first_match`` walks the list for a packet in compiled code. The walk is linear: whoever
classifies packets asks once per flow and keeps the answer, so the SPD's length costs nothing per
packet.

How the fields of a packet meet those of an entry:

- A value is compared under a mask, 0 where anything goes; a port lies in a range.
- Addresses are compared as PACKET holds them, IPv4 as IPv4-mapped IPv6: a prefix of n bits over
  IPv4 is one of 96 + n bits here. The IP version is compared as well, so ``::/0`` leaves IPv4 alone
  and an IPv6 packet that happens to carry mapped addresses meets no IPv4 entry.
- A packet has ports if either is not 0, which is how PACKET marks packets without (another protocol
  than TCP, UDP and their like, or a later fragment). Such a packet matches only entries that
  leave both ports open: to all others its ports are not available (RFC 4301 §4.4.1.1). Later
  fragments of a packet whose ports decide thus fall to another entry or are discarded; the
  stateful fragment checking of RFC 4301 §7.3, which would remember the first fragment's ports, is
  not done.
- ICMP types and the Mobility Header type are not selectors here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

NO_MATCH: Final = -1
PORT_MAX: Final = 65535
ANY_PORT: Final = (0, PORT_MAX)

SELECTOR: Final = np.dtype(
    [
        ("source_high", "u8"),  # the prefix, bits beyond its length 0
        ("source_low", "u8"),
        ("source_mask_high", "u8"),
        ("source_mask_low", "u8"),
        ("destination_high", "u8"),
        ("destination_low", "u8"),
        ("destination_mask_high", "u8"),
        ("destination_mask_low", "u8"),
        ("target", "i4"),  # of PROTECT: an SA or, where SAs are made on demand, a template
        ("source_port_min", "u2"),
        ("source_port_max", "u2"),  # inclusive
        ("destination_port_min", "u2"),
        ("destination_port_max", "u2"),  # inclusive
        ("protocol", "u1"),  # upper-layer protocol number
        ("protocol_mask", "u1"),  # 255; 0: any
        ("version", "u1"),  # of IP, 4 or 6
        ("version_mask", "u1"),  # 255; 0: any
        ("needs_ports", "u1"),  # 1: a packet without ports does not match
        ("action", "u1"),  # saactors.model.selector.Action
        ("stream", "u1"),  # saactors.model.selector.Stream
    ],
    align=True,
)


@njit(cache=True)
def first_match(selectors: npt.NDArray[np.void], packets: npt.NDArray[np.void], row: int) -> int:
    """Index of the first entry that matches packet ``row``; NO_MATCH if none does.

    ``selectors`` is a record array of SELECTOR in the SPD's order, ``packets`` one of PACKET.
    """
    for entry in range(len(selectors)):
        if _matches(selectors[entry], packets[row]):
            return entry
    return NO_MATCH


@njit(cache=True)
def _matches(selector: np.record, packet: np.record) -> bool:
    has_ports = packet.source_port != 0 or packet.destination_port != 0
    return (
        packet.ip_version & selector.version_mask == selector.version
        and packet.protocol & selector.protocol_mask == selector.protocol
        and (has_ports or not selector.needs_ports)
        and selector.source_port_min <= packet.source_port <= selector.source_port_max
        and selector.destination_port_min <= packet.destination_port
        and packet.destination_port <= selector.destination_port_max
        and packet.source_low & selector.source_mask_low == selector.source_low
        and packet.source_high & selector.source_mask_high == selector.source_high
        and packet.destination_low & selector.destination_mask_low == selector.destination_low
        and packet.destination_high & selector.destination_mask_high == selector.destination_high
    )


class Action(IntEnum):
    """What to do with a matching packet. Compiled code compares the numbers."""

    PROTECT = 0
    BYPASS = 1
    DISCARD = 2


class Stream(IntEnum):
    """Which packets of a PROTECT entry share an SA: the whole entry, or what SAs are made per.

    RFC 4301 §4.4.1.2 calls the latter "populate from packet" (PFP) flags. Compiled code compares
    the numbers.
    """

    ENTRY = 0  # one given SA
    FLOW = 1  # addresses, protocol and ports
    HOST_PAIR = 2  # addresses
    SUBNET = 3  # /24 of IPv4 addresses, /64 of IPv6 addresses


@dataclass(frozen=True, slots=True)
class Selector:
    """One entry of the SPD in words; None as an address or a protocol means any.

    ``target`` counts SAs if ``stream`` is ENTRY and templates otherwise. Port ranges include both
    ends. The networks, where both are given, are of one IP version.
    """

    source: IPv4Network | IPv6Network | None
    destination: IPv4Network | IPv6Network | None
    protocol: int | None = None
    source_ports: tuple[int, int] = ANY_PORT
    destination_ports: tuple[int, int] = ANY_PORT
    action: int = Action.PROTECT
    stream: int = Stream.ENTRY
    target: int = 0

    def __post_init__(self) -> None:
        assert len(self._versions()) < 2, "addresses of two IP versions never meet in one packet"

    @property
    def version(self) -> int | None:
        """IP version that the addresses ask for; None if both are open."""
        return next(iter(self._versions()), None)

    def _versions(self) -> set[int]:
        return {net.version for net in (self.source, self.destination) if net is not None}


def selector_columns(entries: Sequence[Selector]) -> npt.NDArray[np.void]:
    """The SPD as a record array of SELECTOR, in the order of ``entries``."""
    columns = np.zeros(len(entries), SELECTOR)
    for row, entry in zip(columns, entries, strict=True):
        for end, network in (("source", entry.source), ("destination", entry.destination)):
            address, mask = _mapped(network)
            row[f"{end}_high"], row[f"{end}_low"] = _halves(address)
            row[f"{end}_mask_high"], row[f"{end}_mask_low"] = _halves(mask)
        row["source_port_min"], row["source_port_max"] = entry.source_ports
        row["destination_port_min"], row["destination_port_max"] = entry.destination_ports
        row["needs_ports"] = (entry.source_ports, entry.destination_ports) != (ANY_PORT, ANY_PORT)
        row["protocol"], row["protocol_mask"] = _exactly(entry.protocol)
        row["version"], row["version_mask"] = _exactly(entry.version)
        row["action"], row["stream"], row["target"] = entry.action, entry.stream, entry.target
    return columns


_ADDRESS_BITS: Final = 128
_IPV4_MAPPED: Final = 0xFFFF << 32  # ::ffff:0:0/96, RFC 4291 §2.5.5.2


def _mapped(network: IPv4Network | IPv6Network | None) -> tuple[int, int]:
    """Address and mask of a prefix as 128-bit numbers; both 0, which match all, for None."""
    if network is None:
        return 0, 0
    address = int(network.network_address)
    if network.version == 4:
        address |= _IPV4_MAPPED
    open_bits = network.max_prefixlen - network.prefixlen
    return address, (1 << _ADDRESS_BITS) - (1 << open_bits)


def _exactly(value: int | None) -> tuple[int, int]:
    """Value and mask of an octet; both 0, which match all, for None."""
    return (0, 0) if value is None else (value, 255)


def _halves(number: int) -> tuple[int, int]:
    return number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF
