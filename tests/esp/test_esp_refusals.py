"""What cannot be sealed is refused by a verdict, and its neighbours go out all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saactors.model.packets import PACKET
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("ports", [(0, 0), (4500, 4500)])
def test_the_longest_packet_that_fits_goes_out_and_one_byte_more_does_not(
    esp: Any, mode: int, version: int, ports: tuple[int, int]
) -> None:
    """A length field has 16 bits; IPv6 does not count its fixed header in."""
    sas = esp.table(esp.Form(mode=mode, outer=V4 if version == 4 else V6, ports=ports))
    build = esp.ipv4 if version == 4 else esp.ipv6
    limit = 65_535 + (40 if version == 6 else 0)
    sizes = range(65_535 - 90, 65_535 - (20 if version == 4 else 0) + 1)
    outcomes = [esp.seal(sas, [build(bytes(size))])[0] for size in sizes]
    lengths = [len(outcome) for outcome in outcomes if not isinstance(outcome, Verdict)]
    assert limit - 4 < max(lengths) <= limit
    assert outcomes[len(lengths) :] == [Verdict.PACKET_TOO_LONG] * (len(sizes) - len(lengths))


def test_numbers_that_an_sa_must_not_send_are_refused(esp: Any) -> None:
    """RFC 4303 §3.3.3: never 0, and never beyond 32 bits without extended numbers."""
    sas = esp.table(esp.Form(), esp.Form(extended=True, spi=2))
    packet = esp.ipv4(b"data")
    sequences = [0, 2**32 - 1, 2**32, 0, 2**32, 2**64 - 1]
    outcomes = esp.seal(sas, [packet] * 6, sequences, [0, 0, 0, 1, 1, 1])
    assert [outcome if isinstance(outcome, Verdict) else "sealed" for outcome in outcomes] == [
        Verdict.SEQUENCE_ZERO,
        "sealed",
        Verdict.SEQUENCE_EXHAUSTED,
        Verdict.SEQUENCE_ZERO,
        "sealed",
        "sealed",
    ]


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"\x45", "one byte"),
        (b"\x15" + bytes(19), "no IP version"),
        (bytes.fromhex("4400001400000000401100000a0000010a000002"), "a header of 16 bytes"),
        (bytes.fromhex("4500001500000000401100000a0000010a000002"), "longer than it is"),
        (bytes.fromhex("4500001300000000401100000a0000010a000002"), "shorter than its header"),
        (bytes.fromhex("6000000000001140") + bytes(31), "39 bytes of IPv6"),
        (bytes.fromhex("6000000000011140") + bytes(32), "IPv6, longer than it is"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_ip_packet_is_refused(esp: Any, packet: bytes, why: str) -> None:
    """And the packets before and behind it go out."""
    sas = esp.table(esp.Form())
    good = esp.ipv4(b"data")
    first, refused, last = esp.seal(sas, [good, packet, good])
    assert refused == Verdict.MALFORMED_IP, why
    assert esp.open(sas, [first, last]) == [good, good]


@pytest.mark.parametrize("chain", [[(0, bytes.fromhex("ff050200000100"))], [(44, bytes(2))]])
def test_a_header_chain_that_never_ends_is_refused_in_transport_mode(
    esp: Any, chain: list[tuple[int, bytes]]
) -> None:
    """An extension header that claims more than there is."""
    sas = esp.table(esp.Form(mode=Mode.TRANSPORT))
    assert esp.seal(sas, [esp.ipv6(b"", chain=chain)]) == [Verdict.MALFORMED_IP]


def test_ipv4_options_that_overrun_the_packet_are_refused(esp: Any) -> None:
    """A header length of 60 in a packet of 20 bytes."""
    sas = esp.table(esp.Form(mode=Mode.TRANSPORT))
    packet = bytearray(esp.ipv4(b""))
    packet[0] = 0x4F
    assert esp.seal(sas, [bytes(packet)]) == [Verdict.MALFORMED_IP]


def seal_cut(esp: Any, form: Any, packet: bytes, captured: int) -> int:
    """The verdict on a packet of which only so many bytes were captured."""
    records = np.zeros(1, PACKET)
    records["length_bytes"], records["captured_bytes"] = len(packet), captured
    records["sequence"] = 1
    data = np.frombuffer(packet[:captured], np.uint8)
    sealed = esp.sealer(esp.table(form)).seal_packets(data, records, np.zeros(1, np.int32))
    return int(sealed.verdicts[0])


def test_a_cut_packet_is_sealed_only_if_its_headers_are_there(esp: Any) -> None:
    """A tunnel needs the IP header, transport mode the whole chain before ESP."""
    tunnel, transport = esp.Form(), esp.Form(mode=Mode.TRANSPORT)
    optioned = esp.ipv4(bytes(100), options=b"\x94\x04\0\0")
    chained = esp.ipv6(bytes(100), chain=[(0, bytes.fromhex("00050200000100"))])
    assert seal_cut(esp, tunnel, optioned, 20) == Verdict.PASSED
    assert seal_cut(esp, tunnel, optioned, 19) == Verdict.CUT_BY_SNAP_LENGTH
    assert seal_cut(esp, tunnel, chained, 40) == Verdict.PASSED
    assert seal_cut(esp, tunnel, chained, 39) == Verdict.CUT_BY_SNAP_LENGTH
    assert seal_cut(esp, transport, optioned, 24) == Verdict.PASSED
    assert seal_cut(esp, transport, optioned, 23) == Verdict.CUT_BY_SNAP_LENGTH
    assert seal_cut(esp, transport, chained, 48) == Verdict.PASSED
    assert seal_cut(esp, transport, chained, 47) == Verdict.CUT_BY_SNAP_LENGTH


def test_a_packet_outside_its_data_is_a_mistake_of_the_caller(esp: Any) -> None:
    """An assertion, not a read beyond the array."""
    packet = np.frombuffer(esp.ipv4(bytes(30)), np.uint8)
    one = np.array([1], np.int32)
    for start in (-1, 1):
        with pytest.raises(AssertionError):
            esp.sealer(esp.table(esp.Form())).seal_burst(
                packet, np.array([start]), 50 * one, 50 * one, 0 * one, np.array([1], np.uint64)
            )
