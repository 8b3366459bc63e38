"""Keys for simulations: derived from a seed, so that the same run has the same keys.

These are **not secrets**. Whoever knows the seed, a small integer that summaries print, has every
key. They protect no traffic; real SAs bring keys from IKE.

The keys are the ChaCha20 key stream (RFC 8439 §2.4) of a key that stands for the seed, cut into
rows of 36 bytes. Row i begins at byte 36 i of the stream, and the stream can be entered at any
block, so a row never depends on how many rows were asked for together.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from saactors.model.sa import INTEGRITY_KEY_BYTES_MAX, KEY_BYTES_MAX, SALT_BYTES

ROW_BYTES: Final = KEY_BYTES_MAX + SALT_BYTES
_BLOCK_BYTES: Final = 64
_COUNTER_BYTES: Final = 4  # little-endian, before the nonce proper
_NONCE: Final = b"ESP SA keys "  # 12 bytes
_INTEGRITY_NONCE: Final = b"ESP SA HMACs"
_LABEL: Final = b"saactors simulation keys, not secret: seed "


def derive_keys(seed: int, first: int, count: int) -> npt.NDArray[np.uint8]:
    """Keys of SAs ``first`` to ``first + count - 1`` of the run with this seed, one row each.

    Shape (count, 36): up to 32 key bytes from the left, the salt in the last 4, as ``SaTable``
    wants them. 2³² blocks of 64 bytes are enough for 7·10⁹ SAs.
    """
    return _rows(seed, _NONCE, first, count, ROW_BYTES)


def derive_integrity_keys(seed: int, first: int, count: int) -> npt.NDArray[np.uint8]:
    """The same SAs' second keys, for suites that want one; shape (count, 64)."""
    return _rows(seed, _INTEGRITY_NONCE, first, count, INTEGRITY_KEY_BYTES_MAX)


def _rows(
    seed: int, purpose: bytes, first: int, count: int, row_bytes: int
) -> npt.NDArray[np.uint8]:
    block, skipped = divmod(first * row_bytes, _BLOCK_BYTES)
    wanted = count * row_bytes
    nonce = block.to_bytes(_COUNTER_BYTES, "little") + purpose
    key = sha256(_LABEL + str(seed).encode()).digest()
    stream = Cipher(ChaCha20(key, nonce), mode=None).encryptor().update(bytes(skipped + wanted))
    return np.frombuffer(bytearray(stream[skipped:]), np.uint8).reshape(count, row_bytes)
