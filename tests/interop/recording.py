"""tcpdump at two places: what is on the wire, and what goes into and comes out of the tunnel.

A packet marks the end of a recording: when tcpdump has written it, it has written all before it,
however busy the machine is.
"""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from namespace_sockets import socket_inside
from namespaces import Namespace
from patience import wait_until

from saactors.model.verdicts import Verdict
from saactors.traces.reader import open_capture

ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_IPV6: Final = 0x86DD
_BUFFER_KIBIBYTES: Final = 65_536
_PACKET_MAX_BYTES: Final = 2048  # the buffer is divided into places of this size
_TCPDUMP: Final = (
    "tcpdump", "--immediate-mode", "-U", "-n", "-Z", "root",
    "-B", str(_BUFFER_KIBIBYTES), "-s", str(_PACKET_MAX_BYTES),
)  # fmt: skip
_EXPERIMENTAL_PROTOCOL: Final = 253  # RFC 3692: nobody takes it for anything
_BROADCAST: Final = b"\xff" * 6


@dataclass(frozen=True)
class Recording:
    """One interface's packets, complete once ``recording`` has ended."""

    path: Path
    device: str

    def packets(self) -> list[bytes]:
        """The IP packets in their order, the mark left out."""
        packets = []
        with open_capture(self.path) as capture:
            for chunk in capture:
                octets = memoryview(chunk.data)
                for record in chunk.packets[chunk.packets["verdict"] == Verdict.PASSED]:
                    start = int(record["offset"])
                    packets.append(bytes(octets[start : start + int(record["captured_bytes"])]))
        plain = [packet for packet in packets if not _is_mark(packet)]
        assert len(plain) < len(packets), f"{self.path.name} has not been read to its end"
        return plain


@contextmanager
def recording(inside: Namespace, *devices: str, folder: Path) -> Iterator[list[Recording]]:
    """Record what passes these devices until the block ends."""
    name = secrets.token_hex(4)
    recordings = [Recording(folder / f"{name}-{device}.pcap", device) for device in devices]
    with ExitStack() as stack:
        for each in recordings:
            words = [*_TCPDUMP, "-i", each.device, "-w", str(each.path), "ip or ip6"]
            output = each.path.with_suffix(".output")
            stack.enter_context(inside.program(words, output=output))
        for each in recordings:
            _wait_for_words(each.path.with_suffix(".output"), "listening on")
        yield recordings
        for each in recordings:
            _mark(inside, each)
    for each in recordings:
        output = each.path.with_suffix(".output").read_text()
        assert "\n0 packets dropped by kernel" in output, f"tcpdump lost packets: {output}"


def _wait_for_words(output: Path, words: str) -> None:
    wait_until(lambda: words in output.read_text(), f"tcpdump to say {words.strip()!r}")


def _mark(inside: Namespace, target: Recording) -> None:
    """Send a packet for nobody and wait until it is in the file."""
    token = secrets.token_bytes(16)
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(token), 0, 0, 1, _EXPERIMENTAL_PROTOCOL, 0,
        socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2"),
    )  # fmt: skip
    with socket_inside(inside, socket.AF_PACKET, socket.SOCK_DGRAM) as link:
        link.sendto(header + token, (target.device, ETHERTYPE_IPV4, 0, 0, _BROADCAST))
    wait_until(lambda: token in target.path.read_bytes(), f"the mark in {target.path.name}")


def _is_mark(packet: bytes) -> bool:
    return packet[0] >> 4 == 4 and packet[9] == _EXPERIMENTAL_PROTOCOL
