"""SAs as commands for ``ip -batch``: ``xfrm state add`` with all that there are words for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from saactors.errors import ParameterError
from saactors.esp.association import SPI_MAX, Association
from saactors.esp.header_rules import USUAL_HEADERS, DontFragment, Ecn, HeaderRules
from saactors.esp.sa_formats.ip_xfrm import BITS
from saactors.esp.sa_formats.ip_xfrm_words import LIMITS, NS_PER_S
from saactors.esp.sa_formats.lines import not_said
from saactors.esp.window import WINDOW_PACKETS
from saactors.model.sa import Mode


def format_ip_xfrm(associations: Iterable[Association]) -> str:
    """Commands for ``ip -batch``; what they have no words for stands in a comment.

    Raises:
        ParameterError: an SA without addresses.
    """
    return "".join(line + "\n" for each in associations for line in _lines(each))


def _lines(sa: Association) -> list[str]:
    if sa.source is None or sa.destination is None:
        raise ParameterError("source, destination", "none", "both, for ip xfrm")
    suite, key = sa.parameters, f"0x{sa.key.hex()}" if sa.key else '""'
    words = [f"xfrm state add src {sa.source} dst {sa.destination} proto esp spi {sa.spi:#010x}"]
    words += [f"mode {sa.mode.name.lower()}", *_flag_words(sa), *_counter_words(sa)]
    if suite.is_combined:
        words.append(f"aead {suite.xfrm_encryption} {key} {BITS * suite.icv_bytes}")
    else:
        integrity = f"0x{sa.integrity_key.hex()} {BITS * suite.icv_bytes}"
        words.append(f"enc {suite.xfrm_encryption} {key}")
        words.append(f"auth-trunc {suite.xfrm_integrity} {integrity}")
    if sa.source_port:
        nobody = IPv4Address(0) if sa.source.version == 4 else IPv6Address(0)
        words.append(f"encap espinudp {sa.source_port} {sa.destination_port} {nobody}")
    if sa.tfc_bytes:
        words.append(f"tfcpad {sa.tfc_bytes}")
    for word, name in LIMITS.items():
        if value := getattr(sa.lifetime, name):
            words.append(f"limit {word} {value // NS_PER_S if name.endswith('_ns') else value}")
    said = ["source", "destination", "source_port", "extended_sequence", "first_sequence"]
    said += ["tfc_bytes"]
    said += ["headers"] if _headers_are_said(sa.headers) else []
    said += (
        ["lifetime"]
        if not (sa.lifetime.soft_ns % NS_PER_S + sa.lifetime.hard_ns % NS_PER_S)
        else []
    )
    return [*not_said(sa, *said), " ".join(words)]


def _flag_words(sa: Association) -> list[str]:
    """The kernel keeps flags that came later than the first ones in a field of their own."""
    flags = ["af-unspec"] if sa.mode is Mode.TUNNEL else []
    flags += ["esn"] if sa.extended_sequence else []
    flags += ["noecn"] if sa.headers.ecn is Ecn.NOT_CAPABLE else []
    flags += ["nopmtudisc"] if sa.headers.dont_fragment is DontFragment.CLEAR else []
    window = f"replay-window {WINDOW_PACKETS if sa.extended_sequence else 32}"
    words = [window, *([f"flag {' '.join(flags)}"] if flags else [])]
    return [*words, "extra-flag dont-encap-dscp"] if sa.headers.dscp == 0 else words


def _counter_words(sa: Association) -> list[str]:
    """The last number used, as both directions have it; which one this is, nobody says."""
    last = sa.first_sequence - 1
    words = []
    for kind in ("seq", "oseq") if last else ():
        words.append(f"replay-{kind} {last & SPI_MAX:#x}")
        if sa.extended_sequence:
            words.append(f"replay-{kind}-hi {last >> 32:#x}")
    return words


def _headers_are_said(headers: HeaderRules) -> bool:
    """Whether flags say all of it."""
    said = replace(headers, dscp=None if headers.dscp == 0 else headers.dscp, ecn=Ecn.COPY)
    if said.dont_fragment is DontFragment.CLEAR:
        said = replace(said, dont_fragment=DontFragment.COPY)
    return said == USUAL_HEADERS
