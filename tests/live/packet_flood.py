"""Datagrams as fast as one process can send them, and how many of them arrive.

    python packet_flood.py receiver --seconds 5 --bind 10.2.1.1
    python packet_flood.py sender --seconds 5 --bind 10.1.1.1 --to 10.2.1.1 --size 64

``--size`` is the whole inner packet's, with its headers. Each end prints one JSON object; the
receiver's time is that between its first packet and its last. Only the standard library.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time

PORT = 9  # discard (RFC 863)
BUFFER_BYTES = 1 << 22
AT_ONCE = 64
FIRST_PATIENCE_S = 10.0
HEADER_BYTES = {socket.AF_INET: 28, socket.AF_INET6: 48}


def main() -> int:
    """Run one end."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("role", choices=("receiver", "sender"))
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--bind", required=True)
    parser.add_argument("--to")
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()
    family = socket.AF_INET6 if ":" in arguments.bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        end.bind((arguments.bind, PORT))
        if arguments.role == "sender":
            end.connect((arguments.to, PORT))
            payload = bytes(arguments.size - HEADER_BYTES[family])
            packets, seconds = send(end, payload, arguments.seconds)
        else:
            print("listening", file=sys.stderr, flush=True)
            packets, seconds = receive(end, arguments.seconds)
    print(json.dumps({"role": arguments.role, "packets": packets, "seconds": seconds}))
    return 0


def send(end: socket.socket, payload: bytes, seconds: float) -> tuple[int, float]:
    """Send all the time; what the device has no room for is not counted."""
    packets, start_s = 0, time.monotonic()
    while (now_s := time.monotonic()) < start_s + seconds:
        for _ in range(AT_ONCE):
            try:
                end.send(payload)
                packets += 1
            except OSError:  # ENOBUFS, or nobody listens yet
                continue
    return packets, now_s - start_s


def receive(end: socket.socket, seconds: float) -> tuple[int, float]:
    """Count for so long from the first packet on."""
    end.settimeout(FIRST_PATIENCE_S)
    end.recv(BUFFER_BYTES)
    packets, start_s = 0, time.monotonic()
    last_s = start_s
    end.settimeout(seconds / 10)
    try:
        while last_s < start_s + seconds:
            for _ in range(AT_ONCE):
                end.recv(2048)
                packets += 1
            last_s = time.monotonic()
    except TimeoutError:
        last_s = max(last_s, time.monotonic() - seconds / 10)
    return packets, last_s - start_s


if __name__ == "__main__":
    sys.exit(main())
