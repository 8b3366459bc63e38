"""scapy as an independent ESP, both ways: what it makes we open, what we make it opens.

Where scapy is given our IV, header for header, its packets are ours to the last bit. Known quirks:
in IPv6 transport mode it leaves destination options before ESP, and its UDP checksum is always 0.
"""

from __future__ import annotations

import logging
from itertools import product
from typing import Any

import pytest

from saactors.esp.suites import SUITE_NUMBERS, SUITES, Encryption, Integrity
from saactors.model.sa import Mode

logging.getLogger("scapy").setLevel(logging.ERROR)
scapy_ipsec = pytest.importorskip("scapy.layers.ipsec")
from scapy.layers.inet import IP, UDP  # noqa: E402  scapy first has to be quiet
from scapy.layers.inet6 import IPv6  # noqa: E402  ditto

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")
SPI = 0x1001
ENCRYPTIONS = {
    Encryption.GCM: "AES-GCM",
    Encryption.CHACHA20_POLY1305: "CHACHA20-POLY1305",
    Encryption.CCM: "AES-CCM",
    Encryption.GMAC: "AES-NULL-GMAC",
    Encryption.CBC: "AES-CBC",
    Encryption.CTR: "AES-CTR",
    Encryption.NULL: "NULL",
}
HMACS = {
    Integrity.SHA1: "HMAC-SHA1-96",
    Integrity.SHA2_256: "SHA2-256-128",
    Integrity.SHA2_384: "SHA2-384-192",
    Integrity.SHA2_512: "SHA2-512-256",
}
KNOWN = [s.name for s in SUITES if not s.is_combined or s.icv_bytes == 16]  # no shorter ICVs
MIXED = ("aes-gcm-128", "chacha20-poly1305", "aes-cbc-256-hmac-sha2-512-256")
UDP_OR_NOT = ((0, 0), (4500, 4500))
TABLE = [
    *((suite, Mode.TUNNEL, V4, 4, (0, 0), high) for suite, high in product(KNOWN, (0, 5))),
    *product(MIXED, Mode, (V4, V6), (4, 6), UDP_OR_NOT, (0, 5)),
]
COLUMNS = ("suite", "mode", "outer", "inner", "ports", "high")


def both_sides(esp: Any, row: tuple[Any, ...]) -> tuple[Any, Any, list[bytes]]:
    """The SA in our table and in scapy, and packets that it may carry."""
    suite, mode, outer, inner, ports, high = row
    sas = esp.table(esp.Form(suite, mode, outer, ports, extended=bool(high), spi=SPI))
    parameters = SUITES[SUITE_NUMBERS[suite]]
    salt = sas.keys[0, 36 - parameters.salt_bytes :].tobytes()
    key = sas.keys[0, : parameters.key_bytes].tobytes() + salt
    integrity_key = sas.integrity_keys[0, : parameters.integrity_key_bytes].tobytes()
    header = None
    if mode == Mode.TUNNEL:
        source, destination = outer
        flags = {"flags": "DF", "id": 0} if outer is V4 else {}
        header = (IP if outer is V4 else IPv6)(src=source, dst=destination, **flags)
    peer = scapy_ipsec.SecurityAssociation(
        scapy_ipsec.ESP,
        spi=SPI,
        crypt_algo=ENCRYPTIONS[parameters.encryption],
        crypt_key=key,
        auth_algo=HMACS.get(parameters.integrity),
        auth_key=integrity_key or None,
        tunnel_header=header,
        nat_t_header=UDP(sport=ports[0], dport=ports[1]) if ports[0] else None,
        esn_en=bool(high),
        esn=high,
    )
    payloads = [bytes(range(size)) for size in (0, 1, 2, 3, 17, 200)]
    packets = [
        esp.ipv4(payload, protocol=253, flags=0x4000)
        if inner == 4
        else esp.ipv6(payload, protocol=253)
        for payload in payloads
    ]
    return sas, peer, packets


def parsed(packet: bytes) -> Any:
    """The packet as scapy sees it."""
    return (IP if packet[0] >> 4 == 4 else IPv6)(packet)


@pytest.mark.parametrize(COLUMNS, TABLE)
def test_we_open_what_scapy_makes(
    esp: Any, suite: str, mode: int, outer: tuple[str, str], inner: int, ports: Any, high: int
) -> None:
    """With random IVs of its own."""
    sas, peer, packets = both_sides(esp, (suite, mode, outer, inner, ports, high))
    made = [bytes(peer.encrypt(parsed(packet))) for packet in packets]
    assert esp.open(sas, made, [high << 32 | 1] * len(made)) == packets


@pytest.mark.parametrize(COLUMNS, TABLE)
def test_scapy_opens_what_we_make(
    esp: Any, suite: str, mode: int, outer: tuple[str, str], inner: int, ports: Any, high: int
) -> None:
    """And its packet with our number and IV is ours, to the last bit."""
    sas, peer, packets = both_sides(esp, (suite, mode, outer, inner, ports, high))
    sequences = [high << 32 | low for low in range(1, len(packets) + 1)]
    sealed = esp.seal(sas, packets, sequences)
    in_udp_over_ipv6 = ports[0] and sealed[0][0] >> 4 == 6
    for packet, ours, sequence in zip(packets, sealed, sequences, strict=True):
        esp_at = ours.index(SPI.to_bytes(4) + (sequence & 0xFFFF_FFFF).to_bytes(4))
        iv = ours[esp_at + 8 : esp_at + 8 + SUITES[SUITE_NUMBERS[suite]].iv_bytes]
        theirs = bytes(peer.encrypt(parsed(packet), seq_num=sequence & 0xFFFF_FFFF, iv=iv))
        assert bytes(peer.decrypt(parsed(ours))) == packet
        if in_udp_over_ipv6:
            assert (ours[:46], ours[48:]) == (theirs[:46], theirs[48:]), "but for the checksum"
        else:
            assert ours == theirs


def test_scapy_leaves_final_options_outside_and_we_open_them(esp: Any) -> None:
    """RFC 4303 allows destination options on either side of ESP."""
    sas, peer, _ = both_sides(esp, ("aes-gcm-128", Mode.TRANSPORT, V6, 6, (0, 0), 0))
    chain = [(0, bytes.fromhex("00050200000100")), (60, bytes.fromhex("00010400000000"))]
    packet = esp.ipv6(b"payload", protocol=253, chain=chain)
    theirs = bytes(peer.encrypt(parsed(packet)))
    (ours,) = esp.seal(sas, [packet])
    assert theirs[56:60] == ours[48:52] == SPI.to_bytes(4)
    assert esp.open(sas, [theirs, ours]) == [packet, packet]
    assert bytes(peer.decrypt(parsed(ours))) == packet
