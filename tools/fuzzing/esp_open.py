"""ESP packets of every kind are opened, and whatever they are they get a verdict (RFC 4303 §3.4).

Bytes from the wire hardly ever get past the integrity check, so the first byte of an input chooses
what is done with the rest. It is sent as packets; or it changes a sealed packet, which must then be
refused; or it is a packet that is sealed and has to come back as it was; or it is sealed as the
payload, padding and trailer of a packet by another implementation of AES-GCM, so that what comes
behind the integrity check meets anything at all. For that the expected verdict is stated here anew.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fuzzing.packets import FRAGMENTS, PLAIN, association, ipv4, ipv6, udp
from fuzzing.target import joined, pieces_of
from saactors.esp import (
    Association,
    Fragmenting,
    HeaderRules,
    InboundProcessor,
    Mode,
    OutboundProcessor,
    Outcome,
    Verdict,
)
from saactors.esp.ip_packet import with_ipv4_checksum

ASSOCIATIONS: Final = (
    association(0, "aes-gcm-128"),
    association(1, "aes-gcm-256-icv8", version=6, extended_sequence=True),
    association(2, "chacha20-poly1305", source_port=4500, destination_port=4500),
    association(3, "aes-cbc-128-hmac-sha2-256-128", mode=Mode.TRANSPORT, version=0),
    association(4, "null-hmac-sha1-96", tfc_bytes=200),
    association(5, "aes-gcm-128", mode=Mode.TRANSPORT, version=0),
    association(6, "aes-gcm-128", path_mtu_bytes=576),
    association(7, "aes-gcm-128", headers=HeaderRules(forwards=True)),
)
BY_HAND: Final = (0, 7)
"""SAs whose packets are also made without our sealer: tunnels of AES-GCM-128."""

FAR_NS: Final = 1 << 40
_MARKERS: Final = tuple(f"the payload of SA {sa:03}".encode() for sa in range(len(ASSOCIATIONS)))


def check(data: bytes) -> None:
    """Do what the first byte says with the others."""
    if data:
        (_open_raw, _open_changed, _there_and_back, _open_authentic)[data[0] % 4](data[1:])


def _open_raw(data: bytes) -> None:
    """Only what holds a payload that we have sealed can pass."""
    packets = list(pieces_of(data))
    everything = b"".join(packets)
    for outcome in _opened(packets):
        if outcome.verdict is Verdict.PASSED:
            assert _MARKERS[outcome.sa] in outcome.packets[0], "passed, and nobody has sealed it"
            assert everything, "something from nothing"


def _open_changed(data: bytes) -> None:
    """A sealed packet passes if its ESP bytes are untouched, and only then."""
    sa, data = _sa_of(data)
    sealed = _SEALED[sa]
    esp = sealed[sealed.index(struct.pack("!I", ASSOCIATIONS[sa].spi)) :]
    changed = bytearray(sealed)
    for at, value in struct.iter_unpack("!HB", data[: len(data) // 3 * 3]):
        changed[at % len(changed)] ^= value
    (outcome,) = _opened([bytes(changed)])
    if changed == sealed:
        assert outcome.verdict is Verdict.PASSED, outcome.verdict.label
    if not changed.endswith(esp):
        assert outcome.verdict is not Verdict.PASSED, "changed, and it passed"


def _there_and_back(data: bytes) -> None:
    """What has been sealed comes back, whatever packet it was."""
    sa, data = _sa_of(data)
    packet = data[1:]
    fragmenting = Fragmenting(data[0] & 1) if data else Fragmenting.AFTER
    outbound = OutboundProcessor(ASSOCIATIONS, fragmenting=fragmenting)
    (sealed,) = outbound.process([packet], [sa])
    assert (sealed.verdict is Verdict.PASSED) == bool(sealed.packets)
    assert sum(outbound.statistics().values()) == 1
    limit = ASSOCIATIONS[sa].path_mtu_bytes or 65535
    assert all(len(each) <= limit for each in sealed.packets), "longer than the path allows"
    opened = _opened(sealed.packets)
    assert all(each.verdict in {Verdict.PASSED, Verdict.FRAGMENT_HELD} for each in opened[:-1])
    cut = sum(each.verdict is Verdict.PASSED for each in opened) > 1
    if opened and not cut:
        _check_return(packet, sa, opened[-1])


def _check_return(packet: bytes, sa: int, outcome: Outcome) -> None:
    association = ASSOCIATIONS[sa]
    if association.mode is Mode.TRANSPORT and outcome.verdict is Verdict.DUMMY:
        assert 59 in packet[: _length(packet)], "no dummy was sent"
        return
    if association.headers.forwards:
        if outcome.verdict is Verdict.HOP_LIMIT_EXCEEDED:
            return  # lowered twice on the way
        assert len(outcome.packets[0]) == _length(packet)
        return
    assert outcome.verdict is Verdict.PASSED, outcome.verdict.label
    expected, returned = packet[: _length(packet)], outcome.packets[0]
    if association.mode is Mode.TRANSPORT:
        expected, returned = (_with_checksum(each) for each in (expected, returned))
    assert returned == expected, "came back as another packet"


def _open_authentic(data: bytes) -> None:
    """An authentic packet of any content gets the verdict that its trailer and headers ask for."""
    choice, data = (data[0], data[1:]) if data else (0, b"")
    sa = BY_HAND[choice & 1]
    ecn = choice >> 1 & 3
    if len(data) < 2:
        return
    sequence = struct.unpack_from("!H", data)[0]
    plain = data[2:]
    if len(plain) < 2:
        return
    packet = _sealed_by_hand(ASSOCIATIONS[sa], sequence, plain, ecn)
    inbound = InboundProcessor(ASSOCIATIONS)
    outcome, again = inbound.process([packet, packet])
    expected, length = _expected(plain, ecn, forwards=sa == BY_HAND[1])
    if sequence == 0:  # whatever is wrong besides: the window is asked of all that is authentic
        expected = Verdict.SEQUENCE_ZERO
    assert outcome.verdict is expected, f"{outcome.verdict.label}, expected {expected.label}"
    assert again.verdict is not Verdict.PASSED, "passed twice"
    if expected is Verdict.PASSED:
        assert len(outcome.packets[0]) == length
        assert outcome.packets[0][20:] == plain[20:length], "another content"
        assert outcome.sequence == sequence


def _expected(plain: bytes, ecn: int, *, forwards: bool) -> tuple[Verdict, int]:
    """RFC 4303 §2.4 to §2.7, RFC 6040 §4.2: the verdict on a plaintext, and the packet's length."""
    pad, next_header = plain[-2:]
    content = plain[: len(plain) - 2 - pad] if pad <= len(plain) - 2 else None
    if content is None:
        return Verdict.BAD_PADDING, 0
    if next_header == 59:
        return Verdict.DUMMY, 0
    # What is read of the header may be padding; then the length does not fit.
    version = plain[0] >> 4
    length = _length(content)
    if length == 0 or next_header != {4: 4, 6: 41}[version]:
        return Verdict.NO_INNER_PACKET, 0
    inner_ecn = content[1] & 3 if version == 4 else content[1] >> 4 & 3
    if ecn == 3 and inner_ecn == 0:
        return Verdict.CONGESTION_ON_NOT_ECT, 0
    if forwards and content[8 if version == 4 else 7] <= 1:
        return Verdict.HOP_LIMIT_EXCEEDED, 0
    return Verdict.PASSED, length


def _length(packet: bytes) -> int:
    """What an IP header says of its packet's length; 0 if none fits."""
    length = 0
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        length = int.from_bytes(packet[2:4])
        if not 20 <= (packet[0] & 15) * 4 <= length:
            return 0
    elif len(packet) >= 40 and packet[0] >> 4 == 6:
        length = 40 + int.from_bytes(packet[4:6])
    return length if length <= len(packet) else 0


def _with_checksum(packet: bytes) -> bytes:
    if packet[0] >> 4 == 6:
        return packet
    header_bytes = (packet[0] & 15) * 4
    return with_ipv4_checksum(packet[:header_bytes]) + packet[header_bytes:]


def _sealed_by_hand(association: Association, sequence: int, plain: bytes, ecn: int) -> bytes:
    """RFC 4106, with nothing of ours."""
    key, salt = association.key[:16], association.key[16:]
    esp, iv = struct.pack("!II", association.spi, sequence), struct.pack("!Q", sequence)
    sealed = AESGCM(key).encrypt(salt + iv, plain, esp)
    return ipv4(esp + iv + sealed, 50, tos=ecn)


def _opened(packets: Iterable[bytes]) -> list[Outcome]:
    """What comes of packets from the wire; one outcome each, all of them counted."""
    given = list(packets)
    inbound = InboundProcessor(ASSOCIATIONS)
    outcomes = inbound.process(given)
    assert len(outcomes) == len(given)
    for outcome in outcomes:
        assert isinstance(outcome.verdict, Verdict)
        assert (outcome.verdict is Verdict.PASSED) == bool(outcome.packets)
        assert -1 <= outcome.sa < len(ASSOCIATIONS)
    assert sum(inbound.statistics().values()) == len(given)
    inbound.handle_time(FAR_NS)
    assert inbound.next_deadline_ns() is None, "something waits for ever"
    return outcomes


def _sa_of(data: bytes) -> tuple[int, bytes]:
    return (data[0] % len(ASSOCIATIONS), data[1:]) if data else (0, b"")


def _sealed() -> tuple[bytes, ...]:
    """A packet of each SA."""
    outbound = OutboundProcessor(ASSOCIATIONS)
    packets = [(ipv6 if sa == 5 else ipv4)(udp(marker)) for sa, marker in enumerate(_MARKERS)]
    return tuple(
        outcome.packets[0] for outcome in outbound.process(packets, range(len(ASSOCIATIONS)))
    )


_SEALED: Final = _sealed()


def seeds() -> Iterable[bytes]:
    """Every SA's packet and every kind of packet, in every way that there is."""
    for packet in (*_SEALED, *PLAIN, *FRAGMENTS):
        yield b"\0" + joined([packet])
    yield b"\0" + joined(_SEALED)
    yield b"\0" + joined([ipv4(udp(b"\xff", 4500, 4500)), ipv4(udp(bytes(40), 500, 500))])
    for sa in range(len(ASSOCIATIONS)):
        yield bytes([1, sa])
        yield bytes([1, sa, 0, 30, 1])
        for packet in PLAIN:
            yield bytes([2, sa, 1]) + packet
    yield bytes([2, 6, 1]) + ipv4(udp(bytes(1200)))
    yield bytes([2, 6, 0]) + ipv4(udp(bytes(1200)))
    for choice in range(8):
        for packet in PLAIN[:4]:
            next_header = 4 if packet[0] >> 4 == 4 else 41
            for trailer in (bytes([0, next_header]), b"\1\2\2" + bytes([next_header]), b"\0\x3b"):
                yield bytes([3, choice, 0, 1]) + packet + trailer
    yield bytes([3, 0, 0, 1]) + PLAIN[0] + b"\xff\x04"
