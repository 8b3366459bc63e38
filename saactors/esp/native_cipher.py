"""The cryptography of a burst in one compiled loop over libcrypto.

The loop sets key and nonce anew for every packet, in a context that all SAs of a suite share.
Setting an AES key takes 0.15 µs; fetching a context of its own, 1.2 kB, takes five times that where
the SA has been idle (both measured). So a packet costs the same with ten SAs as with a million, and
an SA holds nothing but its keys.
"""

from __future__ import annotations

import weakref
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from saactors.esp.libcrypto import LIBRARY, Library
from saactors.esp.native_hmac import DIGEST_AT, WORKSPACE_BYTES, take_hmac
from saactors.esp.native_primitives import decipher, encipher, open_combined, seal_combined
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
from saactors.esp.suites import SUITE_SIZES, SUITES, Encryption, Integrity
from saactors.esp.verdict_numbers import ICV_FAILED
from saactors.esp.wire import ESP_HEADER_BYTES, Bytes, Records, copy_bytes, signed
from saactors.esp.words import (
    EXTENDED_AT,
    EXTENDED_BYTES,
    HIGH_AT,
    HIGH_BYTES,
    SHORT_AT,
    SHORT_BYTES,
)
from saactors.model.compiled import compiled
from saactors.model.sa import NO_INTEGRITY_KEY, SaTable

_COMBINED: Final = int(Integrity.NONE)
_CBC: Final = int(Encryption.CBC)
_ZEROES_AT: Final = WORKSPACE_BYTES
_ZEROES_BYTES: Final = 16


class NativeCipher:
    """A ``BurstCipher`` with one libcrypto context per suite."""

    __slots__ = ("__weakref__", "_contexts", "_sas", "_workspace", "_written")

    def __init__(self, sas: SaTable, library: Library, contexts: list[int]) -> None:
        self._sas = sas
        self._contexts = np.array(contexts, np.int64)
        self._written = np.zeros(1, np.int32)  # libcrypto says here how much it wrote
        self._workspace = np.zeros(WORKSPACE_BYTES + _ZEROES_BYTES, np.uint8)
        weakref.finalize(self, _free, library, contexts)

    @classmethod
    def of(cls, sas: SaTable, library: Library | None = LIBRARY) -> Self | None:
        """One for that SA table; None without a libcrypto that has all our suites."""
        if library is None:
            return None
        contexts = [library.context(suite) for suite in SUITES]
        made = [context for context in contexts if context is not None]
        if len(made) < len(SUITES):
            _free(library, made)
            return None
        return cls(sas, library, made)

    def forget(self, _sa: int) -> None:
        """Nothing: keys are taken from the table for every packet."""

    def encrypt(self, scratch: SealScratch, laid: Laid) -> npt.NDArray[np.uint8]:
        """Heads and ciphertexts with their ICVs by turns."""
        sealed = np.empty(laid.sealed_bytes, np.uint8)
        _encrypt(
            self._contexts,
            self._written,
            self._workspace,
            self._sas.records,
            self._sas.keys,
            self._sas.integrity_keys,
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
            self._workspace,
            self._sas.records,
            self._sas.keys,
            self._sas.integrity_keys,
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
    workspace: Bytes,
    sas: Records,
    keys: Bytes,
    integrity_keys: Bytes,
    suite_sizes: Records,
    strips: Bytes,
    edges: npt.NDArray[np.int64],
    heads: Bytes,
    plains: Bytes,
    live: int,
    sealed: Bytes,
) -> None:
    size = written.ctypes.data
    zeroes = workspace.ctypes.data + _ZEROES_AT
    at = 0
    last = -1  # the SA whose key its suite's context has
    for k in range(live):
        sa = edges[SA, k]
        suite = sas[sa]["suite"]
        sizes = suite_sizes[suite]
        context = contexts[suite]
        encryption, integrity = signed(sizes["encryption"]), signed(sizes["integrity"])
        icv_bytes = signed(sizes["icv_bytes"])
        head = heads[edges[HEAD, k] : edges[HEAD, k + 1]]
        plain = plains[edges[PLAIN, k] : edges[PLAIN, k + 1]]
        copy_bytes(sealed[at : at + len(head)], head)
        at += len(head)
        key = 0 if sa == last else keys[sa].ctypes.data
        nonce = strips[k].ctypes.data
        cipher = sealed[at : at + len(plain)]
        icv = cipher.ctypes.data + len(plain)
        if integrity == _COMBINED:
            associated, associated_bytes = nonce + SHORT_AT, SHORT_BYTES
            if edges[EXTENDED, k]:
                associated, associated_bytes = nonce + EXTENDED_AT, EXTENDED_BYTES
            done = seal_combined(
                encryption, context, size, key, nonce, associated, associated_bytes,
                plain, cipher, icv, icv_bytes,
            )  # fmt: skip
        else:
            iv_bytes = signed(sizes["iv_bytes"])
            iv = cipher.ctypes.data - iv_bytes
            start = zeroes if encryption == _CBC else nonce
            done = encipher(encryption, context, size, key, start, iv, plain, cipher)
            esp_bytes = ESP_HEADER_BYTES + iv_bytes
            _authenticate(
                integrity, workspace, sas[sa], integrity_keys, signed(sizes["integrity_key_bytes"]),
                cipher.ctypes.data - esp_bytes, esp_bytes + len(cipher), nonce,
                edges[EXTENDED, k],
            )  # fmt: skip
            copy_bytes(
                sealed[at + len(plain) : at + len(plain) + icv_bytes],
                workspace[DIGEST_AT : DIGEST_AT + icv_bytes],
            )
        assert done, "libcrypto refused to encrypt"
        at += len(plain) + icv_bytes
        last = sa


@compiled
def _decrypt(
    contexts: npt.NDArray[np.int64],
    written: npt.NDArray[np.int32],
    workspace: Bytes,
    sas: Records,
    keys: Bytes,
    integrity_keys: Bytes,
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
        sizes = suite_sizes[suite]
        context = contexts[suite]
        encryption, integrity = signed(sizes["encryption"]), signed(sizes["integrity"])
        icv_bytes = signed(sizes["icv_bytes"])
        outer = data[spans[OUTER, k] : spans[OUTER_END, k]]
        cipher = data[spans[CIPHER, k] : spans[CIPHER_END, k] - icv_bytes]
        icv = data[spans[CIPHER_END, k] - icv_bytes : spans[CIPHER_END, k]]
        inner = joined[spans[INNER, k] : spans[INNER_END, k]]
        copy_bytes(joined[spans[INNER, k] - len(outer) : spans[INNER, k]], outer)
        key = 0 if sa == last else keys[sa].ctypes.data
        nonce = strips[k].ctypes.data
        last = sa
        if integrity == _COMBINED:
            associated, associated_bytes = nonce + SHORT_AT, SHORT_BYTES
            if spans[SPAN_EXTENDED, k]:
                associated, associated_bytes = nonce + EXTENDED_AT, EXTENDED_BYTES
            authentic = open_combined(
                encryption, context, size, key, nonce, associated, associated_bytes,
                cipher, inner, icv.ctypes.data, icv_bytes,
            )  # fmt: skip
        else:
            esp_bytes = ESP_HEADER_BYTES + signed(sizes["iv_bytes"])
            _authenticate(
                integrity, workspace, sas[sa], integrity_keys, signed(sizes["integrity_key_bytes"]),
                cipher.ctypes.data - esp_bytes, esp_bytes + len(cipher), nonce,
                spans[SPAN_EXTENDED, k],
            )  # fmt: skip
            authentic = _same_bytes(icv, workspace[DIGEST_AT : DIGEST_AT + icv_bytes])
            if authentic:
                done = decipher(encryption, context, size, key, nonce, cipher, inner)
                assert done, "libcrypto refused to decrypt"
            else:
                last = -1  # the key has not been set
        if not authentic:
            verdicts[spans[ROW, k]] = ICV_FAILED
            inner[:] = 0  # nothing that is not authentic leaves


@compiled
def _authenticate(
    integrity: int,
    workspace: Bytes,
    record: np.void,
    integrity_keys: Bytes,
    key_bytes: int,
    esp: int,
    esp_bytes: int,
    strip: int,
    extended: int,
) -> None:
    """Take the HMAC of a packet from its ESP header on, and of the high half that is not sent."""
    row = record["integrity_row"]
    assert row != NO_INTEGRITY_KEY, "an SA of a separate suite has no integrity key"
    more_bytes = HIGH_BYTES if extended else 0
    key = integrity_keys[row][:key_bytes]
    take_hmac(integrity, workspace, key, esp, esp_bytes, strip + HIGH_AT, more_bytes)


@compiled
def _same_bytes(one: Bytes, other: Bytes) -> bool:
    """Whether two ICVs are equal, in a time that does not tell where they differ."""
    different = 0
    for i in range(len(one)):
        different |= one[i] ^ other[i]
    return different == 0
