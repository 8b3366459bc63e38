"""Files of SAs: read as text, and written so that only their owner reads them.

Four formats: Wireshark's ``esp_sa``, ``ip xfrm``, DPDK's ipsec-secgw (``saactors.esp.sa_formats``),
and a scenario's ``[[sas]]``. Which one a file has is told by its first line with words.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from saactors.errors import KeyTableError, OutputError
from saactors.esp.association import Association
from saactors.esp.sa_formats.dpdk import Direction, DpdkFile, format_dpdk, parse_dpdk
from saactors.esp.sa_formats.ip_xfrm import parse_ip_xfrm
from saactors.esp.sa_formats.ip_xfrm_commands import format_ip_xfrm
from saactors.esp.sa_formats.wireshark import (
    KeyTable,
    entry_of,
    format_key_table,
    parse_key_table,
)
from saactors.scenario.load import scenario_of
from saactors.scenario.sa_tables import association_of, format_toml

Sas: TypeAlias = list[tuple[Direction, Association]]

FORMATS: Final = ("esp-sa", "ip-xfrm", "dpdk", "toml")


def read_key_table(path: str | os.PathLike[str]) -> KeyTable:
    """Read keys to open packets with, from a file of any format.

    Raises:
        KeyTableError, ScenarioError: it cannot be read; a line is named and never quoted.
    """
    text, name = read_sa_text(path), os.fspath(path)
    kind = sniffed(text, name)
    if kind == "esp-sa":
        return parse_key_table(text, name)
    return KeyTable((entry_of(sa) for _, sa in _READERS[kind](text, name, "in")), {})


def read_sas(
    path: str | os.PathLike[str], kind: str | None = None, direction: Direction = "out"
) -> Sas:
    """Read SAs with their directions; ``direction`` is of those whose file does not say.

    Raises:
        KeyTableError, ScenarioError: it cannot be read; a line is named and never quoted.
    """
    return sas_in(read_sa_text(path), os.fspath(path), kind, direction)


def sas_in(text: str, name: str, kind: str | None = None, direction: Direction = "out") -> Sas:
    """The same from the text of a file; ``name`` is for errors.

    Raises:
        KeyTableError, ScenarioError: it cannot be read; a line is named and never quoted.
    """
    return _READERS[kind or sniffed(text, name)](text, name, direction)


def format_sas(sas: Sas, kind: str) -> str:
    """The text of a file; raises ParameterError for an SA that the format cannot say."""
    return _WRITERS[kind](sas)


def sniffed(text: str, name: str) -> str:
    """Which of FORMATS a text has."""
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith('"'):
            return "esp-sa"
        if words[0].rpartition("/")[2] in {"src", "sudo", "ip", "xfrm"}:
            return "ip-xfrm"
        if words[0] in {"sa", "sp", "rt", "ep", "neigh", "flow"}:
            return "dpdk"
        if words[0].startswith("[") or "=" in line:
            return "toml"
        break
    else:
        return "esp-sa"  # which may be empty
    raise KeyTableError(name, 0, f"expected SAs in one of the formats {', '.join(FORMATS)}")


def read_sa_text(path: str | os.PathLike[str]) -> str:
    """The text of a file; raises KeyTableError if there is none."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        problem = f"cannot be read as a key table: {reason}"
        raise KeyTableError(os.fspath(path), 0, problem) from None


def write_sa_file(path: str | os.PathLike[str], text: str) -> None:
    """Write keys, readable by their owner alone (mode 0600); raises OutputError.

    What is no regular file, such as /dev/null or a pipe, keeps its mode: it is not ours alone.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)  # also where the file was there already
            file.write(text)
    except OSError as error:
        raise OutputError(os.fspath(path), f"cannot be written: {error.strerror}") from error


def _from_key_table(text: str, name: str, direction: Direction) -> Sas:
    table = parse_key_table(text, name)
    if table.unsupported:
        suites = ", ".join(table.unsupported)
        raise KeyTableError(name, 0, f"found {suites}; expected suites of docs/suites.md")
    return [(direction, entry.association(name)) for entry in table.entries]


def _from_ip_xfrm(text: str, name: str, direction: Direction) -> Sas:
    return [(direction, sa) for sa in parse_ip_xfrm(text, name)]


def _from_dpdk(text: str, name: str, _direction: Direction) -> Sas:
    return list(parse_dpdk(text, name).sas)


def _from_toml(text: str, name: str, _direction: Direction) -> Sas:
    try:
        document = tomllib.loads(text)
    # tomllib lets Python's limits on the digits of a number and on nesting through.
    except (ValueError, RecursionError):
        problem = "expected TOML; saactors replay --scenario says what is wrong with it"
        raise KeyTableError(name, 0, problem) from None  # whose words may be a key's
    scenario = scenario_of(name, document)
    return [
        (sa.direction, association_of(sa, number, scenario.seed or 0))
        for number, sa in enumerate(scenario.sas)
    ]


def _associations(sas: Sas) -> Iterable[Association]:
    return (sa for _, sa in sas)


_READERS: Final[Mapping[str, Callable[[str, str, Direction], Sas]]] = MappingProxyType(
    {
        "esp-sa": _from_key_table,
        "ip-xfrm": _from_ip_xfrm,
        "dpdk": _from_dpdk,
        "toml": _from_toml,
    }
)
_WRITERS: Final[Mapping[str, Callable[[Sas], str]]] = MappingProxyType(
    {
        "esp-sa": lambda sas: format_key_table(_associations(sas)),
        "ip-xfrm": lambda sas: format_ip_xfrm(_associations(sas)),
        "dpdk": lambda sas: format_dpdk(DpdkFile(tuple(sas))),
        "toml": format_toml,
    }
)
