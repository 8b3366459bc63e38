"""The table of suites is consistent in itself and with the names that others use."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from saactors.errors import ParameterError
from saactors.esp.association import suite_named
from saactors.esp.portable_primitives import primitive
from saactors.esp.suites import SUITE_NUMBERS, SUITE_SIZES, SUITES, Encryption, Suite
from saactors.model.sa import INTEGRITY_KEY_BYTES_MAX, KEY_BYTES_MAX, SALT_BYTES

FIRST = ["aes-gcm-128", "aes-gcm-192", "aes-gcm-256", "chacha20-poly1305"]
PROGRAMS = ("xfrm", "dpdk", "wireshark")


def test_there_are_all_suites_that_were_asked_for() -> None:
    """Nine of GCM and of CCM, three of GMAC, ChaCha20, and four HMACs with each of the others."""
    kinds = Counter(suite.encryption for suite in SUITES)
    assert kinds == {
        Encryption.GCM: 9,
        Encryption.CCM: 9,
        Encryption.GMAC: 3,
        Encryption.CHACHA20_POLY1305: 1,
        Encryption.CBC: 12,
        Encryption.CTR: 12,
        Encryption.NULL: 4,
    }


def test_names_are_unique_and_lead_to_their_row() -> None:
    """Ours, IKE's and strongSwan's; the first rows are those that records have always numbered."""
    assert list(SUITE_NUMBERS)[:4] == FIRST
    assert all(SUITES[number].name == name for name, number in SUITE_NUMBERS.items())
    assert len({suite.ike_proposal for suite in SUITES}) == len(SUITES)
    assert len({suite.strongswan for suite in SUITES}) == len(SUITES)


@pytest.mark.parametrize("program", PROGRAMS)
def test_names_and_sizes_together_are_unique_in_every_program(program: str) -> None:
    """So a key table or a configuration leads back to one suite."""
    names = [
        (
            getattr(suite, f"{program}_encryption"),
            getattr(suite, f"{program}_integrity"),
            suite.key_bytes,
            suite.icv_bytes,
        )
        for suite in SUITES
        if getattr(suite, f"{program}_encryption") or getattr(suite, f"{program}_integrity")
    ]
    assert len(set(names)) == len(names) > 20


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_sizes_fit_the_sa_table_and_the_primitive(suite: Suite) -> None:
    """Keys and salt have room, and the ICV is what a primitive adds (and CBC its IV)."""
    assert suite.key_bytes <= KEY_BYTES_MAX
    assert suite.salt_bytes <= SALT_BYTES
    assert suite.integrity_key_bytes <= INTEGRITY_KEY_BYTES_MAX
    assert suite.align_bytes % 4 == 0
    made = primitive(suite, bytes(suite.key_bytes), bytes(suite.integrity_key_bytes))
    sealed = made.encrypt(bytes(16), memoryview(bytes(16)), bytes(8))
    own_iv = suite.iv_bytes if suite.encryption is Encryption.CBC else 0
    assert len(sealed) == own_iv + 16 + suite.icv_bytes


def test_compiled_code_sees_the_sizes_of_the_table() -> None:
    """Row by row."""
    for suite, row in zip(SUITES, SUITE_SIZES, strict=True):
        for name in SUITE_SIZES.dtype.names or ():
            assert row[name] == getattr(suite, name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("3des-cbc-hmac-md5-96", "a suite that is not weak (RFC 8221), for instance aes-gcm-128"),
        ("null", "null-hmac-sha1-96 or null-hmac-sha2-256-128 or null-hmac-sha2-384-192"),
        ("aes-256-gcm", "aes-gcm-256 or aes-gcm-256-icv8 or aes-gcm-256-icv12"),
        ("aes-cbc-256-hmac-sha2-384", "aes-cbc-256-hmac-sha2-384-192"),
        ("serpent", "one of those in docs/suites.md, or aes-gcm-128"),
    ],
)
def test_weak_or_unknown_suites_are_refused(name: str, expected: str) -> None:
    """The message says why, or what comes closest."""
    with pytest.raises(ParameterError) as refused:
        suite_named(name)
    assert str(refused.value) == f"suite: found {name!r}, expected {expected}"


@pytest.mark.shared
def test_ike_names_are_those_that_real_stacks_use(shared_folder: Path) -> None:
    """Every proposal of the captures is a suite of ours, and carries keys of its sizes."""
    by_ike = {suite.ike_proposal: suite for suite in SUITES}
    seen = set()
    for file in sorted(shared_folder.glob("captures/*/keys.json")):
        for sa in json.loads(file.read_text()):
            suite = by_ike[sa["proposal"].removeprefix("ESP:").rsplit("/", 1)[0]]
            seen.add(suite.name)
            assert len(sa["enc_key"]) == 2 * (suite.key_bytes + suite.salt_bytes), sa["spi"]
            assert len(sa["integ_key"]) == 2 * suite.integrity_key_bytes, sa["spi"]
    assert len(seen) >= 14
