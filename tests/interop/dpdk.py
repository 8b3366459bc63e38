"""DPDK 22.11's ipsec-secgw, from its captures: its ESP opened by us, and the same ESP made by us.

    .venv/bin/python tests/interop/dpdk.py --rows OUT.json

Its packets have to give back the capture that went in. With its keys and counters ours have to have
the same lengths and header fields, and where the IV is the same, the same bytes; scapy opens both
with the same keys and finds the same, padding and next header included. It is not run here: it
needs huge pages and takes the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from captured import CAPTURES, CapturedSa, captured_sas
from peer_script import main
from rows import Row, added
from scapy_sa import parsed, plaintext, scapy_sa

from saactors.esp.association import Association
from saactors.esp.inbound import InboundProcessor
from saactors.esp.outbound import OutboundProcessor
from saactors.model.verdicts import Verdict

_PEER: Final = "DPDK 22.11"
_IPV4_BYTES: Final = 20
_ESP_BYTES: Final = 8
_CHOSEN_BY_SENDER: Final = slice(4, 8)  # identification and don't-fragment bit, and what follows:
_CHECKSUM: Final = slice(10, 12)


def why_not() -> str:
    """What is missing for this to run; "" if nothing is."""
    folder = CAPTURES / "dpdk"
    return "" if folder.is_dir() else f"{folder.parent} not found; it comes beside the checkout"


def run(_folder: Path) -> list[Row]:
    """A row for each suite and direction."""
    found = [sa for sa in captured_sas("dpdk") if sa.packets]
    return added(row for sa in found for row in (_opened(sa), _made(sa)))


def _opened(sa: CapturedSa) -> Row:
    """Its packets, each also forged before and replayed after."""
    receiver = InboundProcessor([sa.association])
    accepted = refused = 0
    for packet, plain in zip(sa.packets, sa.plain, strict=True):
        forgery = packet[:-1] + bytes([packet[-1] ^ 1])
        before, outcome, after = (receiver.process([each])[0] for each in (forgery, packet, packet))
        accepted += outcome.packets == (plain,)
        refused += before.verdict is Verdict.ICV_FAILED
        refused += after.verdict is Verdict.REPLAYED
    count = len(sa.packets)
    return Row(_PEER, sa.association.suite, "tunnel", "← peer", count, accepted, 2 * count, refused)


def _made(sa: CapturedSa) -> Row:
    """Packets of ours in the place of its."""
    sender, reader = OutboundProcessor([_as_sent(sa)]), scapy_sa(sa.association)
    outcomes = sender.process(sa.plain, [0] * len(sa.plain))
    ours = [packet for outcome in outcomes for packet in outcome.packets]
    accepted = sum(
        _same_but_iv(our, its, sa.association.parameters.iv_bytes)
        and plaintext(reader, our) == plaintext(reader, its)
        and bytes(reader.decrypt(parsed(our))) == plain
        for our, its, plain in zip(ours, sa.packets, sa.plain, strict=True)
    )
    return Row(_PEER, sa.association.suite, "tunnel", "→ peer", len(ours), accepted)


def _as_sent(sa: CapturedSa) -> Association:
    """The SA with the number from which the capture counts."""
    first = int.from_bytes(sa.packets[0][_IPV4_BYTES + 4 : _IPV4_BYTES + 8])
    return replace(sa.association, first_sequence=first)


def _same_but_iv(ours: bytes, its: bytes, iv_bytes: int) -> bool:
    """Equal lengths, outer headers, SPIs and numbers; equal throughout if the IV is."""
    if len(ours) != len(its) or _fixed(ours) != _fixed(its):
        return False
    iv_end = _IPV4_BYTES + _ESP_BYTES + iv_bytes
    same_iv = ours[iv_end - iv_bytes : iv_end] == its[iv_end - iv_bytes : iv_end]
    return not same_iv or ours[_IPV4_BYTES:] == its[_IPV4_BYTES:]


def _fixed(packet: bytes) -> Sequence[int]:
    header = bytearray(packet[: _IPV4_BYTES + _ESP_BYTES])
    header[_CHOSEN_BY_SENDER] = bytes(4)
    header[_CHECKSUM] = bytes(2)
    return header


if __name__ == "__main__":
    sys.exit(main(__doc__, _PEER, why_not, run))
