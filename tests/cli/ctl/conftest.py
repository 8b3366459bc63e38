"""A gateway that ``saactors ctl`` asks: the real server, with fixed answers behind it.

The answers are held against the documented models, so that what is printed here is what a gateway
may answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trio

from saactors.errors import ControlError
from saactors.gateway.control.arguments import AddTrace
from saactors.gateway.control.schema import COMMANDS, read_arguments
from saactors.gateway.control.server import run_control
from saactors.gateway.control.socket_file import SocketFile
from saactors.observe.events import Event, PacketTraced

SA = {
    "sa": 7, "spi": 0xC0FFEE01, "name": "branch", "direction": "out", "suite": "aes-gcm-128",
    "mode": "tunnel", "source": "192.0.2.1", "destination": "198.51.100.7", "where": "nic",
    "pinned": "auto", "metric": 812.5, "packets": 20_481, "bytes": 28_000_000,
    "nic_packets": 20_000,
    "packets_per_s": 1234.5, "bits_per_s": 13_500_000.0, "saved_ns": 31_000_000.0, "moves": 3,
}  # fmt: skip
COLD = SA | {
    "sa": 8, "spi": 0x1000, "name": "sa-8", "direction": "in", "destination": None, "source": None,
    "where": "software", "pinned": "software", "metric": 0.0, "packets_per_s": 0.0,
    "bits_per_s": 0.0,
}  # fmt: skip
RULE = {"parameters": {"decay": "factor:0.9", "period_ns": 1_000_000, "bonus": 2.5}}
CARD = {
    "profile": "82599", "slots_max": 1024, "residents": 1, "loading": 0, "pinned": 0, "loads": 5,
    "loads_refused": 1, "loads_lost": 0, "evictions": 4, "resets": 0, "engine_queue_packets": 3,
}  # fmt: skip
MOVE = {"time_ns": 1_234_567_890, "move": "loaded", "reason": "metric 812.5 ≥ lowest 3 + 500"}
MOVED = MOVE | {"sa": 7, "spi": 0xC0FFEE01}
POLICY = {
    "number": 0, "action": "protect", "source": "10.1.0.0/16", "destination": "10.2.0.0/16",
    "protocol": "any", "source_ports": "any", "destination_ports": "any", "sa": "branch",
    "peer": None,
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "status": {
        "version": "9.9", "name": "edge-1", "pid": 4242, "started_epoch_ns": 1_700_000_000 * 10**9,
        "uptime_ns": 125 * 10**9, "ready": True, "draining": False, "tasks": 20,
        "rule": {"name": "metric", "threshold": 500.0} | RULE, "card": CARD,
        "packets": {
            "in_packets": 20_500, "out_packets": 20_481, "in_flight_packets": 4,
            "software_packets": 481, "nic_packets": 20_000, "bypass_packets": 0,
            "software_bytes": 500_000, "nic_bytes": 27_500_000, "bypass_bytes": 0,
            "dropped": {"replayed": 15, "unknown_spi": 0},
        },
        "edges": [{
            "name": "to-nic", "source": "arbiter", "target": "nic", "carries": "shares",
            "capacity": 64, "queued": 2, "high_water": 64, "sent": 900, "waits": 3,
            "waited_ns": 45_000,
        }],
        "ports": [{
            "name": "tun0", "kind": "tun", "side": "inside", "detail": "saa0, mtu 1400",
            "received_packets": 20_500, "received_bytes": 1, "sent_packets": 0, "sent_bytes": 0,
            "ring_dropped": 12, "send_refused": 0,
        }],
        "sas": {"total": 2, "outbound": 1, "inbound": 1, "software": 1, "loading": 0, "nic": 1},
        "attached": [{"id": 1, "kinds": [], "events_sent": 10, "events_lost": 3}],
        "events_lost": 3,
    },
    "sa.list": {"total": 2, "matched": 2, "rows": [SA, COLD]},
    "sa.show": SA | {
        "source_port": 4500, "destination_port": 4500, "extended_sequence": True,
        "sequence": 20_481, "replay_window": None, "lifetime": {"hard_packets": 10**9},
        "streams": 3,
    },
    "explain": {
        "sa": SA, "lowest": {"sa": 9, "spi": 0x2000, "metric": 3.0}, "threshold": 500.0,
        "saving_ns": 1200.0, "load_host_ns": 2600.0, "saved_ns": 31_000_000.0,
        "text": ["It is on the card since 1.234 s."], "moves": [MOVE],
        "to_change": "its metric would have to fall below 3",
    },
    "rule.show": {"name": "metric", "analysis": "2600 ns / 1200 ns", "rules": ["metric", "never"]}
    | RULE,
    "card.show": CARD | {
        "figures": {"slots_max": 1024, "load_blocks_engine": False},
        "resident_sas": [{"sa": 7, "spi": 0xC0FFEE01, "metric": 812.5}],
    },
    "policy.list": {"rows": [POLICY, POLICY | {"number": 1, "sa": None, "peer": "192.0.2.9"}]},
    "moves": {"rows": [MOVED]},
    "history": {"width_ns": 10**9, "points": [{
        "time_ns": second * 10**9, "software_packets": second, "nic_packets": 100,
        "bypass_packets": 0, "dropped_packets": 0, "residents": 1, "loads": 0,
    } for second in range(1, 41)]},
    "sa.add": {"sa": 9, "spi": 0x1000, "name": "sa-9"},
    "sa.delete": {"sa": 8, "spi": 0x1000},
    "sa.import": {"added": 2, "replaced": 1, "skipped": [{"what": "line 3", "why": "weak suite"}]},
    "sa.pin": {"sa": 7, "spi": 0x1000, "where": "loading", "pinned": "nic"},
    "policy.add": {"number": 2},
    "policy.delete": {"number": 2},
    "rule.set": {"name": "metric", "analysis": None, "rules": ["metric", "never"]} | RULE,
    "card.reset": {"forgotten": 1},
    "card.resize": {"slots": 512},
}  # fmt: skip
STEPS = [
    PacketTraced(1_500, 1, "classifier", 7, 0xC0FFEE01, "policy 0: protect"),
    PacketTraced(1_900, 2, "classifier", None, None, "policy 1: bypass"),
    PacketTraced(2_500, 1, "nic", 7, 0xC0FFEE01, "encrypted, number 20482"),
]


class Steps:
    """An attachment with the steps of two packets."""

    def __init__(self, *, is_endless: bool) -> None:
        self._batches = [STEPS]
        self._is_endless = is_endless

    async def batch(self) -> tuple[Sequence[Event], int]:
        """All of them, then the end."""
        await trio.lowlevel.checkpoint()
        if not self._batches:
            if self._is_endless:
                await trio.sleep_forever()
            raise trio.EndOfChannel
        return self._batches.pop(), 5

    def close(self) -> None:
        """Nothing is held."""


class Answering:
    """Behind the server: fixed answers; what was asked is kept."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refuses: ControlError | None = None
        self.forgets = ""  # a field that its answers lack
        self.is_endless = False  # whether its traces go on

    async def call(self, command: str, arguments: dict[str, Any]) -> Mapping[str, Any]:
        """The answer for the command."""
        read_arguments(command, arguments)
        self.asked.append((command, arguments))
        if self.refuses is not None:
            raise self.refuses
        return {name: value for name, value in ANSWERS[command].items() if name != self.forgets}

    def open_attachment(self, _kinds: Sequence[str], _sas: Sequence[int], _sample: int) -> Steps:
        """The steps."""
        return Steps(is_endless=self.is_endless)

    def open_trace(self, wanted: AddTrace) -> Steps:
        """The steps, too."""
        self.asked.append(("trace.add", wanted.model_dump(exclude_unset=True)))
        return Steps(is_endless=self.is_endless)


def serve(behind: Answering, stack: ExitStack) -> None:
    """Run a server in a thread, until the stack is left."""
    ready = threading.Event()
    inside: dict[str, Any] = {}

    async def main() -> None:
        with trio.CancelScope() as scope:
            inside.update(scope=scope, token=trio.lowlevel.current_trio_token())
            async with trio.open_nursery() as nursery:
                await nursery.start(run_control, behind, SocketFile(behind.path))
                ready.set()

    def stop() -> None:
        trio.from_thread.run_sync(inside["scope"].cancel, trio_token=inside["token"])
        thread.join(10)

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    stack.callback(stop)
    assert ready.wait(10)


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start gateways by their names; their sockets are in the test's folder."""
    with ExitStack() as stack:

        def gateways(*names: str) -> list[Answering]:
            started = [Answering(str(tmp_path / f"{name}.sock")) for name in names]
            for each in started:
                serve(each, stack)
            return started

        yield gateways


@pytest.fixture
def gateway(gateways: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Answering:
    """One gateway, where ``saactors ctl`` looks for it."""
    (one,) = gateways("one")
    monkeypatch.setenv("SAACTORS_SOCKET", one.path)
    answering: Answering = one
    return answering


@pytest.fixture(scope="session")
def answers() -> Mapping[str, Mapping[str, Any]]:
    """What a gateway answers here, by command; each as its documented model has it."""
    for command, answer in ANSWERS.items():
        COMMANDS[command].answer.model_validate(answer)
    return ANSWERS
