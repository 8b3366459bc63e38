"""The stage: two namespaces joined by a veth pair, a charon in each, and their SAs as values.

All of it is this process's own and gone when it ends, also by Ctrl-C.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from charon import Child, Daemon, End, charon
from charon_log import negotiated
from namespaces import command, namespace
from patience import wait_until

from saactors.esp.association import Association

MAC_ADDRESSES: Final = (bytes.fromhex("020000007701"), bytes.fromhex("020000007702"))
MTU_BYTES: Final = 1500


@dataclass(frozen=True)
class Pair:
    """End "a", which initiates, and end "b"."""

    a: Daemon
    b: Daemon

    def negotiate(self, children: Sequence[Child]) -> None:
        """Make these children's SAs, one after the other."""
        for child in children:
            self.a.initiate(child)

    def associations(self) -> list[tuple[str, Association]]:
        """All SAs so far, both directions, with the names of their children.

        Both daemons must have the same keys under the same SPIs; they tell of it independently.
        """
        ours, theirs = negotiated(self.a.log()), negotiated(self.b.log())
        keys = {_place(sa): (sa.key, sa.integrity_key) for _, sa in theirs}
        for child, sa in ours:
            same = keys.get(_place(sa)) == (sa.key, sa.integrity_key)
            assert same, f"{child}: a and b log different keys for SPI {sa.spi:#010x}"
        return ours

    def set_mtu(self, mtu_bytes: int) -> None:
        """The largest outer packet that the link between the two takes."""
        for end in (self.a.end, self.b.end):
            end.namespace.ip("link", "set", end.device, "mtu", str(mtu_bytes))

    def rekeyed(self, child: Child) -> int:
        """How often both ends have rekeyed a child."""
        words = f" outbound CHILD_SA {child.name}{{"
        return min(daemon.log().count(words) for daemon in (self.a, self.b))

    def wait_for_rekeying(self, child: Child, times: int) -> None:
        """Wait until both ends have rekeyed a child that often."""
        wait_until(lambda: self.rekeyed(child) >= times, f"{child.name} rekeyed {times} times")


@contextmanager
def charon_pair(folder: Path, children: Sequence[Child]) -> Iterator[Pair]:
    """Two daemons that know these children and have negotiated none."""
    secret = secrets.token_hex(16)
    with ExitStack() as stack:
        ends = [
            End(side, stack.enter_context(namespace(f"charon-{name}-")), folder / name)
            for side, name in ((1, "a"), (2, "b"))
        ]
        _join(ends[0], ends[1])
        for end in ends:
            _give_addresses(end, children)
        daemons = [stack.enter_context(charon(end, children, secret)) for end in ends]
        yield Pair(*daemons)


def _place(sa: Association) -> tuple[str, int]:
    return str(sa.destination), sa.spi


def _join(a: End, b: End) -> None:
    words = [
        "ip",
        "link",
        "add",
        a.device,
        "netns",
        a.namespace.name,
        "address",
        MAC_ADDRESSES[0].hex(":"),
    ]
    words += ["mtu", str(MTU_BYTES), "type", "veth", "peer", "name", b.device]
    words += [
        "netns",
        b.namespace.name,
        "address",
        MAC_ADDRESSES[1].hex(":"),
        "mtu",
        str(MTU_BYTES),
    ]
    command(words)


def _give_addresses(end: End, children: Sequence[Child]) -> None:
    """Outer addresses on the link, inner ones on loopback, all by one call of ``ip``."""
    lines = [
        f"addr add {end.outer(4)}/24 dev {end.device}",
        f"addr add {end.outer(6)}/64 dev {end.device} nodad",
        f"link set {end.device} up",
    ]
    for child in children:
        prefix_bits = 32 if child.inner_version == 4 else 128
        lines.append(f"addr add {child.address(end.side)}/{prefix_bits} dev lo")
    batch = end.folder.with_name(f"addresses-{end.name}")
    batch.write_text("\n".join(lines) + "\n")
    end.namespace.ip("-batch", str(batch))
