"""The judge of the live proofs is judged: what harms a stream on its way is found."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("byte_streams.py")
PORT = 5001
PATIENCE_S = 60
Harm = Callable[[bytes, int], bytes]


def carry(source: socket.socket, target: socket.socket, harm: Harm) -> None:
    """Hand bytes on, harmed, until there are no more."""
    carried = 0
    while octets := source.recv(1 << 16):
        target.sendall(harm(octets, carried))
        carried += len(octets)
    target.shutdown(socket.SHUT_WR)


def meet(listener: socket.socket, server: str, harm: Harm) -> None:
    """Stand between a client and the server; what the client sends is harmed."""
    with listener.accept()[0] as near, socket.create_connection((server, PORT)) as far:
        ways = [(near, far, harm), (far, near, lambda octets, _: octets)]
        threads = [threading.Thread(target=carry, args=way) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def ends_through(harm: Harm) -> tuple[dict[str, object], dict[str, object], list[int]]:
    """What client and server say of a stream with somebody between them; their statuses."""
    # Addresses of this process's own, for tests that run side by side.
    network = f"127.{os.getpid() >> 8 & 0x7F}.{os.getpid() & 0xFF}"
    between, server_address = f"{network}.1", f"{network}.2"
    words, times = [sys.executable, "-I", str(PROGRAM)], ["--seconds", "0.5"]
    server = subprocess.Popen(
        [*words, "server", "--bind", server_address, *times],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with socket.create_server((between, PORT)) as listener, server:
        assert server.stderr.readline() == "listening\n"
        middle = threading.Thread(target=meet, args=(listener, server_address, harm))
        middle.start()
        client = subprocess.run(
            [*words, "client", "--bind", "127.0.0.1", "--to", between, *times],
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        said = server.stdout.read()
        middle.join()
    ends = [json.loads(each)["streams"][0] for each in (client.stdout, said)]
    return ends[0], ends[1], [client.returncode, server.returncode]


def flip(octets: bytes, carried: int) -> bytes:
    """One bit of the whole stream is another one."""
    return bytes([octets[0] ^ 1]) + octets[1:] if carried == 0 else octets


def shorten(octets: bytes, carried: int) -> bytes:
    """A byte of the stream is lost."""
    return octets[:-1] if carried == 0 else octets


def test_whole_streams_are_called_whole() -> None:
    """What one end sent, the other received."""
    client, server, statuses = ends_through(lambda octets, _: octets)
    assert statuses == [0, 0]
    assert server["received_bytes"] == client["sent_bytes"] > 0
    assert client["received_bytes"] == server["sent_bytes"] > 0


@pytest.mark.parametrize("harm", [flip, shorten])
def test_a_harmed_stream_is_found(harm: Harm) -> None:
    """At the end that received it, and there alone."""
    client, server, statuses = ends_through(harm)
    assert statuses == [0, 1]
    assert client["intact"]
    assert not server["intact"]
