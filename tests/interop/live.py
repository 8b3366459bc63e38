"""Our packets into strongSwan's SAs: taken and answered, or refused where they are bad.

We send on the link as end a does, with a's keys and with sequence numbers that a has not come to.
What is good is answered by the kernel behind b, through b's tunnel, and its answers are opened by
us. What is bad is not: b's log has the reason for every packet, and our own receiver, given the
same packets, has to find the same.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from charon import Child, End
from charon_log import Fate, fates
from charon_pair import MAC_ADDRESSES, Pair
from echo_packets import answers
from namespace_sockets import socket_inside
from recording import ETHERTYPE_IPV4, ETHERTYPE_IPV6
from rows import Row
from scenarios import PEER
from shots import USUAL, Manner, Shot, forged, requests_through, shots_at

from saactors.esp.association import Association
from saactors.esp.inbound import InboundProcessor
from saactors.esp.outcome import Outcome
from saactors.esp.reassembly import Reassembler
from saactors.model.verdicts import Verdict

_PATIENCE_S: Final = 5.0
_ALL_PROTOCOLS: Final = 3  # ETH_P_ALL of <linux/if_ether.h>
_BUFFER_BYTES: Final = 1 << 23
_PACKET_MAX_BYTES: Final = 65_535
_ETHERTYPES: Final = {4: ETHERTYPE_IPV4, 6: ETHERTYPE_IPV6}


@dataclass(frozen=True)
class Volley:
    """What was sent to one child, and what it answered."""

    child: Child
    sa: Association
    requests: list[bytes]
    shots: list[Shot]
    answers: Answers


def live(pair: Pair, children: Sequence[Child], manner: Manner = USUAL) -> list[Row]:
    """Send to each child's SA and read the answers: a row for either direction of each."""
    sas = {(child, str(sa.source)): sa for child, sa in pair.associations()}
    log_start = len(pair.b.log())
    volleys = []
    with _link(pair.a.end) as link:
        for child in children:
            forth = sas[child.name, pair.a.end.outer(child.outer_version)]
            back = sas[child.name, pair.b.end.outer(child.outer_version)]
            requests = requests_through(child, manner)
            shots, found = shots_at(forth, requests, manner), Answers(back, requests)
            _fire(link, (pair.a.end.device, _ETHERTYPES[child.outer_version]), shots, found)
            volleys.append(Volley(child, forth, requests, shots, found))
    told: dict[int, list[tuple[int, Fate]]] = {}
    for spi, sequence, fate in fates(pair.b.log()[log_start:]):
        told.setdefault(spi, []).append((sequence, fate))
    rows = []
    for volley in volleys:
        rows += [_to_peer(volley, told.get(volley.sa.spi, []), manner), _from_peer(volley)]
    return rows


def _fire(
    link: socket.socket, place: tuple[str, int], shots: Sequence[Shot], found: Answers
) -> None:
    """Send all packets from a device, then read until the last answer has come."""
    for shot in shots:
        for packet in shot.packets:
            link.sendto(packet, (*place, 0, 0, MAC_ADDRESSES[1]))
    end_s = time.monotonic() + _PATIENCE_S
    while found.missing and (left_s := end_s - time.monotonic()) > 0:
        link.settimeout(left_s)
        try:
            packet, address = link.recvfrom(_PACKET_MAX_BYTES)
        except TimeoutError:
            break
        if address[2] != socket.PACKET_OUTGOING:
            found.take(packet)


class Answers:
    """Takes packets off the link and looks for the answers to our requests among them.

    Each answer is opened three times: forged, as it came, and once more, a replay.
    """

    def __init__(self, sa: Association, requests: Sequence[bytes]) -> None:
        self._processor = InboundProcessor([sa])
        self._unanswered = list(requests)
        self.opened = 0
        self.bad = 0
        self.refused = 0

    @property
    def missing(self) -> int:
        """How many requests have no answer yet."""
        return len(self._unanswered)

    def take(self, packet: bytes) -> None:
        """Look at a packet; raises RuntimeError where it is ESP that answers nothing."""
        forgery, outcome, replay = self._processor.process([forged(packet), packet, packet])
        if outcome.verdict is not Verdict.PASSED:
            return  # IKE, or another child's
        (inner,) = outcome.packets
        for place, request in enumerate(self._unanswered):
            if answers(inner, request):
                del self._unanswered[place]
                break
        else:
            raise RuntimeError("strongSwan answered what it should not, or twice")
        self.opened += 1
        self.bad += 2
        self.refused += forgery.verdict is Verdict.ICV_FAILED
        self.refused += replay.verdict is Verdict.REPLAYED


def _to_peer(volley: Volley, told: Sequence[tuple[int, Fate]], manner: Manner) -> Row:
    """What strongSwan did with ours, which our own receiver has to have done as well."""
    child, shots = volley.child, volley.shots
    if [sequence for sequence, _ in told] != [shot.sequence for shot in shots]:
        message = f"{child.name}: sent {len(shots)} packets, strongSwan logged {len(told)}"
        raise RuntimeError(f"{message} or others")
    outcomes = _received(volley)
    right = [
        shot
        for shot, outcome, (_, fate) in zip(shots, outcomes, told, strict=True)
        if fate is shot.fate and outcome.verdict is shot.verdict
    ]
    good, taken = (sum(shot.is_good for shot in each) for each in (shots, right))
    accepted = min(taken, good - volley.answers.missing)
    mode, bad = child.mode + manner.name, len(shots) - good
    return Row(PEER, child.suite.name, mode, "→ peer", good, accepted, bad, len(right) - taken)


def _received(volley: Volley) -> list[Outcome]:
    """What our own receiver makes of the same packets, an outcome for each shot."""
    packets = [packet for shot in volley.shots for packet in shot.packets]
    outcomes = [
        outcome
        for outcome in InboundProcessor([volley.sa]).process(packets)
        if outcome.verdict is not Verdict.FRAGMENT_HELD
    ]
    joined = Reassembler()
    inner = [joined.handle_fragment(each, 0) for outcome in outcomes for each in outcome.packets]
    whole = [each.packet for each in inner if each.verdict is Verdict.PASSED]
    assert whole == volley.requests, f"{volley.child.name}: we opened other packets than we sealed"
    return outcomes


def _from_peer(volley: Volley) -> Row:
    found, suite = volley.answers, volley.child.suite.name
    sent = len(volley.requests)
    return Row(
        PEER, suite, volley.child.mode, "← peer", sent, found.opened, found.bad, found.refused
    )


@contextmanager
def _link(end: End) -> Iterator[socket.socket]:
    """A packet socket on the end's device, for whole IP packets."""
    with socket_inside(end.namespace, socket.AF_PACKET, socket.SOCK_DGRAM) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        link.bind((end.device, _ALL_PROTOCOLS))
        yield link
