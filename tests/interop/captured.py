"""The shared folder's captures of real stacks, with their keys, as SAs and packets."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import dpkt

from saactors.esp.association import Association
from saactors.esp.suites import SUITES

CAPTURES: Final = Path(__file__).parents[3] / "shared" / "captures"

_ETHERNET_BYTES: Final = 14
_BY_IKE: Final = {suite.ike_proposal: suite.name for suite in SUITES}


@dataclass(frozen=True)
class CapturedSa:
    """An SA with its ESP packets, in their order, and the plain packet that each was made of."""

    association: Association
    packets: list[bytes]
    plain: list[bytes]


def captured_sas(name: str) -> list[CapturedSa]:
    """The SAs of a capture of IPv4 ESP packets, ``plain.pcap`` holds what went in."""
    folder = CAPTURES / name
    found = {}
    for sa in json.loads((folder / "keys.json").read_text()):
        proposal, _, numbers = sa["proposal"].removeprefix("ESP:").rpartition("/")
        association = Association(
            spi=int(sa["spi"], 16),
            suite=_BY_IKE[proposal],
            key=bytes.fromhex(sa["enc_key"]),
            integrity_key=bytes.fromhex(sa["integ_key"]),
            source=ip_address(sa["src"]),
            destination=ip_address(sa["dst"]),
            extended_sequence=numbers == "EXT_SEQ",
        )
        found[association.spi] = CapturedSa(association, [], [])
    sealed, plain = _ipv4_packets(folder / "capture.pcap"), _ipv4_packets(folder / "plain.pcap")
    for packet, before in zip(sealed, plain, strict=True):
        (spi,) = struct.unpack_from("!I", packet, 4 * (packet[0] & 15))
        found[spi].packets.append(packet)
        found[spi].plain.append(before)
    return list(found.values())


def _ipv4_packets(file: Path) -> list[bytes]:
    """Without Ethernet's header and padding."""
    with file.open("rb") as opened:
        frames = [bytes(frame)[_ETHERNET_BYTES:] for _, frame in dpkt.pcap.Reader(opened)]
    return [frame[: struct.unpack_from("!H", frame, 2)[0]] for frame in frames]
