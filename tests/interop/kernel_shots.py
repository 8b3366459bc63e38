"""Packets of ours for the kernel's SAs, good ones and bad ones, and what has to become of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from echo_packets import echo_request
from kernel_cases import KERNELS, OURS, Case

from saactors.esp.outbound import OutboundProcessor
from saactors.model.verdicts import Verdict

REQUESTS: Final = 32
BAD_OF_EACH_KIND: Final = 3

_LAST: Final = 8  # requests that come after a gap in the numbers
_SHORT_TO_LONG: Final = 8  # of so many requests one is long
_LONG_BYTES: Final = 1000
# Numbers, counted from the SA's first: behind the gap; in the gap, and by then too old; not used
# on the SA at all.
_AHEAD: Final = 300
_LATE: Final = 100
_ELSEWHERE: Final = 200
_WRONG_SPI_BIT: Final = 0x4000_0000
_WORD_BYTES: Final = 2
# Linux 6.1 drops UDP in IPv6 of less than 48 bytes before it looks for ESP (it takes its length
# for that of the IP packet, too); without this some suites' shortest packets would be.
_BEYOND_DROPPED_BYTES: Final = 16


@dataclass(frozen=True)
class Shot:
    """An ESP packet, and what our own receiver has to find; the kernel counts it accordingly."""

    packet: bytes
    verdict: Verdict = Verdict.PASSED

    @property
    def is_good(self) -> bool:
        """Whether it is to be taken."""
        return self.verdict is Verdict.PASSED


def requests_through(case: Case) -> list[bytes]:
    """Echo requests for the kernel's inner address: short ones of all lengths, and long ones."""
    ends = case.address(OURS), case.address(KERNELS)
    least = _BEYOND_DROPPED_BYTES if case.form.in_udp else 0
    requests = []
    for number in range(REQUESTS):
        size = (
            least + number + (_LONG_BYTES if number % _SHORT_TO_LONG == _SHORT_TO_LONG - 1 else 0)
        )
        octets = bytes((case.number + number + 7 * place) & 0xFF for place in range(size))
        requests.append(echo_request(*ends, case.number, number, octets))
    return requests


def shots_at(case: Case, requests: Sequence[bytes]) -> list[Shot]:
    """Packets in an order in which each bad one is bad for one reason; the last one is good.

    A number that is too old is read as one of the next 2³² where numbers are extended (RFC 4303,
    appendix A2.2), so that it is the ICV that is wrong.
    """
    first, last = requests[:-_LAST], requests[-_LAST:]
    near, far = _sealed(case, 0, first), _sealed(case, _AHEAD, last)
    late = _sealed(case, _LATE, requests[:BAD_OF_EACH_KIND])
    stray = _sealed(case, _ELSEWHERE, requests[:BAD_OF_EACH_KIND], _WRONG_SPI_BIT)
    too_old = Verdict.ICV_FAILED if case.numbering.extended else Verdict.TOO_OLD
    # The oldest and the newest: where the numbers pass 2³², there are some of both sides.
    repeated = [*near[:BAD_OF_EACH_KIND], *near[-BAD_OF_EACH_KIND:]]
    return [
        *(Shot(packet) for packet in near),
        *(Shot(forged(packet), Verdict.ICV_FAILED) for packet in far[:BAD_OF_EACH_KIND]),
        *(Shot(packet, Verdict.REPLAYED) for packet in repeated),
        *(Shot(packet) for packet in far[:-1]),
        *(Shot(packet, too_old) for packet in late),
        *(Shot(packet, Verdict.UNKNOWN_SPI) for packet in stray),
        Shot(far[-1]),
    ]


def forged(packet: bytes) -> bytes:
    """The packet with two words of its ICV exchanged, which leaves a UDP checksum as it is."""
    for end in range(len(packet), 0, -_WORD_BYTES):
        middle, start = end - _WORD_BYTES, end - 2 * _WORD_BYTES
        if packet[start:middle] != packet[middle:end]:
            return packet[:start] + packet[middle:end] + packet[start:middle] + packet[end:]
    raise AssertionError("a packet of nothing but equal words")


def _sealed(
    case: Case, numbers_on: int, requests: Sequence[bytes], spi_bits: int = 0
) -> list[bytes]:
    """Requests on the case's SA, with numbers that begin so many behind its first."""
    sa = case.to_kernel
    sa = replace(sa, spi=sa.spi ^ spi_bits, first_sequence=sa.first_sequence + numbers_on)
    outcomes = OutboundProcessor([sa]).process(requests, [0] * len(requests))
    return [packet for outcome in outcomes for packet in outcome.packets]
