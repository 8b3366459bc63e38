"""Every form that an SA's packets can have, for peers that take packets by the file or the call."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import product
from typing import Final

from echo_packets import echo_request

from saactors.esp.association import Association
from saactors.esp.suites import Suite
from saactors.model.sa import Mode

ENDS: Final = {
    4: (ip_address("192.0.2.1"), ip_address("198.51.100.2")),
    6: (ip_address("2001:db8::1"), ip_address("2001:db8:ffff::2")),
}
NAT_TRAVERSAL_PORT: Final = 4500
_SIZES: Final = (0, 1, 2, 3, 15, 16, 17, 600)  # of what an echo request carries


@dataclass(frozen=True)
class Form:
    """An SA and packets for it; ``mode`` is what rows call it, whatever the versions of IP."""

    mode: str
    association: Association
    packets: list[bytes]


def forms_of(suite: Suite, first_spi: int) -> Iterator[Form]:
    """Tunnel and transport mode, in UDP and not, every mix of IP versions, ESN and not."""
    every = product(Mode, (False, True), (4, 6), (4, 6), (False, True))
    usual = (each for each in every if each[0] is Mode.TUNNEL or each[2] == each[3])
    for number, (mode, in_udp, outer, inner, extended) in enumerate(usual):
        source, destination = ENDS[outer]
        port = NAT_TRAVERSAL_PORT if in_udp else 0
        draw = random.Random(f"{suite.name} {number}")
        association = Association(
            spi=first_spi + number,
            suite=suite.name,
            key=draw.randbytes(suite.key_bytes + suite.salt_bytes),
            integrity_key=draw.randbytes(suite.integrity_key_bytes),
            mode=mode,
            source=source,
            destination=destination,
            source_port=port,
            destination_port=port,
            extended_sequence=extended,
            first_sequence=(5 << 32) + 1 if extended else 1,
        )
        name = mode.name.lower() + (" UDP" if in_udp else "")
        packets = [
            echo_request(*ENDS[inner], number, place, draw.randbytes(size))
            for place, size in enumerate(_SIZES)
        ]
        yield Form(name, association, packets)
