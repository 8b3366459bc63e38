"""A security association as one value: what is read from files, typed by people, put into tables.

The running system holds SAs as columns (``saactors.model.sa``); this is the form in which they come
and go. Its repr shows no key (law 10).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.esp.header_rules import USUAL_HEADERS, HeaderRules
from saactors.esp.lifetime import NO_LIMIT, Lifetime
from saactors.esp.suites import SUITE_NUMBERS, SUITES, Suite
from saactors.model.sa import INTEGRITY_KEY_BYTES_MAX, KEY_BYTES_MAX, SA, SALT_BYTES, Mode, SaTable

Address: TypeAlias = IPv4Address | IPv6Address

SPI_MIN: Final = 256  # RFC 4303 §2.1 reserves the numbers below
SPI_MAX: Final = (1 << 32) - 1
SEQUENCE_MAX: Final = (1 << 64) - 1
PATH_MTU_MIN_BYTES: Final = 256
"""Below it not every suite leaves room for IP headers with options and eight bytes more."""

# What RFC 8221 says MUST NOT or SHOULD NOT of, and what never became a standard.
_WEAK: Final = frozenset({"des", "3des", "md5", "blowfish", "cast", "idea", "rc4", "rc5"})
_PORT_MAX: Final = 65_535
_LOW_HALF: Final = (1 << 64) - 1
_MAPPED: Final = 0xFFFF << 32  # ::ffff:0:0/96, as which IPv4 stands in records


@dataclass(frozen=True, slots=True)
class Association:
    """One SA, in one direction.

    ``key`` is encryption key and salt in one, as IKE makes them and ``ip xfrm`` takes them;
    ``integrity_key`` is empty for combined-mode suites. ``source`` and ``destination`` are the
    endpoints: a tunnel's outer addresses, in transport mode the hosts'; None: not stated (only in
    transport mode). Ports other than 0 put ESP in UDP (RFC 3948). ``first_sequence`` is the next
    number to send, or the least that has not been received.

    Raises ParameterError where a value is outside its range or a key of the wrong size.
    """

    spi: int
    suite: str
    key: bytes = field(default=b"", repr=False)
    integrity_key: bytes = field(default=b"", repr=False)
    mode: Mode = Mode.TUNNEL
    source: Address | None = None
    destination: Address | None = None
    source_port: int = 0
    destination_port: int = 0
    extended_sequence: bool = False
    first_sequence: int = 1
    headers: HeaderRules = USUAL_HEADERS
    tfc_bytes: int = 0
    path_mtu_bytes: int = 0
    lifetime: Lifetime = NO_LIMIT

    def __post_init__(self) -> None:
        suite = suite_named(self.suite)
        _check_range("spi", self.spi, SPI_MIN, SPI_MAX)
        _check_range("source_port", self.source_port, 0, _PORT_MAX)
        _check_range("destination_port", self.destination_port, 0, _PORT_MAX)
        most = SEQUENCE_MAX if self.extended_sequence else SEQUENCE_MAX >> 32
        _check_range("first_sequence", self.first_sequence, 1, most)
        _check_range("tfc_bytes", self.tfc_bytes, 0, _PORT_MAX)
        if self.path_mtu_bytes:
            _check_range("path_mtu_bytes", self.path_mtu_bytes, PATH_MTU_MIN_BYTES, _PORT_MAX)
        _check_key("key", self.key, suite.key_bytes + suite.salt_bytes, suite)
        _check_key("integrity_key", self.integrity_key, suite.integrity_key_bytes, suite)
        if bool(self.source_port) != bool(self.destination_port):
            ports = (self.source_port, self.destination_port)
            raise ParameterError("source_port, destination_port", ports, "both or none")
        self._check_ends()

    def _check_ends(self) -> None:
        ends = (self.source, self.destination)
        if None in ends:
            if self.mode is Mode.TUNNEL:
                raise ParameterError("source, destination", ends, "both, in tunnel mode")
        elif self.source.version != self.destination.version:  # type: ignore[union-attr]  # neither is None
            raise ParameterError("source, destination", ends, "two addresses of one IP version")
        if self.tfc_bytes and self.mode is not Mode.TUNNEL:
            expected = "0 in transport mode, where nothing says where the packet ends"
            raise ParameterError("tfc_bytes", self.tfc_bytes, expected)

    @property
    def parameters(self) -> Suite:
        """What the suite's name stands for."""
        return SUITES[SUITE_NUMBERS[self.suite]]


def suite_named(name: str) -> Suite:
    """The suite of that name; raises ParameterError, which says what comes closest."""
    if name in SUITE_NUMBERS:
        return SUITES[SUITE_NUMBERS[name]]
    words = set(name.lower().split("-"))
    if words & _WEAK:
        expected = "a suite that is not weak (RFC 8221), for instance aes-gcm-128"
        raise ParameterError("suite", name, expected)
    close = [known for known in SUITE_NUMBERS if words <= set(known.split("-"))]
    close.sort(key=lambda known: not known.startswith(name))
    close = close[:3] or get_close_matches(name, SUITE_NUMBERS, n=3)
    expected = " or ".join(close) if close else "one of those in docs/suites.md, or aes-gcm-128"
    raise ParameterError("suite", name, expected)


def sa_table(associations: Iterable[Association]) -> SaTable:
    """A table of these SAs, in their order."""
    sas = SaTable()
    add_associations(sas, associations)
    return sas


def add_associations(sas: SaTable, associations: Iterable[Association]) -> range:
    """Add SAs to a table and return their indices."""
    return sas.add(*_columns(tuple(associations)))


def replace_association(sas: SaTable, sa: int, association: Association) -> None:
    """Put an SA in the place of one that was wiped (``SaTable.wipe``)."""
    sas.replace(sa, *_columns((association,)))


def _columns(
    given: tuple[Association, ...],
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
    """Records, keys and second keys, if any has one."""
    records, integrity_keys = np.zeros(len(given), SA), None
    keys = np.zeros((len(given), KEY_BYTES_MAX + SALT_BYTES), np.uint8)
    if any(association.integrity_key for association in given):
        integrity_keys = np.zeros((len(given), INTEGRITY_KEY_BYTES_MAX), np.uint8)
    for number, association in enumerate(given):
        _write_record(records[number], association)
        keys[number] = key_row(association.parameters, association.key)
        if integrity_keys is not None:
            integrity_keys[number] = integrity_key_row(association.integrity_key)
    return records, keys, integrity_keys


def association_at(sas: SaTable, number: int, first_sequence: int = 1) -> Association:
    """The SA at that index, as a value; lifetimes are not in the table."""
    record, row = sas.records[number], sas.keys[number]
    suite = SUITES[int(record["suite"])]
    integrity_key = b""
    if suite.integrity_key_bytes:
        integrity = sas.integrity_keys[int(record["integrity_row"])]
        integrity_key = integrity[: suite.integrity_key_bytes].tobytes()
    salt = row[len(row) - suite.salt_bytes :].tobytes()
    ends = {}
    if record["outer_version"]:
        for end in ("source", "destination"):
            ends[end] = address_of(int(record[f"{end}_high"]), int(record[f"{end}_low"]))
    return Association(
        spi=int(record["spi"]),
        suite=suite.name,
        key=row[: suite.key_bytes].tobytes() + salt,
        integrity_key=integrity_key,
        mode=Mode(int(record["mode"])),
        source=ends.get("source"),
        destination=ends.get("destination"),
        source_port=int(record["source_port"]),
        destination_port=int(record["destination_port"]),
        extended_sequence=bool(record["extended_sequence"]),
        first_sequence=first_sequence,
        headers=HeaderRules.read(record),
        tfc_bytes=int(record["tfc_bytes"]),
        path_mtu_bytes=int(record["path_mtu_bytes"]),
    )


def key_row(suite: Suite, key_and_salt: bytes) -> npt.NDArray[np.uint8]:
    """A row of ``SaTable.keys``: the key from the left, its salt up to the right end."""
    row = np.zeros(KEY_BYTES_MAX + SALT_BYTES, np.uint8)
    octets = np.frombuffer(key_and_salt, np.uint8)
    row[: suite.key_bytes] = octets[: suite.key_bytes]
    row[len(row) - suite.salt_bytes :] = octets[suite.key_bytes :]
    return row


def integrity_key_row(integrity_key: bytes) -> npt.NDArray[np.uint8]:
    """A row of ``SaTable.integrity_keys``: the key from the left."""
    row = np.zeros(INTEGRITY_KEY_BYTES_MAX, np.uint8)
    row[: len(integrity_key)] = np.frombuffer(integrity_key, np.uint8)
    return row


def halves(address: Address) -> tuple[int, int]:
    """The two 64-bit halves of an address as ``saactors.model.packets`` holds it."""
    number = int(address) | (_MAPPED if address.version == 4 else 0)
    return number >> 64, number & _LOW_HALF


def address_of(high: int, low: int) -> Address:
    """The address with these halves."""
    if high == 0 and low >> 32 == 0xFFFF:
        return IPv4Address(low & 0xFFFF_FFFF)
    return IPv6Address(high << 64 | low)


def _write_record(record: np.void, association: Association) -> None:
    record["spi"] = association.spi
    record["suite"] = SUITE_NUMBERS[association.suite]
    record["mode"] = association.mode
    record["source_port"] = association.source_port
    record["destination_port"] = association.destination_port
    record["extended_sequence"] = association.extended_sequence
    record["tfc_bytes"] = association.tfc_bytes
    record["path_mtu_bytes"] = association.path_mtu_bytes
    association.headers.write(record)
    for end in ("source", "destination"):
        address = getattr(association, end)
        if address is not None:
            record["outer_version"] = address.version
            record[f"{end}_high"], record[f"{end}_low"] = halves(address)


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ParameterError(name, value, f"{least} to {most}")


def _check_key(name: str, key: bytes, expected: int, suite: Suite) -> None:
    if len(key) != expected:
        salt = f", {suite.salt_bytes} of them salt" if name == "key" and suite.salt_bytes else ""
        wanted = f"{expected} bytes{salt}, for {suite.name}"
        raise ParameterError(name, f"{len(key)} bytes", wanted)
