"""Sequence numbers on disk: no key sends a number twice, whatever ends the process (law 2)."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import OutputError
from saactors.esp.association import Association
from saactors.gateway.reserved_sequences import BLOCK, ReservedSequences

END = ip_address("192.0.2.1")
SHORT_MAX = (1 << 32) - 1


def association(key: int) -> Association:
    """An SA with that key."""
    return Association(0x1000, "aes-gcm-128", key.to_bytes(20, "big"), source=END, destination=END)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Where numbers are kept."""
    return str(tmp_path / "state")


def test_after_a_crash_a_key_goes_on_behind_its_last_block(folder: str) -> None:
    """What was reserved may have been sent; another key begins where it wants to."""
    numbers = ReservedSequences(folder)
    one, other = (numbers.fingerprint(association(key)) for key in (1, 2))
    assert numbers.reserve([(one, 1, SHORT_MAX)]) == [(1, BLOCK)]
    assert numbers.extend(one, BLOCK, SHORT_MAX) == 2 * BLOCK
    numbers.close()  # and no more is told: a crash
    again = ReservedSequences(folder)
    assert again.fingerprint(association(1)) == one
    assert again.reserve([(one, 1, SHORT_MAX), (other, 7, SHORT_MAX)]) == [
        (2 * BLOCK + 1, 3 * BLOCK),
        (7, BLOCK + 6),
    ]


def test_an_orderly_end_loses_nothing(folder: str) -> None:
    """What was given back is the next to be sent."""
    numbers = ReservedSequences(folder)
    key = numbers.fingerprint(association(1))
    numbers.reserve([(key, 1, SHORT_MAX)])
    numbers.release([(key, 42)])
    numbers.close()
    assert ReservedSequences(folder).reserve([(key, 1, SHORT_MAX)]) == [(42, 41 + BLOCK)]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(["extend", "crash", "release"]), max_size=12), st.data())
def test_no_number_is_ever_granted_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], data: st.DataObject
) -> None:
    """Through any blocks, crashes and orderly ends: what was sent is never granted again."""
    folder = str(tmp_path_factory.mktemp("numbers"))
    numbers = ReservedSequences(folder)
    key, sent_up_to = numbers.fingerprint(association(1)), 0
    [(first, last)] = numbers.reserve([(key, 1, SHORT_MAX)])
    for step in steps:
        assert first > sent_up_to
        sent_up_to = data.draw(st.integers(first - 1, last))
        if step == "extend":
            last = numbers.extend(key, last, SHORT_MAX)
            first = sent_up_to + 1
            continue
        if step == "release":
            numbers.release([(key, sent_up_to + 1)])
        numbers.close()
        numbers = ReservedSequences(folder)
        [(first, last)] = numbers.reserve([(key, 1, SHORT_MAX)])
    assert first > sent_up_to
    numbers.close()


def test_numbers_end_where_the_sa_s_numbers_end(folder: str) -> None:
    """The last block is shorter, and behind it there is nothing."""
    numbers = ReservedSequences(folder)
    key = numbers.fingerprint(association(1))
    assert numbers.reserve([(key, SHORT_MAX - 5, SHORT_MAX)]) == [(SHORT_MAX - 5, SHORT_MAX)]
    [(first, last)] = numbers.reserve([(key, 1, SHORT_MAX)])
    assert first > last


def test_the_file_tells_no_keys_and_is_its_owner_s_alone(folder: str) -> None:
    """Fingerprints are keyed, so two gateways with one key have nothing in common."""
    numbers = ReservedSequences(folder)
    key = association(0xFEEDFACE)
    numbers.reserve([(numbers.fingerprint(key), 1, SHORT_MAX)])
    numbers.close()
    [file] = Path(folder).iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert Path(folder).stat().st_mode & 0o777 == 0o700
    assert key.key not in file.read_bytes()
    assert ReservedSequences(f"{folder}-2").fingerprint(key) != numbers.fingerprint(key)


def test_a_second_process_is_refused(folder: str) -> None:
    """Two gateways over one state would each think that the numbers are theirs."""
    numbers = ReservedSequences(folder)
    with pytest.raises(OutputError, match="database is locked; expected a folder that this"):
        ReservedSequences(folder)
    numbers.close()


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    """With how to mend it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="set state in"):
        ReservedSequences(str(tmp_path / "file" / "state"))
