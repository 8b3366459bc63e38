"""Whole systems in virtual time: traffic from a seed, small cards, and a look at what leaves."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import dpkt
import numpy as np
import numpy.typing as npt
import pytest
import trio
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from saactors.esp.keys import derive_keys
from saactors.model.burst import Component, Finished
from saactors.observe.events import Event
from saactors.replay.build import Replay, build_replay
from saactors.replay.options import ReplayOptions
from saactors.replay.outcome import result_of
from saactors.report.result import RunResult
from saactors.runtime.scheduler import seed_scheduler
from saactors.scenario.load import scenario_of
from saactors.topology import run_system

EventT = TypeVar("EventT", bound=Event)
Packets = Iterable[tuple[int, int, int]]  # time_ns, flow, length_bytes

# A card of three slots whose figures are easy to reckon with: a load takes 4 µs, two may be under
# way, the engine serves a packet in 100 ns.
CARD: Mapping[str, Any] = {
    "slots_max": 3,
    "load_latency_ns": 4000,
    "load_timeout_ns": 12_000,
    "load_host_ns": 2000,
    "loads_at_once": 1,
    "load_queue_max": 1,
    "load_full": "refuse",
    "engine_packet_ns": 100.0,
    "engine_byte_ns": 0.0,
    "nic_packet_ns": 200.0,
    "nic_byte_ns": 0.0,
}
HOST: Mapping[str, Any] = {"software_packet_ns": 1000.0, "software_byte_ns": 0.0}

# Moves are cheap and memories short, so that much happens in few packets.
RULE: Mapping[str, Any] = {
    "threshold": 2.0,
    "bonus": 1.0,
    "decay": "factor:0.5",
    "period_ns": 50_000,
}


class Left(NamedTuple):
    """A packet that has left."""

    flow: int
    sa: int
    order: int
    sequence: int
    component: Component
    arrived_ns: int
    left_ns: int


class Opened(NamedTuple):
    """A packet of a written ESP capture, decrypted: its headers, and what its payload says."""

    spi: int
    sequence: int
    iv: bytes
    flow: int
    number: int


@dataclass
class Run:
    """What a run did, seen from outside."""

    built: Replay
    events: list[Event] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    def take(self, finished: Finished, positions: npt.NDArray[np.int32], now_ns: int) -> None:
        """Note the packets that leave (``saactors.streams.exit.Sink``)."""
        for packet in finished.burst.packets[finished.rows[positions]]:
            flow = int(packet["source_low"]) & 0xFFFF  # as write_traffic has it
            numbers = (int(packet[name]) for name in ("sa", "order", "sequence"))
            arrived_ns = int(packet["time_ns"])
            self.left.append(Left(flow, *numbers, finished.component, arrived_ns, now_ns))

    def told(self, kind: type[EventT]) -> list[EventT]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def result(self) -> RunResult:
        """What the run says of itself."""
        return result_of(self.built, wall_s=0)


@pytest.fixture(scope="session")
def simulate(
    write_traffic: Callable[[Path, Packets], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Run]:
    """Run a system over these packets; ``card``, ``faults``, ``host`` and ``rule`` change figures.

    ``more`` goes into the scenario. Every ``watch_ns`` of virtual time ``watch`` gets the run to
    look at. What is not named here is an option of the replay.
    """
    folder = tmp_path_factory.mktemp("simulated")

    def run(
        packets: Packets,
        *,
        card: Mapping[str, Any] | None = None,
        faults: Mapping[str, Any] | None = None,
        host: Mapping[str, Any] | None = None,
        rule: Mapping[str, Any] | None = None,
        rule_name: str = "metric",
        more: Mapping[str, Any] | None = None,
        watch: Callable[[Run], None] | None = None,
        watch_ns: int = 1000,
        signals: Sequence[tuple[int, bytes]] = (),
        scheduler_seed: int = 0,
        **options: Any,
    ) -> Run:
        described = {
            "card": {**CARD, **(card or {}), "faults": dict(faults or {})},
            "host": {**HOST, **(host or {})},
            **(more or {}),
        }
        chosen = ReplayOptions(
            capture=write_traffic(folder / "traffic.pcap", packets),
            scenario=scenario_of("simulated", described),
            rule=rule_name,
            rule_parameters={**RULE, **(rule or {})} if rule_name == "metric" else {},
            **options,
        )
        return _run(chosen, signals, scheduler_seed, watch, watch_ns)

    return run


def _run(
    options: ReplayOptions,
    signals: Sequence[tuple[int, bytes]],
    scheduler_seed: int,
    watch: Callable[[Run], None] | None,
    watch_ns: int,
) -> Run:
    events: list[Event] = []
    with ExitStack() as files:
        built = build_replay(options, files, None, [events.append], signals)
        run = Run(built, events)
        sinks = [run, *built.system.leave._sinks]
        built.system.leave = built.security.exit(sinks)
        clock = built.system.clock

        async def look() -> None:
            while watch is not None:
                watch(run)
                await clock.sleep_until_ns(clock.now_ns() + watch_ns)

        async def scene() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(look)
                await run_system(built.system)
                nursery.cancel_scope.cancel()

        seed_scheduler(scheduler_seed)
        trio.run(scene, clock=clock)
        built.observers.flush()
    return run


@pytest.fixture(scope="session")
def traffic() -> Callable[..., list[tuple[int, int, int]]]:
    """Packets from a seed: a few flows carry most of them, and every so often they are others."""

    def make(
        seed: int, packets: int = 1000, *, flows: int = 12, gap_ns: int = 1500, phases: int = 20
    ) -> list[tuple[int, int, int]]:
        generator = np.random.default_rng(seed)
        gaps = generator.exponential(gap_ns, packets).astype(np.int64)
        gaps[0] = 0
        popularity = 1 / np.arange(1, flows + 1) ** 1.5
        popularity /= popularity.sum()
        chosen = [
            generator.permutation(flows)[generator.choice(flows, len(part), p=popularity)]
            for part in np.array_split(np.arange(packets), phases)
        ]
        lengths = generator.choice([60, 576, 1400], packets)
        columns = (np.cumsum(gaps), np.concatenate(chosen), lengths)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    return make


@pytest.fixture(scope="session")
def open_esp() -> Callable[[Path, int], list[Opened]]:
    """Decrypt a written ESP capture without any code of ours but the keys of a seed."""

    def read(path: Path, seed: int) -> list[Opened]:
        with path.open("rb") as file:
            return [_opened(packet, seed) for _, packet in dpkt.pcap.Reader(file)]

    return read


def _opened(packet: bytes, seed: int) -> Opened:
    """RFC 4303 in tunnel mode over IPv4 with AES-GCM-128 (RFC 4106)."""
    esp = bytes(dpkt.ip.IP(packet).data)
    spi, sequence = struct.unpack(">II", esp[:8])
    row = derive_keys(seed, spi - 0xC000_0000, 1)[0].tobytes()
    inner = AESGCM(row[:16]).decrypt(row[-4:] + esp[8:16], esp[16:], esp[:8])
    flow, number = struct.unpack(">II", inner[28:36])
    return Opened(spi, sequence, esp[8:16], flow, number)
