"""What every ESP test needs: SAs, IP packets by hand, and lists of packets in and out of bursts."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, ClassVar

import numpy as np
import pytest

from saactors.esp.association import key_row
from saactors.esp.burst_cipher import BurstCipher
from saactors.esp.header_rules import USUAL_HEADERS, HeaderRules
from saactors.esp.keys import derive_integrity_keys, derive_keys
from saactors.esp.libcrypto import LIBRARY, NAMES
from saactors.esp.native_cipher import NativeCipher
from saactors.esp.open import Opener
from saactors.esp.portable_cipher import PortableCipher
from saactors.esp.seal import Sealer
from saactors.esp.suites import SUITE_NUMBERS, SUITES
from saactors.model.sa import SA, Mode, SaTable
from saactors.model.verdicts import Verdict

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")

FEW = (
    "aes-gcm-128",
    "aes-gcm-256-icv8",
    "aes-gcm-192-icv12",
    "chacha20-poly1305",
    "aes-ccm-128",
    "aes-ccm-256-icv8",
    "aes-gmac-192",
    "aes-cbc-128-hmac-sha2-256-128",
    "aes-cbc-256-hmac-sha1-96",
    "aes-ctr-192-hmac-sha2-384-192",
    "null-hmac-sha2-512-256",
)
"""Suites of every kind, where all of them with everything else would be too many tests."""


@dataclass(frozen=True)
class SaForm:
    """An SA in words."""

    suite: str = "aes-gcm-128"
    mode: int = Mode.TUNNEL
    outer: tuple[str, str] = V4
    ports: tuple[int, int] = (0, 0)
    extended: bool = False
    spi: int = 0x1001
    key: bytes = field(default=b"", repr=False)  # with the salt at its end; b"": derived
    integrity_key: bytes = field(default=b"", repr=False)  # b"": derived
    headers: HeaderRules = USUAL_HEADERS
    tfc_bytes: int = 0
    path_mtu_bytes: int = 0


def table_of(*forms: SaForm) -> SaTable:
    """An SA table with these SAs."""
    records = np.zeros(len(forms), SA)
    keys = derive_keys(7, 0, len(forms))
    integrity_keys = derive_integrity_keys(7, 0, len(forms))
    for number, form in enumerate(forms):
        source, destination = (halves(address) for address in form.outer)
        record = records[number]
        record["source_high"], record["source_low"] = source
        record["destination_high"], record["destination_low"] = destination
        record["spi"], record["suite"] = form.spi, SUITE_NUMBERS[form.suite]
        record["source_port"], record["destination_port"] = form.ports
        record["mode"], record["extended_sequence"] = form.mode, form.extended
        record["outer_version"] = ip_address(form.outer[0]).version
        form.headers.write(record)
        record["tfc_bytes"], record["path_mtu_bytes"] = form.tfc_bytes, form.path_mtu_bytes
        if form.key:
            keys[number] = key_row(SUITES[SUITE_NUMBERS[form.suite]], form.key)
        if form.integrity_key:
            octets = np.frombuffer(form.integrity_key, np.uint8)
            integrity_keys[number, : len(octets)] = octets
    sas = SaTable()
    sas.add(records, keys, integrity_keys)
    return sas


def halves(address: str) -> tuple[int, int]:
    """An address as the SA record holds it."""
    parsed = ip_address(address)
    number = int(parsed) | (0xFFFF << 32 if parsed.version == 4 else 0)
    return number >> 64, number & (1 << 64) - 1


def internet_checksum(header: bytes) -> int:
    """RFC 1071, the plain way."""
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(
    payload: bytes,
    *,
    protocol: int = 17,
    tos: int = 0,
    flags: int = 0,
    options: bytes = b"",
    ends: tuple[str, str] = ("10.0.0.1", "10.0.0.2"),
) -> bytes:
    """An IPv4 packet; ``flags`` is the 16-bit word of flags and fragment offset."""
    source, destination = (ip_address(end).packed for end in ends)
    size = 20 + len(options)
    header = struct.pack(
        "!BBHHHBBH", 0x40 | size // 4, tos, size + len(payload), 0x1234, flags, 63, protocol, 0
    )
    header += source + destination + options
    return header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:] + payload


def ipv6(
    payload: bytes,
    *,
    protocol: int = 17,
    traffic_class: int = 0,
    flow_label: int = 0,
    chain: Sequence[tuple[int, bytes]] = (),
    ends: tuple[str, str] = ("2001:db8:a::1", "2001:db8:b::2"),
) -> bytes:
    """An IPv6 packet; ``chain`` has the extension headers, each without its next-header octet."""
    source, destination = (ip_address(end).packed for end in ends)
    kinds = [kind for kind, _ in chain] + [protocol]
    extensions = b"".join(
        bytes([after]) + body for (_, body), after in zip(chain, kinds[1:], strict=True)
    )
    word = 6 << 28 | traffic_class << 20 | flow_label
    header = struct.pack("!IHBB", word, len(extensions) + len(payload), kinds[0], 63)
    return header + source + destination + extensions + payload


def seal(
    packets: Sequence[bytes],
    sequences: Sequence[int] | None = None,
    numbers: Sequence[int] | None = None,
    *,
    sealer: Sealer,
) -> list[bytes | Verdict]:
    """Seal packets in one burst, as SAs ``numbers`` (all 0) with ``sequences`` (1, 2, 3 …)."""
    count = len(packets)
    lengths = np.array([len(packet) for packet in packets], np.int32)
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    sealed = sealer.seal_burst(
        np.frombuffer(b"".join(packets) or b"\0", np.uint8),
        starts,
        lengths,
        lengths,
        np.array(numbers or [0] * count, np.int32),
        np.array(sequences or range(1, count + 1), np.uint64),
    )
    return outcomes(sealed.data, sealed.starts, sealed.lengths, sealed.verdicts)


def open_(
    packets: Sequence[bytes],
    highest: Sequence[int] | None = None,
    numbers: Sequence[int] | None = None,
    *,
    opener: Opener,
) -> list[bytes | Verdict]:
    """Open packets in one burst; ``highest`` (all 0) is what their SAs have accepted."""
    count = len(packets)
    lengths = np.array([len(packet) for packet in packets], np.int32)
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    opened = opener.open_burst(
        np.frombuffer(b"".join(packets) or b"\0", np.uint8),
        starts,
        lengths,
        np.array(numbers or [0] * count, np.int32),
        np.array(highest or [0] * count, np.uint64),
    )
    return outcomes(opened.data, opened.starts, opened.lengths, opened.verdicts)


def outcomes(
    data: np.ndarray, starts: np.ndarray, lengths: np.ndarray, verdicts: np.ndarray
) -> list[bytes | Verdict]:
    """Each packet as bytes, or the verdict on it; a refused packet has no bytes."""
    assert not lengths[verdicts != Verdict.PASSED].any()
    return [
        data[start : start + length].tobytes() if verdict == Verdict.PASSED else Verdict(verdict)
        for start, length, verdict in zip(starts, lengths, verdicts, strict=True)
    ]


@dataclass(frozen=True)
class Esp:
    """Builders of SAs and packets, and bursts of one call, with one of the two ciphers."""

    cipher: Callable[[SaTable], BurstCipher]
    Form: ClassVar = SaForm
    table: ClassVar = staticmethod(table_of)
    ipv4: ClassVar = staticmethod(ipv4)
    ipv6: ClassVar = staticmethod(ipv6)
    checksum: ClassVar = staticmethod(internet_checksum)
    few: ClassVar = FEW

    def sealer(self, sas: SaTable) -> Sealer:
        """A sealer with the cipher under test."""
        return Sealer(sas, self.cipher(sas))

    def opener(self, sas: SaTable) -> Opener:
        """An opener with the cipher under test."""
        return Opener(sas, self.cipher(sas))

    def seal(self, sas: SaTable, *burst: Any, **more: Any) -> list[bytes | Verdict]:
        """Seal packets in one burst; see ``seal``."""
        return seal(*burst, **{"sealer": self.sealer(sas)} | more)

    def open(self, sas: SaTable, *burst: Any, **more: Any) -> list[bytes | Verdict]:
        """Open packets in one burst; see ``open_``."""
        return open_(*burst, **{"opener": self.opener(sas)} | more)


def native(sas: SaTable) -> BurstCipher:
    """The cipher over the system's libcrypto."""
    cipher = NativeCipher.of(sas)
    assert cipher is not None
    return cipher


@pytest.fixture(scope="session", params=["native", "portable"])
def esp(request: pytest.FixtureRequest) -> Esp:
    """Everything about ESP is tested with both ciphers."""
    if request.param == "portable":
        return Esp(PortableCipher)
    if LIBRARY is None:
        pytest.skip(f"LIBCRYPTO MISSING: expected one of {', '.join(NAMES)}")
    return Esp(native)
