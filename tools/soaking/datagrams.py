"""Numbered datagrams through a tunnel: who sends them, and who counts them.

    python datagrams.py send --from 10.1.0.1 --to 10.2.0.1 --flows 8 --rate 2000
    python datagrams.py count --at 10.2.0.1 --flows 8

A program for a namespace, of the standard library alone. A datagram is its flow's next number, a
checksum and a filling of varying length. Each end writes one JSON object when it gets SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import signal
import socket
import struct
import time
import zlib
from contextlib import suppress

HEADER = struct.Struct("!IQI")  # flow, number, checksum of the filling
FIRST_PORT = 6000
SIZES = (16, 64, 64, 200, 576, 1200)
PAUSE_S = 0.005


class Ended(Exception):
    """SIGTERM came."""


def end(*_signal: object) -> None:
    """Let the loop end where it is."""
    raise Ended


def main() -> None:
    """Run one end until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("role", choices=("send", "count"))
    parser.add_argument("--from", dest="source", default="")
    parser.add_argument("--to", default="")
    parser.add_argument("--at", default="")
    parser.add_argument("--flows", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2000.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, end)
    if given.role == "send":
        told = send(given.source, given.to, given.flows, given.rate, random.Random(given.seed))
    else:
        told = count(given.at, given.flows)
    print(json.dumps(told), flush=True)


def address(base: str, flow: int) -> str:
    """The flow's own host: the third octet tells the tunnel."""
    first, second, _, last = base.split(".")
    return f"{first}.{second}.{flow}.{last}"


def send(source: str, to: str, flows: int, rate: float, chance: random.Random) -> dict[str, int]:
    """Send at about that rate, in little bunches; returns how many were sent."""
    ends = []
    for flow in range(flows):
        end_ = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end_.bind((address(source, flow), 0))
        end_.connect((address(to, flow), FIRST_PORT + flow))
        ends.append(end_)
    filling = chance.randbytes(max(SIZES))
    numbers, sent, refused = [0] * flows, 0, 0
    start_s = time.monotonic()
    try:
        while True:
            due = int((time.monotonic() - start_s) * rate)
            while sent + refused < due:
                flow = chance.choices(range(flows), [2.0**-n for n in range(flows)])[0]
                size = SIZES[chance.randrange(len(SIZES))]
                body = filling[:size]
                packet = HEADER.pack(flow, numbers[flow], zlib.crc32(body)) + body
                try:
                    ends[flow].send(packet)
                    numbers[flow] += 1
                    sent += 1
                except OSError:
                    refused += 1
            time.sleep(PAUSE_S)
    except Ended:
        return {"sent": sent, "refused": refused}


def count(at: str, flows: int) -> dict[str, int]:
    """Check and count what comes."""
    ends = []
    for flow in range(flows):
        end_ = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end_.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        end_.bind((address(at, flow), FIRST_PORT + flow))
        end_.setblocking(False)
        ends.append(end_)
    seen: list[set[int]] = [set() for _ in range(flows)]  # numbers above the floor
    floor, highest = [-1] * flows, [-1] * flows
    told = {"received": 0, "damaged": 0, "twice": 0, "late": 0}
    print(json.dumps({"listening": True}), flush=True)
    try:
        while True:
            for end_ in select.select(ends, [], [], 1.0)[0]:
                for packet in waiting(end_):
                    told["received"] += 1
                    flow, number, checksum = HEADER.unpack_from(packet)
                    if zlib.crc32(packet[HEADER.size :]) != checksum:
                        told["damaged"] += 1
                        continue
                    if number <= floor[flow] or number in seen[flow]:
                        told["twice"] += 1
                        continue
                    told["late"] += number < highest[flow]
                    highest[flow] = max(highest[flow], number)
                    seen[flow].add(number)
                    if len(seen[flow]) > 50_000:  # far behind, nothing is expected any more
                        floor[flow] = highest[flow] - 25_000
                        seen[flow] = {each for each in seen[flow] if each > floor[flow]}
    except Ended:
        return told


def waiting(end_: socket.socket) -> list[bytes]:
    """What is there, up to a bunch."""
    packets = []
    with suppress(BlockingIOError):
        packets.extend(end_.recv(2048) for _ in range(64))
    return packets


if __name__ == "__main__":
    main()
