"""Everything encrypted that comes over one end of the wire: SPI, sequence number and IV of each.

    python wire.py INTERFACE FILE

A program for a namespace. It writes 16 bytes per packet (the ESP header and the explicit IV of
AES-GCM) and, on SIGTERM, one JSON object with how many there were and how many it has missed.
"""

from __future__ import annotations

import json
import select
import signal
import sys
from pathlib import Path
from typing import Final

import numpy as np

from saactors.gateway.ports.open_sockets import open_packet
from saactors.gateway.ports.port import SLOT_BYTES
from saactors.model.packets import PACKET

HEADERS_BYTES: Final = 28  # IPv4 and UDP
RECORD_BYTES: Final = 16  # SPI, sequence number, IV
BATCH: Final = 256
NAT_PORT: Final = 4500


def main() -> None:
    """Record until SIGTERM."""
    interface, path = sys.argv[1:]
    port = open_packet("wire", "outside", interface, bytes(6), 64 << 20)
    arena = np.zeros(BATCH * SLOT_BYTES, np.uint8)
    rows = arena.reshape(BATCH, SLOT_BYTES)
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    recorded = 0
    with Path(path).open("wb") as file:
        print(json.dumps({"listening": True}), flush=True)
        while not ended:
            if not select.select([port], [], [], 0.2)[0]:
                continue
            packets = np.zeros(BATCH, PACKET)
            count = port.receive(arena, packets, 0)
            is_esp = (packets["destination_port"][:count] == NAT_PORT) & (
                packets["length_bytes"][:count] >= HEADERS_BYTES + RECORD_BYTES
            )
            heads = rows[:count][is_esp, HEADERS_BYTES : HEADERS_BYTES + RECORD_BYTES]
            file.write(heads.tobytes())
            recorded += len(heads)
    print(json.dumps({"recorded": recorded, "missed": port.statistics()["ring_dropped"]}))


def repeated(path: Path) -> int:
    """How many packets of a record have an SPI and IV that another before them had, too.

    The IV of AES-GCM is all that tells packets of one key apart (RFC 4106 §3.1); an SPI of this
    soak never comes back with another key.
    """
    records = np.fromfile(path, np.uint8).reshape(-1, RECORD_BYTES)
    keys = np.ascontiguousarray(np.delete(records, np.s_[4:8], axis=1))
    words = keys.view(np.dtype((np.void, keys.shape[1]))).ravel()
    return len(words) - len(np.unique(words))


if __name__ == "__main__":
    main()
