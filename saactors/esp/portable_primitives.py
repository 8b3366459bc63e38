"""The cryptography of one packet over ``cryptography``, by kind of suite.

A primitive has the keys of one SA. It takes the sixteen bytes of nonce and the associated data of a
``words`` strip, and gives or takes what follows the ESP header and IV on the wire: ciphertext and
ICV. CBC also gives the IV, in front, since it makes it itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR, ECB, GCM
from cryptography.hazmat.primitives.constant_time import bytes_eq

from saactors.esp.suites import Encryption, Integrity, Suite
from saactors.esp.words import EXTENDED_BYTES, IV_AT

_NONCE_BYTES: Final = 12
_FULL_ICV_BYTES: Final = 16
_BLOCK_BYTES: Final = 16


class Primitive(Protocol):
    """A keyed primitive; ``decrypt`` raises ``cryptography.exceptions.InvalidTag``."""

    def encrypt(self, nonce: bytes, plain: memoryview, associated: bytes, /) -> bytes:
        """Ciphertext, and the ICV behind it."""
        ...

    def decrypt(self, nonce: bytes, sealed: memoryview, associated: bytes, /) -> bytes:
        """Plaintext, if the ICV is right."""
        ...


def primitive(suite: Suite, key: bytes, integrity_key: bytes) -> Primitive:
    """The primitive of an SA; neither key has anything behind it."""
    if suite.is_combined:
        return _COMBINED[suite.encryption](key, suite)
    return _Separate(key, integrity_key, suite)


class _Gcm:
    """AES-GCM with an ICV of any size, and ChaCha20-Poly1305."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes, suite: Suite) -> None:
        chacha = suite.encryption is Encryption.CHACHA20_POLY1305
        self._aead: AESGCM | ChaCha20Poly1305 = ChaCha20Poly1305(key) if chacha else AESGCM(key)

    def encrypt(self, nonce: bytes, plain: memoryview, associated: bytes, /) -> bytes:
        return self._aead.encrypt(nonce[:_NONCE_BYTES], plain, associated)

    def decrypt(self, nonce: bytes, sealed: memoryview, associated: bytes, /) -> bytes:
        return self._aead.decrypt(nonce[:_NONCE_BYTES], sealed, associated)


class _ShortGcm:
    """AES-GCM with an ICV of 8 or 12 bytes (RFC 4106 §6)."""

    __slots__ = ("_aead", "_icv_bytes", "_key")

    def __init__(self, key: bytes, suite: Suite) -> None:
        self._aead = AESGCM(key)
        self._key = AES(key)
        self._icv_bytes = suite.icv_bytes

    def encrypt(self, nonce: bytes, plain: memoryview, associated: bytes, /) -> bytes:
        sealed = self._aead.encrypt(nonce[:_NONCE_BYTES], plain, associated)
        return sealed[: self._icv_bytes - _FULL_ICV_BYTES]

    def decrypt(self, nonce: bytes, sealed: memoryview, associated: bytes, /) -> bytes:
        cipher, icv = sealed[: -self._icv_bytes], sealed[-self._icv_bytes :]
        mode = GCM(nonce[:_NONCE_BYTES], bytes(icv), min_tag_length=self._icv_bytes)
        decryptor = Cipher(self._key, mode).decryptor()
        decryptor.authenticate_additional_data(associated)
        return decryptor.update(cipher) + decryptor.finalize()


class _Ccm:
    """AES-CCM; the salt is three bytes (RFC 4309 §4)."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes, suite: Suite) -> None:
        self._aead = AESCCM(key, tag_length=suite.icv_bytes)

    def encrypt(self, nonce: bytes, plain: memoryview, associated: bytes, /) -> bytes:
        return self._aead.encrypt(nonce[1:_NONCE_BYTES], plain, associated)

    def decrypt(self, nonce: bytes, sealed: memoryview, associated: bytes, /) -> bytes:
        return self._aead.decrypt(nonce[1:_NONCE_BYTES], sealed, associated)


class _Gmac:
    """AES-GMAC: nothing is encrypted, everything authenticated, the IV too (RFC 4543 §3.3)."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes, _: Suite) -> None:
        self._aead = AESGCM(key)

    def encrypt(self, nonce: bytes, plain: memoryview, associated: bytes, /) -> bytes:
        covered = associated + nonce[IV_AT:_NONCE_BYTES] + plain
        return bytes(plain) + self._aead.encrypt(nonce[:_NONCE_BYTES], b"", covered)

    def decrypt(self, nonce: bytes, sealed: memoryview, associated: bytes, /) -> bytes:
        plain, icv = sealed[:-_FULL_ICV_BYTES], sealed[-_FULL_ICV_BYTES:]
        self._aead.decrypt(
            nonce[:_NONCE_BYTES], icv, associated + nonce[IV_AT:_NONCE_BYTES] + plain
        )
        return bytes(plain)


_COMBINED: Final[dict[Encryption, Callable[[bytes, Suite], Primitive]]] = {
    Encryption.GCM: lambda key, suite: (
        _Gcm(key, suite) if suite.icv_bytes == _FULL_ICV_BYTES else _ShortGcm(key, suite)
    ),
    Encryption.CHACHA20_POLY1305: _Gcm,
    Encryption.CCM: _Ccm,
    Encryption.GMAC: _Gmac,
}

_HASHES: Final[dict[Integrity, Callable[[], hashes.HashAlgorithm]]] = {
    Integrity.SHA1: hashes.SHA1,
    Integrity.SHA2_256: hashes.SHA256,
    Integrity.SHA2_384: hashes.SHA384,
    Integrity.SHA2_512: hashes.SHA512,
}


class _Separate:
    """CBC, CTR or nothing, and an HMAC over it all (RFC 4303 §3.3.2.1)."""

    __slots__ = ("_encryption", "_hmac", "_icv_bytes", "_iv_bytes", "_key")

    def __init__(self, key: bytes, integrity_key: bytes, suite: Suite) -> None:
        self._encryption = suite.encryption
        self._key = AES(key) if key else None
        self._hmac = hmac.HMAC(integrity_key, _HASHES[suite.integrity]())
        self._icv_bytes = suite.icv_bytes
        self._iv_bytes = suite.iv_bytes

    def encrypt(self, nonce: bytes, plain: memoryview, associated: bytes, /) -> bytes:
        if self._encryption is Encryption.CBC:
            assert self._key is not None
            # What stands in the IV's place is a counter; see native_primitives.encipher.
            iv = Cipher(self._key, ECB()).encryptor().update(nonce)  # noqa: S305  # one block, no text
            cipher = Cipher(self._key, CBC(iv)).encryptor().update(plain)
            return iv + cipher + self._icv(associated, iv, cipher)
        cipher = self._apply_ctr(nonce, plain)
        return cipher + self._icv(associated, self._iv_of(nonce), cipher)

    def decrypt(self, nonce: bytes, sealed: memoryview, associated: bytes, /) -> bytes:
        cipher, icv = sealed[: -self._icv_bytes], sealed[-self._icv_bytes :]
        if not bytes_eq(self._icv(associated, self._iv_of(nonce), cipher), bytes(icv)):
            raise InvalidTag
        if self._encryption is Encryption.CBC:
            assert self._key is not None
            return Cipher(self._key, CBC(nonce)).decryptor().update(cipher)
        return self._apply_ctr(nonce, cipher)

    def _apply_ctr(self, nonce: bytes, text: memoryview) -> bytes:
        """CTR, which is the same both ways; with NULL the text as it is."""
        if self._key is None:
            return bytes(text)
        return Cipher(self._key, CTR(nonce)).encryptor().update(text)

    def _iv_of(self, nonce: bytes) -> bytes:
        if self._iv_bytes == _BLOCK_BYTES:
            return nonce
        return nonce[IV_AT : IV_AT + self._iv_bytes]

    def _icv(self, associated: bytes, iv: bytes, cipher: bytes | memoryview) -> bytes:
        """The high half of an extended number comes last (RFC 4303 §2.2.1)."""
        high = b""
        if len(associated) == EXTENDED_BYTES:
            associated, high = associated[:4] + associated[8:], associated[4:8]
        mac = self._hmac.copy()
        for part in (associated, iv, cipher, high):
            mac.update(part)
        return mac.finalize()[: self._icv_bytes]
