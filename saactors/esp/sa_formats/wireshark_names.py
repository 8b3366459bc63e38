"""What Wireshark calls algorithms in its table ``esp_sa``, and which suites of ours they are."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from saactors.esp.suites import SUITES, Suite

_OLD_GCM: Final = "AES-GCM [RFC4106]"
_UNCHECKED: Final = "ANY {} bit authentication [no checking]"
"""How Wireshark before 3.6 named AES-GCM by its ICV; strongSwan's save-keys still does."""

# Algorithms that no suite of ours has; strongSwan's save-keys has a spelling of its own for one.
_OTHER_ENCRYPTIONS: Final = {
    "TripleDES-CBC [RFC2451]", "TripleDes-CBC [RFC2451]", "DES-CBC [RFC2405]",
    "CAST5-CBC [RFC2144]", "BLOWFISH-CBC [RFC2451]", "TWOFISH-CBC",
    "AES-GCM with 4 octet ICV [RFC4106]", _OLD_GCM,
}  # fmt: skip
_OTHER_AUTHENTICATIONS: Final = {
    "HMAC-MD5-96 [RFC2403]", "MAC-RIPEMD-160-96 [RFC2857]",
    "HMAC-SHA-256-96 [draft-ietf-ipsec-ciph-sha-256-00]",
    *(_UNCHECKED.format(bits) for bits in (64, 96, 128, 192, 256)),
}  # fmt: skip


def names_of(suite: Suite) -> tuple[str, str]:
    """What stands in the fields for encryption and authentication."""
    if not suite.wireshark_encryption:
        return suite.ike_proposal, "NULL"
    return suite.wireshark_encryption, suite.wireshark_integrity


def _numbers_by_names() -> dict[tuple[str, str], list[int]]:
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, suite in enumerate(SUITES):
        numbers[names_of(suite)].append(number)
        if suite.name.startswith("aes-gcm"):
            numbers[_OLD_GCM, _UNCHECKED.format(8 * suite.icv_bytes)].append(number)
    return dict(numbers)


NUMBERS_BY_NAMES: Final = _numbers_by_names()
"""The suites that carry a pair of names; they differ by the size of the key."""

_ENCRYPTIONS: Final = {encryption for encryption, _ in NUMBERS_BY_NAMES} | _OTHER_ENCRYPTIONS
_AUTHENTICATIONS: Final = {other for _, other in NUMBERS_BY_NAMES} | _OTHER_AUTHENTICATIONS


def quoted(encryption: str, authentication: str) -> str:
    """Two names for a message: what is no name that is known may be a secret in the wrong field."""
    given = ((encryption, _ENCRYPTIONS), (authentication, _AUTHENTICATIONS))
    return " / ".join(
        text if text in names else f"text of {len(text)} characters" for text, names in given
    )
