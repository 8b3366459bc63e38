"""What both live proofs are about: tunnels, each with outer and inner addresses of its own.

An outer pair of addresses for each tunnel, because a key file in Wireshark's format says of an SA
its outer addresses and not its traffic: so a rekeyed SA is known to be that tunnel's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saactors.esp.suites import SUITE_NUMBERS, SUITES, Suite

OURS, THEIRS = 1, 2  # sides, as they stand in addresses
INNER_NETWORKS: Final = {
    THEIRS: ("10.2.0.0/16", "fd00:2::/32"),
    OURS: ("10.1.0.0/16", "fd00:1::/32"),
}


@dataclass(frozen=True)
class Tunnel:
    """One pair of SAs at a time, between one inner address of either side."""

    number: int  # from 1 to 99
    inner_version: int = 4
    outer_version: int = 4
    suite: str = "aes-gcm-128"
    in_udp: bool = True
    extended_sequence: bool = False

    @property
    def name(self) -> str:
        """What everybody calls it."""
        return f"tunnel{self.number}"

    @property
    def parameters(self) -> Suite:
        """Those of its suite."""
        return SUITES[SUITE_NUMBERS[self.suite]]

    def inner(self, side: int) -> str:
        """The address of which a side sends and receives."""
        if self.inner_version == 4:
            return f"10.{side}.{self.number}.1"
        return f"fd00:{side}:{self.number}::1"

    def outer(self, side: int) -> str:
        """Where a side's end of the tunnel is."""
        if self.outer_version == 4:
            return f"192.168.{side}.{self.number}"
        return f"fd77:{side}::{self.number}"


def host_prefix(address: str) -> str:
    """The address as a network of one."""
    return f"{address}/{128 if ':' in address else 32}"


def outer_network(side: int, version: int) -> str:
    """The network that has the outer addresses of a side."""
    return f"192.168.{side}.0/24" if version == 4 else f"fd77:{side}::/64"
