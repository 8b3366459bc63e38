"""The cryptography of a burst by one call of ``cryptography`` per packet.

For systems without a libcrypto of their own. The calls are all that is Python per packet; lists of
``bytes`` go in and one join makes a buffer of what comes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag

from saactors.esp.contexts import ContextCache
from saactors.esp.portable_primitives import Primitive
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
from saactors.esp.suites import SUITES, Encryption
from saactors.esp.verdict_numbers import ICV_FAILED
from saactors.esp.words import (
    EXTENDED_AT,
    EXTENDED_BYTES,
    NONCE_BYTES,
    SHORT_AT,
    SHORT_BYTES,
    STRIP_BYTES,
)
from saactors.model.sa import SaTable

Job = tuple[Primitive, bytes, memoryview, bytes]  # primitive, nonce, text, associated data

_MAKES_IV: Final = np.array([suite.encryption is Encryption.CBC for suite in SUITES])
_IV_BYTES: Final = 16  # of those suites

_WORDS: Final = np.dtype(
    {
        "names": ["nonce", "extended", "short"],
        # Void, because "S" loses zeroes at its end.
        "formats": [f"V{NONCE_BYTES}", f"V{EXTENDED_BYTES}", f"V{SHORT_BYTES}"],
        "offsets": [0, EXTENDED_AT, SHORT_AT],
        "itemsize": STRIP_BYTES,
    }
)


class PortableCipher:
    """A ``BurstCipher`` with a context of ``cryptography`` for each busy SA."""

    __slots__ = ("_sas", "contexts")

    def __init__(self, sas: SaTable, contexts: ContextCache | None = None) -> None:
        self._sas = sas
        self.contexts = ContextCache(sas) if contexts is None else contexts

    def forget(self, sa: int) -> None:
        """Forget what was made of an SA's keys."""
        self.contexts.forget(sa)

    def encrypt(self, scratch: SealScratch, laid: Laid) -> npt.NDArray[np.uint8]:
        """Heads and ciphertexts with their ICVs by turns."""
        edges, plains = scratch.edges[:, : laid.live], scratch.plains.data
        bounds = pairwise(scratch.edges[PLAIN, : laid.live + 1].tolist())
        jobs = self._jobs(
            edges[SA],
            scratch.strips[: laid.live],
            [plains[start:end] for start, end in bounds],
            edges[EXTENDED].tolist() if laid.extended else [],
        )
        parts: list[bytes | memoryview] = [b""] * (2 * laid.live)
        parts[0::2] = _heads(scratch, laid, _MAKES_IV[self._sas.records["suite"][edges[SA]]])
        parts[1::2] = [
            context.encrypt(nonce, plain, associated) for context, nonce, plain, associated in jobs
        ]
        return np.frombuffer(bytearray().join(parts), np.uint8)

    def decrypt(
        self,
        data: npt.NDArray[np.uint8],
        scratch: OpenScratch,
        located: Located,
        verdicts: npt.NDArray[np.uint8],
    ) -> npt.NDArray[np.uint8]:
        """Headers and plaintexts by turns."""
        spans, view = scratch.spans[:, : located.live], data.data
        parts: list[bytes | memoryview] = [b""] * (2 * located.live)
        parts[0::2] = _slices(view, spans[OUTER], spans[OUTER_END])
        jobs = list(
            self._jobs(
                spans[SPAN_SA],
                scratch.strips[: located.live],
                _slices(view, spans[CIPHER], spans[CIPHER_END]),
                spans[SPAN_EXTENDED].tolist() if located.extended else [],
            )
        )
        try:
            parts[1::2] = [
                context.decrypt(nonce, cipher, associated)
                for context, nonce, cipher, associated in jobs
            ]
        except InvalidTag:
            # The exception ends the list, so the burst is done again: forgeries cost twice.
            parts[1::2] = _decrypt_one_by_one(jobs, spans, verdicts)
        return np.frombuffer(bytearray().join(parts), np.uint8)

    def _jobs(
        self,
        sas: npt.NDArray[np.int64],
        strips: npt.NDArray[np.uint8],
        texts: list[memoryview],
        extended: list[int],
    ) -> Iterator[Job]:
        """Arguments of each call; ``extended`` is empty where no SA has extended numbers."""
        self.contexts.grow()
        self.contexts.used[sas] = 1
        known, make = self.contexts.known, self.contexts.make
        contexts = [known[sa] or make(sa) for sa in sas.tolist()]
        words = strips.view(_WORDS)[:, 0]
        associated: list[bytes] = words["short"].tolist()
        if extended:
            forms = zip(associated, words["extended"].tolist(), extended, strict=True)
            associated = [long if is_long else short for short, long, is_long in forms]
        return zip(contexts, words["nonce"].tolist(), texts, associated, strict=True)


def _decrypt_one_by_one(
    jobs: list[Job], spans: npt.NDArray[np.int64], verdicts: npt.NDArray[np.uint8]
) -> list[bytes]:
    """Plaintexts, zeroes in place of those whose ICV is wrong."""
    plains: list[bytes] = []
    for k, (context, nonce, cipher, associated) in enumerate(jobs):
        try:
            plains.append(context.decrypt(nonce, cipher, associated))
        except InvalidTag:
            plains.append(bytes(spans[INNER_END, k] - spans[INNER, k]))
            verdicts[spans[ROW, k]] = ICV_FAILED
    return plains


def _slices(
    view: memoryview, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> list[memoryview]:
    return [view[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def _heads(
    scratch: SealScratch, laid: Laid, makes_iv: npt.NDArray[np.bool_]
) -> Sequence[bytes | memoryview]:
    """Heads as bytes; quickly where all have one size, as packets of one kind of tunnel do.

    Where the primitive makes the IV, what stands in its place is left out.
    """
    size = laid.same_head_bytes
    if size and not makes_iv.any():
        same: list[bytes] = scratch.heads[: laid.live * size].view(_bytes_dtype(size)).tolist()
        return same
    edges = scratch.edges[HEAD, : laid.live + 1]
    return _slices(scratch.heads.data, edges[:-1], edges[1:] - _IV_BYTES * makes_iv)


@cache
def _bytes_dtype(size: int) -> np.dtype[np.void]:
    """Elements that ``tolist`` makes ``bytes`` of; making the type costs as much as using it."""
    return np.dtype((np.void, size))
