"""Packets of ours for strongSwan's SAs, good ones and bad ones, and what has to become of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from charon import Child
from charon_log import Fate
from echo_packets import echo_request
from tunnel_traffic import payload

from saactors.esp.association import Association
from saactors.esp.fragments import Fragmenting
from saactors.esp.outbound import OutboundProcessor
from saactors.model.verdicts import Verdict

FIRST_SEQUENCE: Final = 10_000
OLD_SEQUENCE: Final = 9_000  # further behind than the window of either reaches

REQUESTS: Final = 24
_HELD_BACK: Final = 6  # whose forgeries come first
_BAD: Final = 6  # of each kind
_DUMMIES: Final = 6
_SHORT_TO_LONG: Final = 8  # of so many requests one is long
_LONG_BYTES: Final = 1000
_TO_BE_CUT_BYTES: Final = 1300
_PATH_MTU_BYTES: Final = {4: 600, 6: 1280}  # of a narrow path, by outer version
_WORD_BYTES: Final = 2


@dataclass(frozen=True)
class Manner:
    """How we send: what rows add to the mode, and what is unusual."""

    name: str = ""
    filled_bytes: int = 0  # what is sent is filled up to this, with dummies between
    fragmenting: Fragmenting | None = None  # on a path too narrow for it


USUAL: Final = Manner()
HIDING_LENGTHS: Final = Manner(", TFC padding and dummies", filled_bytes=1200)
CUT_BEFORE: Final = Manner(", inner fragments", fragmenting=Fragmenting.BEFORE)
CUT_AFTER: Final = Manner(", outer fragments", fragmenting=Fragmenting.AFTER)


@dataclass(frozen=True)
class Shot:
    """An ESP packet, whole or in outer fragments, and its due at strongSwan and with us."""

    packets: tuple[bytes, ...]
    sequence: int
    fate: Fate = Fate.TAKEN
    verdict: Verdict = Verdict.PASSED

    @property
    def is_good(self) -> bool:
        """Whether it is to be taken."""
        return self.fate is Fate.TAKEN


def requests_through(child: Child, manner: Manner) -> list[bytes]:
    """Echo requests for the other end of a child's tunnel.

    Short ones of all lengths and some long ones; or all of them long, where they are to be cut.
    """
    requests = []
    for number in range(REQUESTS):
        size = number + (_LONG_BYTES if number % _SHORT_TO_LONG == _SHORT_TO_LONG - 1 else 0)
        if manner.fragmenting is not None:
            size = _TO_BE_CUT_BYTES + number
        ends = child.address(1), child.address(2)
        requests.append(echo_request(*ends, child.number, number, payload(size)))
    return requests


def shots_at(sa: Association, requests: Sequence[bytes], manner: Manner) -> list[Shot]:
    """Good packets, then all bad ones, then the good ones of which there were forgeries."""
    sender = _Sender(sa, FIRST_SEQUENCE, manner)
    first = sender.seal(requests[:-_HELD_BACK])
    dummies = sender.dummies() if manner.filled_bytes else []
    held_back = sender.seal(requests[-_HELD_BACK:])
    late = _Sender(sa, OLD_SEQUENCE, manner).seal(requests[:_BAD])[:_BAD]
    forgeries = [
        replace(_forged(shot), fate=Fate.REFUSED_ICV, verdict=Verdict.ICV_FAILED)
        for shot in held_back[:_BAD]
    ]
    refused = Fate.REFUSED_SEQUENCE
    replays = [replace(shot, fate=refused, verdict=Verdict.REPLAYED) for shot in first[:_BAD]]
    late = [replace(shot, fate=refused, verdict=Verdict.TOO_OLD) for shot in late]
    return [*first, *dummies, *forgeries, *replays, *late, *held_back]


def forged(packet: bytes) -> bytes:
    """The packet with two words of its ICV exchanged, which leaves checksums as they are."""
    for end in range(len(packet), 0, -_WORD_BYTES):
        middle, start = end - _WORD_BYTES, end - 2 * _WORD_BYTES
        if packet[start:middle] != packet[middle:end]:
            return packet[:start] + packet[middle:end] + packet[start:middle] + packet[end:]
    raise AssertionError("a packet of nothing but equal words")


def _forged(shot: Shot) -> Shot:
    return replace(shot, packets=(*shot.packets[:-1], forged(shot.packets[-1])))


class _Sender:
    """An OutboundProcessor for one SA, with shots as what it makes."""

    def __init__(self, sa: Association, first_sequence: int, manner: Manner) -> None:
        self._manner = manner
        assert sa.destination is not None, "tunnels have ends"
        path_mtu_bytes = (
            0 if manner.fragmenting is None else _PATH_MTU_BYTES[sa.destination.version]
        )
        own = replace(
            sa,
            first_sequence=first_sequence,
            tfc_bytes=manner.filled_bytes,
            path_mtu_bytes=path_mtu_bytes,
        )
        fragmenting = manner.fragmenting or Fragmenting.BEFORE
        self._processor = OutboundProcessor([own], fragmenting=fragmenting)

    def seal(self, packets: Sequence[bytes]) -> list[Shot]:
        shots = []
        for outcome in self._processor.process(packets, [0] * len(packets)):
            assert outcome.verdict is Verdict.PASSED, f"not sealed: {outcome.verdict.label}"
            was_cut = len(outcome.packets) > 1
            assert was_cut == (self._manner.fragmenting is not None), "path MTU not respected"
            if self._manner.fragmenting is Fragmenting.BEFORE:  # every piece has its own number
                shots += [
                    Shot((packet,), outcome.sequence + place)
                    for place, packet in enumerate(outcome.packets)
                ]
            else:
                shots.append(Shot(outcome.packets, outcome.sequence))
        return shots

    def dummies(self) -> list[Shot]:
        outcomes = self._processor.dummies([0] * _DUMMIES, self._manner.filled_bytes)
        return [Shot(each.packets, each.sequence, verdict=Verdict.DUMMY) for each in outcomes]
