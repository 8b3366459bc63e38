"""Our packets into the kernel's SAs, and its answers out of them.

What is good is answered through the kernel's own outbound SA, and we open the answers. What is bad
the kernel counts in /proc/net/xfrm_stat under a reason, and our own receiver, given the same
packets, has to find the same reasons as often. The last packet of a case is a good one: once it is
answered, everything before it has been counted.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from time import monotonic
from typing import Final

from echo_packets import answers
from kernel_cases import KERNELS, OURS, Case
from kernel_commands import MAC_ADDRESSES
from kernel_guest import Guest
from kernel_shots import Shot, forged, requests_through, shots_at
from rows import Row

from saactors.esp.inbound import InboundProcessor
from saactors.model.verdicts import Verdict

KERNELS_REASONS: Final = {
    Verdict.ICV_FAILED: "XfrmInStateProtoError",
    Verdict.REPLAYED: "XfrmInStateSeqError",
    Verdict.TOO_OLD: "XfrmInStateSeqError",
    Verdict.UNKNOWN_SPI: "XfrmInNoStates",
}
"""Under which reason the kernel counts what we give such a verdict."""

_SMALL_WINDOW_PACKETS: Final = 16
_ETHERTYPES: Final = {4: b"\x08\x00", 6: b"\x86\xdd"}
_ETHERNET_BYTES: Final = 14
_FRAME_MAX_BYTES: Final = 65_536
_PATIENCE_S: Final = 10.0
_NO_PATIENCE_S: Final = 0.2
_TIMEOUTS_MAX: Final = 3


class Range:
    """Where cases are shot at, one after the other."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._counted = self._statistics()
        self._timeouts = 0

    def rows(self, case: Case) -> list[Row]:
        """Send to the kernel and open its answers: a row for either direction."""
        peer = "Linux " + ".".join(self._guest.release.split(".")[:2])
        requests = requests_through(case)
        shots = shots_at(case, requests)
        for shot in shots:
            self._guest.wire.send(_frame(shot.packet))
        replies = self._replies(case, len(requests))
        before, self._counted = self._counted, self._statistics()
        counted = self._counted - before
        name = (peer, case.suite.name, case.form.kind)
        return [
            Row(*name, "→ peer", *_at_the_kernel(case, requests, shots, replies, counted)),
            Row(*name, "← peer", len(requests), *_at_our_end(case, requests, replies)),
        ]

    def _replies(self, case: Case, expected: int) -> list[bytes]:
        """ESP packets from the kernel on the case's SA, until as many have come as there should."""
        replies: list[bytes] = []
        is_patient = self._timeouts < _TIMEOUTS_MAX
        end_s = monotonic() + (_PATIENCE_S if is_patient else _NO_PATIENCE_S)
        wire, known = self._guest.wire, InboundProcessor([case.from_kernel])
        while len(replies) < expected:
            wire.settimeout(max(0.001, end_s - monotonic()))
            try:
                packet = wire.recv(_FRAME_MAX_BYTES)[_ETHERNET_BYTES:]
            except TimeoutError:
                self._timeouts += 1
                break
            (outcome,) = known.process([packet])
            if outcome.sequence or outcome.verdict is Verdict.PASSED:
                replies.append(packet)
        return replies

    def _statistics(self) -> Counter[str]:
        """Reasons for which the kernel threw packets away, and how often."""
        lines = self._guest.read("/proc/net/xfrm_stat").splitlines()
        return Counter({name: int(count) for name, count in map(str.split, lines)})


def _at_the_kernel(
    case: Case,
    requests: Sequence[bytes],
    shots: Sequence[Shot],
    replies: Sequence[bytes],
    counted: Counter[str],
) -> tuple[int, int, int, int]:
    """Good packets and how many the kernel took, bad ones and how many were refused alike."""
    receiver = InboundProcessor([case.to_kernel])
    # One at a time, as the kernel does: which 2³² a number is of depends on what came before.
    outcomes = [receiver.process([shot.packet])[0] for shot in shots]
    opened = [packet for outcome in outcomes for packet in outcome.packets]
    assert opened == list(requests), f"{case.mode}: we opened other packets than we sealed"
    due = Counter(KERNELS_REASONS[shot.verdict] for shot in shots if not shot.is_good)
    ours = Counter(
        KERNELS_REASONS.get(outcome.verdict, outcome.verdict.label)
        for outcome, shot in zip(outcomes, shots, strict=True)
        if not shot.is_good
    )
    wrong = max(_difference(due, counted), _difference(due, ours))
    if wrong:
        message = f"the kernel counted {dict(counted)}, we {dict(ours)}; expected {dict(due)}"
        print(f"{case.suite.name}, {case.mode}: {message}", file=sys.stderr)
    return len(requests), len(replies), due.total(), max(0, due.total() - wrong)


def _difference(one: Counter[str], other: Counter[str]) -> int:
    return ((one - other) + (other - one)).total()


def _at_our_end(
    case: Case, requests: Sequence[bytes], replies: Sequence[bytes]
) -> tuple[int, int, int]:
    """Answers that we took, bad packets made of them, and how many of those we refused.

    Each answer is opened three times: forged, as it came, and once more, a replay. Then the first
    one comes late to a receiver with a small window that has taken the others.
    """
    receiver = InboundProcessor([case.from_kernel])
    first_sequence = case.numbering.first_sequence
    accepted = refused = 0
    for number, (request, reply) in enumerate(zip(requests, replies, strict=False)):
        forgery, outcome, replay = (
            receiver.process([each])[0] for each in (forged(reply), reply, reply)
        )
        accepted += (
            outcome.verdict is Verdict.PASSED
            and answers(outcome.packets[0], request)
            and outcome.sequence == first_sequence + number
        )
        refused += forgery.verdict is Verdict.ICV_FAILED
        refused += replay.verdict is Verdict.REPLAYED
    receiver = InboundProcessor([case.from_kernel], window_packets=_SMALL_WINDOW_PACKETS)
    verdicts = [receiver.process([each])[0].verdict for each in (*replies[1:], *replies[:1])]
    too_old = Verdict.ICV_FAILED if case.numbering.extended else Verdict.TOO_OLD
    refused += verdicts[-1:] == [too_old]
    return accepted, 2 * len(requests) + 1, refused


def _frame(packet: bytes) -> bytes:
    addresses = MAC_ADDRESSES[KERNELS] + MAC_ADDRESSES[OURS]
    return addresses + _ETHERTYPES[packet[0] >> 4] + packet
