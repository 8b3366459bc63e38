"""A sparse capture: every burst holds one packet, so all that a burst costs falls on it.

Beside it runs a bare chain: as many trio tasks and channels as a burst passes, with the two sleeps
it meets (for its arrival, and for its service time), on the same virtual clock, and nothing done in
between. That is the floor for any system of actors of this shape on trio.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import trio

from benchmarks.figures import Aim, Column, Section
from benchmarks.rounds import Effort, contend_work
from benchmarks.traffic import uniform_flows, write_capture
from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay
from saactors.runtime.clock import VirtualClock
from saactors.topology import BURSTS

PACKETS: Final = 50_000
SPACING_NS: Final = 1_000_000
SERVICE_NS: Final = 2_000
PACKET_BYTES: Final = 576
SAS: Final = 100
AIM_PACKETS_S: Final = 15_000
# Between classifier, keeper, arbiter and software; source and egress stand at the ends.
MIDDLE_TASKS: Final = 4

COLUMNS: Final = (
    Column("what", "\nwhat runs"),
    Column("packets", "\npackets", ",d"),
    Column("cpu_us", "CPU µs\nper packet", ",.1f"),
    Column("wall_us", "wall µs\nper packet", ",.1f"),
    Column("packets_per_cpu_s", "packets per\nCPU second", ",.0f"),
    Column("part", "of the\nreplay", ".0%"),
)


def measure(effort: Effort, folder: Path) -> Section:
    """Replay with and without cryptography, and run the bare chain."""
    packets = effort.packets(PACKETS)
    path = write_capture(
        folder / "sparse.pcap",
        np.full(packets, PACKET_BYTES),
        uniform_flows(packets, SAS),
        SPACING_NS,
    )
    timings = contend_work(
        {
            "replay": lambda: run_replay(path, "real"),
            "replay, --crypto none": lambda: run_replay(path, "none"),
            "bare chain of trio tasks": lambda: run_chain(packets),
        },
        effort.rounds,
    )
    replayed = timings["replay"]
    return Section(
        "Sparse capture",
        f"One packet of {PACKET_BYTES} bytes a millisecond, {SAS} SAs, metric rule, card 82599; "
        "nothing is written. The chain: 6 tasks, 5 channels and 2 sleeps a packet, nothing else.",
        COLUMNS,
        tuple(
            (
                name,
                packets,
                timing.cpu_ns / 1e3,
                timing.wall_ns / 1e3,
                1e9 / timing.cpu_ns,
                timing.times(replayed),
            )
            for name, timing in timings.items()
        ),
        (
            Aim(
                "bursts of one packet, replayed",
                1e9 / replayed.cpu_ns,
                AIM_PACKETS_S,
                "packets/s",
                spec=",.0f",
            ),
        ),
    )


def run_replay(path: Path, crypto: str) -> int:
    """Replay the capture; returns its packets."""
    return replay(ReplayOptions(capture=path, crypto=crypto)).packets.left


def run_chain(packets: int) -> int:
    """Send that many messages through a chain like the actors'."""
    clock = VirtualClock()
    return trio.run(chain, packets, clock, clock=clock)


async def chain(packets: int, clock: VirtualClock) -> int:
    """Source, middle tasks and sink; the last of the middle tasks sleeps, as software does."""
    arrived = 0
    async with trio.open_nursery() as nursery:
        send, receive = trio.open_memory_channel[int](BURSTS)
        nursery.start_soon(source, packets, send, clock)
        for task in range(MIDDLE_TASKS):
            following, following_receive = trio.open_memory_channel[int](BURSTS)
            sleep_ns = SERVICE_NS if task == MIDDLE_TASKS - 1 else 0
            nursery.start_soon(pass_on, receive, following, clock, sleep_ns)
            receive = following_receive
        async for _ in receive:
            arrived += 1
    return arrived


async def source(packets: int, following: trio.MemorySendChannel[int], clock: VirtualClock) -> None:
    """A message every ``SPACING_NS``."""
    with following:
        for packet in range(packets):
            await clock.sleep_until_ns(packet * SPACING_NS)
            following.send_nowait(packet)


async def pass_on(
    messages: trio.MemoryReceiveChannel[int],
    following: trio.MemorySendChannel[int],
    clock: VirtualClock,
    sleep_ns: int,
) -> None:
    """Hand every message on, after a sleep if one is due."""
    with following:
        async for message in messages:
            if sleep_ns:
                await clock.sleep_until_ns(clock.now_ns() + sleep_ns)
            following.send_nowait(message)
