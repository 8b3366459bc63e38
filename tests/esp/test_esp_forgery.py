"""Opening refuses what is not genuine, by name, and never raises whatever the bytes are."""

from __future__ import annotations

import struct
from itertools import product
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.esp.suites import SUITES
from saactors.model.packets import PACKET
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")
NAMES = [suite.name for suite in SUITES]


@pytest.mark.parametrize(
    ("suite", "extended"), [(name, number % 2 == 0) for number, name in enumerate(NAMES)]
)
def test_any_single_bit_flipped_in_esp_is_refused(esp: Any, suite: str, extended: bool) -> None:
    """From the SPI to the last bit of the ICV, one after the other, all in one burst."""
    sas = esp.table(esp.Form(suite, extended=extended))
    packet = esp.ipv4(b"a genuine packet")
    (sealed,) = esp.seal(sas, [packet])
    forged = []
    for bit in range(160, 8 * len(sealed)):
        copy = bytearray(sealed)
        copy[bit // 8] ^= 1 << bit % 8
        forged.append(bytes(copy))
    verdicts = esp.open(sas, [sealed, *forged, sealed])
    assert verdicts[0] == verdicts[-1] == packet
    assert verdicts[1:33] == [Verdict.UNKNOWN_SPI] * 32
    assert verdicts[33:-1] == [Verdict.ICV_FAILED] * (len(forged) - 32)


def test_a_packet_of_another_key_is_refused(esp: Any) -> None:
    """Same SPI, other SA: the SPI alone proves nothing."""
    sas = esp.table(esp.Form(), esp.Form())
    sealed = esp.seal(sas, [esp.ipv4(b"data")] * 2, numbers=[0, 1])
    assert esp.open(sas, sealed, numbers=[1, 0]) == [Verdict.ICV_FAILED] * 2


def test_a_forged_packet_does_not_hurt_its_neighbours(esp: Any) -> None:
    """In transport mode too, where headers and plaintexts lie by turns."""
    sas = esp.table(esp.Form(mode=Mode.TRANSPORT), esp.Form(spi=2))
    packets = [esp.ipv4(bytes(size)) for size in (100, 200, 300, 400)]
    numbers = [0, 1, 1, 0]
    sealed = esp.seal(sas, packets, numbers=numbers)
    for broken in range(4):
        copies = list(sealed)
        copies[broken] = sealed[broken][:-1] + bytes([sealed[broken][-1] ^ 1])
        expected: list[bytes | Verdict] = list(packets)
        expected[broken] = Verdict.ICV_FAILED
        assert esp.open(sas, copies, numbers=numbers) == expected


def with_trailer(esp: Any, sas: Any, payload: bytes, pad_length: int, next_header: int) -> bytes:
    """An ESP packet over IPv4 of this plaintext, whatever it says of itself."""
    key, salt = sas.keys[0, :16].tobytes(), sas.keys[0, -4:].tobytes()
    header, iv = struct.pack("!II", 0x1001, 1), bytes(7) + b"\1"
    plain = payload + bytes([pad_length, next_header])
    cipher = AESGCM(key).encrypt(salt + iv, plain, header)
    packet: bytes = esp.ipv4(header + iv + cipher, protocol=50)
    return packet


def test_the_trailer_decides_what_an_authentic_packet_is(esp: Any) -> None:
    """Pad length, next header and inner length are checked; the padding's bytes are not."""
    sas = esp.table(esp.Form())
    inner, inner6 = esp.ipv4(b"inner packet"), esp.ipv6(b"inner packet")
    cases: list[tuple[bytes, int, int, bytes | Verdict]] = [
        (inner, 0, 4, inner),
        (inner6, 0, 41, inner6),
        (inner + b"\xff\xee", 2, 4, inner),
        (inner + bytes(255), 255, 4, inner),
        (inner + bytes(99) + b"\1", 1, 4, inner),  # TFC padding, RFC 4303 §2.7
        (b"anything", 0, 59, Verdict.DUMMY),
        (b"", 0, 59, Verdict.DUMMY),
        (inner, len(inner) + 1, 4, Verdict.BAD_PADDING),
        (b"", 1, 59, Verdict.BAD_PADDING),
        (inner, 0, 41, Verdict.NO_INNER_PACKET),
        (inner6, 0, 4, Verdict.NO_INNER_PACKET),
        (inner, 0, 17, Verdict.NO_INNER_PACKET),
        (inner[:-1], 0, 4, Verdict.NO_INNER_PACKET),
        (inner6[:-1], 0, 41, Verdict.NO_INNER_PACKET),
        (inner, len(inner), 4, Verdict.NO_INNER_PACKET),
        (b"", 0, 4, Verdict.NO_INNER_PACKET),
        (bytes(40), 0, 41, Verdict.NO_INNER_PACKET),
    ]
    packets = [with_trailer(esp, sas, *plain) for *plain, _ in cases]
    assert esp.open(sas, packets) == [expected for *_, expected in cases]


def test_a_dummy_packet_is_one_in_transport_mode_too(esp: Any) -> None:
    """RFC 4303 §2.6: next header 59, whatever the mode."""
    sas = esp.table(esp.Form(mode=Mode.TRANSPORT))
    assert esp.open(sas, [with_trailer(esp, sas, b"anything", 0, 59)]) == [Verdict.DUMMY]


def test_what_is_no_esp_for_this_sa_is_told_apart(esp: Any) -> None:
    """Wrong protocol, fragments, short packets, another SPI, damaged headers."""
    sas = esp.table(esp.Form(ports=(4500, 4500)))
    udp = struct.pack("!4H", 4500, 4500, 8 + 40, 0)
    body = struct.pack("!II", 0x1001, 1) + bytes(32)
    cases = [
        (esp.ipv4(bytes(40), protocol=6), Verdict.NOT_ESP),
        (esp.ipv6(bytes(40), protocol=58), Verdict.NOT_ESP),
        (esp.ipv4(bytes(40), protocol=50, flags=0x2000), Verdict.OUTER_FRAGMENT),
        (esp.ipv4(bytes(40), protocol=50, flags=1), Verdict.OUTER_FRAGMENT),
        (esp.ipv4(body, protocol=50)[:30], Verdict.MALFORMED_IP),
        (b"", Verdict.MALFORMED_IP),
        (bytes(60), Verdict.MALFORMED_IP),
        (esp.ipv4(b"", protocol=50), Verdict.MALFORMED_ESP),
        (esp.ipv4(body[:7], protocol=50), Verdict.MALFORMED_ESP),
        (esp.ipv4(body[:8], protocol=50), Verdict.MALFORMED_ESP),
        (esp.ipv4(body[:33], protocol=50), Verdict.MALFORMED_ESP),
        (esp.ipv4(body[:34], protocol=50), Verdict.ICV_FAILED),
        (esp.ipv4(body, protocol=50), Verdict.ICV_FAILED),
        (esp.ipv4(bytes(4) + body[4:], protocol=50), Verdict.UNKNOWN_SPI),
        (esp.ipv4(udp + body), Verdict.ICV_FAILED),
        (esp.ipv4(udp + bytes(40)), Verdict.UNKNOWN_SPI),
        (esp.ipv4(udp[:7]), Verdict.MALFORMED_IP),
        (esp.ipv4(udp + body[:-1]), Verdict.MALFORMED_IP),
        (esp.ipv4(struct.pack("!4H", 4500, 4500, 7, 0) + body), Verdict.MALFORMED_IP),
        (esp.ipv6(body, protocol=50, chain=[(60, bytes.fromhex("ff010400000000"))]),
         Verdict.MALFORMED_IP),
    ]  # fmt: skip
    assert esp.open(sas, [packet for packet, _ in cases]) == [verdict for _, verdict in cases]


def test_headers_put_in_on_the_way_do_not_matter(esp: Any) -> None:
    """Outer options, extension headers, link padding and other UDP ports are all opened."""
    sas = esp.table(esp.Form())
    inner = esp.ipv4(b"inner packet")
    body = esp.seal(sas, [inner])[0][20:]
    udp = struct.pack("!4H", 62_000, 4500, 8 + len(body), 0xBAD)
    chain = [
        (0, bytes.fromhex("00050200000100")),
        (44, bytes(7)),
        (60, bytes([0, 1, 4]) + bytes(4)),
    ]
    packets = [
        esp.ipv4(body, protocol=50, options=bytes(8)),
        esp.ipv6(body, protocol=50, chain=chain),
        esp.ipv4(body, protocol=50) + b"link padding",
        esp.ipv4(udp + body),
        esp.ipv4(udp + body + b"behind UDP"),
        esp.ipv6(udp + body, chain=chain),
    ]
    assert esp.open(sas, packets) == [inner] * len(packets)


def test_a_packet_cut_by_the_snap_length_cannot_be_opened(esp: Any) -> None:
    """Its ICV is missing."""
    sas = esp.table(esp.Form())
    (sealed,) = esp.seal(sas, [esp.ipv4(bytes(100))])
    records = np.zeros(1, PACKET)
    records["length_bytes"], records["captured_bytes"] = len(sealed), len(sealed) - 1
    opened = esp.opener(sas).open_packets(
        np.frombuffer(sealed, np.uint8), records, np.zeros(1, np.int32), np.zeros(1, np.uint64)
    )
    assert opened.verdicts.tolist() == [Verdict.CUT_BY_SNAP_LENGTH]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=120),
            st.builds(
                lambda start, rest: start + rest,
                st.sampled_from(
                    [
                        bytes.fromhex("45000040000000004032000001020304050607080000100100000001"),
                        bytes.fromhex("4500004000000000401100000102030405060708119411940020"),
                        bytes.fromhex("6000000000183240"),
                        bytes.fromhex("6000000000180040"),
                    ]
                ),
                st.binary(max_size=80),
            ),
        ),
        max_size=8,
    ),
    st.lists(st.integers(0, 5), min_size=8, max_size=8),
)
def test_arbitrary_bytes_never_raise_and_never_pass(
    esp: Any, packets: list[bytes], numbers: list[int]
) -> None:
    """Malformed input of any kind is a verdict."""
    forms = [
        esp.Form(mode=mode, extended=extended, suite=suite)
        for mode, extended, suite in product(Mode, (False, True), NAMES[::3])
    ]
    outcomes = esp.open(esp.table(*forms), packets, numbers=numbers[: len(packets)])
    assert all(isinstance(outcome, Verdict) for outcome in outcomes)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_packet_never_raises_and_never_comes_out_different(
    esp: Any, data: st.DataObject
) -> None:
    """Bytes replaced and cut anywhere, outer headers too: the inner packet or a verdict."""
    mode = data.draw(st.sampled_from(Mode))
    outer = data.draw(st.sampled_from([V4, V6]))
    sas = esp.table(
        esp.Form(mode=mode, outer=outer, ports=data.draw(st.sampled_from([(0, 0), (4500, 4500)])))
    )
    inner = esp.ipv4(b"inner packet", ends=V4)
    (sealed,) = esp.seal(sas, [inner])
    damaged = bytearray(sealed)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(sealed) - 1))] = data.draw(st.integers(0, 255))
    cut = damaged[: data.draw(st.integers(0, len(damaged)))]
    for outcome in esp.open(sas, [bytes(damaged), bytes(cut)]):
        if mode == Mode.TUNNEL:
            assert isinstance(outcome, Verdict) or outcome == inner
        else:  # headers before ESP are not protected in transport mode; all behind them is
            assert isinstance(outcome, Verdict) or outcome.endswith(b"inner packet")
