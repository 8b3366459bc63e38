"""Addresses of packets that leave by an Ethernet interface: struct sockaddr_ll."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from saactors.gateway.ports.messages import LINK, NAME_BYTES
from saactors.model.compiled import compiled

_BYTES = 20


@compiled
def fill_link_names(
    messages: npt.NDArray[np.void],
    names: npt.NDArray[np.uint8],
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    interface: int,
    peer: npt.NDArray[np.uint8],
) -> None:
    """Address every packet to ``peer`` on that interface, as IPv4 or IPv6 by its first octet."""
    for row in range(len(starts)):
        name = names[row]
        for place in range(NAME_BYTES):
            name[place] = 0
        name[0] = LINK
        if data[starts[row]] >> 4 == 4:
            name[2] = 0x08
        else:
            name[2], name[3] = 0x86, 0xDD
        for place in range(4):
            name[4 + place] = (interface >> (8 * place)) & 0xFF
        name[11] = 6
        for place in range(6):
            name[12 + place] = peer[place]
        messages[row]["name_bytes"] = _BYTES
