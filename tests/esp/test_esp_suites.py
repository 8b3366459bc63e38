"""The table of suites is consistent in itself and with the names that others use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from saactors.esp.suites import SUITE_NUMBERS, SUITE_SIZES, SUITES
from saactors.model.sa import KEY_BYTES_MAX, SALT_BYTES

ISSUE_2 = {"aes-gcm-128", "aes-gcm-192", "aes-gcm-256", "chacha20-poly1305"}


def test_names_are_unique_and_lead_to_their_row() -> None:
    """Name, IKE proposal, and Wireshark's name with the key size."""
    assert set(SUITE_NUMBERS) == ISSUE_2
    assert all(SUITES[number].name == name for name, number in SUITE_NUMBERS.items())
    assert len({suite.ike_proposal for suite in SUITES}) == len(SUITES)
    assert len({(s.wireshark_encryption, s.key_bytes) for s in SUITES}) == len(SUITES)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_sizes_fit_the_sa_table_and_the_primitive(suite: object) -> None:
    """Key and salt have room, salt and IV make a 12-byte nonce, the ICV is what is added."""
    suite = SUITES[SUITES.index(suite)]  # type: ignore[arg-type]  # parametrised over SUITES
    assert suite.key_bytes <= KEY_BYTES_MAX
    assert suite.salt_bytes == SALT_BYTES
    assert suite.salt_bytes + suite.iv_bytes == 12
    assert suite.align_bytes % 4 == 0
    sealed = suite.aead(bytes(suite.key_bytes)).encrypt(bytes(12), memoryview(b"abcd"), b"")
    assert len(sealed) == 4 + suite.icv_bytes


def test_compiled_code_sees_the_sizes_of_the_table() -> None:
    """Row by row."""
    assert [tuple(row) for row in SUITE_SIZES.tolist()] == [
        (suite.iv_bytes, suite.icv_bytes, suite.align_bytes) for suite in SUITES
    ]


@pytest.mark.shared
def test_ike_names_are_those_that_real_stacks_use(shared_folder: Path) -> None:
    """Every proposal of the captures that we have a suite for carries a key of that size."""
    by_ike = {suite.ike_proposal: suite for suite in SUITES}
    seen = set()
    for file in sorted(shared_folder.glob("captures/*/keys.json")):
        for sa in json.loads(file.read_text()):
            name = sa["proposal"].removeprefix("ESP:").split("/")[0]
            if name in by_ike:
                seen.add(name)
                size = by_ike[name].key_bytes + by_ike[name].salt_bytes
                assert len(sa["enc_key"]) == 2 * size, sa["spi"]
    assert seen == set(by_ike)
