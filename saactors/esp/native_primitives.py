"""The cryptography of one packet over libcrypto, by kind of suite; compiled.

Some texts are given by their addresses, as C functions take them. A **combined** primitive (GCM,
ChaCha20-Poly1305, CCM, GMAC) takes nonce and associated data and makes or checks the ICV itself; a
**separate** one (CBC, CTR, NULL) only enciphers, and the HMAC is ``native_hmac``'s.

``key`` is 0 where the context has the right key already. ``written`` is the address of an int that
libcrypto says sizes in.
"""

from __future__ import annotations

from typing import Final

from saactors.esp.libcrypto import (
    GET_TAG,
    SET_TAG,
    control,
    decrypt_final,
    decrypt_init,
    decrypt_update,
    encrypt_final,
    encrypt_init,
    encrypt_update,
)
from saactors.esp.suites import Encryption
from saactors.esp.wire import Bytes, copy_bytes
from saactors.esp.words import IV_AT
from saactors.model.compiled import compiled

_CCM: Final = int(Encryption.CCM)
_GMAC: Final = int(Encryption.GMAC)
_CBC: Final = int(Encryption.CBC)
_CTR: Final = int(Encryption.CTR)

_IV_BYTES: Final = 8
_BLOCK_BYTES: Final = 16
_CCM_NONCE_AT: Final = 1  # its salt is a byte shorter (see ``words``)


@compiled
def seal_combined(
    encryption: int,
    context: int,
    written: int,
    key: int,
    nonce: int,
    associated: int,
    associated_bytes: int,
    plain: Bytes,
    cipher: Bytes,
    icv: int,
    icv_bytes: int,
) -> bool:
    """Encrypt ``plain`` into ``cipher`` and write the ICV; False if libcrypto refuses."""
    size = len(plain)
    if encryption == _GMAC:
        copy_bytes(cipher, plain)
        calls_done = (
            encrypt_init(context, 0, 0, key, nonce)
            + encrypt_update(context, 0, written, associated, associated_bytes)
            + encrypt_update(context, 0, written, nonce + IV_AT, _IV_BYTES)
            + encrypt_update(context, 0, written, plain.ctypes.data, size)
        )
    elif encryption == _CCM:
        calls_done = (
            encrypt_init(context, 0, 0, key, nonce + _CCM_NONCE_AT)
            + encrypt_update(context, 0, written, 0, size)
            + encrypt_update(context, 0, written, associated, associated_bytes)
            + encrypt_update(context, cipher.ctypes.data, written, plain.ctypes.data, size)
        )
    else:
        calls_done = 1 + (
            encrypt_init(context, 0, 0, key, nonce)
            + encrypt_update(context, 0, written, associated, associated_bytes)
            + encrypt_update(context, cipher.ctypes.data, written, plain.ctypes.data, size)
        )
    calls_done += encrypt_final(context, icv, written)
    calls_done += control(context, GET_TAG, icv_bytes, icv)
    return calls_done == 6


@compiled
def open_combined(
    encryption: int,
    context: int,
    written: int,
    key: int,
    nonce: int,
    associated: int,
    associated_bytes: int,
    cipher: Bytes,
    plain: Bytes,
    icv: int,
    icv_bytes: int,
) -> bool:
    """Decrypt ``cipher`` into ``plain``; False if the ICV is wrong."""
    size = len(cipher)
    if encryption == _CCM:
        # Here the text is given out only if the ICV, known before, is right (OpenSSL's EVP manual).
        calls_done = (
            decrypt_init(context, 0, 0, key, nonce + _CCM_NONCE_AT)
            + control(context, SET_TAG, icv_bytes, icv)
            + decrypt_update(context, 0, written, 0, size)
            + decrypt_update(context, 0, written, associated, associated_bytes)
        )
        assert calls_done == 4, "libcrypto refused to decrypt"
        return decrypt_update(context, plain.ctypes.data, written, cipher.ctypes.data, size) == 1
    calls_done = decrypt_init(context, 0, 0, key, nonce) + decrypt_update(
        context, 0, written, associated, associated_bytes
    )
    if encryption == _GMAC:
        copy_bytes(plain, cipher)
        calls_done += decrypt_update(
            context, 0, written, nonce + IV_AT, _IV_BYTES
        ) + decrypt_update(context, 0, written, cipher.ctypes.data, size)
    else:
        calls_done += 1 + decrypt_update(
            context, plain.ctypes.data, written, cipher.ctypes.data, size
        )
    calls_done += control(context, SET_TAG, icv_bytes, icv)
    assert calls_done == 5, "libcrypto refused to decrypt"
    return decrypt_final(context, icv, written) == 1


@compiled
def encipher(
    encryption: int,
    context: int,
    written: int,
    key: int,
    nonce: int,
    iv: int,
    plain: Bytes,
    cipher: Bytes,
) -> bool:
    """Encrypt ``plain`` into ``cipher`` without an ICV.

    For CBC, ``nonce`` is sixteen zeroes, and at ``iv`` stands a counter, which becomes the IV: it
    is encrypted under the same key as the first block of all, so that nobody without the key can
    predict it (NIST SP 800-38A, appendix C; RFC 3602 §3 asks for it).
    """
    if encryption not in (_CBC, _CTR):
        copy_bytes(cipher, plain)
        return True
    calls_done = encrypt_init(context, 0, 0, key, nonce)
    if encryption == _CBC:
        calls_done &= encrypt_update(context, iv, written, iv, _BLOCK_BYTES)
    calls_done &= encrypt_update(
        context, cipher.ctypes.data, written, plain.ctypes.data, len(plain)
    )
    return calls_done == 1


@compiled
def decipher(
    encryption: int, context: int, written: int, key: int, nonce: int, cipher: Bytes, plain: Bytes
) -> bool:
    """Decrypt ``cipher`` into ``plain``; the ICV has been checked."""
    if encryption not in (_CBC, _CTR):
        copy_bytes(plain, cipher)
        return True
    calls_done = decrypt_init(context, 0, 0, key, nonce) + decrypt_update(
        context, plain.ctypes.data, written, cipher.ctypes.data, len(cipher)
    )
    return calls_done == 2
