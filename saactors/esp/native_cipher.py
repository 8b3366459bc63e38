"""The cryptography of a burst in one compiled loop over libcrypto.

The loop sets key and nonce anew for every packet, in a context that all SAs of a suite share.
Setting an AES key takes 0.15 µs; fetching a context of its own, 1.2 kB, takes five times that where
the SA has been idle (both measured). So a packet costs the same with ten SAs as with a million, and
an SA holds nothing but its key.
"""

from __future__ import annotations

import weakref
from typing import Self

import numpy as np
import numpy.typing as npt

from saactors.esp.libcrypto import (
    GET_TAG,
    LIBRARY,
    SET_TAG,
    Library,
    control,
    decrypt_final,
    decrypt_init,
    decrypt_update,
    encrypt_final,
    encrypt_init,
    encrypt_update,
)
from saactors.esp.scratch import (
    CIPHER,
    CIPHER_END,
    EXTENDED,
    HEAD,
    INNER,
    INNER_END,
    OUTER,
    OUTER_END,
    PLAIN,
    ROW,
    SA,
    SPAN_EXTENDED,
    SPAN_SA,
    Laid,
    Located,
    OpenScratch,
    SealScratch,
)
from saactors.esp.suites import SUITE_SIZES, SUITES
from saactors.esp.verdict_numbers import ICV_FAILED
from saactors.esp.wire import Bytes, Records, copy_bytes, signed
from saactors.esp.words import EXTENDED_AT, EXTENDED_BYTES, SHORT_AT, SHORT_BYTES
from saactors.model.compiled import compiled
from saactors.model.sa import SaTable


class NativeCipher:
    """A ``BurstCipher`` with one libcrypto context per suite."""

    __slots__ = ("__weakref__", "_contexts", "_sas", "_written")

    def __init__(self, sas: SaTable, library: Library, contexts: list[int]) -> None:
        self._sas = sas
        self._contexts = np.array(contexts, np.int64)
        self._written = np.zeros(1, np.int32)  # libcrypto says here how much it wrote
        weakref.finalize(self, _free, library, contexts)

    @classmethod
    def of(cls, sas: SaTable, library: Library | None = LIBRARY) -> Self | None:
        """One for that SA table; None without a libcrypto that has all our suites."""
        if library is None:
            return None
        contexts = [library.context(suite.openssl_cipher) for suite in SUITES]
        made = [context for context in contexts if context is not None]
        if len(made) < len(SUITES):
            _free(library, made)
            return None
        return cls(sas, library, made)

    def encrypt(self, scratch: SealScratch, laid: Laid) -> npt.NDArray[np.uint8]:
        """Heads and ciphertexts with their ICVs by turns."""
        sealed = np.empty(laid.sealed_bytes, np.uint8)
        _encrypt(
            self._contexts,
            self._written,
            self._sas.records,
            self._sas.keys,
            SUITE_SIZES,
            scratch.strips,
            scratch.edges,
            scratch.heads,
            scratch.plains,
            laid.live,
            sealed,
        )
        return sealed

    def decrypt(
        self,
        data: npt.NDArray[np.uint8],
        scratch: OpenScratch,
        located: Located,
        verdicts: npt.NDArray[np.uint8],
    ) -> npt.NDArray[np.uint8]:
        """Headers and plaintexts by turns."""
        joined = np.empty(located.joined_bytes, np.uint8)
        _decrypt(
            self._contexts,
            self._written,
            self._sas.records,
            self._sas.keys,
            SUITE_SIZES,
            scratch.strips,
            scratch.spans,
            data,
            located.live,
            joined,
            verdicts,
        )
        return joined


def _free(library: Library, contexts: list[int]) -> None:
    for context in contexts:
        library.free(context)


@compiled
def _encrypt(
    contexts: npt.NDArray[np.int64],
    written: npt.NDArray[np.int32],
    sas: Records,
    keys: Bytes,
    suite_sizes: Records,
    strips: Bytes,
    edges: npt.NDArray[np.int64],
    heads: Bytes,
    plains: Bytes,
    live: int,
    sealed: Bytes,
) -> None:
    size = written.ctypes.data
    at = 0
    last = -1  # the SA whose key its suite's context has
    for k in range(live):
        sa = edges[SA, k]
        suite = sas[sa]["suite"]
        context = contexts[suite]
        icv_bytes = signed(suite_sizes[suite]["icv_bytes"])
        head = heads[edges[HEAD, k] : edges[HEAD, k + 1]]
        plain = plains[edges[PLAIN, k] : edges[PLAIN, k + 1]]
        copy_bytes(sealed[at : at + len(head)], head)
        at += len(head)
        key = 0 if sa == last else keys[sa].ctypes.data
        nonce = strips[k].ctypes.data
        associated, associated_bytes = nonce + SHORT_AT, SHORT_BYTES
        if edges[EXTENDED, k]:
            associated, associated_bytes = nonce + EXTENDED_AT, EXTENDED_BYTES
        cipher = sealed[at:].ctypes.data
        icv = cipher + len(plain)
        calls_done = (
            encrypt_init(context, 0, 0, key, nonce)
            + encrypt_update(context, 0, size, associated, associated_bytes)
            + encrypt_update(context, cipher, size, plain.ctypes.data, len(plain))
            + encrypt_final(context, icv, size)
            + control(context, GET_TAG, icv_bytes, icv)
        )
        assert calls_done == 5, "libcrypto refused to encrypt"
        at += len(plain) + icv_bytes
        last = sa


@compiled
def _decrypt(
    contexts: npt.NDArray[np.int64],
    written: npt.NDArray[np.int32],
    sas: Records,
    keys: Bytes,
    suite_sizes: Records,
    strips: Bytes,
    spans: npt.NDArray[np.int64],
    data: Bytes,
    live: int,
    joined: Bytes,
    verdicts: Bytes,
) -> None:
    size = written.ctypes.data
    last = -1  # the SA whose key its suite's context has
    for k in range(live):
        sa = spans[SPAN_SA, k]
        suite = sas[sa]["suite"]
        context = contexts[suite]
        icv_bytes = signed(suite_sizes[suite]["icv_bytes"])
        outer = data[spans[OUTER, k] : spans[OUTER_END, k]]
        cipher = data[spans[CIPHER, k] : spans[CIPHER_END, k] - icv_bytes]
        inner = joined[spans[INNER, k] : spans[INNER_END, k]]
        copy_bytes(joined[spans[INNER, k] - len(outer) : spans[INNER, k]], outer)
        key = 0 if sa == last else keys[sa].ctypes.data
        nonce = strips[k].ctypes.data
        associated, associated_bytes = nonce + SHORT_AT, SHORT_BYTES
        if spans[SPAN_EXTENDED, k]:
            associated, associated_bytes = nonce + EXTENDED_AT, EXTENDED_BYTES
        icv = cipher.ctypes.data + len(cipher)
        calls_done = (
            decrypt_init(context, 0, 0, key, nonce)
            + decrypt_update(context, 0, size, associated, associated_bytes)
            + decrypt_update(context, inner.ctypes.data, size, cipher.ctypes.data, len(cipher))
            + control(context, SET_TAG, icv_bytes, icv)
        )
        assert calls_done == 4, "libcrypto refused to decrypt"
        if decrypt_final(context, icv, size) != 1:
            verdicts[spans[ROW, k]] = ICV_FAILED
            inner[:] = 0  # nothing that is not authentic leaves
        last = sa
