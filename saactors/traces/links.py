"""Link layers: where in a captured frame the IP packet begins.

Link types are the numbers that stand in capture files (draft-ietf-opsawg-pcaplinktype). Tags of
IEEE 802.1Q and 802.1ad are skipped wherever an EtherType may stand, however many there are.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from saactors.model.compiled import compiled
from saactors.traces.octets import Octets, network_u16, network_u32, ordered_u32

NULL: Final = 0
ETHERNET: Final = 1
RAW_BSD: Final = 12  # DLT_RAW, written to files by some programs instead of 101
RAW_OPENBSD: Final = 14  # likewise
RAW: Final = 101
LOOP: Final = 108
LINUX_SLL: Final = 113
RAW_IPV4: Final = 228
RAW_IPV6: Final = 229
LINUX_SLL2: Final = 276

NAMES: Final = MappingProxyType(
    {
        NULL: "BSD loopback",
        ETHERNET: "Ethernet",
        RAW_BSD: "raw IP",
        RAW_OPENBSD: "raw IP",
        RAW: "raw IP",
        LOOP: "OpenBSD loopback",
        LINUX_SLL: "Linux cooked v1",
        RAW_IPV4: "raw IPv4",
        RAW_IPV6: "raw IPv6",
        LINUX_SLL2: "Linux cooked v2",
    }
)

# What a link header says of its payload, beside the IP versions 4 and 6 themselves.
NOT_IP: Final = 0
EITHER_VERSION: Final = 1  # the first four bits of the packet tell
HEADER_CUT: Final = -1  # the frame ends inside the link header

ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_IPV6: Final = 0x86DD
TAG_8021Q: Final = 0x8100
TAG_8021AD: Final = 0x88A8
TAG_QINQ_OLD: Final = 0x9100  # QinQ before 802.1ad

# Address families of BSD loopback: IPv4 is 2 everywhere, IPv6 differs among the BSDs and macOS.
FAMILY_IPV4: Final = 2
FAMILIES_IPV6: Final = (24, 28, 30)


def unsupported(link_type: int) -> str:
    """What to tell a user whose capture has a link type that we do not read."""
    known = ", ".join(f"{name} ({number})" for number, name in NAMES.items())
    return f"link type {link_type} is not supported; supported are {known}"


@compiled
def link_payload(data: Octets, frame: int, end: int, link_type: int) -> tuple[int, int]:
    """Find the payload of ``data[frame:end]``: (index of its first byte, what it is).

    What it is: 4 or 6 (the IP version that the link header announces), ``EITHER_VERSION``,
    ``NOT_IP`` or ``HEADER_CUT``; the index means nothing with the last two.
    """
    if link_type == ETHERNET:
        return after_ethertype(data, frame + 12, frame + 14, end)
    if link_type in (RAW, RAW_BSD, RAW_OPENBSD):
        return frame, EITHER_VERSION
    if link_type == RAW_IPV4:
        return frame, 4
    if link_type == RAW_IPV6:
        return frame, 6
    if link_type == LINUX_SLL:
        return after_ethertype(data, frame + 14, frame + 16, end)
    if link_type == LINUX_SLL2:
        return after_ethertype(data, frame, frame + 20, end)
    if link_type in (NULL, LOOP):
        return after_address_family(data, frame, end)
    return frame, NOT_IP


@compiled
def after_ethertype(data: Octets, type_at: int, payload: int, end: int) -> tuple[int, int]:
    """``link_payload`` where an EtherType stands at ``type_at``; skips VLAN tags."""
    if payload > end:
        return payload, HEADER_CUT
    ethertype = network_u16(data, type_at)
    while ethertype in (TAG_8021Q, TAG_8021AD, TAG_QINQ_OLD):
        if payload + 4 > end:
            return payload, HEADER_CUT
        ethertype = network_u16(data, payload + 2)  # behind the tag's control information
        payload += 4
    if ethertype == ETHERTYPE_IPV4:
        return payload, 4
    if ethertype == ETHERTYPE_IPV6:
        return payload, 6
    return payload, NOT_IP


@compiled
def after_address_family(data: Octets, frame: int, end: int) -> tuple[int, int]:
    """``link_payload`` of a BSD loopback frame: an address family in four bytes.

    LOOP writes it in network order, NULL in the order of whichever host captured. Families are
    small numbers, so the order shows.
    """
    if frame + 4 > end:
        return frame, HEADER_CUT
    family = network_u32(data, frame)
    if family > 0xFFFF:
        family = ordered_u32(data, frame, False)
    if family == FAMILY_IPV4:
        return frame + 4, 4
    if family in FAMILIES_IPV6:
        return frame + 4, 6
    return frame + 4, NOT_IP
