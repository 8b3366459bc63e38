"""Numbered datagrams through a tunnel: who sends them, and who counts them.

    python datagrams.py send --from 10.1.0.1 --to 10.2.0.1 --flows 8 --rate 2000
    python datagrams.py count --at 10.2.0.1 --flows 8

A program for a namespace, of the standard library alone. A datagram is its flow's next number, a
checksum of everything else, and a filling of varying length. Whoever sends reads new rates from its
standard input, a line each. Each end writes one JSON object when it gets SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

HEADER = struct.Struct("!IQI")  # flow, number, checksum of both and of the filling
FRONT = struct.Struct("!IQ")
FIRST_PORT = 6000
SIZES = (16, 64, 64, 200, 576, 1200)
PAUSE_S = 0.005
BEHIND_S = 0.25  # what could not be sent for so long is not caught up with
RECEIVE_BYTES = 8 << 20
SO_RCVBUFFORCE = 33  # of <asm-generic/socket.h>; Python has no name for it
AT_ONCE = 64
WINDOW = 25_000  # numbers that are remembered: far more than are ever under way
LATE_KEPT = 1000

ended: list[int] = []  # the signal that came


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
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    if given.role == "send":
        told = send(given.source, given.to, given.flows, given.rate, random.Random(given.seed))
    else:
        told = Counter(given.flows).run(given.at)
    print(json.dumps(told), flush=True)


def address(base: str, flow: int) -> str:
    """The flow's own host: the third octet tells the tunnel."""
    first, second, _, last = base.split(".")
    return f"{first}.{second}.{flow}.{last}"


def datagram(flow: int, number: int, filling: bytes) -> bytes:
    """One datagram."""
    checksum = zlib.crc32(filling, zlib.crc32(FRONT.pack(flow, number)))
    return HEADER.pack(flow, number, checksum) + filling


def send(source: str, to: str, flows: int, rate: float, chance: random.Random) -> dict[str, int]:
    """Send at about the rate, in little bunches; returns how many were sent."""
    ends = []
    for flow in range(flows):
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.bind((address(source, flow), 0))
        end.connect((address(to, flow), FIRST_PORT + flow))
        ends.append(end)
    filling = chance.randbytes(2 * max(SIZES))
    weights = [2.0**-flow for flow in range(flows)]
    numbers, refused = [0] * flows, 0
    owed, seen_s = 0.0, time.monotonic()
    while not ended:
        rate = newest_rate(rate)
        now_s = time.monotonic()
        owed += min(now_s - seen_s, BEHIND_S) * rate
        seen_s = now_s
        for flow in chance.choices(range(flows), weights, k=int(owed)):
            size = SIZES[chance.randrange(len(SIZES))]
            start = chance.randrange(max(SIZES))
            try:
                ends[flow].send(datagram(flow, numbers[flow], filling[start : start + size]))
                numbers[flow] += 1
            except OSError:
                refused += 1
        owed -= int(owed)
        time.sleep(PAUSE_S)
    return {"sent": sum(numbers), "refused": refused}


def newest_rate(rate: float) -> float:
    """The last rate that the standard input has, else the one there was."""
    if select.select([sys.stdin], [], [], 0)[0]:
        lines = os.read(sys.stdin.fileno(), 1 << 12).split()
        return float(lines[-1]) if lines else rate
    return rate


class Counter:
    """What has come, flow by flow."""

    def __init__(self, flows: int) -> None:
        self._seen: list[set[int]] = [set() for _ in range(flows)]  # numbers above the floor
        self._floor, self._highest = [-1] * flows, [-1] * flows
        self.told = {"received": 0, "damaged": 0, "strayed": 0, "twice": 0, "late": 0}
        self.late_ones: list[tuple[int, int, int]] = []  # flow, when, how far behind

    def run(self, at: str) -> dict[str, Any]:
        """Count until SIGTERM, and then what still waits."""
        ends = [listening(address(at, flow), FIRST_PORT + flow) for flow in range(len(self._seen))]
        print(json.dumps({"listening": True}), flush=True)
        while True:
            last = bool(ended)  # before the look: what waits at the signal is counted
            ready = select.select(ends, [], [], 0 if last else 0.5)[0]
            for end in ready:
                for packet in waiting(end):
                    self.take(ends.index(end), packet)
            if last and not ready:
                break
        dropped = dropped_at(range(FIRST_PORT, FIRST_PORT + len(ends)))
        return {**self.told, "dropped": dropped, "late_ones": self.late_ones}

    def take(self, flow: int, packet: bytes) -> None:
        """Check and count a datagram that came to a flow's socket."""
        self.told["received"] += 1
        if len(packet) < HEADER.size:
            self.told["damaged"] += 1
            return
        claimed, number, _ = HEADER.unpack_from(packet)
        if packet != datagram(claimed, number, packet[HEADER.size :]):
            self.told["damaged"] += 1
        elif claimed != flow:
            self.told["strayed"] += 1
        elif number <= self._floor[flow] or number in self._seen[flow]:
            self.told["twice"] += 1
        else:
            self._new(flow, number)

    def _new(self, flow: int, number: int) -> None:
        behind = self._highest[flow] - number
        if behind > 0:
            self.told["late"] += 1
            if len(self.late_ones) < LATE_KEPT:
                self.late_ones.append((flow, time.monotonic_ns(), behind))
        self._highest[flow] = max(self._highest[flow], number)
        seen = self._seen[flow]
        seen.add(number)
        if len(seen) > 2 * WINDOW:
            self._floor[flow] = self._highest[flow] - WINDOW
            self._seen[flow] = {each for each in seen if each > self._floor[flow]}


def listening(address_: str, port: int) -> socket.socket:
    """A flow's socket, with room for as long as this program may have to wait for its turn."""
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES)
    end.bind((address_, port))
    end.setblocking(False)
    return end


def waiting(end: socket.socket) -> list[bytes]:
    """What is there, up to a bunch."""
    packets = []
    with suppress(BlockingIOError):
        packets.extend(end.recv(2048) for _ in range(AT_ONCE))
    return packets


def dropped_at(ports: range) -> int:
    """What the kernel had no room for at these ports of this namespace."""
    rows = [line.split() for line in Path("/proc/self/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[-1]) for row in rows if int(row[1].rpartition(":")[2], 16) in ports)


if __name__ == "__main__":
    main()
