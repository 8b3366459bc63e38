"""What an actor is tested with: virtual time, real edges, real packets and an ear for events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

from saactors.actors.burst_news import BurstNews
from saactors.model.burst import Burst, Share
from saactors.model.packets import PACKET, Chunk
from saactors.model.sa import SaTable
from saactors.observe.decisions import DECISIONS
from saactors.observe.events import Event
from saactors.observe.observer import Emitter, Observers
from saactors.placement.cost import CostModel
from saactors.runtime.clock import VirtualClock
from saactors.runtime.edges import Edge, Inlet, Outlet, open_edge
from saactors.runtime.scheduler import seed_scheduler
from saactors.streams.sa_maker import SaMaker, SaTemplate
from saactors.traces.reader import open_capture

Packets = Iterable[tuple[int, int, int]]  # time_ns, SA, length_bytes

# A packet costs 2000 ns in software and 400 ns on the card, a load 8000 ns: worth 5 packets.
COST = CostModel(2000, 0, 400, 0, 8000)


class Stage:
    """Virtual time for an actor, with what surrounds it; ``events`` is what was told."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.events: list[Event] = []
        self._observers = Observers(self.clock.now_ns)
        self._observers.subscribe(self.events.append)

    def edge(self, capacity: int = 8) -> tuple[Outlet[Any], Inlet[Any]]:
        """Both ends of an edge."""
        return open_edge(Edge("a_b", "a", "b", "messages", capacity, "waits", "test"), self.clock)

    def emitter(self) -> Emitter:
        """The actor's way to tell of events."""
        return self._observers.emitter(0)

    def news(self) -> BurstNews:
        """The actor's way to tell of bursts."""
        emit = self._observers.emitter(99)
        return BurstNews(emit, self.clock, DECISIONS, int)

    def run(self, scene: Callable[[], Awaitable[None]], seed: int = 0) -> None:
        """Run ``scene``; tasks of one instant take turns by ``seed``."""
        seed_scheduler(seed)
        trio.run(scene, clock=self.clock)
        self._observers.flush()

    async def feed(self, outlet: Outlet[Any], messages: Iterable[tuple[int, Any]]) -> None:
        """Send each message at its instant, then close the edge."""
        with outlet:
            for instant_ns, message in messages:
                await self.clock.sleep_until_ns(instant_ns)
                await outlet.send(message)

    async def collect(self, inlet: AsyncIterator[Any], into: list[tuple[int, Any]]) -> None:
        """Note every message and when it came, until the edge closes."""
        async for message in inlet:
            into.append((self.clock.now_ns(), message))  # noqa: PERF401 - seen while it grows


@pytest.fixture
def stage() -> Stage:
    """A stage at instant 0."""
    return Stage()


@pytest.fixture(scope="session")
def new_stage() -> type[Stage]:
    """Stages for tests that play a scene more than once."""
    return Stage


@pytest.fixture(scope="session")
def cost() -> CostModel:
    """Round figures."""
    return COST


def sa_columns(sas: Sequence[int], **fields: object) -> Burst:
    """A burst without bytes: a packet of 100 bytes per SA given."""
    packets = np.zeros(len(sas), PACKET)
    packets["sa"], packets["length_bytes"] = sas, 100
    for name, value in fields.items():
        packets[name] = value
    return Burst(np.zeros(0, np.uint8), packets, 0, sa_count=max(sas, default=-1) + 1)


@pytest.fixture(scope="session")
def burst_of() -> Callable[..., Burst]:
    """Make a burst of packets of these SAs."""
    return sa_columns


@pytest.fixture(scope="session")
def chunk_of(
    write_traffic: Callable[[Path, Packets], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Packets], Chunk]:
    """Make a chunk of real packets from (time_ns, SA, length_bytes), classified already."""
    folder = tmp_path_factory.mktemp("chunks")
    numbers = count()

    def make(packets: Packets) -> Chunk:
        packets = list(packets)
        path = write_traffic(folder / f"{next(numbers)}.pcap", packets)
        with open_capture(path) as reader:
            (read,) = reader
            chunk = Chunk(read.data.copy(), read.packets.copy())
        sas = [sa for _, sa, _ in packets]
        chunk.packets["sa"] = sas
        chunk.packets["order"] = [sas[:row].count(sa) for row, sa in enumerate(sas)]
        chunk.packets["sequence"] = chunk.packets["order"] + 1
        return chunk

    return make


@pytest.fixture(scope="session")
def share_of(chunk_of: Callable[[Packets], Chunk]) -> Callable[..., Share]:
    """Make a share of a burst: packets of these SAs, all arrived at 0, and of them these rows."""

    def make(sas: Sequence[int], rows: Sequence[int] | None = None, length: int = 100) -> Share:
        chunk = chunk_of([(0, sa, length) for sa in sas])
        burst = Burst(chunk.data, chunk.packets, 0, sa_count=max(sas) + 1)
        chosen = range(len(sas)) if rows is None else rows
        return Share(burst, np.array(chosen, np.int32))

    return make


@pytest.fixture(scope="session")
def sas() -> SaTable:
    """Eight SAs in tunnel mode."""
    table = SaTable()
    SaMaker([SaTemplate()], seed=1).make(table, np.zeros(8, np.int32))
    return table
