"""Caches' rules beside libCacheSim, an oracle that shares no code with us.

Where a miss loads at once and a load takes no time, a rule here is a cache there: bursts of one
packet, each packet 1 ns after the last, a load that is done before the next packet. Both must count
the same hits, also where a rule leaves room for interpretation (rounding, ties, a card that is not
full yet). libCacheSim's S3-FIFO wants 20 slots or more: its small queue refuses what fills it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import libcachesim
import numpy as np
import numpy.typing as npt
import pytest

from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import customised
from saactors.lab.run import run_rule
from saactors.lab.trace import lab_trace
from saactors.model.packets import Route
from saactors.traces.columns import trace_columns

PACKETS: Final = 60_000
HASHPOWER: Final = 13  # its default takes 16 million buckets

Cache = Callable[..., libcachesim.CacheBase]

CACHES: Final[dict[str, Cache]] = {
    "lru": libcachesim.LRU,
    "fifo": libcachesim.FIFO,
    "clock": libcachesim.Clock,
    "sieve": libcachesim.Sieve,
    "s3-fifo": libcachesim.S3FIFO,
    "arc": libcachesim.ARC,
    "lfu": libcachesim.LFU,
}


def zipf(sas: int, exponent: float, seed: int) -> npt.NDArray[np.int64]:
    """An SA for every packet."""
    generator = np.random.default_rng(seed)
    weights = np.arange(1, sas + 1) ** -exponent
    return generator.choice(sas, PACKETS, p=weights / weights.sum())


def shifting(sas: int, exponent: float, seed: int) -> npt.NDArray[np.int64]:
    """The same with other SAs at the top in each tenth of it, and a scan in between."""
    drawn = zipf(sas, exponent, seed)
    drawn = (drawn + np.arange(PACKETS) // (PACKETS // 10) * 100) % sas
    drawn[PACKETS // 2 : PACKETS // 2 + sas] = np.arange(sas)
    return drawn


TRAFFIC: Final = {
    "zipf 1.0": zipf(5000, 1.0, 1),
    "zipf 0.7": zipf(2000, 0.7, 2),
    "shifting": shifting(3000, 1.1, 3),
}


def our_hits(rule: str, sas: npt.NDArray[np.int64], slots: int) -> int:
    """Packets that the card did."""
    card = customised(
        PROFILES["connectx6"],
        slots_max=slots,
        load_latency_ns=0,
        engine_packet_ns=0.0,
        engine_byte_ns=0.0,
    )
    times_ns = np.arange(len(sas), dtype=np.int64)
    columns = trace_columns("test", times_ns, sas, np.full(len(sas), 1500, np.int32))
    trace = lab_trace(columns, 1, 0)
    run_rule(trace, rule, {}, card, HOST)
    return int((trace.packets["route"] == Route.NIC).sum())


def their_hits(cache: Cache, sas: npt.NDArray[np.int64], slots: int) -> int:
    """Requests that hit."""
    simulated = cache(slots, hashpower=HASHPOWER)
    request = libcachesim.Request()
    request.obj_size = 1
    hits = 0
    for sa in sas.tolist():
        request.obj_id = sa + 1
        hits += simulated.get(request)
    return hits


@pytest.mark.parametrize("slots", [20, 100, 256])
@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize("rule", CACHES)
def test_hits_are_those_of_libcachesim(rule: str, traffic: str, slots: int) -> None:
    """Every one."""
    sas = TRAFFIC[traffic]
    assert our_hits(rule, sas, slots) == their_hits(CACHES[rule], sas, slots)
