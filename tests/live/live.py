"""Our gateway as one end of real tunnels, with SAs on the move all the time.

    .venv/bin/python tests/live/live.py --seconds 60 [--peer strongswan|linux] [--json]
                                        [--outside udp|packet]

TCP both ways at once through every tunnel, streams taking turns at being loud, and a card with two
slots for a dozen SAs: so SAs move between software and card for as long as it lasts. Every byte is
checked. Status 0 if all streams are whole and SAs have moved, 1 if not, 77 where nothing was run.
It needs root, for network namespaces, which it makes and removes. Keys stay in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import interop_path  # noqa: F401  # it is there for the next ones
import kernel_peer
import strongswan_peer
from gateway_file import esp_ports, gateway_file, packet_port, udp_ports
from gateway_process import Gateway, gateway
from links import MAC_ADDRESSES, OUTSIDE
from missing import WHY_NOT
from rows import table
from tunnel_streams import Streams, Traffic, stream_through
from tunnels import OURS, THEIRS, Tunnel

SKIPPED: Final = 77
PEERS: Final = tuple(WHY_NOT)
# A rekeying for each tunnel even in a short run.
_REKEYS_A_RUN: Final = 4
_COLUMNS: Final = (
    "peer", "outside", "tunnels", "seconds", "bytes there", "bytes back", "intact",
    "longest stall", "SAs", "rekeyings", "loads", "evictions",
    "seconds without loads", "packets software", "packets card", "dropped",
)  # fmt: skip


@dataclass(frozen=True)
class Proof:
    """What a run has shown."""

    peer: str
    outside: str
    tunnels: int
    seconds: float
    streams: Streams
    sas: int
    rekeyings: int
    loads: int
    evictions: int
    seconds_without_loads: int
    software_packets: int
    nic_packets: int
    dropped: Mapping[str, int]
    refused_by_peer: Mapping[str, int]
    exit_status: int | None
    gateway_said: str

    @property
    def complaints(self) -> list[str]:
        """Why it is no proof; nothing if it is one."""
        found = list(self.streams.problems)
        if not self.streams.intact:
            found.append("a stream came damaged or did not end")
        if not (self.streams.bytes_there and self.streams.bytes_back):
            found.append("nothing went through in a direction")
        if not (self.loads and self.evictions):
            found.append("no SA was moved")
        if not (self.software_packets and self.nic_packets):
            found.append("packets took one of the two ways only")
        if self.refused_by_peer:
            found.append(f"the peer refused packets: {_counts(self.refused_by_peer)}")
        if self.exit_status:
            found.append(f"the gateway ended with status {self.exit_status}")
        return found

    def cells(self) -> tuple[str, ...]:
        """Its row of the table."""
        streams = self.streams
        return (
            self.peer, self.outside, str(self.tunnels), f"{self.seconds:g}",
            f"{streams.bytes_there:,}", f"{streams.bytes_back:,}", str(streams.intact).lower(),
            f"{streams.longest_stall_s:.2f} s", str(self.sas), str(self.rekeyings),
            str(self.loads), str(self.evictions), str(self.seconds_without_loads),
            f"{self.software_packets:,}", f"{self.nic_packets:,}", _counts(self.dropped),
        )  # fmt: skip


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in found.items()) or "none"


class Stage(Protocol):
    """A peer that is ready, as the proof needs it."""

    def stream(self, traffic: Traffic) -> Streams:
        """Run the byte streams."""

    def rekeyings(self) -> int:
        """How many pairs of SAs were made beyond the first ones."""

    def refused(self) -> dict[str, int]:
        """What the peer did not take, by its reasons."""


@dataclass(frozen=True)
class _StrongswanStage:
    peer: strongswan_peer.Peer
    folder: Path

    def stream(self, traffic: Traffic) -> Streams:
        tunnels = strongswan_peer.TUNNELS
        return stream_through(self.peer.ours, self.peer.theirs, self.folder, tunnels, traffic)

    def rekeyings(self) -> int:
        return self.peer.rekeyings()

    def refused(self) -> dict[str, int]:
        return self.peer.refused()


@dataclass(frozen=True)
class _LinuxStage:
    peer: kernel_peer.KernelPeer

    def stream(self, traffic: Traffic) -> Streams:
        return self.peer.stream_through(kernel_peer.TUNNELS, traffic)

    def rekeyings(self) -> int:
        return 0

    def refused(self) -> dict[str, int]:
        return self.peer.refused()


@contextmanager
def strongswan_stage(folder: Path, outside: str, seconds: float) -> Iterator[tuple[Stage, Gateway]]:
    """The gateway between our charon's keys and the other charon."""
    tunnels = strongswan_peer.TUNNELS
    rekey_s = max(3, min(strongswan_peer.REKEY_S, round(seconds / _REKEYS_A_RUN)))
    hold_ports = outside == "packet"
    with strongswan_peer.strongswan_peer(
        folder, tunnels, rekey_s=rekey_s, hold_ports=hold_ports
    ) as peer:
        document = gateway_file(folder, tunnels, _ports(outside, tunnels), keys=folder / "esp_sa")
        with gateway(peer.ours, folder, document, tunnels) as running:
            yield _StrongswanStage(peer, folder), running


@contextmanager
def linux_stage(folder: Path, outside: str, _seconds: float) -> Iterator[tuple[Stage, Gateway]]:
    """The gateway and a guest."""
    tunnels = kernel_peer.TUNNELS
    with kernel_peer.kernel_peer(folder, tunnels) as peer:
        document = gateway_file(folder, tunnels, _ports(outside, tunnels), peer.sas)
        with gateway(peer.ours, folder, document, tunnels) as running:
            yield _LinuxStage(peer), running


STAGES: Final = {"strongswan": strongswan_stage, "linux": linux_stage}


def prove(peer: str, outside: str, traffic: Traffic) -> Proof:
    """Run one peer."""
    with tempfile.TemporaryDirectory(prefix="saactors-live-") as name:
        folder = Path(name)
        with STAGES[peer](folder, outside, traffic.seconds) as (stage, running):
            before = running.ask("status")
            streams = stage.stream(traffic)
            after, history = running.ask("status"), running.ask("history")
            rekeyings, refused = stage.rekeyings(), stage.refused()
        said = running.output.read_text(errors="replace")
    packets, tunnels = after["packets"], {"strongswan": strongswan_peer, "linux": kernel_peer}
    return Proof(
        peer=peer,
        outside=outside,
        tunnels=len(tunnels[peer].TUNNELS),
        seconds=traffic.seconds,
        streams=streams,
        sas=after["sas"]["total"],
        rekeyings=rekeyings,
        loads=_grown(before, after, "loads"),
        evictions=_grown(before, after, "evictions"),
        seconds_without_loads=_seconds_without_loads(before, after, history),
        software_packets=packets["software_packets"],
        nic_packets=packets["nic_packets"],
        dropped={reason: count for reason, count in packets["dropped"].items() if count},
        refused_by_peer=refused,
        exit_status=running.exit_status,
        gateway_said=said[-2000:],
    )


def _ports(outside: str, tunnels: Sequence[Tunnel]) -> list[str]:
    if outside == "packet":
        return [packet_port(OUTSIDE[OURS], MAC_ADDRESSES[THEIRS])]
    return [*udp_ports(tunnels), *esp_ports(tunnels)]


def _grown(before: Mapping[str, Any], after: Mapping[str, Any], count: str) -> int:
    return after["card"][count] - before["card"][count]


def _seconds_without_loads(
    before: Mapping[str, Any], after: Mapping[str, Any], history: Mapping[str, Any]
) -> int:
    """Whole seconds of the run in which no SA came onto the card."""
    start_ns, end_ns = (status["uptime_ns"] for status in (before, after))
    whole = [
        point
        for point in history["points"]
        if start_ns + history["width_ns"] <= point["time_ns"] <= end_ns
    ]
    return sum(not point["loads"] for point in whole)


def main() -> int:
    """Run the peers asked for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--peer", choices=PEERS, action="append", help="all if left out")
    parser.add_argument("--outside", choices=("udp", "packet"), default="udp",
                        help="sockets for ESP, in UDP or bare; or a packet socket")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="JSON in place of the table")
    wanted = parser.parse_args()
    # So that what was started is ended by SIGTERM, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    proofs = []
    for peer in wanted.peer or PEERS:
        if reason := WHY_NOT[peer]():
            print(f"SKIPPED, {peer} IS NOT TESTED: {reason}", file=sys.stderr)
            continue
        print(f"{peer} …", file=sys.stderr, flush=True)
        proofs.append(prove(peer, wanted.outside, Traffic(wanted.seconds)))
    if wanted.json:
        print(json.dumps([asdict(proof) for proof in proofs]))
    else:
        print(table(_COLUMNS, [proof.cells() for proof in proofs]), end="")
    for proof in proofs:
        for complaint in proof.complaints:
            print(f"{proof.peer}: {complaint}", file=sys.stderr)
    if not proofs:
        return SKIPPED
    return 1 if any(proof.complaints for proof in proofs) else 0


if __name__ == "__main__":
    sys.exit(main())
