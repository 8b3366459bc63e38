"""What two charons do between each other: counted traffic, recorded, opened and compared.

Each scenario knows how many packets it makes. All of them have to be in the recording of the wire,
to open, and to come out as what was recorded at the tunnel, octet for octet.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from charon import TUN_DEVICE, Child, Daemon
from charon_pair import MTU_BYTES, Pair
from openings import Openings, by_child, open_wire
from recording import recording
from rows import Row
from tunnel_traffic import Echo, echo, payload, ping

PEER: Final = "strongSwan 5.9"

Sent = dict[str, int]
"""Name of a child → the packets that a scenario made in its tunnel, both ways."""

# Lengths of UDP payloads that have every length of ESP's padding in them several times.
_LENGTHS: Final = range(65)
_TUNNEL_MTU_BYTES: Final = 1400
_UDP_HEADERS_BYTES: Final = {4: 28, 6: 48}  # with the IP header
_PINGS: Final = 2
_PING_BYTES: Final = 1000

_ROUNDS_OF_MANY: Final = 10

_BEFORE_REKEYING: Final = 20
_WHILE_REKEYING: Final = 60
_REKEYINGS: Final = 2  # by either end
_DIRECTIONS: Final = 2

_MTU_FOR_FRAGMENTS: Final = {4: 600, 6: 1280}  # outer version → bytes; IPv6 goes no lower
_FRAGMENTED_PACKETS: Final = 40


@dataclass(frozen=True)
class Stage:
    """Two daemons, and where recordings of them may lie."""

    pair: Pair
    folder: Path

    def rows(
        self, children: Sequence[Child], traffic: Callable[[], Sent], what: str = ""
    ) -> tuple[list[Row], Openings]:
        """Record the traffic and open what strongSwan made of it: a row for each child.

        ``what`` is added to the mode that the row names.
        """
        end = self.pair.a.end
        with recording(end.namespace, end.device, TUN_DEVICE, folder=self.folder) as recordings:
            sent = traffic()
        wire, tunnel = (each.packets() for each in recordings)
        plain = by_child(tunnel, children)
        openings = open_wire(wire, self.pair.associations())
        rows = [
            Row(PEER, child.suite.name, child.mode + what, "← peer", sent[child.name],
                openings.matching(child, plain))
            for child in children
        ]  # fmt: skip
        return rows, openings


def every_suite(stage: Stage, children: Sequence[Child]) -> list[Row]:
    """Short datagrams of all lengths and some pings, both ways through every child's tunnel."""

    def traffic() -> Sent:
        sent = {}
        for child in children:
            with echo(stage.pair, child) as line:
                count = line.exchange([payload(size) for size in _LENGTHS])
            sent[child.name] = count + ping(stage.pair, child, _PINGS, _PING_BYTES)
        return sent

    return stage.rows(children, traffic)[0]


def every_length(stage: Stage, children: Sequence[Child]) -> list[Row]:
    """Datagrams of every length that the tunnel takes, both ways."""

    def traffic() -> Sent:
        sent = {}
        for child in children:
            longest = _TUNNEL_MTU_BYTES - _UDP_HEADERS_BYTES[child.inner_version]
            with echo(stage.pair, child) as line:
                sent[child.name] = line.exchange([payload(size) for size in range(longest + 1)])
        return sent

    return stage.rows(children, traffic, ", every length")[0]


def many(stage: Stage, children: Sequence[Child]) -> list[Row]:
    """Many child SAs of one suite at once, a datagram through each in turn."""

    def traffic() -> Sent:
        sent = dict.fromkeys((child.name for child in children), 0)
        with ExitStack() as stack:
            lines = [stack.enter_context(echo(stage.pair, child)) for child in children]
            for number in range(_ROUNDS_OF_MANY):
                for line in lines:
                    sent[line.child.name] += line.exchange([payload(number)])
        return sent

    return stage.rows(children, traffic, f", {len(children)} child SAs")[0]


def rekeyed(stage: Stage, children: Sequence[Child]) -> list[Row]:
    """Traffic while one end makes new SAs of a child's, and then the other."""

    def traffic() -> Sent:
        sent = {}
        for child in children:
            with echo(stage.pair, child) as line:
                count = line.exchange([payload(size) for size in range(_BEFORE_REKEYING)])
                for times, daemon in enumerate((stage.pair.a, stage.pair.b), start=1):
                    count += _rekey(stage.pair, daemon, line, times)
            sent[child.name] = count
        return sent

    rows, openings = stage.rows(children, traffic, ", rekeyed by both ends")
    for child in children:
        found, expected = len(openings.spis[child.name]), _DIRECTIONS * (1 + _REKEYINGS)
        assert found == expected, f"{child.name}: packets of {found} SAs, expected {expected}"
    return rows


def _rekey(pair: Pair, daemon: Daemon, line: Echo, times: int) -> int:
    """Rekey with traffic under way and traffic after; returns how many packets that made."""
    words = daemon.swanctl_words("--rekey", "--child", line.child.name)
    count = 0
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        for size in range(_WHILE_REKEYING):
            count += line.exchange([payload(size)])
    assert process.returncode == 0, f"swanctl ended with status {process.returncode}"
    pair.wait_for_rekeying(line.child, times)
    return count + line.exchange([payload(size) for size in range(_BEFORE_REKEYING)])


def outer_fragments(stage: Stage, children: Sequence[Child], outer_version: int) -> list[Row]:
    """Datagrams whose ESP packets are too long for the link, so that the kernel fragments them.

    IPv6 does not come back on a link that was once too narrow for it: it has to be first.
    """
    chosen = [child for child in children if child.outer_version == outer_version]

    def traffic() -> Sent:
        sent = {}
        for child in chosen:
            longest = _TUNNEL_MTU_BYTES - _UDP_HEADERS_BYTES[child.inner_version]
            sizes = range(longest - _FRAGMENTED_PACKETS + 1, longest + 1)
            with echo(stage.pair, child) as line:
                sent[child.name] = line.exchange([payload(size) for size in sizes])
        return sent

    stage.pair.set_mtu(_MTU_FOR_FRAGMENTS[outer_version])
    rows, openings = stage.rows(chosen, traffic, ", outer fragments")
    stage.pair.set_mtu(MTU_BYTES)
    least = sum(row.sent for row in rows)
    assert openings.pieces >= least, f"{openings.pieces} fragments held, expected {least} or more"
    return rows
