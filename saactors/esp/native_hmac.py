"""HMAC (RFC 2104) over a packet, by libcrypto's hash functions, in compiled code.

    HMAC(K, text) = H(K ⊕ opad ‖ H(K ⊕ ipad ‖ text))

The keys of ESP are as long as the digest (RFC 4868 §2.1.1) and so never longer than a block. Hash
states prepared per SA would save two of the compressions, a tenth of a microsecond, and cost 400
bytes of every SA.
"""

from __future__ import annotations

from typing import Final

from saactors.esp.libcrypto import (
    STATE_BYTES,
    sha1_final,
    sha1_init,
    sha1_update,
    sha256_final,
    sha256_init,
    sha256_update,
    sha384_init,
    sha512_final,
    sha512_init,
    sha512_update,
)
from saactors.esp.suites import Integrity
from saactors.esp.wire import Bytes
from saactors.model.compiled import compiled

_SHA1: Final = int(Integrity.SHA1)
_SHA2_256: Final = int(Integrity.SHA2_256)
_SHA2_384: Final = int(Integrity.SHA2_384)
_SHA2_512: Final = int(Integrity.SHA2_512)

_BLOCK_BYTES_MAX: Final = 128
DIGEST_AT: Final = 224  # in the workspace: behind the hash state, at a multiple of eight
_BLOCK_AT: Final = DIGEST_AT + 64
WORKSPACE_BYTES: Final = _BLOCK_AT + _BLOCK_BYTES_MAX
assert STATE_BYTES <= DIGEST_AT

_INNER: Final = 0x36
_OUTER: Final = 0x5C


@compiled
def take_hmac(
    integrity: int,
    workspace: Bytes,
    key: Bytes,
    text: int,
    text_bytes: int,
    more: int,
    more_bytes: int,
) -> None:
    """The HMAC of the text and of ``more``, two stretches at these addresses.

    The digest is in ``workspace`` (WORKSPACE_BYTES) from DIGEST_AT on; ``key`` is exactly the key.
    """
    state = workspace.ctypes.data
    digest, block = state + DIGEST_AT, state + _BLOCK_AT
    block_bytes = 128 if integrity in (_SHA2_384, _SHA2_512) else 64
    digest_bytes = len(key)
    _fill_block(workspace, key, _INNER)
    calls_done = (
        _init(integrity, state)
        + _update(integrity, state, block, block_bytes)
        + _update(integrity, state, text, text_bytes)
        + _update(integrity, state, more, more_bytes)
        + _final(integrity, state, digest)
    )
    _fill_block(workspace, key, _OUTER)
    calls_done += (
        _init(integrity, state)
        + _update(integrity, state, block, block_bytes)
        + _update(integrity, state, digest, digest_bytes)
        + _final(integrity, state, digest)
    )
    assert calls_done == 9, "libcrypto refused to hash"


@compiled
def _fill_block(workspace: Bytes, key: Bytes, filler: int) -> None:
    """The key, padded with zeroes to a block, XOR the filler."""
    for i in range(_BLOCK_BYTES_MAX):
        workspace[_BLOCK_AT + i] = filler
    for i in range(len(key)):
        workspace[_BLOCK_AT + i] ^= key[i]


@compiled
def _init(integrity: int, state: int) -> int:
    if integrity == _SHA1:
        return sha1_init(state)
    if integrity == _SHA2_256:
        return sha256_init(state)
    if integrity == _SHA2_384:
        return sha384_init(state)
    return sha512_init(state)


@compiled
def _update(integrity: int, state: int, text: int, text_bytes: int) -> int:
    if integrity == _SHA1:
        return sha1_update(state, text, text_bytes)
    if integrity == _SHA2_256:
        return sha256_update(state, text, text_bytes)
    return sha512_update(state, text, text_bytes)


@compiled
def _final(integrity: int, state: int, digest: int) -> int:
    """SHA-384 and SHA-512 share everything but their start: the state knows how much to write."""
    if integrity == _SHA1:
        return sha1_final(digest, state)
    if integrity == _SHA2_256:
        return sha256_final(digest, state)
    return sha512_final(digest, state)
