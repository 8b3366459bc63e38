"""The words that iproute2 has for an SA, printed and in commands, each with what it says.

Printed lines may have words that are nothing to us; a command consists of words that
``ip xfrm state add`` takes, so that nothing of it is passed over unread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from saactors.esp.association import SPI_MAX
from saactors.esp.header_rules import USUAL_HEADERS, DontFragment, Ecn, HeaderRules
from saactors.esp.lifetime import LIMIT_MAX
from saactors.esp.sa_formats.lines import LineError, address_of_text, number_of, take
from saactors.model.sa import Mode

NS_PER_S: Final = 1_000_000_000
COUNT_MAX: Final = (1 << 64) - 1  # of the kernel's counters; as a limit it is printed as (INF)
LIMITS: Final = {
    "time-soft": "soft_ns", "time-hard": "hard_ns",
    "byte-soft": "soft_bytes", "byte-hard": "hard_bytes",
    "packet-soft": "soft_packets", "packet-hard": "hard_packets",
}  # fmt: skip

_PORT_MAX: Final = 65_535
_ICV_BITS_MAX: Final = 512
_MODES: Final = {"tunnel": Mode.TUNNEL, "transport": Mode.TRANSPORT}
# How many bits of an ICV the kernel keeps if it is not told (net/xfrm/xfrm_algo.c).
_USUAL_ICV_BITS: Final = {"hmac(sha384)": 192, "hmac(sha512)": 256}
_USUAL_ICV_BITS_OTHERWISE: Final = 96  # of MD5, SHA-1 and, from a draft, SHA-256
# Of ``flag`` and of ``extra-flag``, as in linux/xfrm.h.
_FLAGS: Final = {
    "noecn": 1, "decap-dscp": 2, "nopmtudisc": 4, "wildrecv": 8,
    "icmp": 16, "af-unspec": 32, "align4": 64, "esn": 128,
}  # fmt: skip
_EXTRA_FLAGS: Final = {"dont-encap-dscp": 1, "oseq-may-wrap": 2}
_SELECTOR_WORDS: Final = {"src", "dst", "dev", "proto", "sport", "dport", "type", "code", "key"}


@dataclass
class State:
    """An SA in the making; ``is_command``: as it is added, not as it is printed."""

    line: int
    is_command: bool
    fields: dict[str, object] = field(default_factory=dict, repr=False)
    encryption: str = ""
    integrity: str = ""
    icv_bits: int = 0
    headers: HeaderRules = USUAL_HEADERS
    limits: dict[str, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def limit(self, name: str, value: int) -> None:
        """Take a limit of the lifetime."""
        if value <= LIMIT_MAX:  # what is more will never be reached
            self.limits[name] = value


def read_words(state: State, words: list[str]) -> None:
    """Take what the words say of an SA; raises LineError."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in READERS:
            READERS[word](state, rest)
        elif state.is_command:
            place = len(words) - len(rest)
            raise LineError(f"word {place} behind add: expected one that xfrm state add takes")


def _end(name: str) -> Callable[[State, list[str]], None]:
    def read(state: State, words: list[str]) -> None:
        state.fields[name] = address_of_text(take(words, name), name)

    return read


def _protocol(_state: State, words: list[str]) -> None:
    if take(words, "proto") not in {"esp", "50"}:
        raise LineError("proto: found another protocol, expected esp")


def _spi(state: State, words: list[str]) -> None:
    state.fields["spi"] = number_of(take(words, "spi").partition("(")[0], "spi", SPI_MAX)


def _mode(state: State, words: list[str]) -> None:
    mode = take(words, "mode")
    if mode not in _MODES:
        raise LineError("mode: found another mode, expected tunnel or transport")
    state.fields["mode"] = _MODES[mode]


def _aead(state: State, words: list[str]) -> None:
    state.encryption = take(words, "aead")
    state.fields["key"] = _key(words, "aead")
    state.icv_bits = number_of(take(words, "aead"), "aead", _ICV_BITS_MAX)


def _encryption(state: State, words: list[str]) -> None:
    """NULL encryption has no key, which may be printed as nothing at all."""
    state.encryption = take(words, "enc")
    state.fields["key"] = _key(words, "enc") if words else b""


def _integrity(state: State, words: list[str]) -> None:
    state.integrity = take(words, "auth-trunc")
    state.fields["integrity_key"] = _key(words, "auth-trunc")
    state.icv_bits = number_of(take(words, "auth-trunc"), "auth-trunc", _ICV_BITS_MAX)


def _untruncated(state: State, words: list[str]) -> None:
    state.integrity = take(words, "auth")
    state.fields["integrity_key"] = _key(words, "auth")
    state.icv_bits = _USUAL_ICV_BITS.get(state.integrity, _USUAL_ICV_BITS_OTHERWISE)


def _key(words: list[str], name: str) -> bytes:
    text = take(words, name)
    if text == '""':
        return b""
    if text.startswith("<<"):
        raise LineError(f"{name}: found a hidden key, expected keys; leave out nokeys, be root")
    if not text.startswith("0x"):
        return text.encode()
    digits = text.removeprefix("0x")
    try:
        return bytes.fromhex("0" * (len(digits) % 2) + digits)  # odd ones as iproute2 has them
    except ValueError:
        raise LineError(f"{name}: expected hexadecimal digits behind 0x") from None


def _flag(state: State, words: list[str]) -> None:
    bits = _bits(state, words, _FLAGS, "flag")
    if bits & _FLAGS["esn"]:
        state.fields["extended_sequence"] = True
    if bits & _FLAGS["noecn"]:
        state.headers = replace(state.headers, ecn=Ecn.NOT_CAPABLE)
    if bits & _FLAGS["nopmtudisc"]:
        state.headers = replace(state.headers, dont_fragment=DontFragment.CLEAR)


def _extra_flag(state: State, words: list[str]) -> None:
    if _bits(state, words, _EXTRA_FLAGS, "extra-flag") & _EXTRA_FLAGS["dont-encap-dscp"]:
        state.headers = replace(state.headers, dscp=0)


def _bits(state: State, words: list[str], flags: dict[str, int], name: str) -> int:
    """Flags by name, or as a number; a later kernel's may be printed among them."""
    bits = 0
    while words and words[0] not in READERS:
        word = words.pop(0)
        if word in flags:
            bits |= flags[word]
        elif word.startswith("0x"):
            bits |= number_of(word, name, SPI_MAX)
        elif state.is_command:
            raise LineError(f"{name}: expected {', '.join(flags)}, or a number such as 0x80")
    return bits


def _encapsulation(state: State, words: list[str]) -> None:
    """In commands the ports stand alone, printed they have words before them."""
    if not state.is_command:
        words[:] = [word for word in words if word not in {"type", "sport", "dport", "addr"}]
    if take(words, "encap") != "espinudp":
        raise LineError("encap: found another encapsulation, expected espinudp")
    for name in ("source_port", "destination_port"):
        state.fields[name] = number_of(take(words, "encap"), "encap", _PORT_MAX)
    take(words, "encap")  # an address that nobody uses


def _selector(_state: State, words: list[str]) -> None:
    """The kernel's additional check of inner packets; its addresses are not the SA's."""
    while words and words[0] in _SELECTOR_WORDS:
        name = words.pop(0)
        take(words, f"sel {name}")


def _offload(_state: State, words: list[str]) -> None:
    """Whose card has the SA; which of ours has it, a placement rule decides."""
    if words and words[0] in {"crypto", "packet"}:
        words.pop(0)
    while words and words[0] in {"dev", "dir"}:
        name = words.pop(0)
        take(words, f"offload {name}")


def _padding(state: State, words: list[str]) -> None:
    state.fields["tfc_bytes"] = number_of(take(words, "tfcpad"), "tfcpad", _PORT_MAX)


def _counter(name: str) -> Callable[[State, list[str]], None]:
    def read(state: State, words: list[str]) -> None:
        state.counters[name] = number_of(take(words, name), name, SPI_MAX)

    return read


def _passed_over(_state: State, words: list[str]) -> None:
    take(words, "a word")


def _limits(state: State, words: list[str]) -> None:
    kind = take(words, "limit")
    if kind not in LIMITS:
        raise LineError(f"limit: expected one of {', '.join(LIMITS)}")
    value = number_of(take(words, kind), kind, COUNT_MAX)
    state.limit(LIMITS[kind], value * NS_PER_S if kind.startswith("time") else value)


READERS: Final[dict[str, Callable[[State, list[str]], None]]] = {
    "src": _end("source"), "dst": _end("destination"), "proto": _protocol, "spi": _spi,
    "mode": _mode, "aead": _aead, "enc": _encryption, "auth-trunc": _integrity,
    "auth": _untruncated, "flag": _flag, "extra-flag": _extra_flag, "encap": _encapsulation,
    "tfcpad": _padding, "limit": _limits, "replay-seq": _counter("seq"),
    "replay-seq-hi": _counter("seq-hi"), "replay-oseq": _counter("oseq"),
    "replay-oseq-hi": _counter("oseq-hi"), "sel": _selector, "offload": _offload,
    # Nothing to us, but they have values, or end a list of flags.
    **dict.fromkeys(("reqid", "replay-window", "seq", "if_id", "mark", "mask", "output-mark",
                     "ctx", "coa", "dir", "pcpu-num"), _passed_over),
}  # fmt: skip
