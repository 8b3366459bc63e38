"""Pairs of SAs between us and the kernel: one case for each thing in which they differ.

A case has inner addresses, SPIs and keys of its own, so that hundreds of them stand in one kernel
side by side. Keys are drawn from the case's number: a run that fails can be repeated.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import product
from typing import Final, TypeAlias

from saactors.esp.association import Association
from saactors.esp.suites import SUITES, Suite
from saactors.model.sa import Mode

Address: TypeAlias = IPv4Address | IPv6Address

KERNELS, OURS = 1, 2  # sides, as they stand in addresses
OUTER: Final = {
    4: {KERNELS: ip_address("10.0.0.1"), OURS: ip_address("10.0.0.2")},
    6: {KERNELS: ip_address("fd00::1"), OURS: ip_address("fd00::2")},
}
INNER_NETWORKS: Final = {
    4: {KERNELS: "10.1.0.0/16", OURS: "10.2.0.0/16"},
    6: {KERNELS: "fd00:1::/64", OURS: "fd00:2::/64"},
}
WINDOW_PACKETS: Final = 128
NAT_TRAVERSAL_PORT: Final = 4500

_SPI_BASE: Final = {KERNELS: 0x20_0000, OURS: 0x10_0000}  # by who sends


@dataclass(frozen=True)
class Numbering:
    """How an SA counts: what messages say of it, and where it begins."""

    name: str
    extended: bool
    first_sequence: int


NUMBERINGS: Final = (
    Numbering("", extended=False, first_sequence=1),
    Numbering(", ESN from 1", extended=True, first_sequence=1),
    Numbering(", ESN from 2³² − 20", extended=True, first_sequence=(1 << 32) - 20),
)


@dataclass(frozen=True)
class Form:
    """What an SA's packets look like; in transport mode both versions are the same."""

    mode: Mode
    inner_version: int
    outer_version: int
    in_udp: bool

    @property
    def kind(self) -> str:
        """What rows call it."""
        return self.mode.name.lower() + (" UDP" if self.in_udp else "")

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.kind}, IPv{self.inner_version} in IPv{self.outer_version}"


_VERSIONS: Final = (
    (Mode.TUNNEL, 4, 4),
    (Mode.TUNNEL, 6, 6),
    (Mode.TUNNEL, 6, 4),
    (Mode.TUNNEL, 4, 6),
    (Mode.TRANSPORT, 4, 4),
    (Mode.TRANSPORT, 6, 6),
)
FORMS: Final = tuple(Form(*each, in_udp) for in_udp, each in product((False, True), _VERSIONS))


@dataclass(frozen=True)
class Case:
    """One suite in one form and numbering; ``number``, from 1 on, sets it apart."""

    number: int
    suite: Suite
    form: Form
    numbering: Numbering

    @property
    def mode(self) -> str:
        """What messages say of form and numbering."""
        return self.form.name + self.numbering.name

    def address(self, side: int) -> Address:
        """The inner address of a side."""
        if self.form.inner_version == 4:
            return IPv4Address(f"10.{side}.{self.number >> 8}.{self.number & 0xFF}")
        return IPv6Address(f"fd00:{side}::{self.number:x}")

    @property
    def protocol(self) -> str:
        """What is in the inner packets, by ``ip``'s name."""
        return "icmp" if self.form.inner_version == 4 else "ipv6-icmp"

    @cached_property
    def to_kernel(self) -> Association:
        """The SA on which we send."""
        return self._association(OURS, KERNELS)

    @cached_property
    def from_kernel(self) -> Association:
        """The SA on which the kernel sends."""
        return self._association(KERNELS, OURS)

    def _association(self, sender: int, receiver: int) -> Association:
        suite, port = self.suite, NAT_TRAVERSAL_PORT if self.form.in_udp else 0
        source, destination = self.address(sender), self.address(receiver)
        if self.form.mode is Mode.TUNNEL:
            outer = OUTER[self.form.outer_version]
            source, destination = outer[sender], outer[receiver]
        draw = random.Random(f"{sender} {self.number}")
        return Association(
            spi=_SPI_BASE[sender] + self.number,
            suite=suite.name,
            key=draw.randbytes(suite.key_bytes + suite.salt_bytes),
            integrity_key=draw.randbytes(suite.integrity_key_bytes),
            mode=self.form.mode,
            source=source,
            destination=destination,
            source_port=port,
            destination_port=port,
            extended_sequence=self.numbering.extended,
            first_sequence=self.numbering.first_sequence,
        )


def cases() -> list[Case]:
    """Every suite in every form with every numbering."""
    every = product(SUITES, FORMS, NUMBERINGS)
    return [Case(number, *each) for number, each in enumerate(every, 1)]
