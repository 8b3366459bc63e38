"""The cryptographic suites of ESP: one table, name → sizes, primitives and the names others use.

``SA.suite`` is an index in ``SUITES``; the order of the table is therefore part of the model and
new suites go to its end. A suite says how its bytes lie on the wire (RFC 4303 §2):

    | SPI | sequence | IV | ciphertext: payload, padding, pad length, next header | ICV |

There are three kinds of suite. A *combined-mode* one encrypts and authenticates by one primitive
under one key; a *separate* one encrypts (or, with NULL, does not) and then takes an HMAC under a
key of its own (RFC 4303 §3.3.2); GMAC authenticates only, with a combined-mode primitive.

What is not here is refused: DES, 3DES, MD5 and truncated SHA-256-96 are weak or never standardised
(RFC 8221), and encryption without integrity is open to whoever can flip bits (RFC 4303 §1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.model.sa import SA


class Encryption(IntEnum):
    """How the payload is protected. Compiled code compares the numbers.

    The nonce of all is salt ‖ IV: GCM and GMAC RFC 4106 §4 and RFC 4543 §3.2, ChaCha20 RFC 7634 §2,
    CCM RFC 4309 §4 (with a salt of three bytes), CTR RFC 3686 §4 (with a block counter behind).
    """

    GCM = 0
    CHACHA20_POLY1305 = 1
    CCM = 2
    GMAC = 3
    CBC = 4
    CTR = 5
    NULL = 6


class Integrity(IntEnum):
    """Which HMAC a suite takes over the packet (RFC 2404, RFC 4868); NONE: combined mode."""

    NONE = 0
    SHA1 = 1
    SHA2_256 = 2
    SHA2_384 = 3
    SHA2_512 = 4


@dataclass(frozen=True, slots=True)
class Suite:
    """One way to protect packets; a name is "" where the others do not have the suite."""

    name: str
    encryption: Encryption
    key_bytes: int
    salt_bytes: int  # behind the key in IKE's keying material
    iv_bytes: int  # on the wire, in every packet
    align_bytes: int  # the ciphertext is a multiple of it; RFC 4303 §2.4 wants 4 of every suite
    integrity: Integrity
    integrity_key_bytes: int
    icv_bytes: int
    ike_proposal: str  # as strongSwan logs it: IANA's names without ENCR_ and AUTH_
    strongswan: str  # as in swanctl.conf's esp_proposals
    xfrm_encryption: str  # of ``ip xfrm``: aead or enc
    xfrm_integrity: str  # auth-trunc
    dpdk_encryption: str  # of ipsec-secgw: aead_algo or cipher_algo
    dpdk_integrity: str  # auth_algo
    wireshark_encryption: str  # as in its esp_sa table
    wireshark_integrity: str
    openssl_cipher: str  # the function of libcrypto that names it

    @property
    def is_combined(self) -> bool:
        """Whether one primitive under one key does everything (RFC 4303 §3.2.3)."""
        return self.integrity is Integrity.NONE


@dataclass(frozen=True, slots=True)
class _Hmac:
    """An integrity algorithm of separate suites, and its names in the order of ``Suite``'s."""

    name: str
    integrity: Integrity
    key_bytes: int
    icv_bytes: int
    ike: str
    strongswan: str
    xfrm: str
    dpdk: str
    wireshark: str


_HMACS: Final = (
    _Hmac("hmac-sha1-96", Integrity.SHA1, 20, 12, "HMAC_SHA1_96", "sha1",
          "hmac(sha1)", "sha1-hmac", "HMAC-SHA-1-96 [RFC2404]"),
    _Hmac("hmac-sha2-256-128", Integrity.SHA2_256, 32, 16, "HMAC_SHA2_256_128", "sha256",
          "hmac(sha256)", "sha256-hmac", "HMAC-SHA-256-128 [RFC4868]"),
    _Hmac("hmac-sha2-384-192", Integrity.SHA2_384, 48, 24, "HMAC_SHA2_384_192", "sha384",
          "hmac(sha384)", "sha384-hmac", "HMAC-SHA-384-192 [RFC4868]"),
    _Hmac("hmac-sha2-512-256", Integrity.SHA2_512, 64, 32, "HMAC_SHA2_512_256", "sha512",
          "hmac(sha512)", "sha512-hmac", "HMAC-SHA-512-256 [RFC4868]"),
)  # fmt: skip


def _gcm(key_bytes: int, icv_bytes: int = 16) -> Suite:
    bits = 8 * key_bytes
    return Suite(
        f"aes-gcm-{bits}" + _shorter(icv_bytes), Encryption.GCM, key_bytes, 4, 8, 4,
        Integrity.NONE, 0, icv_bytes,
        f"AES_GCM_{icv_bytes}_{bits}", f"aes{bits}gcm{icv_bytes}", "rfc4106(gcm(aes))", "",
        f"aes-{bits}-gcm" if icv_bytes == 16 else "", "",
        f"AES-GCM with {icv_bytes} octet ICV [RFC4106]", "NULL", f"EVP_aes_{bits}_gcm",
    )  # fmt: skip


def _ccm(key_bytes: int, icv_bytes: int) -> Suite:
    bits = 8 * key_bytes
    return Suite(
        f"aes-ccm-{bits}" + _shorter(icv_bytes), Encryption.CCM, key_bytes, 3, 8, 4,
        Integrity.NONE, 0, icv_bytes,
        f"AES_CCM_{icv_bytes}_{bits}", f"aes{bits}ccm{icv_bytes}", "rfc4309(ccm(aes))", "",
        f"aes-{bits}-ccm" if icv_bytes == 16 else "", "", "", "", f"EVP_aes_{bits}_ccm",
    )  # fmt: skip


def _gmac(key_bytes: int) -> Suite:
    bits = 8 * key_bytes
    return Suite(
        f"aes-gmac-{bits}", Encryption.GMAC, key_bytes, 4, 8, 4, Integrity.NONE, 0, 16,
        f"NULL_AES_GMAC_{bits}", f"aes{bits}gmac", "rfc4543(gcm(aes))", "",
        "", "aes-gmac" if bits == 128 else "", "", "", f"EVP_aes_{bits}_gcm",
    )  # fmt: skip


def _cbc(key_bytes: int, hmac: _Hmac) -> Suite:
    bits = 8 * key_bytes
    return Suite(
        f"aes-cbc-{bits}-{hmac.name}", Encryption.CBC, key_bytes, 0, 16, 16,
        hmac.integrity, hmac.key_bytes, hmac.icv_bytes,
        f"AES_CBC_{bits}/{hmac.ike}", f"aes{bits}-{hmac.strongswan}", "cbc(aes)", hmac.xfrm,
        f"aes-{bits}-cbc", hmac.dpdk, "AES-CBC [RFC3602]", hmac.wireshark, f"EVP_aes_{bits}_cbc",
    )  # fmt: skip


def _ctr(key_bytes: int, hmac: _Hmac) -> Suite:
    bits = 8 * key_bytes
    return Suite(
        f"aes-ctr-{bits}-{hmac.name}", Encryption.CTR, key_bytes, 4, 8, 4,
        hmac.integrity, hmac.key_bytes, hmac.icv_bytes,
        f"AES_CTR_{bits}/{hmac.ike}", f"aes{bits}ctr-{hmac.strongswan}",
        "rfc3686(ctr(aes))", hmac.xfrm,
        f"aes-{bits}-ctr", hmac.dpdk, "AES-CTR [RFC3686]", hmac.wireshark, f"EVP_aes_{bits}_ctr",
    )  # fmt: skip


def _null(hmac: _Hmac) -> Suite:
    return Suite(
        f"null-{hmac.name}", Encryption.NULL, 0, 0, 0, 4,
        hmac.integrity, hmac.key_bytes, hmac.icv_bytes,
        f"NULL/{hmac.ike}", f"null-{hmac.strongswan}", "ecb(cipher_null)", hmac.xfrm,
        "null", hmac.dpdk, "NULL", hmac.wireshark, "EVP_enc_null",
    )  # fmt: skip


def _shorter(icv_bytes: int) -> str:
    """What a name says of an ICV that is not the usual one."""
    return "" if icv_bytes == 16 else f"-icv{icv_bytes}"


_CHACHA20_POLY1305: Final = Suite(
    "chacha20-poly1305", Encryption.CHACHA20_POLY1305, 32, 4, 8, 4, Integrity.NONE, 0, 16,
    "CHACHA20_POLY1305", "chacha20poly1305", "rfc7539esp(chacha20,poly1305)", "",
    "chacha20-poly1305", "",
    "ChaCha20 with Poly1305 [RFC7634]", "NULL",  # since Wireshark 4.2
    "EVP_chacha20_poly1305",
)  # fmt: skip

_KEY_SIZES: Final = (16, 24, 32)

SUITES: Final = (
    *(_gcm(key) for key in _KEY_SIZES),
    _CHACHA20_POLY1305,
    *(_gcm(key, icv) for icv, key in product((8, 12), _KEY_SIZES)),
    *(_ccm(key, icv) for icv, key in product((16, 8, 12), _KEY_SIZES)),
    *(_gmac(key) for key in _KEY_SIZES),
    *(_cbc(key, hmac) for key, hmac in product(_KEY_SIZES, _HMACS)),
    *(_ctr(key, hmac) for key, hmac in product(_KEY_SIZES, _HMACS)),
    *(_null(hmac) for hmac in _HMACS),
)

SUITE_NUMBERS: Final = {suite.name: number for number, suite in enumerate(SUITES)}

_SIZES: Final = ("encryption", "integrity", "key_bytes", "salt_bytes", "iv_bytes", "icv_bytes",
                 "align_bytes", "integrity_key_bytes")  # fmt: skip

SUITE_SIZES: Final = np.array(
    [tuple(int(getattr(suite, name)) for name in _SIZES) for suite in SUITES],
    np.dtype([(name, "i4") for name in _SIZES]),
)
"""What compiled code needs to know, by suite number.

Handed to it as an argument: a global would be frozen into Numba's cache, which does not notice when
this file changes.
"""


def suite_of(record: npt.NDArray[np.void] | np.void) -> Suite:
    """The suite of one SA record."""
    assert record.dtype == SA
    return SUITES[int(record["suite"])]
