"""Published test vectors, at packet level: whole ESP packets through the opener.

AES-GCM: D. McGrew, "Test Cases for the Use of GCM and GMAC in IPsec ESP", draft-mcgrew-gcm-test-01
§4, all fourteen that use RFC 4106 (RFC 4106 itself has none), and the one for AES-GMAC (RFC 4543).
ChaCha20-Poly1305: RFC 7634 appendix A. All give key, salt, IV, associated data and plaintext with
trailer; IVs are not sequence numbers, so that sealing, which makes its own, is tested by opening
what it made. Vectors of the primitives alone: ``test_rfc_vectors``, ``test_wycheproof``.
"""

from __future__ import annotations

import hmac
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR, ECB

from saactors.esp.suites import SUITES, Encryption, Integrity, Suite
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

GCM = json.loads((Path(__file__).parent / "vectors" / "draft_mcgrew_gcm_test_01.json").read_text())
BY_KEY_BYTES = {16: "aes-gcm-128", 24: "aes-gcm-192", 32: "aes-gcm-256"}


@pytest.mark.parametrize("vector", GCM, ids=range(1, len(GCM) + 1))
def test_the_gcm_vectors_open(esp: Any, vector: dict[str, str]) -> None:
    """Key, salt, IV, 32-bit and extended sequence numbers, trailer: what is inside comes out.

    The vectors' trailers name other protocols than IP in IP, so the SA is in transport mode.
    """
    key, salt = bytes.fromhex(vector["key"]), bytes.fromhex(vector["salt"])
    associated, plain = bytes.fromhex(vector["aad"]), bytes.fromhex(vector["plaintext"])
    cipher = bytes.fromhex(vector["ciphertext"])
    extended = len(associated) == 12
    sequence = int.from_bytes(associated[4:])
    sas = esp.table(
        esp.Form(
            BY_KEY_BYTES[len(key)],
            Mode.TRANSPORT,
            extended=extended,
            spi=struct.unpack_from("!I", associated)[0],
            key=key + salt,
        )
    )
    wire = associated[:4] + associated[-4:] + bytes.fromhex(vector["iv"]) + cipher
    pad_length, next_header = plain[-2:]
    outcome = esp.open(sas, [esp.ipv4(wire, protocol=50)], [sequence])
    assert outcome == [esp.ipv4(plain[: -2 - pad_length], protocol=next_header)]


def test_the_gmac_vector_opens(esp: Any) -> None:
    """The packet lies open; IV and trailer are authenticated with it, and no bit may change."""
    key = bytes.fromhex("4c80cdefbb5d10da906ac73c3613a634")
    salt, iv = bytes.fromhex("22433c64"), bytes(8)
    header = bytes.fromhex("0000432100000007")
    payload = bytes.fromhex(
        "45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768"
        "696a6b6c6d6e6f7071727374"
    )
    trailer, icv = bytes.fromhex("01020201"), bytes.fromhex("f2a9a836e155106aa8dcd618e4099aaa")
    assert AESGCM(key).encrypt(salt + iv, b"", header + iv + payload + trailer) == icv
    sas = esp.table(esp.Form("aes-gmac-128", Mode.TRANSPORT, spi=0x4321, key=key + salt))
    packet = esp.ipv4(header + iv + payload + trailer + icv, protocol=50)
    changed = [
        packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :] for at in range(24, len(packet))
    ]
    assert esp.open(sas, [packet]) == [esp.ipv4(payload, protocol=1)]
    assert set(esp.open(sas, changed)) == {Verdict.ICV_FAILED}


def test_the_packet_of_rfc_7634_opens(esp: Any) -> None:
    """Appendix A: tunnel mode from 203.0.113.153 to 203.0.113.5, an ICMP echo inside."""
    key = bytes(range(0x80, 0xA0)) + bytes.fromhex("a0a1a2a3")
    inner = bytes.fromhex(
        "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec1000073627"
        "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b"
        "2c2d2e2f3031323334353637"
    )
    wire = bytes.fromhex(
        "0102030400000005101112131415161724039428b97f417e3c13753a4f05087b67c352e6"
        "a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9"
        "befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0"
        "76aaa8266b7fb0f7b11b369907e1ad43"
    )
    ends = ("203.0.113.153", "203.0.113.5")
    sas = esp.table(esp.Form("chacha20-poly1305", outer=ends, spi=0x01020304, key=key))
    packet = esp.ipv4(wire, protocol=50, ends=ends)
    assert esp.open(sas, [packet]) == [inner]
    broken = packet[:-1] + bytes([packet[-1] ^ 1])
    assert esp.open(sas, [broken]) == [Verdict.ICV_FAILED]
    (ours,) = esp.seal(sas, [inner], [5])
    assert len(ours) == len(packet), "140 bytes, as in the RFC"
    assert ours[20:28] == packet[20:28], "SPI and sequence number"


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("sequence", [5, 2**32 + 5])
def test_sealing_is_what_the_rfcs_spell_out(esp: Any, suite: Suite, sequence: int) -> None:
    """Nonces, associated data, what an ICV covers: written out once more, from the RFCs."""
    key, salt = bytes(range(suite.key_bytes)), b"salt"[: suite.salt_bytes]
    extended = sequence >= 2**32
    integrity_key = bytes(range(100, 100 + suite.integrity_key_bytes))
    form = esp.Form(suite.name, key=key + salt, integrity_key=integrity_key, extended=extended)
    packet = esp.ipv4(b"seventeen bytes!!")
    (sealed,) = esp.seal(esp.table(form), [packet], [sequence])
    pad = -(len(packet) + 2) % suite.align_bytes
    plain = packet + bytes(range(1, pad + 1)) + bytes([pad, 4])
    header = struct.pack("!II", 0x1001, sequence & 0xFFFF_FFFF)
    iv = sealed[28 : 28 + suite.iv_bytes]
    if suite.iv_bytes == 8:
        assert iv == sequence.to_bytes(8)
    expected = spelled_out(suite, key, salt, integrity_key, header, iv, plain, sequence, extended)
    assert sealed[20:] == header + iv + expected


def spelled_out(
    suite: Suite, key: bytes, salt: bytes, integrity_key: bytes,
    header: bytes, iv: bytes, plain: bytes, sequence: int, extended: bool,
) -> bytes:  # fmt: skip
    """Ciphertext and ICV: RFCs 4106, 4309, 4543, 7634; 3602, 3686; 2404, 4868; 4303 §2.2.1."""
    high = (sequence >> 32).to_bytes(4) if extended else b""
    associated = header[:4] + high + header[4:]
    match suite.encryption:
        case Encryption.GCM:
            return AESGCM(key).encrypt(salt + iv, plain, associated)[: len(plain) + suite.icv_bytes]
        case Encryption.CHACHA20_POLY1305:
            return ChaCha20Poly1305(key).encrypt(salt + iv, plain, associated)
        case Encryption.CCM:
            return AESCCM(key, suite.icv_bytes).encrypt(salt + iv, plain, associated)
        case Encryption.GMAC:
            return plain + AESGCM(key).encrypt(salt + iv, b"", associated + iv + plain)
        case Encryption.CBC:
            counter = sequence.to_bytes(16)
            assert iv == Cipher(AES(key), ECB()).encryptor().update(counter)
            cipher = Cipher(AES(key), CBC(iv)).encryptor().update(plain)
        case Encryption.CTR:
            block = salt + iv + (1).to_bytes(4)
            cipher = Cipher(AES(key), CTR(block)).encryptor().update(plain)
        case _:
            cipher = plain
    covered = header + iv + cipher + high
    return cipher + hmac.digest(integrity_key, covered, HASHES[suite.integrity])[: suite.icv_bytes]


HASHES = {
    Integrity.SHA1: "sha1",
    Integrity.SHA2_256: "sha256",
    Integrity.SHA2_384: "sha384",
    Integrity.SHA2_512: "sha512",
}
