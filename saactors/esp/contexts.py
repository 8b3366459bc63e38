"""Keyed primitives of ``cryptography``, made when an SA first needs one, in a bounded cache.

Making one (an AES key schedule and what is wrapped around it) takes as long as ten packets, and 2.4
kB. So an SA that has sent nothing holds none, and one that has been idle for long may lose it. The
cache uses the second-chance rule ("clock"), which costs a busy packet nothing but a mark: when room
is needed, a hand goes round, takes the mark off those that were used since its last visit, and
evicts the first that was not.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from saactors.errors import ParameterError
from saactors.esp.portable_primitives import Primitive, primitive
from saactors.esp.suites import suite_of
from saactors.model.sa import NO_INTEGRITY_KEY, SaTable, grown

CONTEXTS_MAX: Final = 131_072
"""Default bound: 2¹⁷, so that 10⁵ busy SAs keep theirs; about 310 MB when full."""


class ContextCache:
    """The primitives of an SA table. Sealers and openers of one thread may share it."""

    __slots__ = ("_hand", "_ring", "_sas", "contexts_max", "known", "used")

    def __init__(self, sas: SaTable, contexts_max: int = CONTEXTS_MAX) -> None:
        if contexts_max < 1:
            raise ParameterError("contexts_max", contexts_max, "at least 1")
        self.contexts_max = contexts_max
        self.known: list[Primitive | None] = []  # by SA
        self.used = np.zeros(0, np.uint8)  # by SA; 1: since the hand last came by
        self._sas = sas
        self._ring: list[int] = []  # SAs that have a primitive
        self._hand = 0
        self.grow()

    def __len__(self) -> int:
        return len(self._ring)

    def __repr__(self) -> str:
        return f"ContextCache({len(self)} of at most {self.contexts_max})"

    def grow(self) -> None:
        """Follow the SA table; call it before a burst whose SAs may be new."""
        missing = len(self._sas) - len(self.known)
        if missing > 0:
            self.known.extend([None] * missing)
            self.used = grown(self.used, len(self._sas))

    def make(self, sa: int) -> Primitive:
        """Make the primitive of an SA that has none, evicting another's if the cache is full."""
        record = self._sas.records[sa]
        suite = suite_of(record)
        key, integrity_key = self._sas.keys[sa, : suite.key_bytes].tobytes(), b""
        if not suite.is_combined:
            assert record["integrity_row"] != NO_INTEGRITY_KEY, "a separate suite wants two keys"
            row = self._sas.integrity_keys[record["integrity_row"]]
            integrity_key = row[: suite.integrity_key_bytes].tobytes()
        context = primitive(suite, key, integrity_key)
        if len(self._ring) < self.contexts_max:
            self._ring.append(sa)
        else:
            self._ring[self._evict()] = sa
        self.known[sa] = context
        self.used[sa] = 0  # one burst does not make an SA busy: the next one may
        return context

    def forget(self, sa: int) -> None:
        """Drop the primitive of an SA, whose keys are no longer what they were."""
        if sa < len(self.known) and self.known[sa] is not None:
            self.known[sa] = None
            self._ring.remove(sa)
            self._hand = 0

    def _evict(self) -> int:
        """Free a place in the ring and return it."""
        while self.used[self._ring[self._hand]]:
            self.used[self._ring[self._hand]] = 0
            self._advance()
        place = self._hand
        self.known[self._ring[place]] = None
        self._advance()
        return place

    def _advance(self) -> None:
        self._hand = (self._hand + 1) % len(self._ring)
