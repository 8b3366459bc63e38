"""The yardstick: a bare loop over an AEAD of ``cryptography``, and nothing else.

Per packet it looks up the SA's object in a list, makes a nonce of a counter and encrypts. Packets
are ``bytes`` made beforehand, so are the keyed objects; nothing is read, classified, framed, kept
or written. Whoever does all that in Python around one call per packet takes longer than this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from saactors.traces.reader import open_capture

NONCE_BYTES: Final = 12


class Aead(Protocol):
    """An AEAD of ``cryptography``."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Ciphertext with its tag."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Plaintext, if the tag is right."""
        ...


# Our suites' names → primitive, bytes of its key.
PRIMITIVES: Final[Mapping[str, tuple[Callable[[bytes], Aead], int]]] = MappingProxyType(
    {
        "aes-gcm-128": (AESGCM, 16),
        "aes-gcm-192": (AESGCM, 24),
        "aes-gcm-256": (AESGCM, 32),
        "chacha20-poly1305": (ChaCha20Poly1305, 32),
    }
)


def contexts(suite: str, sas: int) -> list[Aead]:
    """One keyed object per SA."""
    primitive, key_bytes = PRIMITIVES[suite]
    return [primitive(sa.to_bytes(key_bytes, "big")) for sa in range(sas)]


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


def encrypt_all(keyed: Sequence[Aead], sas: Sequence[int], packets: Sequence[bytes]) -> int:
    """The loop; returns how many packets it encrypted."""
    for counter, (sa, packet) in enumerate(zip(sas, packets, strict=True)):
        keyed[sa].encrypt(counter.to_bytes(NONCE_BYTES, "big"), packet, None)
    return len(packets)
