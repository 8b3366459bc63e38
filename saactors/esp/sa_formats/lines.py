"""What formats of words in lines have in common: keys, addresses, suites, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from saactors.errors import KeyTableError, ParameterError
from saactors.esp.association import Association
from saactors.esp.header_rules import USUAL_HEADERS
from saactors.esp.lifetime import Lifetime
from saactors.model.sa import Mode

Algorithms = tuple[str, str, int, int]
"""Encryption and integrity as the format names them, bytes of key and salt, bytes of the ICV."""


class LineError(Exception):
    """What is wrong with a line, in words that hold nothing of it that may be secret."""


def take(words: list[str], name: str) -> str:
    """The next word, which belongs to ``name``."""
    if not words:
        raise LineError(f"{name}: found nothing, expected a value")
    return words.pop(0)


def known(name: str, names: Iterable[str], otherwise: str) -> str:
    """An algorithm's name for a message; what is no name may be a key in the wrong place."""
    return name if name in names else f"an unknown {otherwise}" if name else f"no {otherwise}"


def number_of(text: str, name: str, most: int) -> int:
    """A number, decimal or with 0x before it."""
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= most:
        raise LineError(f"{name}: expected a number from 0 to {most}")
    return number


def address_of_text(text: str, name: str) -> IPv4Address | IPv6Address:
    """An IP address."""
    try:
        return ip_address(text)
    except ValueError:
        raise LineError(f"{name}: expected an IPv4 or IPv6 address") from None


def made(
    name: str, line: int, fields: dict[str, object], limits: dict[str, int] | None = None
) -> Association:
    """The SA of these fields and limits of its lifetime; what is wrong with them is of that line.

    Raises:
        KeyTableError: an SA that cannot be.
    """
    try:
        lifetime = Lifetime(**limits or {})
        return Association(lifetime=lifetime, **fields)  # type: ignore[arg-type]  # names and types are the readers'
    except ParameterError as error:
        raise KeyTableError(name, line, str(error)) from None  # of keys it tells the size


def not_said(association: Association, *said: str) -> list[str]:
    """Comment lines for what an SA has, and a format has no words for.

    ``said`` are the fields of ``Association`` that it has words for, besides those that all have.
    """
    usual = Association(256, association.suite, association.key, association.integrity_key,
                        Mode.TRANSPORT)  # fmt: skip
    lost = [
        name
        for name in ("source", "destination", "source_port", "extended_sequence",
                     "first_sequence", "tfc_bytes", "path_mtu_bytes", "lifetime")
        if name not in said and getattr(association, name) != getattr(usual, name)
    ]  # fmt: skip
    if "headers" not in said and association.headers != USUAL_HEADERS:
        lost.append("headers")
    if not lost:
        return []
    return [f"# SPI {association.spi:#010x}: {', '.join(lost)} cannot be said here"]
