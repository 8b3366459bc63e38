r"""SAs as iproute2 has them: what ``ip xfrm state`` prints, and what it takes.

Both are read. Printed, an SA begins at the margin and goes on in lines that are indented:

    src 192.0.2.1 dst 198.51.100.1
        proto esp spi 0x00001001 reqid 1 mode tunnel
        replay-window 32 flag esn
        aead rfc4106(gcm(aes)) 0x… 128
        encap type espinudp sport 4500 dport 4500 addr 0.0.0.0
        anti-replay esn context:
         seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x14

Commands, of a shell script or for ``ip -batch``, have the same words in one line, behind
``ip xfrm state add``; without ``mode`` they mean transport mode. A backslash continues a line, and
quotes are a shell's. Other commands are passed over, unless they change SAs.

Keys hold their salt. Statistics, selectors, marks and lifetimes already used are passed over;
protocols other than ESP and modes other than tunnel and transport are refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final

from saactors.errors import KeyTableError
from saactors.esp.association import SEQUENCE_MAX, SPI_MAX, Association
from saactors.esp.sa_formats.ip_xfrm_words import COUNT_MAX, NS_PER_S, READERS, State, read_words
from saactors.esp.sa_formats.lines import Algorithms, LineError, known, made, number_of
from saactors.esp.suites import SUITES, Suite
from saactors.model.sa import Mode

BITS: Final = 8
_LIMIT: Final = re.compile(
    r"limit: soft \(?(\w+)\)?\((bytes|packets)\), hard \(?(\w+)\)?\((bytes|packets)\)"
)
_EXPIRE: Final = re.compile(r"expire (add|use): soft (\d+)\(sec\), hard (\d+)\(sec\)")
_COUNTER: Final = re.compile(r"\b(o?seq(?:-hi)?) (0x[0-9a-f]+)")
# What ``ip -s`` adds behind a value, as in "0x0f0e (16 bits)".
_IN_OTHER_WORDS: Final = re.compile(r"\s\([^()]*\)")
# Where these begin a printed line, they are not the SA's.
_NOT_OF_THE_SA: Final = {"src", "dst", "seq", "sel"}
_OPTIONS_WITH_VALUES: Final = {"-n", "-netns", "-f", "-family", "-rc", "-rcvbuf", "-l", "-loops"}


def _names_of(suite: Suite) -> Algorithms:
    key_bytes = suite.key_bytes + suite.salt_bytes
    return suite.xfrm_encryption, suite.xfrm_integrity, key_bytes, suite.icv_bytes


_BY_NAMES: Final = {_names_of(suite): suite for suite in SUITES}
_ENCRYPTIONS: Final = {suite.xfrm_encryption for suite in SUITES}
_INTEGRITIES: Final = {suite.xfrm_integrity for suite in SUITES}


def parse_ip_xfrm(text: str, name: str) -> list[Association]:
    """Read SAs; ``name`` is what errors call the text.

    Raises:
        KeyTableError: a line that cannot be read, named by number and never quoted.
    """
    states: list[State] = []
    for number, line in _joined(text):
        try:
            _read(states, number, line)
        except LineError as error:
            raise KeyTableError(name, number, str(error)) from None
    return [_finished(state, name) for state in states]


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines that say something, joined to those that they continue, with their first's number."""
    begun, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first if begun else number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            begun += line[:-1] + " "
            continue
        if (begun + line).strip():
            yield first, begun + line
        begun = ""
    if begun.strip():
        yield first, begun


def _read(states: list[State], number: int, line: str) -> None:
    words = line.split()
    is_indented = line[0].isspace()
    if words[0].startswith("#"):
        return
    if words[0] == "src" and not is_indented:
        states.append(State(number, is_command=False))
        read_words(states[-1], words)
    elif is_indented and states and not states[-1].is_command and "xfrm" not in words:
        _read_line(states[-1], line.strip(), words)
    elif (added := _behind_add(line)) is not None:
        states.append(State(number, is_command=True))
        states[-1].fields["mode"] = Mode.TRANSPORT
        read_words(states[-1], added)
    elif is_indented and states and words[0] in READERS:
        raise LineError("found words of an SA alone, expected a backslash to end the line above")


def _behind_add(line: str) -> list[str] | None:
    """What a command says of an SA; None: it changes none."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        if "xfrm" in line:
            raise LineError("found a quote that does not end, expected two of them") from None
        return None  # of a script's other commands, which are none of ours
    behind = _behind_xfrm(words)
    if not behind:
        if "xfrm" in words and "state" in words:
            raise LineError("found another command with xfrm state, expected ip xfrm state add")
        return None
    kind, *rest = behind
    if not ("state".startswith(kind) or kind == "sa"):
        return None
    if not rest or not any(command.startswith(rest[0]) for command in ("add", "update")):
        raise LineError("found another command, expected xfrm state add or update")
    return rest[1:]


def _behind_xfrm(words: list[str]) -> list[str]:
    """What a command tells ``ip xfrm``; words may be shortened, as ip has it."""
    rest = words
    if rest[:1] == ["sudo"]:
        rest = _without_options(rest[1:])
    while rest and rest[0].rpartition("/")[2] == "ip":
        rest = _without_options(rest[1:])
        if rest[:2] == ["netns", "exec"]:
            rest = rest[3:]
    return rest[1:] if rest and rest[0] and "xfrm".startswith(rest[0]) else []


def _without_options(words: list[str]) -> list[str]:
    rest = list(words)
    while rest and rest[0].startswith("-"):
        del rest[: 2 if rest[0] in _OPTIONS_WITH_VALUES else 1]
    return rest


def _read_line(state: State, line: str, words: list[str]) -> None:
    """Take an indented line of what is printed."""
    if found := _LIMIT.match(line):
        for kind, value, unit in (("soft", *found.group(1, 2)), ("hard", *found.group(3, 4))):
            if value != "INF":
                state.limit(f"{kind}_{unit}", number_of(value, "limit", COUNT_MAX))
    elif found := _EXPIRE.match(line):
        limits = [number_of(seconds, "expire", COUNT_MAX) for seconds in found.group(2, 3)]
        if found[1] == "use" and any(limits):
            raise LineError("found a limit from first use, expected limits from add alone")
        for kind, seconds in zip(("soft", "hard"), limits, strict=True):
            if found[1] == "add":
                state.limit(f"{kind}_ns", seconds * NS_PER_S)
    elif line.startswith(("anti-replay context:", "seq-hi ")):
        for counter, value in _COUNTER.findall(line):
            state.counters[counter] = int(value, 0)
    elif words[0] in READERS and words[0] not in _NOT_OF_THE_SA:
        read_words(state, _IN_OTHER_WORDS.sub("", line).split())


def _finished(state: State, name: str) -> Association:
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
