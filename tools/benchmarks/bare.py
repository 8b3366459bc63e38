"""The yardstick: a bare loop over the primitives of ``cryptography``, and nothing else.

Per packet it looks up the SA's object in a list, makes a nonce of a counter and encrypts. Packets
are ``bytes`` made beforehand, so are the keyed objects; nothing is read, classified, framed, kept
or written. Whoever does all that in Python around one call per packet takes longer than this.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR

from saactors.esp.suites import SUITE_NUMBERS, SUITES, Encryption, Integrity, Suite
from saactors.traces.reader import open_capture

BLOCK_BYTES: Final = 16
_HASHES: Final = {
    Integrity.SHA1: hashes.SHA1,
    Integrity.SHA2_256: hashes.SHA256,
    Integrity.SHA2_384: hashes.SHA384,
    Integrity.SHA2_512: hashes.SHA512,
}


class Aead(Protocol):
    """An AEAD of ``cryptography``, or what does the same with a cipher and an HMAC."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: None, /) -> bytes:
        """Ciphertext with its tag."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: None, /) -> bytes:
        """Plaintext, if the tag is right."""
        ...


class Gmac:
    """AES-GMAC: everything is associated data."""

    def __init__(self, key: bytes) -> None:
        self._gcm = AESGCM(key)

    def encrypt(self, nonce: bytes, data: bytes, _associated_data: None) -> bytes:
        """The data and their tag."""
        return data + self._gcm.encrypt(nonce, b"", data)

    def decrypt(self, nonce: bytes, data: bytes, _associated_data: None) -> bytes:
        """The data, if the tag is right."""
        plain = data[:-BLOCK_BYTES]
        self._gcm.decrypt(nonce, data[-BLOCK_BYTES:], plain)
        return plain


class EncryptThenMac:
    """A cipher, or none, and then an HMAC that was keyed beforehand."""

    def __init__(self, suite: Suite) -> None:
        self._mode = {Encryption.CBC: CBC, Encryption.CTR: CTR}.get(suite.encryption)
        self._aes = AES(bytes(suite.key_bytes)) if self._mode else None
        self._tag_bytes = suite.icv_bytes
        algorithm = _HASHES[suite.integrity]()
        self._hmac = hmac.HMAC(bytes(suite.integrity_key_bytes), algorithm)

    def encrypt(self, nonce: bytes, data: bytes, _associated_data: None) -> bytes:
        """Ciphertext and tag."""
        if self._aes is not None and self._mode is not None:
            encryptor = Cipher(self._aes, self._mode(nonce)).encryptor()
            data = encryptor.update(data) + encryptor.finalize()
        return data + self._tag(data)

    def decrypt(self, nonce: bytes, data: bytes, _associated_data: None) -> bytes:
        """Plaintext, if the tag is right."""
        sealed, tag = data[: -self._tag_bytes], data[-self._tag_bytes :]
        assert self._tag(sealed) == tag, "a wrong tag"
        if self._aes is None or self._mode is None:
            return sealed
        decryptor = Cipher(self._aes, self._mode(nonce)).decryptor()
        return decryptor.update(sealed) + decryptor.finalize()

    def _tag(self, data: bytes) -> bytes:
        hmac_of_packet = self._hmac.copy()
        hmac_of_packet.update(data)
        return hmac_of_packet.finalize()[: self._tag_bytes]


def contexts(suite: str, sas: int) -> list[Aead]:
    """One keyed object per SA."""
    return [_keyed(SUITES[SUITE_NUMBERS[suite]], sa) for sa in range(sas)]


def nonce_bytes(suite: str) -> int:
    """How long the nonces of its objects are."""
    parameters = SUITES[SUITE_NUMBERS[suite]]
    return parameters.salt_bytes + parameters.iv_bytes if parameters.is_combined else BLOCK_BYTES


def _keyed(suite: Suite, sa: int) -> Aead:
    key = sa.to_bytes(suite.key_bytes or 1, "big")
    if suite.encryption is Encryption.GCM:  # whose tags are of 16 bytes here; the work is the same
        return AESGCM(key)
    if suite.encryption is Encryption.CCM:
        return AESCCM(key, suite.icv_bytes)
    if suite.encryption is Encryption.CHACHA20_POLY1305:
        return ChaCha20Poly1305(key)
    if suite.encryption is Encryption.GMAC:
        return Gmac(key)
    return EncryptThenMac(suite)


def ip_packets(path: Path) -> list[bytes]:
    """The IP packets of a capture."""
    packets: list[bytes] = []
    with open_capture(path) as capture:
        for chunk in capture:
            starts = chunk.packets["offset"]
            ends = starts + chunk.packets["length_bytes"]
            view = chunk.data.data
            spans = zip(starts.tolist(), ends.tolist(), strict=True)
            packets += [bytes(view[start:end]) for start, end in spans]
    return packets


def decrypt_all(keyed: Aead, jobs: Sequence[tuple[bytes, bytes]]) -> int:
    """The loop the other way round, for one SA: pairs of nonce and ciphertext."""
    for nonce, sealed in jobs:
        keyed.decrypt(nonce, sealed, None)
    return len(jobs)


def encrypt_all(
    keyed: Sequence[Aead], sas: Sequence[int], packets: Sequence[bytes], nonce_bytes: int = 12
) -> int:
    """The loop; returns how many packets it encrypted."""
    for counter, (sa, packet) in enumerate(zip(sas, packets, strict=True)):
        keyed[sa].encrypt(counter.to_bytes(nonce_bytes, "big"), packet, None)
    return len(packets)
