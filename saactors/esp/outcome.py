"""What became of one packet: a value, whatever the packet was."""

from __future__ import annotations

from typing import NamedTuple

from saactors.model.packets import NO_SA
from saactors.model.verdicts import Verdict


class Outcome(NamedTuple):
    """The verdict on a packet, and what goes on of it.

    ``packets`` is empty unless the verdict is PASSED; it has more than one where a packet had to be
    fragmented. ``sa`` is the index of its SA, ``sequence`` the 64-bit number it has (of the first,
    where there are several); 0 where it has none. ``reply`` is an ICMP message that its sender
    should get.
    """

    verdict: Verdict
    packets: tuple[bytes, ...] = ()
    sa: int = NO_SA
    sequence: int = 0
    reply: bytes = b""
