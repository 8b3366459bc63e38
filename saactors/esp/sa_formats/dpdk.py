r"""SAs as DPDK's sample gateway ipsec-secgw has them (its guide, "Configuration File Syntax").

    sa out 1001 aead_algo aes-128-gcm aead_key 00:… mode ipv4-tunnel src 192.0.2.1 dst 198.51.100.1
    sa in 2001 cipher_algo aes-128-cbc cipher_key 0:… auth_algo sha1-hmac auth_key … mode transport
    sp ipv4 out esp protect 1001 pri 1 dst 10.2.0.0/16 sport 0:65535 dport 0:65535

A line ends with its words, a backslash continues it, ``#`` begins a comment. Keys hold their salt,
as bytes with colons between. The number of an SA is its SPI. ``esn N`` makes sequence numbers
extended and N the first of them. CCM is not written: how DPDK's four bytes of salt become CCM's
three is its own affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from saactors.errors import KeyTableError, ParameterError
from saactors.esp.association import SEQUENCE_MAX, SPI_MAX, Association
from saactors.esp.sa_formats.lines import (
    LineError,
    address_of_text,
    known,
    made,
    not_said,
    number_of,
    take,
)
from saactors.esp.suites import SUITES, Encryption, Suite
from saactors.model.sa import Mode

Direction: TypeAlias = Literal["in", "out"]

# Of the authentication, where there is none of its own.
_NO_INTEGRITY: Final = "null"
_TUNNELS: Final = {"ipv4-tunnel": 4, "ipv6-tunnel": 6}
_FLAG_VALUES: Final = frozenset({"type", "port_id", "mss", "queue_id", "fallback"})


@dataclass(frozen=True, slots=True)
class DpdkPolicy:
    """An ``sp`` line: what it protects with which SA; ``words`` is what stands behind the SA."""

    version: int
    direction: Direction
    spi: int
    words: str


@dataclass(frozen=True, slots=True)
class DpdkFile:
    """The SAs of a configuration with their directions, and its policies that protect."""

    sas: tuple[tuple[Direction, Association], ...]
    policies: tuple[DpdkPolicy, ...] = ()


@dataclass
class _Sa:
    """An SA in the making."""

    fields: dict[str, object] = field(default_factory=dict, repr=False)
    encryption: str = ""
    integrity: str = ""


def has(suite: Suite) -> bool:
    """Whether ipsec-secgw has a suite in a form that is known."""
    if suite.encryption is Encryption.CCM:
        return False
    return bool(suite.dpdk_encryption or suite.dpdk_integrity)


_BY_NAMES: Final = {
    (
        suite.dpdk_encryption or _NO_INTEGRITY,
        suite.dpdk_integrity,
        suite.key_bytes + suite.salt_bytes,
    ): suite
    for suite in SUITES
    if has(suite)
}
_CIPHERS: Final = {cipher for cipher, _, _ in _BY_NAMES}
_INTEGRITIES: Final = {integrity for _, integrity, _ in _BY_NAMES}


def parse_dpdk(text: str, name: str) -> DpdkFile:
    """Read a configuration; ``name`` is what errors call it. Other lines than sa and sp are passed.

    Raises:
        KeyTableError: a line that cannot be read, named by number and never quoted.
    """
    sas: list[tuple[Direction, Association]] = []
    policies: list[DpdkPolicy] = []
    for number, words in _lines_of(text):
        try:
            if words[0] == "sa":
                direction, fields = _sa(words[1:])
                sas.append((direction, made(name, number, fields)))
            elif words[0] == "sp" and "protect" in words:
                policies.append(_policy(words[1:]))
        except LineError as error:
            raise KeyTableError(name, number, str(error)) from None
    return DpdkFile(tuple(sas), tuple(policies))


def format_dpdk(file: DpdkFile) -> str:
    """A configuration; what it has no words for stands in a comment.

    Raises:
        ParameterError: an SA of a suite that ipsec-secgw does not have.
    """
    lines = [line for each in file.sas for line in _sa_lines(*each)]
    lines += [
        f"sp ipv{policy.version} {policy.direction} esp protect {policy.spi} {policy.words}".strip()
        for policy in file.policies
    ]
    return "".join(line + "\n" for line in lines)


def _lines_of(text: str) -> Iterator[tuple[int, list[str]]]:
    """Words of each line that has any, with the number of its first part."""
    words: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first if words else number
        content = line.partition("#")[0].rstrip()
        added = content.split()
        while added and added[-1].endswith("\\"):  # several mean no more than one
            added[-1:] = filter(None, [added[-1].rstrip("\\")])
        words += added
        if words and not content.endswith("\\"):
            yield first, words
            words = []
    if words:
        yield first, words


def _sa(words: list[str]) -> tuple[Direction, dict[str, object]]:
    direction = _direction(words)
    sa = _Sa({"spi": number_of(take(words, "sa"), "sa", SPI_MAX), "mode": None})
    while words:
        word = words.pop(0)
        if word in _READERS:
            _READERS[word](sa, words)
        elif word in _FLAG_VALUES:
            take(words, word)
    if sa.fields["mode"] is None:
        raise LineError("mode: found none, expected ipv4-tunnel, ipv6-tunnel or transport")
    key = sa.fields.get("key", b"")
    assert isinstance(key, bytes)
    integrity = "" if sa.integrity == _NO_INTEGRITY else sa.integrity
    suite = _BY_NAMES.get((sa.encryption or _NO_INTEGRITY, integrity, len(key)))
    if suite is None:
        found = f"{known(sa.encryption, _CIPHERS, 'cipher')} with {len(key)} bytes of key and "
        found += known(integrity, _INTEGRITIES, "integrity")
        raise LineError(f"found {found}; expected a suite we have")
    return direction, {**sa.fields, "suite": suite.name}


def _policy(words: list[str]) -> DpdkPolicy:
    version = {"ipv4": 4, "ipv6": 6}.get(take(words, "sp"))
    if version is None:
        raise LineError("sp: expected ipv4 or ipv6")
    direction = _direction(words)
    words = words[words.index("protect") + 1 :] if "protect" in words else []
    spi = number_of(take(words, "protect"), "protect", SPI_MAX)
    return DpdkPolicy(version, direction, spi, " ".join(words))


def _direction(words: list[str]) -> Direction:
    word = take(words, "direction")
    if word == "in":
        return "in"
    if word == "out":
        return "out"
    raise LineError("direction: expected in or out")


def _mode(sa: _Sa, words: list[str]) -> None:
    mode = take(words, "mode")
    if mode != "transport" and mode not in _TUNNELS:
        raise LineError("mode: expected ipv4-tunnel, ipv6-tunnel or transport")
    sa.fields["mode"] = Mode.TUNNEL if mode in _TUNNELS else Mode.TRANSPORT


def _encryption(sa: _Sa, words: list[str]) -> None:
    sa.encryption = take(words, "algorithm")
    if words and words[0] in {"cipher_key", "aead_key"}:
        sa.fields["key"] = _key(words)


def _integrity(sa: _Sa, words: list[str]) -> None:
    sa.integrity = take(words, "auth_algo")
    if words and words[0] == "auth_key":
        # GMAC's key is that of a combined mode, whatever it is called.
        is_gmac = sa.integrity == "aes-gmac"
        sa.fields["key" if is_gmac else "integrity_key"] = _key(words)


def _key(words: list[str]) -> bytes:
    name = words.pop(0)
    parts = take(words, name).split(":")
    try:
        return bytes(int(part, 16) for part in parts)
    except ValueError:
        raise LineError(f"{name}: expected bytes such as 0f:a0 with colons between") from None


def _end(name: str) -> Callable[[_Sa, list[str]], None]:
    def read(sa: _Sa, words: list[str]) -> None:
        sa.fields[name] = address_of_text(take(words, name), name)

    return read


def _udp(sa: _Sa, _words: list[str]) -> None:
    sa.fields["source_port"] = sa.fields["destination_port"] = 4500


def _extended(sa: _Sa, words: list[str]) -> None:
    """What DPDK sends first, and from where on it remembers what has come; from 1, as we count."""
    sa.fields["extended_sequence"] = True
    sa.fields["first_sequence"] = max(1, number_of(take(words, "esn"), "esn", SEQUENCE_MAX))


_READERS: Final[dict[str, Callable[[_Sa, list[str]], None]]] = {
    "mode": _mode, "cipher_algo": _encryption, "aead_algo": _encryption, "auth_algo": _integrity,
    "src": _end("source"), "dst": _end("destination"), "udp-encap": _udp,
    "esn": _extended,
}  # fmt: skip


def _sa_lines(direction: Direction, sa: Association) -> list[str]:
    suite = sa.parameters
    if not has(suite):
        raise ParameterError("suite", suite.name, "a suite that DPDK's ipsec-secgw has")
    words = [f"sa {direction} {sa.spi}"]
    if suite.encryption is Encryption.GMAC:
        words.append(f"auth_algo {suite.dpdk_integrity} auth_key {sa.key.hex(':')}")
    elif suite.is_combined:
        words.append(f"aead_algo {suite.dpdk_encryption} aead_key {sa.key.hex(':')}")
    else:
        words.append(f"cipher_algo {suite.dpdk_encryption}")
        words += [f"cipher_key {sa.key.hex(':')}"] if sa.key else []
        words.append(f"auth_algo {suite.dpdk_integrity} auth_key {sa.integrity_key.hex(':')}")
    said = []
    if sa.mode is Mode.TUNNEL:
        said += ["source", "destination"]
        assert sa.source is not None, "tunnels have ends"
        words.append(f"mode ipv{sa.source.version}-tunnel src {sa.source} dst {sa.destination}")
    else:
        words.append("mode transport")
    if sa.extended_sequence:
        words.append(f"esn {sa.first_sequence}")
        said += ["extended_sequence", "first_sequence"]
    if (sa.source_port, sa.destination_port) == (4500, 4500):
        words.append("udp-encap")
        said.append("source_port")
    return [*not_said(sa, *said), " ".join(words)]
