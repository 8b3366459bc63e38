r"""Wireshark's table of ESP security associations, the file ``esp_sa`` of its profile folder.

A line is an SA, its fields in quotes with commas between:

    "IPv4","10.0.0.1","10.0.0.2","0x00001001","AES-GCM with 16 octet ICV [RFC4106]","0x…","NULL",""

protocol of the outer header, source, destination, SPI, encryption and its key (the salt behind
it), authentication and its key. Wireshark 4.2 has two fields more: the length of the sequence
number ("32-bit" or "64-bit") and the high half that the first packet has. ``\xHH`` stands for a
byte, ``#`` begins a comment line.

``*`` as address or SPI matches any; inside one it stands for a single character, so ``10.0.0.*``
matches 10.0.0.7 and not 10.0.0.70. The table does not say whether an SA is in tunnel or transport
mode.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import KeyTableError, OutputError
from saactors.esp.open_layout import MODE_NOT_STATED
from saactors.esp.suites import SUITES, suite_of
from saactors.model.sa import KEY_BYTES_MAX, SA, SALT_BYTES, Mode, SaTable

ANY: Final = "*"
UNSUPPORTED_SUITE: Final = -1

_FIELD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(?:,|$)')
_ESCAPED: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|.)")
_FIELDS_MIN: Final = 8
_PROTOCOLS: Final = {"IPv4": 4, "IPv6": 6, ANY: 0, "Any": 0}
_SEQUENCE_LENGTHS: Final = {"32-bit": False, "64-bit": True}
_OLD_GCM: Final = ("AES-GCM [RFC4106]", "ANY 128 bit authentication [no checking]")
"""How Wireshark before 3.6 named AES-GCM with a 16-byte ICV; strongSwan's save-keys still does."""


@dataclass(frozen=True, slots=True)
class KeyTableEntry:
    """One line: which packets, and how to open them. The key is no part of the repr (law 10)."""

    version: int  # of the outer IP header; 0: any
    source: str  # address or pattern
    destination: str
    spi: str  # number or pattern
    suite: int  # in saactors.esp.suites.SUITES, or UNSUPPORTED_SUITE
    key: bytes = field(repr=False)  # and the salt behind it
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

    def record(self, spi: int) -> tuple[npt.NDArray[np.void], npt.NDArray[np.uint8]]:
        """The SA with this SPI as ``SaTable.add`` wants it: arrays of one record and one key row.

        Its addresses and ports are 0 and its mode is MODE_NOT_STATED: enough for opening.
        """
        assert self.suite != UNSUPPORTED_SUITE, "there is no SA of a suite that we do not have"
        records, keys = np.zeros(1, SA), np.zeros((1, KEY_BYTES_MAX + SALT_BYTES), np.uint8)
        records["spi"], records["suite"], records["mode"] = spi, self.suite, MODE_NOT_STATED
        records["outer_version"] = self.version
        records["extended_sequence"] = self.extended_sequence
        suite, material = SUITES[self.suite], np.frombuffer(self.key, np.uint8)
        keys[0, : suite.key_bytes] = material[: suite.key_bytes]
        keys[0, -suite.salt_bytes :] = material[suite.key_bytes :]
        return records, keys


class KeyTable:
    """What a file held: its entries in order, and how many lines were of suites we do not have."""

    __slots__ = ("_by_spi", "entries", "unsupported")

    def __init__(self, entries: Iterable[KeyTableEntry], unsupported: Mapping[str, int]) -> None:
        self.entries = tuple(entries)
        self.unsupported = dict(unsupported)  # "encryption / authentication" → lines
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


def read_key_table(path: str | os.PathLike[str]) -> KeyTable:
    """Read a file; raises KeyTableError, which names the line and never quotes it."""
    name = os.fspath(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise KeyTableError(name, 0, f"cannot be read as a key table: {reason}") from None
    entries: list[KeyTableEntry] = []
    unsupported: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            fields = _split(line)
            suites = _suite_numbers(fields)
            entries.append(_entry(fields, suites))
            if not suites:
                unsupported[f"{fields[4]} / {fields[6]}"] += 1
        except _LineError as error:
            raise KeyTableError(name, number, str(error)) from None
    return KeyTable(entries, unsupported)


def write_key_table(
    path: str | os.PathLike[str], sas: SaTable, first_sequences: Sequence[int] = ()
) -> None:
    """Write all SAs of a table, readable by its owner alone (mode 0600); raises OutputError.

    ``first_sequences`` are those of the table's first SAs; all others began at 1.
    Lines have eight fields; those with extended sequence numbers ten, of which Wireshark before
    4.2 drops two with a warning: it then decrypts, but finds the ICV wrong.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)  # also where the file was there already
            file.writelines(_lines(sas, first_sequences))
    except OSError as error:
        raise OutputError(os.fspath(path), f"cannot be written: {error.strerror}") from error


class _LineError(Exception):
    """What is wrong with a line, in words that hold nothing of it that may be secret."""


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
            raise _LineError(f"field {len(fields) + 1}: expected text in double quotes")
        fields.append(_ESCAPED.sub(_unescape, found[1]))
        at = found.end()
    if len(fields) < _FIELDS_MIN:
        raise _LineError(f"found {len(fields)} fields, expected {_FIELDS_MIN} or 10")
    return fields


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else code


def _suite_numbers(fields: list[str]) -> list[int]:
    """The suites that carry these names; they differ by the size of the key."""
    names = (fields[4], fields[6])
    if names == _OLD_GCM:
        names = (SUITES[0].wireshark_encryption, SUITES[0].wireshark_authentication)
    return [
        number
        for number, suite in enumerate(SUITES)
        if (suite.wireshark_encryption, suite.wireshark_authentication) == names
    ]


def _entry(fields: list[str], suites: list[int]) -> KeyTableEntry:
    protocol, source, destination, spi = fields[:4]
    if protocol not in _PROTOCOLS:
        raise _LineError("field 1: expected IPv4, IPv6 or Any")
    version = _PROTOCOLS[protocol]
    suite, key = _suite_and_key(suites, fields[5])
    sequence_length = fields[8] if len(fields) > 8 else "32-bit"
    if sequence_length not in _SEQUENCE_LENGTHS:
        raise _LineError("field 9: expected 32-bit or 64-bit")
    return KeyTableEntry(
        version,
        _address(source, version, 2),
        _address(destination, version, 3),
        _spi(spi),
        suite,
        key,
        _SEQUENCE_LENGTHS[sequence_length],
        _sequence_high(fields[9]) if len(fields) > 9 else 0,
    )


def _suite_and_key(suites: list[int], text: str) -> tuple[int, bytes]:
    """The suite that a key of this size is for; no key for a suite that we do not have."""
    if not suites:
        return UNSUPPORTED_SUITE, b""
    key = _key(text)
    sizes = {SUITES[suite].key_bytes + SUITES[suite].salt_bytes: suite for suite in suites}
    if len(key) not in sizes:
        expected = " or ".join(str(size) for size in sorted(sizes))
        raise _LineError(f"field 6: found a key of {len(key)} bytes, expected {expected} with salt")
    return sizes[len(key)], key


def _key(text: str) -> bytes:
    if not text.startswith("0x"):
        return text.encode()
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        raise _LineError("field 6: expected hexadecimal digits behind 0x") from None


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
    raise _LineError(f"field {place}: expected an address of that protocol, or *")


def _spi(text: str) -> str:
    if ANY not in text:
        try:
            if 0 <= int(text, 0) < 1 << 32:
                return text
        except ValueError:
            pass
        raise _LineError("field 4: expected a 32-bit number such as 0x00001001, or *")
    return text.lower()


def _sequence_high(text: str) -> int:
    try:
        if 0 <= int(text, 0) < 1 << 32:
            return int(text, 0)
    except ValueError:
        pass
    raise _LineError("field 10: expected a 32-bit number such as 0x00000001")


def _lines(sas: SaTable, first_sequences: Sequence[int]) -> Iterator[str]:
    for number, (record, material) in enumerate(zip(sas.records, sas.keys, strict=True)):
        suite = suite_of(record)
        key = material[: suite.key_bytes].tobytes() + material[-suite.salt_bytes :].tobytes()
        for protocol, source, destination in _outer_headers(record):
            fields = [
                protocol,
                source,
                destination,
                f"0x{int(record['spi']):08x}",
                suite.wireshark_encryption,
                f"0x{key.hex()}",
                suite.wireshark_authentication,
                "",
            ]
            if record["extended_sequence"]:
                high = first_sequences[number] >> 32 if number < len(first_sequences) else 0
                fields += ["64-bit", f"0x{high:08x}" if high else "0"]
            yield ",".join(f'"{text}"' for text in fields) + "\n"


def _outer_headers(record: np.void) -> Iterator[tuple[str, str, str]]:
    """Protocol and addresses of the packets of an SA; in transport mode they may be any."""
    if record["mode"] == Mode.TRANSPORT:
        yield "IPv4", ANY, ANY
        yield "IPv6", ANY, ANY
        return
    ends = [
        int(record[f"{end}_high"]) << 64 | int(record[f"{end}_low"])
        for end in ("source", "destination")
    ]
    if record["outer_version"] == 4:
        source, destination = (str(IPv4Address(end & 0xFFFF_FFFF)) for end in ends)
        yield "IPv4", source, destination
    else:
        source, destination = (str(IPv6Address(end)) for end in ends)
        yield "IPv6", source, destination
