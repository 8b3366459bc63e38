"""Runs the byte streams between two places and says what came of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import interop_path  # noqa: F401  # it is there for the next ones
from namespaces import Namespace
from patience import wait_until
from tunnels import OURS, THEIRS, Tunnel

PROGRAM: Final = Path(__file__).with_name("byte_streams.py")
SETTLING_S: Final = 60.0  # connections, and what is under way at the end


@dataclass(frozen=True)
class Traffic:
    """How long, and how the streams take turns."""

    seconds: float
    loud: int = 2
    turn_s: float = 0.5


@dataclass(frozen=True)
class Streams:
    """What both ends of all streams saw; "there" is from our side to the peer's."""

    bytes_there: int
    bytes_back: int
    intact: bool
    longest_stall_s: float
    problems: tuple[str, ...]


def server_words(tunnels: Sequence[Tunnel], traffic: Traffic) -> list[str]:
    """The command line of the peer's end, which waits for ours."""
    addresses = ",".join(tunnel.inner(THEIRS) for tunnel in tunnels)
    return [sys.executable, "-I", str(PROGRAM), "server", "--bind", addresses, *_manner(traffic)]


def client_words(tunnels: Sequence[Tunnel], traffic: Traffic) -> list[str]:
    """The command line of our end."""
    own, other = (",".join(each.inner(side) for each in tunnels) for side in (OURS, THEIRS))
    words = [sys.executable, "-I", str(PROGRAM), "client", "--bind", own, "--to", other]
    return [*words, *_manner(traffic)]


def _manner(traffic: Traffic) -> list[str]:
    words = ["--seconds", f"{traffic.seconds:g}", "--loud", str(traffic.loud)]
    return [*words, "--turn", f"{traffic.turn_s:g}"]


def stream_through(
    ours: Namespace, theirs: Namespace, folder: Path, tunnels: Sequence[Tunnel], traffic: Traffic
) -> Streams:
    """Have both ends run in their namespaces."""
    output = folder / "server-output"
    with theirs.program(server_words(tunnels, traffic), output=output) as server:
        wait_until(lambda: "listening" in output.read_text(), "the server to listen")
        client = ours.run(
            client_words(tunnels, traffic), check=False, timeout_s=traffic.seconds + SETTLING_S
        )
        server.wait(SETTLING_S)
        return streams_of(client.stdout + client.stderr, output.read_text())


def streams_of(client: str, server: str) -> Streams:
    """Join what both ends have printed, with any complaints among it."""
    ours, theirs = _streams(client), _streams(server)
    problems = [f"stream {each['number']}: {each['problem']}" for each in ours + theirs
                if each["problem"]]  # fmt: skip
    if not ours or not theirs:
        problems.append(f"an end gave no result: {client[-600:]} {server[-600:]}")
    whole = len(ours) == len(theirs) > 0
    for near, far in zip(ours, theirs, strict=False):
        for sender, receiver in ((near, far), (far, near)):
            whole &= receiver["intact"] and receiver["ended"]
            whole &= sender["sent_bytes"] == receiver["received_bytes"]
    return Streams(
        bytes_there=sum(each["received_bytes"] for each in theirs),
        bytes_back=sum(each["received_bytes"] for each in ours),
        intact=whole and not problems,
        longest_stall_s=max((each["longest_stall_s"] for each in ours + theirs), default=0.0),
        problems=tuple(problems),
    )


def _streams(output: str) -> list[dict[str, object]]:
    for line in output.splitlines():
        if line.startswith("{"):
            return json.loads(line)["streams"]
    return []
