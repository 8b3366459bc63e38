"""A gateway to look at: the real control server, with two hundred SAs and a test's events behind.

What is behind it is the other side of the server's Protocol, as a gateway is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from saactors.errors import ControlError
from saactors.gateway.control.schema import COMMANDS, read_arguments
from saactors.gateway.control.server import run_control
from saactors.gateway.control.socket_file import SocketFile
from saactors.observe.events import Event

FIRST_SPI = 0x1000
SLOTS = 8


def sa_row(index: int) -> dict[str, Any]:
    """SA number ``index``: the lower, the busier; the first few are on the card."""
    return {
        "sa": index, "spi": FIRST_SPI + index, "name": f"branch-{index}",
        "direction": "in" if index % 2 else "out", "suite": "aes-gcm-128", "mode": "tunnel",
        "source": None if index % 2 else "192.0.2.1", "destination": "2001:db8::1",
        "where": "nic" if index < SLOTS else "software", "pinned": "nic" if index == 1 else "auto",
        "metric": 900.5 - index, "packets": 10, "bytes": 1000, "nic_packets": 5,
        "packets_per_s": 20_000.0 - index, "bits_per_s": 8_000_000.0, "saved_ns": 31e6 - index,
        "moves": index % 7,
    }  # fmt: skip


def status_at(uptime_ns: int, *, dropped: int = 3) -> dict[str, Any]:
    """A status; a thousand packets a second go through the card."""
    packets = uptime_ns // 1_000_000

    def edge(source: str, target: str, queued: int, waits: int) -> dict[str, Any]:
        return {
            "name": f"{source}_{target}", "source": source, "target": target, "carries": "bursts",
            "capacity": 8, "queued": queued, "high_water": 8, "sent": 500, "waits": waits,
            "waited_ns": waits * 1000,
        }  # fmt: skip

    return {
        "version": "9.9", "name": "edge-1", "pid": 4242, "started_epoch_ns": 0,
        "uptime_ns": uptime_ns, "ready": True, "draining": False, "tasks": 20,
        "rule": {"name": "metric", "parameters": {}, "threshold": 500.0},
        "card": {
            "profile": "82599", "slots_max": SLOTS, "residents": SLOTS, "loading": 1, "pinned": 1,
            "loads": 50, "loads_refused": 2, "loads_lost": 0, "evictions": 40, "resets": 0,
            "engine_queue_packets": 12,
        },
        "packets": {
            "in_packets": packets, "out_packets": packets, "in_flight_packets": 4,
            "software_packets": 0, "nic_packets": packets, "bypass_packets": 0,
            "software_bytes": 0, "nic_bytes": packets * 1000, "bypass_bytes": 0,
            "dropped": {"replayed": dropped},
        },
        "edges": [
            edge("source", "classifier", 1, 0), edge("classifier", "keeper", 1, 7),
            edge("keeper", "arbiter", 1, 0), edge("arbiter", "nic", 8, 5),
            edge("nic", "egress", 0, 0),
        ],
        "ports": [], "sas": {"total": 200, "outbound": 100, "inbound": 100, "software": 192,
                             "loading": 0, "nic": 8},
        "attached": [], "events_lost": 0,
    }  # fmt: skip


class Listening:
    """An attachment that a test fills; it holds all."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lost = 0
        self._news = trio.Event()
        self._ended = False

    def put(self, events: Sequence[Event], lost: int = 0) -> None:
        """Events to be sent, and how many were lost behind them."""
        self._events += events
        self._lost += lost
        self._news.set()

    def end(self) -> None:
        """No more events."""
        self._ended = True
        self._news.set()

    async def batch(self) -> tuple[Sequence[Event], int]:
        """What there is."""
        while not self._events and not self._lost:
            if self._ended:
                raise trio.EndOfChannel
            await self._news.wait()
            self._news = trio.Event()
        events, lost = self._events, self._lost
        self._events, self._lost = [], 0
        return events, lost

    def close(self) -> None:
        """Nothing is to be done."""


class Watched:
    """Behind the server, and what a test does with it."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.opened: list[tuple[Sequence[str], Sequence[int], int]] = []
        self.told: list[tuple[Sequence[Event], int]] = []  # to whoever attaches, at once
        self.ends = False  # whether it ends then
        self._statuses = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._run,))

    async def call(self, command: str, arguments: dict[str, Any]) -> Mapping[str, Any]:
        """Answer as a gateway does; answers fit the documented models."""
        read_arguments(command, arguments)
        self.asked.append((command, arguments))
        answer = self._answer(command, arguments)
        COMMANDS[command].answer.model_validate(answer)
        return answer

    def _answer(self, command: str, asked: dict[str, Any]) -> dict[str, Any]:
        if command == "status":
            self._statuses += 1
            return status_at(self._statuses * 10**9)
        if command == "card.show":
            residents = [{"sa": index, "spi": FIRST_SPI + index, "metric": 1.0} for index in (0, 1)]
            return status_at(1)["card"] | {"figures": {}, "resident_sas": residents}
        if command == "sa.list":
            return _page(asked)
        index = asked["spi"] - FIRST_SPI
        if not 0 <= index < 200:
            raise ControlError("spi", f"{asked['spi']:#x}", "an SA's")
        return sa_row(index) | {
            "source_port": None, "destination_port": None, "extended_sequence": False,
            "sequence": 9, "replay_window": None, "lifetime": {}, "streams": 1,
        }  # fmt: skip

    def open_attachment(self, kinds: Sequence[str], sas: Sequence[int], sample: int) -> Listening:
        """One that is filled at once."""
        self.opened.append((list(kinds), list(sas), sample))
        listening = Listening()
        for events, lost in self.told:
            listening.put(events, lost)
        if self.ends:
            listening.end()
        return listening

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(run_control, self, SocketFile(self.path))
                self._ready.set()

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        """End, as a gateway does."""
        if self._thread.is_alive():
            trio.from_thread.run_sync(self._scope.cancel, trio_token=self._token)
        self._thread.join(10)
        assert not self._thread.is_alive()


def _page(asked: dict[str, Any]) -> dict[str, Any]:
    rows = [sa_row(index) for index in range(200)]
    rows = [row for row in rows if asked.get("search", "") in row["name"]]
    rows = [row for row in rows if asked.get("where") in {None, row["where"]}]
    rows.sort(key=lambda row: float(row[asked["sort"]]), reverse=asked["descending"])
    shown = rows[asked["offset"] : asked["offset"] + asked["limit"]]
    return {"total": 200, "matched": len(rows), "rows": shown}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Watched]:
    """A gateway that runs; its socket is ``gateway.path``."""
    watched = Watched(tmp_path / "control.sock")
    watched.start()
    try:
        yield watched
    finally:
        watched.stop()


@pytest.fixture
def status() -> Callable[..., dict[str, Any]]:
    """A status, by the time since the start."""
    return status_at


@pytest.fixture
def sa() -> Callable[[int], dict[str, Any]]:
    """An SA, by its index."""
    return sa_row
