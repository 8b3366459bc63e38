"""ICMP errors: any packet may be answered by one, and any may claim to be one (RFC 4301 §8.2)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from fuzzing.packets import FRAGMENTS, PLAIN, V4, V6, association, ipv4, ipv6, udp
from saactors.esp.icmp import MTU_MIN_BYTES, read_too_big, time_exceeded, too_big
from saactors.esp.ip_packet import addresses, internet_checksum, read_part
from saactors.esp.outbound import PATH_MTU_MIN_BYTES, OutboundProcessor

SENDERS: Final = tuple(ip_address(end) for end in (V4[1], V6[1]))
ASSOCIATION: Final = association(0, "aes-gcm-128")
_REPLY_BYTES_MAX: Final = {4: 576, 6: 1280}


def check(data: bytes) -> None:
    """Answer a packet, whose MTU stands before it; then take it for an answer itself."""
    if len(data) < 2:
        return
    mtu_bytes, packet = int.from_bytes(data[:2]), data[2:]
    for sender in SENDERS:
        replies = (too_big(packet, mtu_bytes, sender), time_exceeded(packet, sender))
        for reply in filter(None, replies):
            part = read_part(reply)
            assert part is not None
            assert part.length == len(reply) <= _REPLY_BYTES_MAX[sender.version]
            assert addresses(reply, part.version) == (sender, addresses(packet, part.version)[0])
            assert part.version == 6 or internet_checksum(reply[: part.header_bytes]) == 0
            assert not too_big(reply, 1280, sender), "an error that answers an error"
            assert not time_exceeded(reply, sender), "an error that answers an error"
        _check_told(replies[0], mtu_bytes)
        assert read_too_big(replies[1]) is None
    _check_told(packet, None)
    _check_belief(packet)


def _check_told(message: bytes, mtu_bytes: int | None) -> None:
    """What is understood is possible, and what we say ourselves is understood as it was meant."""
    told = read_too_big(message)
    if told is None:
        return
    version = told.destination.version
    assert told.mtu_bytes >= MTU_MIN_BYTES[version]
    assert 0 <= told.spi < 1 << 32
    if mtu_bytes is not None:
        assert told.mtu_bytes == max(mtu_bytes, MTU_MIN_BYTES[version])


def _check_belief(packet: bytes) -> None:
    """Nobody narrows a path below what every path takes."""
    outbound = OutboundProcessor([ASSOCIATION])
    sa = outbound.handle_icmp(packet)
    assert sa in {None, 0}
    path_mtu_bytes = int(outbound.sas.records[0]["path_mtu_bytes"])
    assert path_mtu_bytes == 0 if sa is None else path_mtu_bytes >= PATH_MTU_MIN_BYTES[4]


def seeds() -> Iterable[bytes]:
    """Packets of every kind, and errors about them."""
    esp = ASSOCIATION.spi.to_bytes(4) + bytes(28)
    ours = (ipv4(esp, 50), ipv6(esp, 50), ipv4(udp(esp, 4500, 4500)), ipv6(udp(esp, 4500, 4500)))
    for packet in (*PLAIN, *FRAGMENTS, *ours):
        for mtu_bytes in (100, 1400):
            told = mtu_bytes.to_bytes(2)
            yield told + packet
            for sender in SENDERS:
                for reply in (too_big(packet, mtu_bytes, sender), time_exceeded(packet, sender)):
                    if reply:
                        yield told + reply
    yield b"\0\0" + ipv4(b"\3\4\xfc\xfb\0\0\0\0" + ipv4(esp, 50), 1)
