"""What a fuzz target is, and how one cuts the bytes that it gets.

A target is a module: ``check(data)`` does something with any bytes and raises if that went wrong,
``seeds()`` gives inputs from which the fuzzer starts, and ``TOKENS``, if it is there, has words
that inputs should be made of. No target keeps anything from one input to the next, so an input that
failed once fails again.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

INPUT_BYTES_MAX: Final = 4095
"""Of a fuzzer's inputs: larger ones find little more here and take their time."""

_U16: Final = struct.Struct("!H")
# Sixteen hexadecimal digits that are no number in decimal, with an exponent or without.
_KEY: Final = re.compile(r"(?=[0-9a-fA-F]*[abcdfABCDF])[0-9a-fA-F]{16}")


class Target(Protocol):
    """A module of this kind."""

    def check(self, data: bytes) -> None:
        """Do what is tested with any bytes; raises anything if it went wrong."""

    def seeds(self) -> Iterable[bytes]:
        """Inputs to start from."""


def pieces_of(data: bytes) -> Iterator[bytes]:
    """The input as several byte strings, each behind its 16-bit length; the last may be cut off."""
    at = 0
    while at + _U16.size <= len(data):
        size = _U16.unpack_from(data, at)[0]
        at += _U16.size
        yield data[at : at + size]
        at += size


def joined(pieces: Iterable[bytes]) -> bytes:
    """The input that ``pieces_of`` takes apart so."""
    return b"".join(_U16.pack(len(piece)) + piece for piece in pieces)


def name_of(content: bytes) -> str:
    """The name of an input's file: so that none is there twice."""
    return hashlib.sha256(content).hexdigest()[:16]


def assert_no_key(message: str) -> None:
    """Messages never quote what may be a key (law 10)."""
    assert not _KEY.search(message), "a message that quotes what looks like a key"
