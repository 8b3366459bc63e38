"""A forwarding loop without any ESP: what the devices alone allow. A program for a namespace.

    python bare_forwarder.py OUR_ADDRESS THEIR_ADDRESS INNER_ADDRESS/PREFIX

TUN to UDP and back in bursts, by the system calls that the gateway makes, and nothing else.
"""

from __future__ import annotations

import select
import socket
import sys
from ipaddress import ip_address

import numpy as np
import numpy.typing as npt

from saactors.gateway.ports.messages import IPV4, NAME_BYTES, Messages, prepare_receiving
from saactors.gateway.ports.open_sockets import open_udp
from saactors.gateway.ports.port import SLOT_BYTES
from saactors.gateway.ports.system_calls import (
    COUNTS,
    read_packets,
    receive_messages,
    send_messages,
    write_packets,
)
from saactors.gateway.ports.tun import open_tun
from saactors.model.compiled import compiled
from saactors.model.packets import PACKET

BURST = 256
PORT = 4500


def main() -> None:
    """Forward until SIGTERM."""
    ours, theirs, inner = sys.argv[1:]
    tun = open_tun("tun", "inside", "saa0", (inner,), 1400)
    udp = open_udp("udp", "outside", ip_address(ours), PORT, 4 << 20)
    name = np.zeros(NAME_BYTES, np.uint8)
    name[0] = IPV4
    name[2:4] = np.frombuffer(PORT.to_bytes(2, "big"), np.uint8)
    name[4:8] = np.frombuffer(socket.inet_aton(theirs), np.uint8)
    incoming, outgoing = Messages(BURST), Messages(BURST)
    arena, counts = np.zeros(BURST * SLOT_BYTES, np.uint8), np.zeros(COUNTS, np.int64)
    starts = np.arange(BURST, dtype=np.int64) * SLOT_BYTES
    waiting = select.epoll()
    for port in (tun, udp):
        waiting.register(port.fileno(), select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for descriptor, _ in waiting.poll():
            if descriptor == tun.fileno():
                packets = np.zeros(BURST, PACKET)
                count = read_packets(descriptor, arena, packets, 0, counts)
                address(outgoing.messages, outgoing.pieces, outgoing.names, arena, packets, name)
                sent = 0
                while sent < count:
                    done = send_messages(udp.fileno(), outgoing.messages, sent, count - sent)
                    sent += max(done, 1)
            else:
                prepare_receiving(incoming.messages, incoming.pieces, arena, BURST, 0)
                count = max(receive_messages(descriptor, incoming.messages, BURST), 0)
                lengths = incoming.messages["length"][:count].astype(np.int32)
                write_packets(tun.fileno(), arena, starts[:count], lengths, counts)


@compiled
def address(
    messages: npt.NDArray[np.void],
    pieces: npt.NDArray[np.void],
    names: npt.NDArray[np.uint8],
    arena: npt.NDArray[np.uint8],
    packets: npt.NDArray[np.void],
    name: npt.NDArray[np.uint8],
) -> None:
    """Let message i be packet i, to the one peer."""
    base = arena.ctypes.data
    for row in range(len(packets)):
        pieces[row]["base"] = base + row * SLOT_BYTES
        pieces[row]["length"] = packets[row]["length_bytes"]
        for place in range(NAME_BYTES):
            names[row, place] = name[place]
        messages[row]["name_bytes"] = 16
        messages[row]["control_bytes"] = 0


if __name__ == "__main__":
    main()
