"""SAs as iproute2 prints and takes them: any text is such, or one ``KeyTableError``.

What has been read is written as commands, and then has to be read as the same, but for what the
commands say themselves that they cannot say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fuzzing.esp_open import ASSOCIATIONS
from fuzzing.packets import association
from fuzzing.target import assert_no_key
from saactors.errors import KeyTableError
from saactors.esp.sa_formats.ip_xfrm import parse_ip_xfrm
from saactors.esp.sa_formats.ip_xfrm_commands import format_ip_xfrm
from saactors.esp.suites import SUITES
from saactors.model.sa import Mode

_NAME: Final = "xfrm"
_UNSAID: Final = "cannot be said here"
_NAMES: Final = {name for suite in SUITES for name in (suite.xfrm_encryption, suite.xfrm_integrity)}
_WORDS: Final = (
    "xfrm state add update src dst proto esp spi reqid mode tunnel transport replay-window flag "
    "extra-flag esn noecn nopmtudisc af-unspec dont-encap-dscp aead enc auth auth-trunc encap "
    "espinudp type sport dport addr tfcpad limit time-soft time-hard byte-soft packet-hard "
    "replay-seq replay-oseq-hi 0x00001001 192.0.2.1 2001:db8::1"
)
TOKENS: Final = tuple(
    token.encode() for token in (*sorted(filter(None, _NAMES)), *_WORDS.split(), "\n\t", '""')
)

_PRINTED: Final = """src 192.0.2.1 dst 198.51.100.1
\tproto esp spi 0x00001001(4097) reqid 1(0x00000001) mode tunnel
\treplay-window 32 seq 0x00000000 flag af-unspec esn
\taead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f00010203 128
\tencap type espinudp sport 4500 dport 4500 addr 0.0.0.0
\tanti-replay esn context:
\t seq-hi 0x0, seq 0x0, oseq-hi 0x1, oseq 0x14
\tlifetime config:
\t  limit: soft (INF)(bytes), hard (1000000)(bytes)
\t  limit: soft (100)(packets), hard (INF)(packets)
\t  expire add: soft 10(sec), hard 3600(sec)
\t  expire use: soft 0(sec), hard 0(sec)
src 2001:db8::1 dst 2001:db8::2
\tproto esp spi 0x00001002 reqid 1 mode transport
\treplay-window 32
\tauth-trunc hmac(sha1) 0x000102030405060708090a0b0c0d0e0f00010203 96
\tenc ecb(cipher_null)
\tanti-replay context: seq 0x0, oseq 0x7, bitmap 0x00000000
\tsel src ::/0 dst ::/0
"""


def check(data: bytes) -> None:
    """Read SAs, and write and read them again."""
    try:
        read = parse_ip_xfrm(data.decode(errors="replace"), _NAME)
    except KeyTableError as error:
        assert str(error).startswith(f"{_NAME}:{error.line}: ")  # noqa: PT017 - either is good
        assert_no_key(str(error))
        return
    for each in read:
        text = format_ip_xfrm([each])
        (again,) = parse_ip_xfrm(text, _NAME)
        assert again == each or _UNSAID in text, "read otherwise"
        assert again.key == each.key
    assert len(parse_ip_xfrm(format_ip_xfrm(read), _NAME)) == len(read)


def seeds() -> Iterable[bytes]:
    """What is printed, and commands for SAs of every kind."""
    yield _PRINTED.encode()
    for state in _PRINTED.split("src ")[1::2]:
        yield b"src " + state.encode()
    given = [each for each in ASSOCIATIONS if each.source is not None]
    yield format_ip_xfrm(given).encode()
    for each in given:
        yield format_ip_xfrm([each]).encode()
    for name in ("aes-ccm-128", "aes-gmac-256", "aes-ctr-192-hmac-sha2-384-192"):
        yield format_ip_xfrm([association(9, name, mode=Mode.TRANSPORT)]).encode()
    yield _PRINTED.replace("af-unspec esn", "af-unspec").encode()  # high halves of nothing
    yield _PRINTED.replace("(packets)", "(parcels)").encode()
    yield b"xfrm state flush\n"
    yield b"xfrm policy add dir out\nsrc 192.0.2.1 dst 192.0.2.2\n"
    yield b"xfrm state add proto ah spi 1\n"
    key = b"0x" + bytes(range(16)).hex().encode()
    yield b"xfrm state add src ::1 dst ::2 proto esp spi 256 enc " + key + b" cbc(aes)\n"
