"""The RFCs' own vectors, through both implementations of the primitives.

AES-CBC: RFC 3602 §4, blocks and ESP packets. AES-CTR: RFC 3686 §6. AES-CCM: RFC 3610 §8 (RFC 4309
has none). HMACs: RFC 2202, RFC 4231 §4, RFC 4868 §2.7.2. GCM's and ChaCha20-Poly1305's are packets:
see ``test_esp_vectors``. Each vector is also checked against the ``cryptography`` package, so that
a slip of the pen in a vector is told from a mistake of ours.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR

from saactors.esp.suites import SUITE_NUMBERS, SUITES, Encryption, Integrity, Suite
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

FOLDER = Path(__file__).parent / "vectors"
BLOCKS, PACKETS, CTRS, CCMS, HMACS = (
    json.loads((FOLDER / f"{name}.json").read_text())
    for name in ("rfc_3602_blocks", "rfc_3602_packets", "rfc_3686", "rfc_3610", "rfcs_hmac")
)
HASHES = {
    "sha1": Integrity.SHA1,
    "sha256": Integrity.SHA2_256,
    "sha384": Integrity.SHA2_384,
    "sha512": Integrity.SHA2_512,
}


def suite(name: str) -> Suite:
    """The suite of that name."""
    return SUITES[SUITE_NUMBERS[name]]


def octets(vector: dict[str, str], *names: str) -> list[bytes]:
    """These values of a vector."""
    return [bytes.fromhex(vector[name]) for name in names]


def of_encryption(encryption: Encryption, key_bytes: int) -> list[Suite]:
    """All suites that encipher like this, whatever their HMAC."""
    found = [each for each in SUITES if each.encryption is encryption]
    return [each for each in found if each.key_bytes == key_bytes]


def test_there_are_all_vectors_of_the_rfcs() -> None:
    """So that no test below holds only because it looks at nothing."""
    assert [len(each) for each in (BLOCKS, PACKETS, CTRS, CCMS)] == [4, 4, 9, 24]
    by_source = Counter((each["source"], each["hash"]) for each in HMACS)
    assert by_source == {("RFC 2202", "sha1"): 7} | {
        (source, name): count
        for source, count in (("RFC 4231", 7), ("RFC 4868", 4))
        for name in ("sha256", "sha384", "sha512")
    }


@pytest.mark.parametrize("vector", BLOCKS, ids=range(1, len(BLOCKS) + 1))
def test_cbc_enciphers_as_rfc_3602_says(primitives: Any, vector: dict[str, str]) -> None:
    """Cases 1 to 4. An IV of ours is an enciphered counter, and any IV is that of some counter."""
    key, iv, plain, cipher = octets(vector, "key", "iv", "plaintext", "ciphertext")
    assert Cipher(AES(key), CBC(iv)).encryptor().update(plain) == cipher
    for each in of_encryption(Encryption.CBC, len(key)):
        assert primitives.encipher(each, key, iv, plain) == cipher
        assert primitives.decipher(each, key, iv, cipher) == plain


@pytest.mark.parametrize("vector", PACKETS, ids=lambda vector: vector["case"])
def test_the_packets_of_rfc_3602_open(esp: Any, vector: dict[str, Any]) -> None:
    """Cases 5 to 8. They have no ICV, which ESP no longer allows; they get one of ours here."""
    mode = Mode[vector["mode"].upper()]
    key, wire, payload = octets(vector, "key", "esp", "payload")
    assert Cipher(AES(key), CBC(wire[8:24])).decryptor().update(wire[24:]).startswith(payload)
    ends = (vector["source"], vector["destination"])
    integrity_key = bytes(range(20))
    form = esp.Form(
        "aes-cbc-128-hmac-sha1-96",
        mode,
        ends,
        spi=int.from_bytes(wire[:4]),
        key=key,
        integrity_key=integrity_key,
    )
    icv = hmac.digest(integrity_key, wire, "sha1")[:12]
    packet = esp.ipv4(wire + icv, protocol=50, ends=ends)
    expected = payload
    if mode is Mode.TRANSPORT:
        expected = esp.ipv4(payload, protocol=vector["next_header"], ends=ends)
    assert esp.open(esp.table(form), [packet]) == [expected]
    unauthentic = esp.ipv4(wire + bytes(12), protocol=50, ends=ends)
    assert esp.open(esp.table(form), [unauthentic]) == [Verdict.ICV_FAILED]


@pytest.mark.parametrize("vector", CTRS, ids=range(1, len(CTRS) + 1))
def test_ctr_enciphers_as_rfc_3686_says(primitives: Any, vector: dict[str, str]) -> None:
    """All nine: nonce (our salt), IV, and a block counter that begins at one."""
    key, nonce, iv, plain, cipher = octets(vector, "key", "nonce", "iv", "plaintext", "ciphertext")
    block = nonce + iv + (1).to_bytes(4)
    assert Cipher(AES(key), CTR(block)).encryptor().update(plain) == cipher
    for each in of_encryption(Encryption.CTR, len(key)):
        assert primitives.encipher(each, key, block, plain) == cipher
        assert primitives.decipher(each, key, block, cipher) == plain


@pytest.mark.parametrize("vector", CCMS, ids=range(1, len(CCMS) + 1))
def test_ccm_seals_as_rfc_3610_says(primitives: Any, vector: dict[str, str]) -> None:
    """ICVs of eight bytes; the vectors with ten are not ESP's, and only checked for themselves."""
    key, nonce, associated, plain, cipher, icv = octets(
        vector, "key", "nonce", "aad", "plaintext", "ciphertext", "icv"
    )
    assert AESCCM(key, len(icv)).encrypt(nonce, plain, associated) == cipher + icv
    if len(icv) == 8:
        ccm = suite("aes-ccm-128-icv8")
        assert primitives.seal(ccm, key, nonce, associated, plain) == cipher + icv
        assert primitives.open(ccm, key, nonce, associated, cipher + icv) == plain
        forged = cipher + icv[:-1] + bytes([icv[-1] ^ 1])
        assert primitives.open(ccm, key, nonce, associated, forged) is None


def as_sa_key(key: bytes, name: str, size: int) -> bytes | None:
    """The key as long as an SA's, which is that of the digest; None if it cannot be.

    HMAC itself fills short keys up with zeroes and hashes those longer than a block (RFC 2104 §2).
    """
    if len(key) > hashlib.new(name).block_size:
        return hashlib.new(name, key).digest()
    return key.ljust(size, b"\0") if len(key) <= size else None


@pytest.mark.parametrize("name", HASHES)
def test_icvs_are_those_of_rfcs_2202_4231_and_4868(primitives: Any, name: str) -> None:
    """All but RFC 2202's fourth, whose key has 25 bytes where an SA's has 20."""
    null = next(each for each in SUITES if each.name.startswith("null") and
                each.integrity is HASHES[name])  # fmt: skip
    ran = []
    for vector in HMACS:
        if vector["hash"] != name:
            continue
        key, text, mac = octets(vector, "key", "data", "mac")
        assert hmac.digest(key, text, name)[: len(mac)] == mac
        sa_key = as_sa_key(key, name, null.integrity_key_bytes)
        if sa_key is not None:
            icv = primitives.mac(null, sa_key, text)
            assert len(icv) == null.icv_bytes
            assert icv[: len(mac)] == mac[: len(icv)]
            ran.append((vector["source"], vector["case"]))
    assert len(ran) == (6 if name == "sha1" else 11)
