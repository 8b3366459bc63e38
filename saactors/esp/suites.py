"""The cryptographic suites of ESP: one table, name → sizes, primitive and the names others use.

``SA.suite`` is an index in ``SUITES``; the order of the table is therefore part of the model and
new suites go to its end. A suite says how its bytes lie on the wire (RFC 4303 §2):

    | SPI | sequence | IV | ciphertext: payload, padding, pad length, next header | ICV |

and how an IV becomes a nonce: salt ‖ IV (RFC 4106 §4, RFC 7634 §2). The primitive is anything with
``encrypt(nonce, plaintext, associated_data)`` and ``decrypt`` alike, the ICV at the ciphertext's
end; the associated data is SPI ‖ sequence number, 32 or 64 bits of it (RFC 4106 §5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from saactors.model.sa import SA


class Aead(Protocol):
    """A keyed primitive; ``decrypt`` raises ``cryptography.exceptions.InvalidTag``."""

    def encrypt(self, nonce: bytes, data: memoryview, associated_data: bytes, /) -> bytes:
        """Ciphertext, and the ICV behind it."""
        ...

    def decrypt(self, nonce: bytes, data: memoryview, associated_data: bytes, /) -> bytes:
        """Plaintext, if the ICV is right."""
        ...


@dataclass(frozen=True, slots=True)
class Suite:
    """One way to protect packets. ``aead`` makes the primitive from a key of ``key_bytes``."""

    name: str
    key_bytes: int
    salt_bytes: int  # behind the key in IKE's keying material
    iv_bytes: int  # on the wire, in every packet
    icv_bytes: int
    align_bytes: int  # the ciphertext is a multiple of it; RFC 4303 §2.4 wants 4 of every suite
    aead: Callable[[bytes], Aead]
    openssl_cipher: str  # the function of libcrypto that names it
    ike_proposal: str  # as strongSwan logs it
    wireshark_encryption: str  # as in its esp_sa table
    wireshark_authentication: str


_GCM: Final = ("AES-GCM with 16 octet ICV [RFC4106]", "NULL")
_CHACHA: Final = ("ChaCha20 with Poly1305 [RFC7634]", "NULL")  # since Wireshark 4.2

# fmt: off
SUITES: Final = (
    #     name         key salt iv icv align primitive, libcrypto's name, IKE's, Wireshark's
    Suite("aes-gcm-128", 16, 4, 8, 16, 4,
          AESGCM, "EVP_aes_128_gcm", "AES_GCM_16_128", *_GCM),
    Suite("aes-gcm-192", 24, 4, 8, 16, 4,
          AESGCM, "EVP_aes_192_gcm", "AES_GCM_16_192", *_GCM),
    Suite("aes-gcm-256", 32, 4, 8, 16, 4,
          AESGCM, "EVP_aes_256_gcm", "AES_GCM_16_256", *_GCM),
    Suite("chacha20-poly1305", 32, 4, 8, 16, 4,
          ChaCha20Poly1305, "EVP_chacha20_poly1305", "CHACHA20_POLY1305", *_CHACHA),
)
# fmt: on

SUITE_NUMBERS: Final = {suite.name: number for number, suite in enumerate(SUITES)}

SUITE_SIZES: Final = np.array(
    [(suite.iv_bytes, suite.icv_bytes, suite.align_bytes) for suite in SUITES],
    np.dtype([("iv_bytes", "i4"), ("icv_bytes", "i4"), ("align_bytes", "i4")]),
)
"""The sizes that compiled code needs, by suite number.

Handed to it as an argument: a global would be frozen into Numba's cache, which does not notice when
this file changes.
"""


def suite_of(record: npt.NDArray[np.void] | np.void) -> Suite:
    """The suite of one SA record."""
    assert record.dtype == SA
    return SUITES[int(record["suite"])]
