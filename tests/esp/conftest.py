"""What every ESP test needs: SAs, IP packets by hand, and lists of packets in and out of bursts.

``primitives`` is for published vectors: the cryptography of one packet, without the packet.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, ClassVar

import numpy as np
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from saactors.esp.association import key_row
from saactors.esp.burst_cipher import BurstCipher
from saactors.esp.header_rules import USUAL_HEADERS, HeaderRules
from saactors.esp.keys import derive_integrity_keys, derive_keys
from saactors.esp.libcrypto import CCM_NONCE_BYTES, LIBRARY, NAMES, SET_NONCE_BYTES
from saactors.esp.native_cipher import NativeCipher
from saactors.esp.native_hmac import DIGEST_AT, WORKSPACE_BYTES, take_hmac
from saactors.esp.native_primitives import decipher, encipher, open_combined, seal_combined
from saactors.esp.open import Opener
from saactors.esp.portable_cipher import PortableCipher
from saactors.esp.portable_primitives import primitive
from saactors.esp.seal import Sealer
from saactors.esp.suites import SUITE_NUMBERS, SUITES, Encryption, Suite
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


@pytest.fixture(scope="session")
def builders() -> type[Esp]:
    """Builders of SAs and packets alone, for what has its own cipher."""
    return Esp


HASHES = ("", "sha1", "sha256", "sha384", "sha512")  # by Integrity


class NativePrimitives:
    """``native_primitives`` and ``native_hmac``, as the burst loop calls them."""

    def seal(
        self, suite: Suite, key: bytes, nonce: bytes, associated: bytes, plain: bytes
    ) -> bytes:
        """Ciphertext and ICV of a combined-mode suite."""
        cipher, icv = octets(bytes(len(plain))), octets(bytes(16))
        with _Context(suite, nonce, associated) as (context, *addresses):
            key_octets = octets(key)
            done = seal_combined(
                int(suite.encryption), context, addresses[0], key_octets.ctypes.data,
                *addresses[1:], octets(plain), cipher, icv.ctypes.data, suite.icv_bytes,
            )  # fmt: skip
        assert done
        return cipher.tobytes() + icv[: suite.icv_bytes].tobytes()

    def open(
        self, suite: Suite, key: bytes, nonce: bytes, associated: bytes, sealed: bytes
    ) -> bytes | None:
        """The plaintext, or None if the ICV is wrong."""
        cipher, icv = octets(sealed[: -suite.icv_bytes]), octets(sealed[-suite.icv_bytes :])
        plain = octets(bytes(len(cipher)))
        with _Context(suite, nonce, associated) as (context, *addresses):
            key_octets = octets(key)
            authentic = open_combined(
                int(suite.encryption), context, addresses[0], key_octets.ctypes.data,
                *addresses[1:], cipher, plain, icv.ctypes.data, suite.icv_bytes,
            )  # fmt: skip
        return plain.tobytes() if authentic else None

    def encipher(self, suite: Suite, key: bytes, nonce: bytes, plain: bytes) -> bytes:
        """Ciphertext of a separate suite; of CBC, ``nonce`` is the IV that is to come out."""
        cipher, strip = octets(bytes(len(plain))), octets(nonce)
        iv = octets(counter_for(key, nonce))
        start = octets(bytes(16)) if suite.encryption is Encryption.CBC else strip
        with _Context(suite, b"", b"") as (context, written, *_):
            key_octets = octets(key)
            done = encipher(
                int(suite.encryption), context, written, key_octets.ctypes.data,
                start.ctypes.data, iv.ctypes.data, octets(plain), cipher,
            )  # fmt: skip
        assert done
        assert suite.encryption is not Encryption.CBC or iv.tobytes() == nonce
        return cipher.tobytes()

    def decipher(self, suite: Suite, key: bytes, nonce: bytes, cipher: bytes) -> bytes:
        """Plaintext of a separate suite."""
        plain, strip = octets(bytes(len(cipher))), octets(nonce)
        with _Context(suite, b"", b"") as (context, written, *_):
            key_octets = octets(key)
            done = decipher(
                int(suite.encryption), context, written, key_octets.ctypes.data,
                strip.ctypes.data, octets(cipher), plain,
            )  # fmt: skip
        assert done
        return plain.tobytes()

    def mac(self, suite: Suite, key: bytes, text: bytes) -> bytes:
        """The ICV over a text, which is given in two stretches."""
        workspace = octets(bytes(WORKSPACE_BYTES))
        head, rest = octets(text[:5]), octets(text[5:])
        take_hmac(
            int(suite.integrity), workspace, octets(key),
            head.ctypes.data, len(head), rest.ctypes.data, len(rest),
        )  # fmt: skip
        return workspace[DIGEST_AT : DIGEST_AT + suite.icv_bytes].tobytes()


class _Context:
    """A libcrypto context for one call, and the addresses that go with it.

    CCM takes its nonces a byte later, and here of any size: published ones seldom have ESP's.
    """

    def __init__(self, suite: Suite, nonce: bytes, associated: bytes) -> None:
        is_ccm = suite.encryption is Encryption.CCM
        self._kept = (
            np.zeros(1, np.int32), octets(bytes(is_ccm) + nonce + bytes(16)), octets(associated)
        )  # fmt: skip
        assert LIBRARY is not None
        context = LIBRARY.context(suite)
        assert context is not None
        if is_ccm:
            control = LIBRARY.functions.EVP_CIPHER_CTX_ctrl
            assert control(context, SET_NONCE_BYTES, len(nonce), None) == 1
        self._context = context

    def __enter__(self) -> tuple[int, int, int, int, int]:
        written, nonce, associated = (each.ctypes.data for each in self._kept)
        return self._context, written, nonce, associated, len(self._kept[2])

    def __exit__(self, *_: object) -> None:
        assert LIBRARY is not None
        LIBRARY.free(self._context)


class PortablePrimitives:
    """``portable_primitives``, which take separate suites only with their HMAC."""

    INTEGRITY_KEY = bytes(range(64))
    HEADER = bytes(8)

    def seal(
        self, suite: Suite, key: bytes, nonce: bytes, associated: bytes, plain: bytes
    ) -> bytes:
        """Ciphertext and ICV of a combined-mode suite."""
        made = primitive(suite, key, b"")
        if suite.encryption is not Encryption.CCM:
            return made.encrypt(nonce + bytes(4), memoryview(plain), associated)
        if len(nonce) != CCM_NONCE_BYTES:
            made = made._aead
            return made.encrypt(nonce, plain, associated)
        return made.encrypt(bytes(1) + nonce + bytes(4), memoryview(plain), associated)

    def open(
        self, suite: Suite, key: bytes, nonce: bytes, associated: bytes, sealed: bytes
    ) -> bytes | None:
        """The plaintext, or None if the ICV is wrong."""
        made = primitive(suite, key, b"")
        if suite.encryption is not Encryption.CCM:
            nonce += bytes(4)
        elif len(nonce) == CCM_NONCE_BYTES:
            nonce = bytes(1) + nonce + bytes(4)
        else:
            made = made._aead
        try:
            return made.decrypt(nonce, memoryview(sealed), associated)
        except InvalidTag:
            return None

    def encipher(self, suite: Suite, key: bytes, nonce: bytes, plain: bytes) -> bytes:
        """Ciphertext of a separate suite; of CBC, ``nonce`` is the IV that is to come out."""
        is_cbc = suite.encryption is Encryption.CBC
        start = counter_for(key, nonce) if is_cbc else nonce
        made = primitive(suite, key, self.INTEGRITY_KEY)
        sealed = made.encrypt(start, memoryview(plain), self.HEADER)[: -suite.icv_bytes]
        assert not is_cbc or sealed[:16] == nonce
        return sealed[16:] if is_cbc else sealed

    def decipher(self, suite: Suite, key: bytes, nonce: bytes, cipher: bytes) -> bytes:
        """Plaintext of a separate suite."""
        iv = nonce if suite.encryption is Encryption.CBC else nonce[4:12]
        covered = self.HEADER + iv + cipher
        icv = hmac.digest(self.INTEGRITY_KEY, covered, HASHES[suite.integrity])
        sealed = memoryview(cipher + icv[: suite.icv_bytes])
        return primitive(suite, key, self.INTEGRITY_KEY).decrypt(nonce, sealed, self.HEADER)

    def mac(self, suite: Suite, key: bytes, text: bytes) -> bytes:
        """The ICV over a text of eight bytes or more."""
        sealed = primitive(suite, b"", key).encrypt(bytes(16), memoryview(text[8:]), text[:8])
        return sealed[-suite.icv_bytes :]


def octets(content: bytes) -> np.ndarray:
    """Bytes as compiled code takes them."""
    return np.array(bytearray(content), np.uint8)


def counter_for(key: bytes, iv: bytes) -> bytes:
    """What has to be encrypted so that it becomes this IV; see ``native_primitives.encipher``."""
    return Cipher(AES(key), ECB()).decryptor().update(iv)


@pytest.fixture(scope="session", params=[NativePrimitives, PortablePrimitives])
def primitives(request: pytest.FixtureRequest) -> NativePrimitives | PortablePrimitives:
    """What makes and checks one packet's bytes, with any nonce."""
    if request.param is NativePrimitives and LIBRARY is None:
        pytest.skip(f"LIBCRYPTO MISSING: expected one of {', '.join(NAMES)}")
    made: NativePrimitives | PortablePrimitives = request.param()
    return made
