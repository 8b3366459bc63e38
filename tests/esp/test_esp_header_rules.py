"""What an SA says of its tunnel's headers, and what outer headers tell inner ones."""

from __future__ import annotations

import struct
from itertools import product
from typing import Any

import numpy as np
import pytest

from saactors.errors import ParameterError
from saactors.esp.header_rules import DontFragment, Ecn, FlowLabel, HeaderRules
from saactors.esp.window import ReplayWindows
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")
KEY = bytes(range(20))
FORWARDS = HeaderRules(forwards=True)
NOT_ECT, ECT_1, ECT_0, CE = range(4)
# RFC 6040 figure 4: rows are inner, columns outer, in the order of the bits; None: drop.
DECAPSULATED = {
    NOT_ECT: (NOT_ECT, NOT_ECT, NOT_ECT, None),
    ECT_1: (ECT_1, ECT_1, ECT_1, CE),
    ECT_0: (ECT_0, ECT_1, ECT_0, CE),
    CE: (CE, CE, CE, CE),
}


def packet_with(esp: Any, version: int, traffic_class: int = 0) -> bytes:
    """An inner packet with this DSCP and ECN."""
    if version == 4:
        return esp.ipv4(b"payload", tos=traffic_class)
    return esp.ipv6(b"payload", traffic_class=traffic_class)


def traffic_class_of(packet: bytes) -> int:
    """DSCP and ECN of either version."""
    first = struct.unpack_from("!I", packet)[0]
    return (first >> 16 if packet[0] >> 4 == 4 else first >> 20) & 0xFF


def remarked(esp: Any, packet: bytes, ecn: int) -> bytes:
    """The packet as a router leaves it that has written other congestion bits."""
    whole = (traffic_class_of(packet) & 0xFC) | ecn
    if packet[0] >> 4 == 6:
        first = struct.unpack_from("!I", packet)[0] & ~(0xFF << 20) | whole << 20
        return struct.pack("!I", first) + packet[4:]
    header = packet[:1] + bytes([whole]) + packet[2:10] + bytes(2) + packet[12:20]
    return header[:10] + struct.pack("!H", esp.checksum(header)) + header[12:] + packet[20:]


@pytest.mark.parametrize(
    ("inner_ecn", "outer_ecn", "inner", "outer"),
    list(product(range(4), range(4), (4, 6), (V4, V6))),
)
def test_congestion_marks_come_in_as_rfc_6040_says(
    esp: Any, inner_ecn: int, outer_ecn: int, inner: int, outer: tuple[str, str]
) -> None:
    """All sixteen pairs: a mark on a packet that cannot bear one drops it; DSCP stays."""
    sas = esp.table(esp.Form(outer=outer))
    packet = packet_with(esp, inner, 0xB8 | inner_ecn)
    (sealed,) = esp.seal(sas, [packet])
    expected = DECAPSULATED[inner_ecn][outer_ecn]
    (opened,) = esp.open(sas, [remarked(esp, sealed, outer_ecn)])
    if expected is None:
        assert opened == Verdict.CONGESTION_ON_NOT_ECT
    else:
        assert opened == remarked(esp, packet, expected)


def test_a_wrong_inner_checksum_is_not_mended_by_a_mark(esp: Any) -> None:
    """It is updated by the difference (RFC 1624), so that damage stays visible."""
    sas = esp.table(esp.Form())
    packet = packet_with(esp, 4, ECT_0)
    broken = packet[:10] + bytes([packet[10] ^ 0x40]) + packet[11:]
    (sealed,) = esp.seal(sas, [broken])
    (opened,) = esp.open(sas, [remarked(esp, sealed, CE)])
    assert opened[1] & 3 == CE
    assert esp.checksum(opened[:20]) != 0


@pytest.mark.parametrize(("inner", "outer"), list(product((4, 6), (V4, V6))))
def test_the_outer_header_says_what_the_sa_wants(
    esp: Any, inner: int, outer: tuple[str, str]
) -> None:
    """DSCP of its own, no congestion bits, another hop limit."""
    rules = HeaderRules(dscp=46, ecn=Ecn.NOT_CAPABLE, hop_limit=17)
    sas = esp.table(esp.Form(outer=outer, headers=rules))
    packet = packet_with(esp, inner, 0x28 | ECT_0)
    (sealed,) = esp.seal(sas, [packet])
    assert traffic_class_of(sealed) == 46 << 2
    assert sealed[8 if outer is V4 else 7] == 17
    assert esp.open(sas, [sealed]) == [packet]


@pytest.mark.parametrize(
    ("rule", "flags", "expected"),
    [
        (DontFragment.COPY, 0, 0),
        (DontFragment.COPY, 0x4000, 0x4000),
        (DontFragment.SET, 0, 0x4000),
        (DontFragment.CLEAR, 0x4000, 0),
    ],
)
def test_dont_fragment_is_copied_set_or_cleared(
    esp: Any, rule: DontFragment, flags: int, expected: int
) -> None:
    """RFC 4301 §8.1 asks for all three."""
    sas = esp.table(esp.Form(headers=HeaderRules(dont_fragment=rule)))
    (sealed,) = esp.seal(sas, [esp.ipv4(b"payload", flags=flags)])
    assert struct.unpack_from("!H", sealed, 6)[0] == expected
    assert esp.checksum(sealed[:20]) == 0


@pytest.mark.parametrize(("rule", "expected"), [(FlowLabel.COPY, 0xABCDE), (FlowLabel.ZERO, 0)])
def test_the_flow_label_is_copied_or_not(esp: Any, rule: FlowLabel, expected: int) -> None:
    """A label may tell flows apart that the tunnel is to hide."""
    sas = esp.table(esp.Form(outer=V6, headers=HeaderRules(flow_label=rule)))
    (sealed,) = esp.seal(sas, [esp.ipv6(b"payload", flow_label=0xABCDE)])
    assert struct.unpack_from("!I", sealed)[0] & 0xFFFFF == expected


@pytest.mark.parametrize("version", [4, 6])
def test_a_gateway_that_forwards_lowers_the_hop_limit_at_both_ends(esp: Any, version: int) -> None:
    """63 becomes 62 in the tunnel and 61 behind it; checksums stay right."""
    sas = esp.table(esp.Form(headers=FORWARDS, key=KEY), esp.Form(key=KEY))
    packet = packet_with(esp, version)
    sealed = esp.seal(sas, [packet])
    at = 8 if version == 4 else 7
    (inside,) = esp.open(sas, sealed, numbers=[1])
    (behind,) = esp.open(sas, sealed, numbers=[0])
    assert (packet[at], inside[at], behind[at]) == (63, 62, 61)
    if version == 4:
        assert esp.checksum(behind[:20]) == 0


@pytest.mark.parametrize(("version", "hops"), list(product((4, 6), (0, 1))))
def test_a_packet_at_its_last_hop_does_not_enter_or_leave(
    esp: Any, version: int, hops: int
) -> None:
    """And its number is taken when it arrives: it was authentic."""
    sas = esp.table(esp.Form(key=KEY), esp.Form(headers=FORWARDS, key=KEY))
    at = 8 if version == 4 else 7
    packet = packet_with(esp, version)
    packet = packet[:at] + bytes([hops]) + packet[at + 1 :]
    assert esp.seal(sas, [packet], numbers=[1]) == [Verdict.HOP_LIMIT_EXCEEDED]
    sealed = esp.seal(sas, [packet])
    assert esp.open(sas, sealed, numbers=[1]) == [Verdict.HOP_LIMIT_EXCEEDED]


@pytest.mark.parametrize(
    "verdict",
    [Verdict.DUMMY, Verdict.BAD_PADDING, Verdict.NO_INNER_PACKET, Verdict.CONGESTION_ON_NOT_ECT],
)
def test_an_authentic_packet_moves_the_window_whatever_is_inside(verdict: Verdict) -> None:
    """So a dummy that is sent again is a replay, and packets far behind it are too old."""
    windows = ReplayWindows(64)
    windows.grow(1)
    verdicts = np.array([verdict, verdict, Verdict.PASSED, Verdict.ICV_FAILED], np.uint8)
    sequences = np.array([1000, 1000, 1, 2000], np.uint64)
    windows.check_and_update(np.zeros(4, np.int32), sequences, verdicts)
    assert verdicts.tolist() == [verdict, Verdict.REPLAYED, Verdict.TOO_OLD, Verdict.ICV_FAILED]
    assert windows.highest(np.zeros(1, np.int32)).tolist() == [1000]


@pytest.mark.parametrize(
    "wrong", [{"dscp": 64}, {"dscp": -1}, {"hop_limit": 0}, {"hop_limit": 256}]
)
def test_rules_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    """By name."""
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        HeaderRules(**wrong)  # type: ignore[arg-type]  # what a file may say


@pytest.mark.parametrize("mode", Mode)
def test_rules_are_for_tunnels_only(esp: Any, mode: Mode) -> None:
    """In transport mode the packet's own header stays what it is."""
    rules = HeaderRules(dscp=46, hop_limit=9, dont_fragment=DontFragment.SET, forwards=True)
    sas = esp.table(esp.Form(mode=mode, headers=rules))
    packet = packet_with(esp, 4, 0x28)
    (sealed,) = esp.seal(sas, [packet])
    untouched = sealed[1] == packet[1] and sealed[8] == packet[8] and sealed[6] == packet[6]
    assert untouched is (mode == Mode.TRANSPORT)
