"""What a gateway is made of, once it is built: for those who look at it and for those who steer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nicmodel.profile import CardProfile
from saactors.gateway.live_sas import LiveSas
from saactors.gateway.moves import Moves
from saactors.gateway.outgoing import Outgoing
from saactors.gateway.packet_tracer import PacketTracer
from saactors.gateway.ports.port import Port
from saactors.gateway.rates import Rates
from saactors.observe.observer import Observers
from saactors.placement.steered import SteeredArbiter
from saactors.placement.steered_keeper import SteeredKeeper
from saactors.runtime.clock import Clock
from saactors.scenario.gateway_tables import Live
from saactors.streams.both_ways import BothWaysCrypto
from saactors.topology import System


@dataclass(slots=True, eq=False)
class Parts:
    """All parts; each is owned by the actor that it was given to, and changed between bursts."""

    file: Live
    profile: CardProfile
    sas: LiveSas
    crypto: Sequence[BothWaysCrypto]
    keeper: SteeredKeeper
    steered: SteeredArbiter
    ports: Sequence[Port]
    outgoing: Outgoing
    tracer: PacketTracer
    observers: Observers
    moves: Moves
    rates: Rates
    clock: Clock
    system: System
