"""What charon's log says: the SAs with their keys, and what became of every ESP packet received.

Every line begins with the number of the thread that wrote it and the subsystem, ``11[CHD] …``.
Threads write between each other's lines, and what belongs together is in the lines of one thread.

The keys of a child SA are logged as "initiator" and "responder" key, of the exchange that made it.
Whether this daemon was the one or the other is told by the message that the thread had parsed
before: a request, or a response to its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address
from typing import Final

from saactors.esp.association import Association
from saactors.esp.suites import SUITES

NAT_TRAVERSAL_PORT: Final = 4500  # RFC 3948

_LINE: Final = re.compile(r"(\d+)\[(\w+)\] ?(.*)")
_PARSED: Final = re.compile(r"parsed \w+ (request|response) ")
_CHILD: Final = re.compile(r"CHILD_SA ([\w-]+)\{\d+\} state change: CREATED => INSTALLING")
_PROPOSAL: Final = re.compile(r"selected proposal: ESP:(\S+)/NO_EXT_SEQ")
_KEY: Final = re.compile(r"(encryption|integrity) (initiator|responder) key => (\d+) bytes")
_OCTETS: Final = re.compile(r"\s*\d+: (.*)")
_DIRECTION: Final = re.compile(r"(?:adding|registering) (in|out)bound ESP SA")
_SPI: Final = re.compile(r"  SPI 0x([0-9a-f]{8}), src (\S+) dst (\S+)")
_RECEIVED: Final = re.compile(r"parsed ESP header with SPI ([0-9a-f]{8}) \[seq (\d+)\]")
_OCTETS_A_LINE: Final = 16
_SUITES: Final = {suite.ike_proposal: suite.name for suite in SUITES}


class Fate(Enum):
    """What charon did with an ESP packet."""

    TAKEN = "taken"
    REFUSED_SEQUENCE = "ESP sequence number verification failed"  # replayed or too old
    REFUSED_ICV = "ESP decryption or ICV verification failed"
    REFUSED_PAYLOAD = "parsing ESP payload failed"


@dataclass
class _Thread:
    """What a thread has said of the child SA that it is making."""

    responds: bool = False
    child: str = ""
    proposal: str = ""
    direction: str = ""
    keys: dict[tuple[str, str], bytes] = field(default_factory=dict, repr=False)
    filling: tuple[str, str] | None = None
    octets_left: int = 0


def negotiated(log: str) -> list[tuple[str, Association]]:
    """Each SA of a log in the order of negotiation, with the name of its child."""
    threads: dict[str, _Thread] = {}
    found: dict[tuple[str, int], tuple[str, Association]] = {}
    for number, _, words in _lines(log):
        thread = threads.setdefault(number, _Thread())
        if _read_keys(thread, words):
            continue
        if match := _PARSED.match(words):
            thread.responds = match[1] == "request"
        elif match := _PROPOSAL.match(words):
            thread.proposal = match[1]
        elif match := _CHILD.match(words):
            thread.child, thread.keys = match[1], {}
        elif match := _DIRECTION.match(words):
            thread.direction = match[1]
        elif thread.direction and (match := _SPI.match(words)):
            # A rekeyed SA is registered first and added later, when its keys may be long gone.
            place = (match[3], int(match[1], 16))
            if place not in found:
                found[place] = (thread.child, _association(thread, *place, match[2]))
            thread.direction = ""
    return list(found.values())


def fates(log: str) -> list[tuple[int, int, Fate]]:
    """SPI, sequence number and fate of each ESP packet received, in their order."""
    received: list[tuple[int, int, Fate]] = []
    latest: dict[str, int] = {}  # thread → the packet that it is at
    for number, _, words in _lines(log):
        if match := _RECEIVED.match(words):
            latest[number] = len(received)
            received.append((int(match[1], 16), int(match[2]), Fate.TAKEN))
        elif number in latest:
            for fate in Fate:
                if words.startswith(fate.value):
                    spi, sequence, _ = received[latest[number]]
                    received[latest[number]] = (spi, sequence, fate)
    return received


def _lines(log: str) -> Iterator[tuple[str, str, str]]:
    for line in log.splitlines():
        if match := _LINE.match(line):
            yield match[1], match[2], match[3]


def _read_keys(thread: _Thread, words: str) -> bool:
    """Take a line that announces a key or has octets of it."""
    if match := _KEY.match(words):
        thread.filling, thread.octets_left = (match[1], match[2]), int(match[3])
        thread.keys[thread.filling] = b""
        return True
    if thread.octets_left and thread.filling and (match := _OCTETS.match(words)):
        # The line goes on with the octets as text, which may look like more of them.
        here = min(thread.octets_left, _OCTETS_A_LINE)
        thread.keys[thread.filling] += bytes.fromhex("".join(match[1].split()[:here]))
        thread.octets_left -= here
        return True
    thread.octets_left = 0
    return False


def _association(thread: _Thread, destination: str, spi: int, source: str) -> Association:
    sends = thread.direction == "out"
    sender = "responder" if sends == thread.responds else "initiator"
    assert thread.proposal in _SUITES, f"strongSwan chose {thread.proposal}, which we do not have"
    return Association(
        spi,
        _SUITES[thread.proposal],
        thread.keys.get(("encryption", sender), b""),
        thread.keys.get(("integrity", sender), b""),
        source=ip_address(source),
        destination=ip_address(destination),
        source_port=NAT_TRAVERSAL_PORT,
        destination_port=NAT_TRAVERSAL_PORT,
    )
