r"""SAs as iproute2 has them: what ``ip xfrm state`` prints, and what it takes.

Both are read. Printed, an SA begins at the margin and goes on in lines that are indented:

    src 192.0.2.1 dst 198.51.100.1
        proto esp spi 0x00001001 reqid 1 mode tunnel
        replay-window 32 flag esn
        aead rfc4106(gcm(aes)) 0x… 128
        encap type espinudp sport 4500 dport 4500 addr 0.0.0.0
        anti-replay esn context:
         seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x14

Commands for ``ip -batch`` have the same words in one line, behind ``xfrm state add``. Keys hold
their salt. Statistics, selectors, marks and lifetimes already used are passed over; protocols
other than ESP and modes other than tunnel and transport are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from saactors.errors import KeyTableError
from saactors.esp.association import SEQUENCE_MAX, SPI_MAX, Association
from saactors.esp.header_rules import USUAL_HEADERS, DontFragment, Ecn, HeaderRules
from saactors.esp.lifetime import LIMIT_MAX
from saactors.esp.sa_formats.lines import (
    Algorithms,
    LineError,
    address_of_text,
    known,
    made,
    number_of,
    take,
)
from saactors.esp.suites import SUITES, Suite
from saactors.model.sa import Mode

NS_PER_S: Final = 1_000_000_000

BITS: Final = 8
_PORT_MAX: Final = 65_535
_MODES: Final = {"tunnel": Mode.TUNNEL, "transport": Mode.TRANSPORT}
_INFINITE: Final = (1 << 64) - 1  # of the kernel's counters; printed as (INF)
_LIMIT: Final = re.compile(
    r"limit: soft \(?(\w+)\)?\((bytes|packets)\), hard \(?(\w+)\)?\((bytes|packets)\)"
)
_EXPIRE: Final = re.compile(r"expire (add|use): soft (\d+)\(sec\), hard (\d+)\(sec\)")
_COUNTER: Final = re.compile(r"\b(o?seq(?:-hi)?) (0x[0-9a-f]+)")
# What ``ip -s`` adds behind a value, as in "0x0f0e (16 bits)".
_IN_OTHER_WORDS: Final = re.compile(r"\s\([^()]*\)")
# How a flag changes the rules for headers; others change nothing that we have.
_FLAGS: Final[dict[str, dict[str, object]]] = {
    "noecn": {"ecn": Ecn.NOT_CAPABLE},
    "nopmtudisc": {"dont_fragment": DontFragment.CLEAR},
    "dont-encap-dscp": {"dscp": 0},
}
LIMITS: Final = {
    "time-soft": "soft_ns", "time-hard": "hard_ns",
    "byte-soft": "soft_bytes", "byte-hard": "hard_bytes",
    "packet-soft": "soft_packets", "packet-hard": "hard_packets",
}  # fmt: skip


def _names_of(suite: Suite) -> Algorithms:
    key_bytes = suite.key_bytes + suite.salt_bytes
    return suite.xfrm_encryption, suite.xfrm_integrity, key_bytes, suite.icv_bytes


_BY_NAMES: Final = {_names_of(suite): suite for suite in SUITES}
_ENCRYPTIONS: Final = {suite.xfrm_encryption for suite in SUITES}
_INTEGRITIES: Final = {suite.xfrm_integrity for suite in SUITES}


@dataclass
class _State:
    """An SA in the making."""

    line: int
    fields: dict[str, object] = field(default_factory=dict, repr=False)
    encryption: str = ""
    integrity: str = ""
    icv_bits: int = 0
    headers: HeaderRules = USUAL_HEADERS
    limits: dict[str, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)


def parse_ip_xfrm(text: str, name: str) -> list[Association]:
    """Read SAs; ``name`` is what errors call the text.

    Raises:
        KeyTableError: a line that cannot be read, named by number and never quoted.
    """
    states: list[_State] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            if "state" in words[:3]:
                states.append(_State(number))
                _read_command(states[-1], words[words.index("state") + 1 :])
            elif line[0] not in " \t":
                if words[0] != "src":
                    continue  # another command, for instance of policies
                states.append(_State(number))
                _read_words(states[-1], words)
            elif states:
                _read_line(states[-1], line.strip(), words)
        except LineError as error:
            raise KeyTableError(name, number, str(error)) from None
    return [_finished(state, name) for state in states]


def _read_command(state: _State, words: list[str]) -> None:
    if words[:1] not in (["add"], ["update"]):
        raise LineError("found another command, expected xfrm state add or update")
    _read_words(state, words[1:])


def _read_line(state: _State, line: str, words: list[str]) -> None:
    """Take an indented line of what is printed."""
    if found := _LIMIT.match(line):
        for kind, value, unit in (("soft", *found.group(1, 2)), ("hard", *found.group(3, 4))):
            if value != "INF":
                _limit(state, f"{kind}_{unit}", number_of(value, "limit", _INFINITE))
    elif found := _EXPIRE.match(line):
        limits = [number_of(seconds, "expire", _INFINITE) for seconds in found.group(2, 3)]
        if found[1] == "use" and any(limits):
            raise LineError("found a limit from first use, expected limits from add alone")
        for kind, seconds in zip(("soft", "hard"), limits, strict=True):
            if found[1] == "add":
                _limit(state, f"{kind}_ns", seconds * NS_PER_S)
    elif line.startswith(("anti-replay context:", "seq-hi ")):
        for counter, value in _COUNTER.findall(line):
            state.counters[counter] = int(value, 0)
    elif words[0] in _READERS and words[0] not in {"src", "dst", "seq"}:
        _read_words(state, _IN_OTHER_WORDS.sub("", line).split())


def _read_words(state: _State, words: list[str]) -> None:
    words = list(words)
    while words:
        word = words.pop(0)
        if word in _READERS:
            _READERS[word](state, words)


def _end(name: str) -> Callable[[_State, list[str]], None]:
    def read(state: _State, words: list[str]) -> None:
        state.fields[name] = address_of_text(take(words, name), name)

    return read


def _protocol(_state: _State, words: list[str]) -> None:
    if take(words, "proto") not in {"esp", "50"}:
        raise LineError("proto: found another protocol, expected esp")


def _spi(state: _State, words: list[str]) -> None:
    state.fields["spi"] = number_of(take(words, "spi").partition("(")[0], "spi", SPI_MAX)


def _mode(state: _State, words: list[str]) -> None:
    mode = take(words, "mode")
    if mode not in _MODES:
        raise LineError("mode: found another mode, expected tunnel or transport")
    state.fields["mode"] = _MODES[mode]


def _aead(state: _State, words: list[str]) -> None:
    state.encryption = take(words, "aead")
    state.fields["key"] = _key(words, "aead")
    state.icv_bits = number_of(take(words, "aead"), "aead", 512)


def _encryption(state: _State, words: list[str]) -> None:
    state.encryption = take(words, "enc")
    state.fields["key"] = _key(words, "enc")


def _integrity(state: _State, words: list[str]) -> None:
    state.integrity = take(words, "auth-trunc")
    state.fields["integrity_key"] = _key(words, "auth-trunc")
    state.icv_bits = number_of(take(words, "auth-trunc"), "auth-trunc", 512)


def _untruncated(state: _State, words: list[str]) -> None:
    """The kernel's default then is 96 bits."""
    state.integrity = take(words, "auth")
    state.fields["integrity_key"] = _key(words, "auth")
    state.icv_bits = 96


def _key(words: list[str], name: str) -> bytes:
    text = take(words, name)
    if text == '""':
        return b""
    try:
        return bytes.fromhex(text.removeprefix("0x")) if text.startswith("0x") else text.encode()
    except ValueError:
        raise LineError(f"{name}: expected hexadecimal digits behind 0x") from None


def _flag(state: _State, words: list[str]) -> None:
    while words and words[0] not in _READERS:
        flag = words.pop(0)
        if flag == "esn":
            state.fields["extended_sequence"] = True
        else:
            state.headers = replace(state.headers, **_FLAGS.get(flag, {}))  # type: ignore[arg-type]  # fields of HeaderRules


def _encapsulation(state: _State, words: list[str]) -> None:
    """In commands the ports stand alone, printed they have words before them."""
    words[:] = [word for word in words if word not in {"type", "sport", "dport", "addr"}]
    if take(words, "encap") != "espinudp":
        raise LineError("encap: found another encapsulation, expected espinudp")
    for name in ("source_port", "destination_port"):
        state.fields[name] = number_of(take(words, "encap"), "encap", _PORT_MAX)
    take(words, "encap")  # an address that nobody uses


def _padding(state: _State, words: list[str]) -> None:
    state.fields["tfc_bytes"] = number_of(take(words, "tfcpad"), "tfcpad", _PORT_MAX)


def _counter(name: str) -> Callable[[_State, list[str]], None]:
    def read(state: _State, words: list[str]) -> None:
        state.counters[name] = number_of(take(words, name), name, SPI_MAX)

    return read


def _passed_over(_state: _State, words: list[str]) -> None:
    take(words, "a word")


def _limits(state: _State, words: list[str]) -> None:
    kind = take(words, "limit")
    if kind not in LIMITS:
        raise LineError(f"limit: expected one of {', '.join(LIMITS)}")
    value = number_of(take(words, kind), kind, _INFINITE)
    _limit(state, LIMITS[kind], value * NS_PER_S if kind.startswith("time") else value)


def _limit(state: _State, name: str, value: int) -> None:
    if value <= LIMIT_MAX:  # what is more will never be reached
        state.limits[name] = value


_READERS: Final[dict[str, Callable[[_State, list[str]], None]]] = {
    "src": _end("source"), "dst": _end("destination"), "proto": _protocol, "spi": _spi,
    "mode": _mode, "aead": _aead, "enc": _encryption, "auth-trunc": _integrity,
    "auth": _untruncated, "flag": _flag, "extra-flag": _flag, "encap": _encapsulation,
    "tfcpad": _padding, "limit": _limits, "replay-seq": _counter("seq"),
    "replay-seq-hi": _counter("seq-hi"), "replay-oseq": _counter("oseq"),
    "replay-oseq-hi": _counter("oseq-hi"),
    # Nothing to us, but they have values, or end a list of flags.
    **dict.fromkeys(("reqid", "replay-window", "seq", "if_id"), _passed_over),
}  # fmt: skip


def _finished(state: _State, name: str) -> Association:
    key = state.fields.get("key", b"")
    assert isinstance(key, bytes)
    suite = _BY_NAMES.get((state.encryption, state.integrity, len(key), state.icv_bits // BITS))
    if suite is None:
        encryption = known(state.encryption, _ENCRYPTIONS, "encryption")
        integrity = known(state.integrity, _INTEGRITIES, "integrity")
        found = f"{encryption} with {len(key)} bytes of key, {integrity}, "
        found += f"{state.icv_bits} bits of ICV"
        raise KeyTableError(name, state.line, f"found {found}; expected a suite of docs/suites.md")
    for needed in ("spi", "source", "destination"):
        if needed not in state.fields:
            raise KeyTableError(name, state.line, f"expected {needed}")
    # Without extended numbers the high halves are of nothing.
    extended = "extended_sequence" in state.fields
    sent, received = (
        (state.counters.get(f"{kind}-hi", 0) << 32 if extended else 0)
        | state.counters.get(kind, 0) & SPI_MAX
        for kind in ("oseq", "seq")
    )
    fields = {
        **state.fields, "suite": suite.name, "headers": state.headers,
        "first_sequence": min(max(sent, received) + 1, SEQUENCE_MAX),
    }  # fmt: skip
    return made(name, state.line, fields, state.limits)
