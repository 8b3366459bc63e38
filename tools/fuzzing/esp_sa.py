"""Wireshark's table of SAs: any text is one, or one ``KeyTableError`` that names a line.

What has been read is written again, and then has to be read as the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final

from fuzzing.esp_open import ASSOCIATIONS
from fuzzing.target import assert_no_key
from saactors.errors import KeyTableError
from saactors.esp.association import SPI_MIN, Association
from saactors.esp.sa_formats.wireshark import (
    ANY,
    UNSUPPORTED_SUITE,
    KeyTableEntry,
    format_key_table,
    parse_key_table,
)
from saactors.esp.suites import SUITES

_NAME: Final = "esp_sa"
_NAMES: Final = {
    name for suite in SUITES for name in (suite.wireshark_encryption, suite.wireshark_integrity)
}
TOKENS: Final = tuple(
    token.encode()
    for token in (
        *sorted(filter(None, _NAMES)),
        *("AES-GCM [RFC4106]", "ANY 128 bit authentication [no checking]", "NULL", "\\x30", '","'),
        *(
            "IPv4",
            "IPv6",
            "Any",
            "0x00001001",
            "0x",
            "32-bit",
            "64-bit",
            "192.0.2.1",
            "2001:db8::1",
        ),
    )
)


def check(data: bytes) -> None:
    """Read a table, look for packets in it, and write and read it again."""
    try:
        table = parse_key_table(data.decode(errors="replace"), _NAME)
    except KeyTableError as error:
        assert str(error).startswith(f"{_NAME}:{error.line}: ")  # noqa: PT017 - either is good
        assert_no_key(str(error))
        return
    for entry in table.entries:
        assert ANY in entry.spi or 0 <= int(entry.spi, 0) < 1 << 32
        assert 0 <= entry.sequence_high < 1 << 32
    assert_no_key(" ".join(table.unsupported))
    table.find(4, "192.0.2.1", "198.51.100.2", 0x1001)
    assert table.find(0, "", "", 1 << 32) is None or ANY in data.decode(errors="replace")
    entries = [entry for entry in table.entries if _is_plain(entry)]
    associations = [_association(entry) for entry in entries]
    text = format_key_table(associations)
    again = parse_key_table(text, _NAME)
    assert not again.unsupported
    found = [_essence(entry) for entry in again.entries]
    assert found == [_essence(entry) for entry in entries], "read otherwise"
    assert format_key_table(associations) == text


def _is_plain(entry: KeyTableEntry) -> bool:
    """Whether the line speaks of one SA, which we can have."""
    one = ANY not in entry.source + entry.destination + entry.spi
    return one and entry.suite != UNSUPPORTED_SUITE and int(entry.spi, 0) >= SPI_MIN and (
        ip_address(entry.source).version == ip_address(entry.destination).version
    )  # fmt: skip


def _association(entry: KeyTableEntry) -> Association:
    high = entry.sequence_high if entry.extended_sequence else 0
    return Association(
        spi=int(entry.spi, 0),
        suite=SUITES[entry.suite].name,
        key=entry.key,
        integrity_key=entry.integrity_key,
        source=ip_address(entry.source),
        destination=ip_address(entry.destination),
        extended_sequence=entry.extended_sequence,
        first_sequence=max(1, high << 32),
    )


def _essence(entry: KeyTableEntry) -> tuple[object, ...]:
    """All that a line says, in one way of saying it."""
    high = entry.sequence_high if entry.extended_sequence else 0
    ends = (entry.source, entry.destination)
    return (
        *ends, int(entry.spi, 0), entry.suite, entry.key, entry.integrity_key,
        entry.extended_sequence, high,
    )  # fmt: skip


def seeds() -> Iterator[bytes]:
    """A line of every kind of suite, as a whole and by itself, and what else a table may hold."""
    yield from _lines(format_key_table(ASSOCIATIONS))
    first = format_key_table(ASSOCIATIONS[:1])
    yield b"# a comment\n\n" + first.replace("192.0.2.1", "192.0.*.1").encode()
    yield (
        first.replace("AES-GCM with 16 octet ICV [RFC4106]", "AES-GCM [RFC4106]")
        .replace('"NULL"', '"ANY 128 bit authentication [no checking]"')
        .encode()
    )
    yield first.replace("0x00001001", "-1").encode()
    yield b'"Any","*","*","*","DES-CBC [RFC2405]","0x01\\x30","NULL",""\n'
    digits = b"0x" + bytes(range(16)).hex().encode()
    yield b'"IPv4","::1","*","1","' + digits + b'","AES-CBC [RFC3602]","NULL",""\n'
    yield b'"IPv4","10.0.0.1","*","256","' + digits + b'","AES-CBC [RFC3602]","NULL",""\n'
    key = b"twenty bytes of text"
    yield b'"IPv4","::","*","0x1001","NULL","","HMAC-SHA-1-96 [RFC2404]","' + key + b'"\n'


def _lines(text: str) -> Iterable[bytes]:
    yield text.encode()
    yield from (line.encode() for line in text.splitlines(keepends=True))
