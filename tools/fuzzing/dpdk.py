"""The configuration of DPDK's ipsec-secgw: any text is one, or one ``KeyTableError``.

What has been read is written, and then has to be read as the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from fuzzing.esp_open import ASSOCIATIONS
from fuzzing.packets import association
from fuzzing.target import assert_no_key
from saactors.errors import KeyTableError
from saactors.esp.association import Association
from saactors.esp.sa_formats.dpdk import (
    DpdkFile,
    DpdkPolicy,
    format_dpdk,
    has,
    parse_dpdk,
)
from saactors.esp.suites import SUITES
from saactors.model.sa import Mode

_NAME: Final = "ep.cfg"
_UNSAID: Final = "cannot be said here"
_NAMES: Final = {name for suite in SUITES for name in (suite.dpdk_encryption, suite.dpdk_integrity)}
_WORDS: Final = (
    "sa sp in out ipv4 ipv6 esp protect bypass cipher_algo cipher_key aead_algo aead_key auth_algo "
    "auth_key mode ipv4-tunnel ipv6-tunnel transport src dst udp-encap null pri sport 0:65535 "
    "192.0.2.1 2001:db8::1 00:01:02:03 1001"
)
TOKENS: Final = tuple(
    token.encode() for token in (*sorted(filter(None, _NAMES)), *_WORDS.split(), "\\\n", "#")
)


def check(data: bytes) -> None:
    """Read a configuration, and write and read it again."""
    try:
        read = parse_dpdk(data.decode(errors="replace"), _NAME)
    except KeyTableError as error:
        assert str(error).startswith(f"{_NAME}:{error.line}: ")  # noqa: PT017 - either is good
        assert_no_key(str(error))
        return
    text = format_dpdk(read)
    again = parse_dpdk(text, _NAME)
    assert again.policies == read.policies
    pairs = zip(again.sas, read.sas, strict=True)
    for (direction, found), (expected_direction, expected) in pairs:
        assert direction == expected_direction
        assert found == _sayable(expected) or _UNSAID in text, "read otherwise"
        assert found.key == expected.key


def _sayable(association: Association) -> Association:
    """Lines for transport mode have no addresses."""
    if association.mode is Mode.TUNNEL:
        return association
    return replace(association, source=None, destination=None)


def seeds() -> Iterable[bytes]:
    """SAs of every kind, policies, and lines that go on in the next one."""
    sas = [each for each in ASSOCIATIONS if has(each.parameters)]
    policies = (
        DpdkPolicy(4, "out", 4097, "pri 1 dst 10.2.0.0/16 sport 0:65535"),
        DpdkPolicy(6, "in", 4098, ""),
    )
    yield format_dpdk(DpdkFile(tuple(("out", each) for each in sas), policies)).encode()
    for each in sas:
        yield format_dpdk(DpdkFile((("in", each),))).encode()
    for name in ("aes-gmac-128", "aes-ctr-128-hmac-sha1-96", "null-hmac-sha2-256-128"):
        text = format_dpdk(DpdkFile((("out", association(9, name)),))).encode()
        yield text
        yield text.replace(b" mode", b" \\\n mode")
    yield b"# a comment\nneigh port 0 00:00:00:00:00:01\nsp ipv4 in esp bypass pri 1\n"
    yield b"sp ipv4 out esp protect 5 \\\\"
    key = bytes(range(16)).hex().encode()
    yield b"sa out 256 cipher_algo " + key + b" mode transport\n"
    yield b"sa in 256 cipher_algo aes-128-cbc cipher_key 0:fff mode transport\n"
