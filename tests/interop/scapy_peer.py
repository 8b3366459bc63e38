"""scapy, both ways: it opens what we make and we open what it makes.

    .venv/bin/python tests/interop/scapy_peer.py --rows OUT.json

With our IV it has to make ours, from the ESP header on to the last byte. It has no suites with
shorter ICVs of combined modes, and no replay window.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from forms import Form, forms_of
from peer_script import main
from rows import Row, added
from scapy.layers.ipsec import IPSecIntegrityError
from scapy_sa import has, parsed, scapy_sa

from saactors.esp.association import Association
from saactors.esp.inbound import InboundProcessor
from saactors.esp.outbound import OutboundProcessor
from saactors.esp.outcome import Outcome
from saactors.esp.suites import SUITES
from saactors.model.verdicts import Verdict

_PEER: Final = "scapy"
_FIRST_SPI: Final = 0x1000
_LOW_HALF: Final = (1 << 32) - 1
_ESP_BYTES: Final = 8
_UDP_BYTES: Final = 8


def why_not() -> str:
    """Nothing is missing: scapy is one of the development dependencies."""
    return ""


def run(_folder: Path) -> list[Row]:
    """A row for each suite, mode and direction."""
    return added(
        row
        for suite in SUITES
        if has(suite)
        for form in forms_of(suite, _FIRST_SPI)
        for row in _both_ways(form)
    )


def _both_ways(form: Form) -> Iterator[Row]:
    sa, count = form.association, len(form.packets)
    name = (_PEER, sa.suite, form.mode)
    peer = scapy_sa(sa)
    outcomes = OutboundProcessor([sa]).process(form.packets, [0] * count)
    ours = [outcome.packets[0] for outcome in outcomes]
    accepted = sum(
        _opened_by(peer, packet) == plain and _is_made_by(peer, outcome, plain, sa)
        for packet, outcome, plain in zip(ours, outcomes, form.packets, strict=True)
    )
    refused = sum(_opened_by(peer, _forged(packet)) is None for packet in ours)
    yield Row(*name, "→ peer", count, accepted, count, refused)

    receiver = InboundProcessor([sa])
    first = sa.first_sequence & _LOW_HALF
    its = [
        bytes(peer.encrypt(parsed(plain), seq_num=first + number))
        for number, plain in enumerate(form.packets)
    ]
    forgeries = receiver.process([_forged(packet) for packet in its])
    opened = receiver.process(its)
    replays = receiver.process(its)
    accepted = sum(
        outcome.packets == (plain,) for outcome, plain in zip(opened, form.packets, strict=True)
    )
    refused = sum(outcome.verdict is Verdict.ICV_FAILED for outcome in forgeries)
    refused += sum(outcome.verdict is Verdict.REPLAYED for outcome in replays)
    yield Row(*name, "← peer", count, accepted, 2 * count, refused)


def _opened_by(peer: Any, packet: bytes) -> bytes | None:
    """What scapy finds in a packet; None if it refuses it."""
    try:
        return bytes(peer.decrypt(parsed(packet)))
    except (IPSecIntegrityError, InvalidTag, InvalidSignature):
        return None


def _is_made_by(peer: Any, outcome: Outcome, plain: bytes, sa: Association) -> bool:
    """Whether scapy makes the same of a plain packet, with our number and IV.

    Outer IP headers are each maker's own, and scapy leaves the UDP checksum 0 over IPv6, too.
    """
    (ours,) = outcome.packets
    low = outcome.sequence & _LOW_HALF
    start = ours.index(sa.spi.to_bytes(4) + low.to_bytes(4))
    iv = ours[start + _ESP_BYTES :][: sa.parameters.iv_bytes]
    its = bytes(peer.encrypt(parsed(plain), seq_num=low, iv=iv))
    ports = slice(start - _UDP_BYTES, start - _UDP_BYTES + 4) if sa.source_port else slice(0)
    return (len(ours), ours[start:], ours[ports]) == (len(its), its[start:], its[ports])


def _forged(packet: bytes) -> bytes:
    return packet[:-1] + bytes([packet[-1] ^ 1])


if __name__ == "__main__":
    sys.exit(main(__doc__, _PEER, why_not, run))
