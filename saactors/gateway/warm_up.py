"""Compiled code made ready before the first packet: that must not wait seconds for a compiler.

Numba compiles a function when it is first called, and keeps the code on disk: the first start on a
machine takes a minute, later ones seconds. So packets go out and back in here, on the way that live
ones take, through parts that are thrown away.
"""

from __future__ import annotations

import secrets
import tempfile
from ipaddress import IPv4Address
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.esp.association import Association
from saactors.gateway.live_sas import LiveSas
from saactors.gateway.receiver import closed_up
from saactors.gateway.reserved_sequences import ReservedSequences
from saactors.model.burst import Burst, Component, Finished, Share
from saactors.model.packets import PACKET, Route
from saactors.placement.plan import RulePlan
from saactors.scenario.tables import Policy
from saactors.streams.exit import Exit
from saactors.streams.shares import Splitter
from saactors.traces.decode import fill_packet
from saactors.traces.links import RAW

_PACKET: Final = bytes.fromhex("4500001c00010000401166cf0a0000010a00000204d204d200080000")
_HERE: Final = IPv4Address("192.0.2.1")


def warm_up(plan: RulePlan) -> None:
    """Let everything that packets go through be compiled, and the rule's functions too."""
    plan.compile()
    with tempfile.TemporaryDirectory() as folder:
        numbers = ReservedSequences(folder)
        sas = LiveSas(numbers, 8)
        association = Association(
            spi=0x100, suite="aes-gcm-128", key=secrets.token_bytes(20), source=_HERE,
            destination=_HERE,
        )  # fmt: skip
        sas.policies.add(Policy(action="protect", sa="out"))
        sas.add([("out", "out", association)], 0, None)
        sealed = _through(sas, plan, np.frombuffer(_PACKET, np.uint8), inbound=False)
        sas.begin_delete(sas.find(0x100))
        sas.add([("in", "in", association)], 0, None)
        opened = _through(sas, plan, sealed, inbound=True)
        assert opened.tobytes() == _PACKET, "what goes out comes back in"
        numbers.close()


class _Kept:
    """A sink that keeps the last packet that left."""

    def __init__(self) -> None:
        self.packet = np.zeros(0, np.uint8)

    def take(self, finished: Finished, positions: npt.NDArray[np.int32], _now_ns: int) -> None:
        """Keep the first of these packets."""
        assert finished.data is not None, "the cryptography is real"
        start, length = finished.starts[positions[0]], finished.lengths[positions[0]]
        self.packet = np.frombuffer(finished.data, np.uint8)[start : start + length].copy()


def _through(
    sas: LiveSas,
    plan: RulePlan,
    packet: npt.NDArray[np.uint8],
    *,
    inbound: bool,
) -> npt.NDArray[np.uint8]:
    """One packet through all cores; returns what leaves."""
    kept = _Kept()
    leave = Exit(sas.windows, [kept], sas.lifetimes)
    keeper, arbiter = plan.keeper(0), plan.arbiter(1, 1)
    packets = np.zeros(1, PACKET)
    fill_packet(packets[0], packet, 0, len(packet), len(packet), RAW, 0)
    burst = Burst(closed_up(packet, packets), packets, 0, inbound=inbound)
    sas.classifier.classify(burst, 0)
    keeper.receive(burst.sa_count)
    keeper.observe(packets)
    arbiter.receive(burst.sa_count)
    arbiter.decide(packets, 0, 0)
    packets["route"] = Route.SOFTWARE
    for _, share in Splitter(1).split(burst):
        leave.accept(sas.crypto().process(share, Component.SOFTWARE), 0)
    leave.accept_unprocessed(Share(burst, np.zeros(0, np.int32)), 0)
    return kept.packet
