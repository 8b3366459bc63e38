"""``docs/interop.md`` is of this tree: every suite against every peer that has it, all right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from saactors.esp.suites import SUITES, Encryption, Suite

PAGE = Path(__file__).parents[2] / "docs" / "interop.md"
ROW = re.compile(
    r"^\| (\S[^|]*?) +\| (\S+) +\| ([^|]*?) +\| ([→←]) peer +\| (\d+) +\| (\d+) +\| (.*?) +\|$"
)


def rows() -> list[tuple[str, ...]]:
    """Peer, suite, mode, direction, sent, accepted, refused."""
    found = [ROW.match(line) for line in PAGE.read_text().splitlines()]
    return [match.groups() for match in found if match]


def has(peer: str, suite: Suite) -> bool:
    """What is known of peers: strongSwan has no GMAC, the others no unusual ICVs or less."""
    if peer == "strongSwan 5.9":
        return suite.encryption is not Encryption.GMAC
    if peer == "tshark 4.0":
        return bool(suite.wireshark_encryption) and suite.name != "chacha20-poly1305"
    if peer == "scapy":
        return not suite.is_combined or suite.icv_bytes == 16
    return True


@pytest.mark.parametrize("peer", ["strongSwan 5.9", "Linux 6.1", "tshark 4.0", "scapy"])
def test_every_suite_that_a_peer_has_is_on_the_page(peer: str) -> None:
    """And no other, so that the page is made anew when a suite comes or goes."""
    assert {row[1] for row in rows() if row[0] == peer} == {
        suite.name for suite in SUITES if has(peer, suite)
    }


def test_both_directions_are_there_and_nothing_is_wrong() -> None:
    """Sent is accepted, and of what is bad all was refused."""
    assert len(rows()) > 1000
    assert {row[3] for row in rows()} == {"→", "←"}
    for *_, sent, accepted, refused in rows():
        assert sent == accepted
        assert refused == "–" or len(set(refused.split(" of "))) == 1
