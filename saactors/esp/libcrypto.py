"""OpenSSL's libcrypto, called from compiled code: a burst of packets without a Python call each.

The library is the one that Python's own ``ssl`` uses where the system provides it; where there is
none of a version we know, ``LIBRARY`` is None and ``portable_cipher`` does the work.

Compiled code calls a C function by its symbol. The symbols get names of our own, each bound to the
address that this process found, so that code kept on disk never holds an address, and another
OpenSSL in the process (``cryptography`` brings one) is never mixed with this.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import llvmlite.binding  # type: ignore[import-untyped]  # it ships no types
from numba import config, types

NAMES: Final = ("libcrypto.so.3", "libcrypto.so.1.1")  # OpenSSL 3 and 1.1.1: the same calls

GET_TAG: Final = 0x10  # EVP_CTRL_AEAD_GET_TAG
SET_TAG: Final = 0x11

_POINTER: Final = (types.intp, ctypes.c_void_p)
_INT: Final = (types.intc, ctypes.c_int)
_INIT: Final = (_POINTER,) * 5  # context, cipher, engine, key, IV
_UPDATE: Final = (_POINTER, _POINTER, _POINTER, _POINTER, _INT)  # context, out, out size, in, size
_FINAL: Final = (_POINTER, _POINTER, _POINTER)  # context, out, out size
_CONTROL: Final = (_POINTER, _INT, _INT, _POINTER)  # context, command, size, bytes
_FUNCTIONS: Final = {
    "EVP_EncryptInit_ex": _INIT,
    "EVP_EncryptUpdate": _UPDATE,
    "EVP_EncryptFinal_ex": _FINAL,
    "EVP_DecryptInit_ex": _INIT,
    "EVP_DecryptUpdate": _UPDATE,
    "EVP_DecryptFinal_ex": _FINAL,
    "EVP_CIPHER_CTX_ctrl": _CONTROL,
}


@dataclass(frozen=True)
class Library:
    """A loaded libcrypto."""

    name: str
    functions: ctypes.CDLL

    def context(self, cipher: str) -> int | None:
        """A new EVP context for that cipher, no key yet; None if the library does not have it."""
        find: Any = getattr(self.functions, cipher, None)
        if find is None:
            return None
        make: Any = self.functions.EVP_CIPHER_CTX_new
        find.restype = make.restype = ctypes.c_void_p
        context: int = make()
        if self.functions.EVP_EncryptInit_ex(context, find(), None, None, None) != 1:
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
