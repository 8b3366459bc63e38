"""Opens what strongSwan sealed, and compares with what went into and came out of its tunnel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from charon import Child

from saactors.esp.association import Association
from saactors.esp.inbound import InboundProcessor
from saactors.model.verdicts import Verdict

# What the wire has besides ESP: IKE, neighbour discovery and the like, first parts of fragments.
_NOT_OURS = {Verdict.IKE, Verdict.NAT_KEEPALIVE, Verdict.NOT_ESP, Verdict.FRAGMENT_HELD}


@dataclass(frozen=True)
class Openings:
    """What was in the ESP packets of a recording."""

    inner: Mapping[str, Counter[bytes]]  # name of the child → its inner packets
    spis: Mapping[str, frozenset[int]]  # name of the child → SPIs of its packets
    pieces: int  # fragments that were held until the last of their packet came

    def matching(self, child: Child, tunnel: Mapping[str, Counter[bytes]]) -> int:
        """How many of a child's packets came out as they went in, octet for octet."""
        return (self.inner.get(child.name, Counter()) & tunnel[child.name]).total()


def open_wire(packets: Sequence[bytes], negotiated: Sequence[tuple[str, Association]]) -> Openings:
    """Open all ESP packets, of both directions; raises RuntimeError where one cannot be opened."""
    processor = InboundProcessor([association for _, association in negotiated])
    names = [child for child, _ in negotiated]
    found = _Found()
    for outcome in processor.process(packets):
        if outcome.verdict == Verdict.PASSED:
            child, association = names[outcome.sa], negotiated[outcome.sa][1]
            found.inner.setdefault(child, Counter()).update(outcome.packets)
            found.spis.setdefault(child, set()).add(association.spi)
        else:
            found.verdicts[outcome.verdict] += 1
    if wrong := {
        verdict.label: n for verdict, n in found.verdicts.items() if verdict not in _NOT_OURS
    }:
        raise RuntimeError(f"strongSwan's packets were not opened: {wrong}")
    spis = {child: frozenset(numbers) for child, numbers in found.spis.items()}
    return Openings(found.inner, spis, found.verdicts[Verdict.FRAGMENT_HELD])


@dataclass
class _Found:
    inner: dict[str, Counter[bytes]] = field(default_factory=dict)
    spis: dict[str, set[int]] = field(default_factory=dict)
    verdicts: Counter[Verdict] = field(default_factory=Counter)


def by_child(packets: Iterable[bytes], children: Sequence[Child]) -> dict[str, Counter[bytes]]:
    """Plain packets between the two inner addresses of each child, of both directions."""
    names = {}
    for child in children:
        ends = (child.address(1).packed, child.address(2).packed)
        names[ends] = names[ends[::-1]] = child.name
    sorted_packets: dict[str, Counter[bytes]] = {child.name: Counter() for child in children}
    for packet in packets:
        first, size = (12, 4) if packet[0] >> 4 == 4 else (8, 16)
        ends = (packet[first : first + size], packet[first + size : first + 2 * size])
        if ends in names:
            sorted_packets[names[ends]][packet] += 1
    return sorted_packets
