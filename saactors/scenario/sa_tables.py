"""``[[sas]]`` of a scenario and ``Association``: each made of the other.

Keys stand in the text that is written: it is for a file that its owner alone reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from saactors.esp.association import Association
from saactors.esp.header_rules import USUAL_HEADERS
from saactors.esp.keys import derive_integrity_keys, derive_keys
from saactors.esp.sa_formats.dpdk import Direction
from saactors.esp.suites import SUITE_NUMBERS, SUITES
from saactors.model.sa import Mode
from saactors.scenario.tables import NS_PER_S, GivenSa


def association_of(sa: GivenSa, number: int, seed: int) -> Association:
    """The SA that stands at that place in the scenario."""
    suite = SUITES[SUITE_NUMBERS[sa.suite]]
    if sa.key is not None or not sa.key_from_seed:
        key = sa.key.get_secret_value() if sa.key is not None else b""
        integrity_key = sa.integrity_key.get_secret_value() if sa.integrity_key is not None else b""
    else:
        row = derive_keys(seed, number, 1)[0]
        key = row[: suite.key_bytes].tobytes() + row[len(row) - suite.salt_bytes :].tobytes()
        row = derive_integrity_keys(seed, number, 1)[0]
        integrity_key = row[: suite.integrity_key_bytes].tobytes()
    udp = sa.udp_encapsulation
    return Association(
        spi=sa.spi,
        suite=sa.suite,
        key=key,
        integrity_key=integrity_key,
        mode=Mode[sa.mode.upper()],
        source=sa.source,
        destination=sa.destination,
        source_port=udp.source_port if udp else 0,
        destination_port=udp.destination_port if udp else 0,
        extended_sequence=sa.extended_sequence,
        first_sequence=sa.first_sequence,
        headers=sa.headers.rules,
        tfc_bytes=sa.tfc_bytes,
        path_mtu_bytes=sa.path_mtu_bytes,
        lifetime=sa.lifetime.lifetime,
    )


def format_toml(sas: Iterable[tuple[Direction, Association]]) -> str:
    """SAs as a scenario's tables. Limits of time are rounded up to seconds, of which tables have.

    Values that are the tables' defaults are left out.
    """
    tables = (_lines(number, *sa) for number, sa in enumerate(sas))
    return "\n".join("".join(f"{line}\n" for line in lines) for lines in tables)


def _lines(number: int, direction: Direction, sa: Association) -> Iterator[str]:
    yield "[[sas]]"
    yield f'name = "sa-{number}"'
    yield f'spi = "{sa.spi:#010x}"'
    yield f'suite = "{sa.suite}"'
    for name in ("key", "integrity_key"):
        if key := getattr(sa, name):
            yield f'{name} = "0x{key.hex()}"'
    yield f'direction = "{direction}"'
    yield f'mode = "{sa.mode.name.lower()}"'
    for name in ("source", "destination"):
        if (address := getattr(sa, name)) is not None:
            yield f'{name} = "{address}"'
    if sa.source_port:
        ports = f"source_port = {sa.source_port}, destination_port = {sa.destination_port}"
        yield f"udp_encapsulation = {{ {ports} }}"
    if sa.extended_sequence:
        yield "extended_sequence = true"
    for name, usual in (("first_sequence", 1), ("tfc_bytes", 0), ("path_mtu_bytes", 0)):
        if (value := getattr(sa, name)) != usual:
            yield f"{name} = {value}"
    for name, settings in (("headers", _headers(sa)), ("lifetime", _limits(sa))):
        if settings:
            inside = ", ".join(f"{key} = {value}" for key, value in settings.items())
            yield f"{name} = {{ {inside} }}"


def _headers(sa: Association) -> dict[str, str]:
    """What differs from the usual rules."""
    settings = {}
    for field in fields(sa.headers):
        value = getattr(sa.headers, field.name)
        if value == getattr(USUAL_HEADERS, field.name):
            continue
        if hasattr(value, "name"):
            settings[field.name] = f'"{value.name.lower().replace("_", "-")}"'
        else:
            settings[field.name] = str(value).lower()
    return settings


def _limits(sa: Association) -> dict[str, str]:
    settings = {}
    for field in fields(sa.lifetime):
        if value := getattr(sa.lifetime, field.name):
            kind, _, unit = field.name.partition("_")
            name = f"{kind}_s" if unit == "ns" else field.name
            settings[name] = str(-(-value // NS_PER_S) if unit == "ns" else value)
    return settings
