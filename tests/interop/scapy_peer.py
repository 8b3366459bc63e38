"""scapy, both ways: it opens what we make and we open what it makes.

    .venv/bin/python tests/interop/scapy_peer.py --rows OUT.json

It has no suites with shorter ICVs of combined modes, and no replay window.
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

from saactors.esp.inbound import InboundProcessor
from saactors.esp.outbound import OutboundProcessor
from saactors.esp.suites import SUITES
from saactors.model.verdicts import Verdict

_PEER: Final = "scapy"
_FIRST_SPI: Final = 0x1000
_LOW_HALF: Final = (1 << 32) - 1


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
        _opened_by(peer, packet) == plain for packet, plain in zip(ours, form.packets, strict=True)
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
    accepted = sum(
        outcome.packets == (plain,) for outcome, plain in zip(opened, form.packets, strict=True)
    )
    refused = sum(outcome.verdict is Verdict.ICV_FAILED for outcome in forgeries)
    yield Row(*name, "← peer", count, accepted, count, refused)


def _opened_by(peer: Any, packet: bytes) -> bytes | None:
    """What scapy finds in a packet; None if it refuses it."""
    try:
        return bytes(peer.decrypt(parsed(packet)))
    except (IPSecIntegrityError, InvalidTag, InvalidSignature):
        return None


def _forged(packet: bytes) -> bytes:
    return packet[:-1] + bytes([packet[-1] ^ 1])


if __name__ == "__main__":
    sys.exit(main(__doc__, _PEER, why_not, run))
