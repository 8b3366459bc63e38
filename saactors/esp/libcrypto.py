"""OpenSSL's libcrypto, called from compiled code: a burst of packets without a Python call each.

The library is the one that Python's own ``ssl`` uses where the system provides it; where there is
none of a version we know, ``LIBRARY`` is None and ``portable_cipher`` does the work.

Compiled code calls a C function by its symbol. The symbols get names of our own, each bound to the
address that this process found, so that code kept on disk never holds an address, and another
OpenSSL in the process (``cryptography`` brings one) is never mixed with this.

Hashes are taken by the plain functions (SHA256_Init and its like), whose state lies where the
caller says. The EVP ones allocate for every message, and take a microsecond before the first byte.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import llvmlite.binding  # type: ignore[import-untyped]  # it ships no types
from numba import config, types

from saactors.esp.suites import Encryption, Suite

NAMES: Final = ("libcrypto.so.3", "libcrypto.so.1.1")  # OpenSSL 3 and 1.1.1: the same calls

SET_NONCE_BYTES: Final = 0x9  # EVP_CTRL_AEAD_SET_IVLEN
GET_TAG: Final = 0x10  # EVP_CTRL_AEAD_GET_TAG
SET_TAG: Final = 0x11
CCM_NONCE_BYTES: Final = 11  # RFC 4309 §4

STATE_BYTES: Final = 216  # the largest hash state, SHA512_CTX

_POINTER: Final = (types.intp, ctypes.c_void_p)
_INT: Final = (types.intc, ctypes.c_int)
_SIZE: Final = (types.uintp, ctypes.c_size_t)
_INIT: Final = (_POINTER,) * 5  # context, cipher, engine, key, IV
_UPDATE: Final = (_POINTER, _POINTER, _POINTER, _POINTER, _INT)  # context, out, out size, in, size
_FINAL: Final = (_POINTER, _POINTER, _POINTER)  # context, out, out size
_CONTROL: Final = (_POINTER, _INT, _INT, _POINTER)  # context, command, size, bytes
_HASH_INIT: Final = (_POINTER,)  # state
_HASH_UPDATE: Final = (_POINTER, _POINTER, _SIZE)  # state, bytes, size
_HASH_FINAL: Final = (_POINTER, _POINTER)  # digest, state
_FUNCTIONS: Final = {
    "EVP_EncryptInit_ex": _INIT,
    "EVP_EncryptUpdate": _UPDATE,
    "EVP_EncryptFinal_ex": _FINAL,
    "EVP_DecryptInit_ex": _INIT,
    "EVP_DecryptUpdate": _UPDATE,
    "EVP_DecryptFinal_ex": _FINAL,
    "EVP_CIPHER_CTX_ctrl": _CONTROL,
    "SHA1_Init": _HASH_INIT,
    "SHA1_Update": _HASH_UPDATE,
    "SHA1_Final": _HASH_FINAL,
    "SHA256_Init": _HASH_INIT,
    "SHA256_Update": _HASH_UPDATE,
    "SHA256_Final": _HASH_FINAL,
    "SHA384_Init": _HASH_INIT,
    "SHA512_Init": _HASH_INIT,
    "SHA512_Update": _HASH_UPDATE,
    "SHA512_Final": _HASH_FINAL,
}


@dataclass(frozen=True)
class Library:
    """A loaded libcrypto."""

    name: str
    functions: ctypes.CDLL

    def context(self, suite: Suite) -> int | None:
        """A new EVP context for a suite's cipher, no key yet; None if the library has it not."""
        find: Any = getattr(self.functions, suite.openssl_cipher, None)
        if find is None:
            return None
        make: Any = self.functions.EVP_CIPHER_CTX_new
        find.restype = make.restype = ctypes.c_void_p
        context: int = make()
        calls_done = self.functions.EVP_EncryptInit_ex(context, find(), None, None, None)
        if suite.encryption is Encryption.CCM:
            control = self.functions.EVP_CIPHER_CTX_ctrl
            calls_done &= control(context, SET_NONCE_BYTES, CCM_NONCE_BYTES, None)
            calls_done &= control(context, SET_TAG, suite.icv_bytes, None)
        # ESP pads to whole blocks itself (RFC 4303 §2.4).
        calls_done &= self.functions.EVP_CIPHER_CTX_set_padding(ctypes.c_void_p(context), 0)
        if calls_done != 1:
            self.free(context)
            return None
        return context

    def free(self, context: int) -> None:
        """Give a context back; what it held of a key is overwritten."""
        self.functions.EVP_CIPHER_CTX_free(ctypes.c_void_p(context))


def load(names: Sequence[str]) -> Library | None:
    """The first of these libraries that this system has; its functions get our symbols."""
    for name in names:
        try:
            functions = ctypes.CDLL(name)
        except OSError:
            continue
        for function, parameters in _FUNCTIONS.items():
            found = getattr(functions, function)
            found.argtypes = [kind for _, kind in parameters]
            address = ctypes.cast(found, ctypes.c_void_p).value
            llvmlite.binding.add_symbol(_symbol(function), address)
        return Library(name, functions)
    return None


def _symbol(function: str) -> str:
    return f"saactors_{function}"


def _callable(function: str) -> Callable[..., int]:
    """The function for compiled code, or for Python where Numba is told not to compile."""
    interpreted = config.DISABLE_JIT  # type: ignore[attr-defined]  # made when Numba starts
    if interpreted and LIBRARY is not None:
        plain = getattr(LIBRARY.functions, function)
        return lambda *arguments: plain(*map(int, arguments))
    signature = types.intc(*(kind for kind, _ in _FUNCTIONS[function]))
    external: Callable[..., int] = types.ExternalFunction(_symbol(function), signature)
    return external


LIBRARY: Final = load(NAMES)

encrypt_init: Final = _callable("EVP_EncryptInit_ex")
encrypt_update: Final = _callable("EVP_EncryptUpdate")
encrypt_final: Final = _callable("EVP_EncryptFinal_ex")
decrypt_init: Final = _callable("EVP_DecryptInit_ex")
decrypt_update: Final = _callable("EVP_DecryptUpdate")
decrypt_final: Final = _callable("EVP_DecryptFinal_ex")
control: Final = _callable("EVP_CIPHER_CTX_ctrl")
sha1_init: Final = _callable("SHA1_Init")
sha1_update: Final = _callable("SHA1_Update")
sha1_final: Final = _callable("SHA1_Final")
sha256_init: Final = _callable("SHA256_Init")
sha256_update: Final = _callable("SHA256_Update")
sha256_final: Final = _callable("SHA256_Final")
sha384_init: Final = _callable("SHA384_Init")
sha512_init: Final = _callable("SHA512_Init")
sha512_update: Final = _callable("SHA512_Update")
sha512_final: Final = _callable("SHA512_Final")
