"""Byte streams both ways over TCP at once, of which the receiver knows every byte beforehand.

    python byte_streams.py server --seconds 60 --bind 10.2.1.1,10.2.2.1
    python byte_streams.py client --seconds 60 --bind 10.1.1.1,10.1.2.1 --to 10.2.1.1,10.2.2.1

A connection for each address of the list, port 5001 and up, both ends sending for so long. What
is sent comes from a generator whose seed is the connection's number and the direction, so the
receiver makes the same bytes and compares. Streams take turns: ``--loud`` of them send as fast as
they can, others after ``--turn`` seconds, and the rest send a little now and then. Each end prints
one JSON object; a stream is whole if what one end received is what the other says it has sent.

Only the standard library: it also runs where there is nothing else, such as in a guest.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass

FIRST_PORT = 5001
BLOCK_BYTES = 1 << 15
QUIET_BYTES = 512
QUIET_PAUSE_S = 0.1
CONNECT_PATIENCE_S = 20.0
PATIENCE_S = 30.0  # for the other end's last bytes
# What waits in a socket goes on after its turn; so little may.
SEND_BUFFER_BYTES = 1 << 17


class Octets:
    """A stream of pseudo-random bytes, the same for the same words, to be taken in any pieces."""

    def __init__(self, words: str) -> None:
        self._draw = random.Random(words)  # a pattern, no secret
        self._left = b""

    def take(self, size_bytes: int) -> bytes:
        """The next bytes."""
        while len(self._left) < size_bytes:
            self._left += self._draw.randbytes(BLOCK_BYTES)
        octets, self._left = self._left[:size_bytes], self._left[size_bytes:]
        return octets


@dataclass
class Stream:
    """What one end saw of one connection."""

    number: int
    sent_bytes: int = 0
    received_bytes: int = 0
    intact: bool = True  # what came was what was expected, to the end that the other one made
    ended: bool = False  # the other end's FIN has come
    longest_stall_s: float = 0.0  # between two arrivals, while the other end was sending
    problem: str = ""


@dataclass(frozen=True)
class Turns:
    """Who is loud when."""

    streams: int
    loud: int
    turn_s: float
    end_s: float  # by this process's monotonic clock

    def is_loud(self, number: int, now_s: float) -> bool:
        """Whether a stream sends at full speed now."""
        first = int((self.end_s - now_s) / self.turn_s)
        return (number + first) % self.streams < self.loud


def send(connection: socket.socket, stream: Stream, words: str, turns: Turns) -> None:
    """Send until the end, then say that this is all."""
    octets = Octets(words)
    try:
        while (now_s := time.monotonic()) < turns.end_s:
            loud = turns.is_loud(stream.number, now_s)
            block = octets.take(BLOCK_BYTES if loud else QUIET_BYTES)
            connection.sendall(block)
            stream.sent_bytes += len(block)
            if not loud:
                time.sleep(QUIET_PAUSE_S)
        connection.shutdown(socket.SHUT_WR)
    except OSError as problem:
        stream.problem = f"sending: {problem}"


def receive(connection: socket.socket, stream: Stream, words: str) -> None:
    """Compare what comes, until the other end says that this was all."""
    octets = Octets(words)
    last_s = time.monotonic()
    try:
        while block := connection.recv(BLOCK_BYTES):
            now_s = time.monotonic()
            stream.longest_stall_s = max(stream.longest_stall_s, now_s - last_s)
            last_s = now_s
            stream.received_bytes += len(block)
            if block != octets.take(len(block)):
                stream.intact = False
        stream.ended = True
    except OSError as problem:
        stream.problem = f"receiving: {problem}"


def run(connections: list[socket.socket], role: str, arguments: argparse.Namespace) -> list[Stream]:
    """Both directions of every connection, a thread each."""
    streams = [Stream(number) for number in range(len(connections))]
    end_s = time.monotonic() + arguments.seconds
    turns = Turns(len(connections), arguments.loud, arguments.turn, end_s)
    other = "server" if role == "client" else "client"
    threads = []
    for connection, stream in zip(connections, streams, strict=True):
        connection.settimeout(PATIENCE_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        words = f"{{}} {stream.number}"
        given = (connection, stream, words.format(role), turns)
        threads.append(threading.Thread(target=send, args=given))
        given = (connection, stream, words.format(other))
        threads.append(threading.Thread(target=receive, args=given))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return streams


def family_of(address: str) -> socket.AddressFamily:
    """IPv4 or IPv6, by its notation."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listen(arguments: argparse.Namespace) -> list[socket.socket]:
    """Wait for one connection at each address."""
    listeners = []
    for number, address in enumerate(arguments.bind):
        listener = socket.socket(family_of(address), socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, FIRST_PORT + number))
        listener.listen(1)
        listener.settimeout(arguments.patience)
        listeners.append(listener)
    print("listening", file=sys.stderr, flush=True)
    connections = []
    for listener in listeners:
        connections.append(listener.accept()[0])
        listener.close()
    return connections


def connect(arguments: argparse.Namespace) -> list[socket.socket]:
    """A connection from each address to the other one at its place."""
    connections = []
    for number, (own, other) in enumerate(zip(arguments.bind, arguments.to, strict=True)):
        end_s = time.monotonic() + arguments.patience
        while True:
            connection = socket.socket(family_of(own), socket.SOCK_STREAM)
            connection.settimeout(max(1.0, end_s - time.monotonic()))
            try:
                connection.bind((own, 0))
                connection.connect((other, FIRST_PORT + number))
                break
            except OSError:
                connection.close()
                if time.monotonic() > end_s:
                    raise
                time.sleep(QUIET_PAUSE_S)
        connections.append(connection)
    return connections


def main() -> int:
    """Run one end; status 1 if a stream came damaged or did not end."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("role", choices=("server", "client"))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--bind", type=lambda text: text.split(","), required=True)
    parser.add_argument("--to", type=lambda text: text.split(","), default=[])
    parser.add_argument("--loud", type=int, default=1, help="streams at full speed at once")
    parser.add_argument("--turn", type=float, default=1.0, help="seconds until others are loud")
    parser.add_argument("--patience", type=float, default=CONNECT_PATIENCE_S)
    arguments = parser.parse_args()
    make = listen if arguments.role == "server" else connect
    streams = run(make(arguments), arguments.role, arguments)
    print(json.dumps({"role": arguments.role, "streams": [asdict(each) for each in streams]}))
    return 0 if all(each.intact and each.ended for each in streams) else 1


if __name__ == "__main__":
    sys.exit(main())
