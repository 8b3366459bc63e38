"""IP headers of every kind are read: what is read fits the packet, and the readers agree.

There are two readers, ``ip_packet`` for what is rare and ``wire`` for what is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fuzzing.packets import FRAGMENTS, PLAIN, ipv4, ipv6, udp
from saactors.esp.demultiplex import find_esp
from saactors.esp.inner_headers import ecn_of, hop_limit_of, leave_tunnel, lower_hop_limit
from saactors.esp.ip_packet import internet_checksum, read_part, upper_layer
from saactors.esp.wire import ESP, ip_length
from saactors.model.verdicts import Verdict

_FOUND = frozenset(
    {
        *(Verdict.PASSED, Verdict.MALFORMED_IP, Verdict.OUTER_FRAGMENT, Verdict.NOT_ESP),
        *(Verdict.IKE, Verdict.NAT_KEEPALIVE, Verdict.MALFORMED_ESP),
    }
)
_NONE = Verdict.MALFORMED_IP


def check(data: bytes) -> None:
    """Read a packet; the first byte says how it leaves a tunnel."""
    if not data:
        return
    choice, packet = data[0], data[1:]
    _check_part(packet)
    _check_agreement(packet)
    octets = np.frombuffer(bytearray(packet or b"\0"), np.uint8)
    length = ip_length(octets, 0, len(packet))
    assert 0 <= length <= len(packet)
    if length:
        _check_tunnel_end(octets[:length], outer_ecn=choice & 3, forwards=choice >> 2 & 1)


def _check_part(packet: bytes) -> None:
    """Places lie in the packet, and in this order; what follows it does not matter."""
    part = read_part(packet)
    quoted = read_part(packet, quoted=True)
    if part is None:
        return
    assert quoted == part
    assert part == read_part(packet + b"behind it")
    assert 0 < part.field < part.header_bytes <= part.body_at <= part.length <= len(packet)
    assert part.offset % 8 == 0
    protocol, at = upper_layer(packet, part)
    assert 0 <= protocol <= 255
    assert at >= part.body_at


def _check_agreement(packet: bytes) -> None:
    """Where one reader finds a fragment, or ESP, so does the other."""
    octets = np.frombuffer(packet or b"\0", np.uint8)
    at, number = find_esp(octets, 0, len(packet))
    verdict = Verdict(int(number))
    part = read_part(packet)
    assert verdict in _FOUND
    if verdict is Verdict.PASSED:
        assert 20 <= at <= len(packet) - 8
    if verdict is Verdict.OUTER_FRAGMENT:
        # A second Fragment header behind one of a whole packet is not looked for where it is rare.
        assert part is None or part.is_fragment or part.body_at > part.header_bytes
    elif verdict is not _NONE:
        assert part is not None, verdict.label
        assert not part.is_fragment, verdict.label
        if upper_layer(packet, part)[0] == ESP:
            assert verdict in {Verdict.PASSED, Verdict.MALFORMED_ESP}, verdict.label


def _check_tunnel_end(packet: np.ndarray, outer_ecn: int, forwards: int) -> None:
    """Marks and hop limits change as they should, and a right checksum stays right."""
    before = packet.tobytes()
    inner_ecn, hops = int(ecn_of(packet, 0)), int(hop_limit_of(packet, 0))
    header_bytes = (before[0] & 15) * 4 if before[0] >> 4 == 4 else 0
    verdict = Verdict(int(leave_tunnel(packet, outer_ecn, forwards)))
    dropped = outer_ecn == 3 and inner_ecn == 0
    assert (verdict is Verdict.CONGESTION_ON_NOT_ECT) == dropped
    if not dropped:
        assert (verdict is Verdict.HOP_LIMIT_EXCEEDED) == (bool(forwards) and hops <= 1)
    if verdict is Verdict.PASSED:
        marked = outer_ecn == 3 or (outer_ecn == 1 and inner_ecn == 2)
        assert ecn_of(packet, 0) == (outer_ecn if marked else inner_ecn)
        assert hop_limit_of(packet, 0) == hops - forwards
    if hop_limit_of(packet, 0) > 0:
        lower_hop_limit(packet)
    after = packet.tobytes()
    if internet_checksum(before[:header_bytes]) == 0:
        assert internet_checksum(after[:header_bytes]) == 0, "a wrong checksum"
    assert after[header_bytes or 8 :] == before[header_bytes or 8 :]


def seeds() -> Iterable[bytes]:
    """Packets of every kind, and ESP in them and in UDP."""
    esp = (0x1001).to_bytes(4) + bytes(24)
    inside = (
        *(ipv4(esp, 50), ipv6(esp, 50), ipv4(udp(esp, 4500, 4500)), ipv6(udp(esp, 4500, 4500))),
        *(ipv6(esp, 50, chain=[(60, b"\0" * 7)]), ipv4(esp[:4], 50), ipv4(udp(bytes(30), 500, 9))),
        *(ipv4(udp(b"\xff", 4500, 4500)), ipv6(esp, 50, chain=[(43, b"\2" + bytes(22))])),
    )
    for choice in range(8):
        yield bytes([choice]) + ipv4(udp(b"some hops"), tos=choice & 3)
    for packet in (*PLAIN, *FRAGMENTS, *inside):
        yield b"\7" + packet
