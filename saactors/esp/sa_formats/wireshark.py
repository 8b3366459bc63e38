r"""Wireshark's table of ESP security associations, the file ``esp_sa`` of its profile folder.

A line is an SA, its fields in quotes with commas between:

    "IPv4","10.0.0.1","10.0.0.2","0x00001001","AES-GCM with 16 octet ICV [RFC4106]","0x…","NULL",""

protocol of the outer header, source, destination, SPI, encryption and its key (the salt behind
it), authentication and its key. The names are those of ``Suite``; a suite that Wireshark does not
have stands under its IKE name, in a line that Wireshark passes over. Wireshark 4.2 has two fields
more: the length of the sequence number ("32-bit" or "64-bit") and the high half that the first
packet has. ``\xHH`` stands for a byte, ``#`` begins a comment line.

``*`` as address or SPI matches any; inside one it stands for a single character, so ``10.0.0.*``
matches 10.0.0.7 and not 10.0.0.70. The table does not say whether an SA is in tunnel or transport
mode.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import numpy as np

from saactors.errors import KeyTableError, ParameterError
from saactors.esp.association import Association, integrity_key_row, key_row
from saactors.esp.open_layout import MODE_NOT_STATED
from saactors.esp.sa_formats.lines import LineError
from saactors.esp.sa_formats.wireshark_names import NUMBERS_BY_NAMES, names_of, quoted
from saactors.esp.suites import SUITE_NUMBERS, SUITES
from saactors.model.sa import SA, Mode, SaTable

ANY: Final = "*"
UNSUPPORTED_SUITE: Final = -1

_FIELD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(?:,|$)')
_ESCAPED: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|.)")
_FIELDS_MIN: Final = 8
_PROTOCOLS: Final = {"IPv4": 4, "IPv6": 6, ANY: 0, "Any": 0}
_SEQUENCE_LENGTHS: Final = {"32-bit": False, "64-bit": True}
# What an SPI may look like, in which asterisks stand for digits.
_SPI_PATTERN: Final = re.compile(r"[0-9*]{1,10}|0x[0-9a-f*]{1,8}")


@dataclass(frozen=True, slots=True)
class KeyTableEntry:
    """One line: which packets, and how to open them. The key is no part of the repr (law 10)."""

    version: int  # of the outer IP header; 0: any
    source: str  # address or pattern
    destination: str
    spi: str  # number or pattern
    suite: int  # in saactors.esp.suites.SUITES, or UNSUPPORTED_SUITE
    key: bytes = field(repr=False)  # and the salt behind it
    integrity_key: bytes = field(default=b"", repr=False)
    extended_sequence: bool = False
    sequence_high: int = 0  # high half of the first packet's extended sequence number

    def matches(self, version: int, source: str, destination: str, spi: int) -> bool:
        """Whether the line speaks of packets with these outer addresses and this SPI."""
        return (
            self.version in {0, version}
            and _matches(source, self.source)
            and _matches(destination, self.destination)
            and (_matches(f"0x{spi:08x}", self.spi) if ANY in self.spi else int(self.spi, 0) == spi)
        )

    def add_to(self, sas: SaTable, spi: int) -> int:
        """Add the SA with this SPI to a table and return its index.

        Its addresses and ports are 0 and its mode is MODE_NOT_STATED: enough for opening.
        """
        assert self.suite != UNSUPPORTED_SUITE, "there is no SA of a suite that we do not have"
        records = np.zeros(1, SA)
        records["spi"], records["suite"], records["mode"] = spi, self.suite, MODE_NOT_STATED
        records["outer_version"] = self.version
        records["extended_sequence"] = self.extended_sequence
        integrity_keys = integrity_key_row(self.integrity_key)[None] if self.integrity_key else None
        return sas.add(records, key_row(SUITES[self.suite], self.key)[None], integrity_keys).start

    def association(self, name: str) -> Association:
        """The line as an SA; in tunnel mode, since it does not say which.

        Raises:
            KeyTableError: it has patterns, and so is no SA; ``name`` is what it calls the file.
        """
        if ANY in self.source + self.destination + self.spi:
            problem = f"found a pattern in the line of SPI {self.spi}, expected addresses and SPI"
            raise KeyTableError(name, 0, problem)
        try:
            return Association(
                int(self.spi, 0),
                SUITES[self.suite].name,
                self.key,
                self.integrity_key,
                source=ip_address(self.source),
                destination=ip_address(self.destination),
                extended_sequence=self.extended_sequence,
                first_sequence=max(1, self.sequence_high << 32),
            )
        except ParameterError as error:
            raise KeyTableError(name, 0, f"SPI {self.spi}: {error}") from None


def entry_of(sa: Association) -> KeyTableEntry:
    """The line that opens what comes on an SA."""
    source, destination = (ANY if end is None else str(end) for end in (sa.source, sa.destination))
    return KeyTableEntry(
        0 if sa.source is None else sa.source.version,
        source,
        destination,
        f"{sa.spi:#010x}",
        SUITE_NUMBERS[sa.suite],
        sa.key,
        sa.integrity_key,
        sa.extended_sequence,
        sa.first_sequence >> 32,
    )


class KeyTable:
    """What a file held: its entries in order, and how many lines were of suites we do not have."""

    __slots__ = ("_by_spi", "entries", "unsupported")

    def __init__(self, entries: Iterable[KeyTableEntry], unsupported: Mapping[str, int]) -> None:
        self.entries = tuple(entries)
        # "encryption / authentication" → lines; what is no algorithm's name is not quoted.
        self.unsupported = dict(unsupported)
        self._by_spi: dict[int | None, list[int]] = {}  # places in entries; None: SPI patterns
        for place, entry in enumerate(self.entries):
            spi = None if ANY in entry.spi else int(entry.spi, 0)
            self._by_spi.setdefault(spi, []).append(place)

    def find(self, version: int, source: str, destination: str, spi: int) -> KeyTableEntry | None:
        """The first entry that matches, as Wireshark picks it; None if none does."""
        for place in sorted(self._by_spi.get(spi, []) + self._by_spi.get(None, [])):
            if self.entries[place].matches(version, source, destination, spi):
                return self.entries[place]
        return None


def parse_key_table(text: str, name: str) -> KeyTable:
    """Read a table; ``name`` is what errors call it.

    Raises:
        KeyTableError: a line that cannot be read, named by number and never quoted.
    """
    entries: list[KeyTableEntry] = []
    unsupported: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            fields = _split(line)
            entries.append(_entry(fields))
            if entries[-1].suite == UNSUPPORTED_SUITE:
                unsupported[quoted(fields[4], fields[6])] += 1
        except LineError as error:
            raise KeyTableError(name, number, str(error)) from None
    return KeyTable(entries, unsupported)


def format_key_table(associations: Iterable[Association]) -> str:
    """The text of a table with these SAs.

    Lines have eight fields; those with extended sequence numbers ten, of which Wireshark before
    4.2 drops two with a warning: it then decrypts, but finds the ICV wrong.
    """
    return "".join(line for each in associations for line in _lines(each))


def _matches(text: str, pattern: str) -> bool:
    return pattern == ANY or (
        len(text) == len(pattern)
        and all(wanted in {ANY, found} for found, wanted in zip(text, pattern, strict=True))
    )


def _split(line: str) -> list[str]:
    fields: list[str] = []
    at = 0
    while at < len(line):
        found = _FIELD.match(line, at)
        if found is None:
            raise LineError(f"field {len(fields) + 1}: expected text in double quotes")
        fields.append(_ESCAPED.sub(_unescape, found[1]))
        at = found.end()
    if len(fields) < _FIELDS_MIN:
        raise LineError(f"found {len(fields)} fields, expected {_FIELDS_MIN} or 10")
    return fields


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else code


def _entry(fields: list[str]) -> KeyTableEntry:
    protocol, source, destination, spi = fields[:4]
    if protocol not in _PROTOCOLS:
        raise LineError("field 1: expected IPv4, IPv6 or Any")
    version = _PROTOCOLS[protocol]
    suite, key, integrity_key = _suite_and_keys(fields)
    sequence_length = fields[8] if len(fields) > 8 else "32-bit"
    if sequence_length not in _SEQUENCE_LENGTHS:
        raise LineError("field 9: expected 32-bit or 64-bit")
    return KeyTableEntry(
        version,
        _address(source, version, 2),
        _address(destination, version, 3),
        _spi(spi),
        suite,
        key,
        integrity_key,
        _SEQUENCE_LENGTHS[sequence_length],
        _sequence_high(fields[9]) if len(fields) > 9 else 0,
    )


def _suite_and_keys(fields: list[str]) -> tuple[int, bytes, bytes]:
    """The suite that keys of these sizes are for; no keys for a suite that we do not have."""
    suites = NUMBERS_BY_NAMES.get((fields[4], fields[6]), [])
    if not suites:
        return UNSUPPORTED_SUITE, b"", b""
    key, integrity_key = _key(fields[5], 6), _key(fields[7], 8)
    sizes = {SUITES[suite].key_bytes + SUITES[suite].salt_bytes: suite for suite in suites}
    if len(key) not in sizes:
        expected = " or ".join(str(size) for size in sorted(sizes))
        raise LineError(f"field 6: found a key of {len(key)} bytes, expected {expected} with salt")
    suite = SUITES[sizes[len(key)]]
    if suite.is_combined:
        return sizes[len(key)], key, b""
    if len(integrity_key) != suite.integrity_key_bytes:
        found, expected = len(integrity_key), str(suite.integrity_key_bytes)
        raise LineError(f"field 8: found a key of {found} bytes, expected {expected}")
    return sizes[len(key)], key, integrity_key


def _key(text: str, place: int) -> bytes:
    if not text.startswith("0x"):
        return text.encode()
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        raise LineError(f"field {place}: expected hexadecimal digits behind 0x") from None


def _address(text: str, version: int, place: int) -> str:
    """An address in the form in which packets' addresses are written, or a pattern as it is."""
    if ANY in text:
        return text
    kinds = {4: (IPv4Address,), 6: (IPv6Address,)}.get(version, (IPv4Address, IPv6Address))
    for kind in kinds:
        try:
            return str(kind(text))
        except ValueError:
            pass
    raise LineError(f"field {place}: expected an address of that protocol, or *")


def _spi(text: str) -> str:
    if ANY not in text:
        try:
            if 0 <= int(text, 0) < 1 << 32:
                return text
        except ValueError:
            pass
    elif _SPI_PATTERN.fullmatch(text.lower()):
        return text.lower()
    raise LineError("field 4: expected a 32-bit number such as 0x00001001, or *")


def _sequence_high(text: str) -> int:
    try:
        if 0 <= int(text, 0) < 1 << 32:
            return int(text, 0)
    except ValueError:
        pass
    raise LineError("field 10: expected a 32-bit number such as 0x00000001")


def _lines(association: Association) -> Iterator[str]:
    suite = association.parameters
    encryption, authentication = names_of(suite)
    keys = [f"0x{key.hex()}" if key else "" for key in (association.key, association.integrity_key)]
    for protocol, source, destination in _outer_headers(association):
        fields = [
            protocol,
            source,
            destination,
            f"0x{association.spi:08x}",
            encryption,
            keys[0],
            authentication,
            keys[1],
        ]
        if association.extended_sequence:
            high = association.first_sequence >> 32
            fields += ["64-bit", f"0x{high:08x}" if high else "0"]
        yield ",".join(f'"{text}"' for text in fields) + "\n"


def _outer_headers(association: Association) -> Iterator[tuple[str, str, str]]:
    """Protocol and addresses of an SA's packets; in transport mode they may be any."""
    source, destination = association.source, association.destination
    if association.mode is Mode.TRANSPORT or source is None or destination is None:
        yield "IPv4", ANY, ANY
        yield "IPv6", ANY, ANY
    else:
        yield f"IPv{source.version}", str(source), str(destination)
