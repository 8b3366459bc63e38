"""From a gateway's file to parts that are ready to run, in the order of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from ipaddress import ip_interface
from itertools import count

import numpy as np

from nicmodel.card import Card
from nicmodel.profile import CardProfile
from saactors.actors.burst_news import BurstNews
from saactors.actors.card_news import CardNews
from saactors.actors.placement_news import PlacementNews
from saactors.esp.lifetimes import LifetimeEvent
from saactors.gateway.live_sas import LiveSas
from saactors.gateway.moves import HEARD, Moves
from saactors.gateway.outgoing import Network, Outgoing
from saactors.gateway.packet_tracer import PacketTracer, TracedClassifier
from saactors.gateway.parts import Parts
from saactors.gateway.ports.open import open_port
from saactors.gateway.ports.port import Port
from saactors.gateway.rates import Rates
from saactors.gateway.receiver import run_receiver
from saactors.gateway.reserved_sequences import ReservedSequences
from saactors.model.burst import Burst
from saactors.observe.decisions import DECISIONS
from saactors.observe.event_log import EventLogWriter
from saactors.observe.events import EdgeWaited, LifetimeReached
from saactors.observe.hottest import HottestSas
from saactors.observe.observer import Emitter, Observers
from saactors.placement.cost import CostModel
from saactors.placement.plan import RulePlan, plan_rule
from saactors.placement.steered import SteeredArbiter
from saactors.placement.steered_keeper import SteeredKeeper
from saactors.placement.table import Rule
from saactors.runtime.clock import Clock, WallClock
from saactors.runtime.edges import Outlet
from saactors.scenario.equipment import card_profile, fault_plan, host_profile
from saactors.scenario.gateway_tables import Live
from saactors.scenario.gateway_tables import Port as PortTable
from saactors.scenario.sa_tables import association_of
from saactors.scenario.tables import DEFAULT_RULE
from saactors.streams.both_ways import BothWaysCrypto
from saactors.streams.exit import Exit
from saactors.topology import EMITTERS, Control, Source, System


def build_gateway(file: Live, control: Control, files: ExitStack) -> Parts:
    """Open the ports and build everything; ``files`` closes what is opened here.

    Raises:
        UserError: a port, the rule or the card cannot be had as the file wants it.
        OutputError: a file cannot be written.
    """
    profile = card_profile(file)
    clock = WallClock()
    numbers = ReservedSequences(file.gateway.state)
    files.callback(numbers.close)
    sas = LiveSas(numbers, file.gateway.sas_max, file.replay_window)
    ports = [_opened(file, number, files) for number in range(len(file.ports))]
    rule, keeper, steered = _rule(file, profile)
    observers = Observers(clock.now_ns)
    if file.gateway.events is not None:
        log = files.enter_context(EventLogWriter(file.gateway.events))
        observers.subscribe(log.write)
    emitters = {name: observers.emitter(rank) for rank, name in enumerate(EMITTERS)}
    outgoing = Outgoing(
        ports, [_networks(port) for port in file.ports], sas.table, sas.learn_path_mtu
    )
    tracer = PacketTracer()
    crypto = [sas.crypto(), sas.crypto()]
    system = _system(
        file, profile, clock, sas, ports, rule, keeper, outgoing, tracer, crypto, emitters, control
    )
    moves = Moves(system.spi_of)
    observers.subscribe(moves.hear, HEARD)
    given = [
        (sa.name, sa.direction, association_of(sa, number, file.seed or 0))
        for number, sa in enumerate(file.sas)
    ]
    sas.policies.replace(file.policies)
    sas.add(given, 0, None)
    return Parts(
        file,
        profile,
        sas,
        crypto,
        keeper,
        steered,
        ports,
        outgoing,
        tracer,
        observers,
        moves,
        Rates(),
        clock,
        system,
    )


def plan_of(file: Live) -> RulePlan:
    """The rule that the file names, with its parameters.

    Raises:
        ParameterError: there is no such rule, or it cannot have these parameters.
    """
    cost = cost_of(file, card_profile(file))
    return plan_rule(file.rule_name or DEFAULT_RULE, file.rule_parameters, cost)


def cost_of(file: Live, profile: CardProfile) -> CostModel:
    """What a packet costs in software, on the card, and what a load costs."""
    host = host_profile(file)
    return CostModel(
        host.software_packet_ns,
        host.software_byte_ns,
        profile.nic_packet_ns,
        profile.nic_byte_ns,
        profile.load_host_ns,
    )


def _rule(file: Live, profile: CardProfile) -> tuple[Rule, SteeredKeeper, SteeredArbiter]:
    plan = plan_of(file)
    keeper = SteeredKeeper(plan)
    steered = SteeredArbiter(plan, profile.slots_max, profile.loads_outstanding_max)
    analysis = plan.parameters.analysis(plan.cost)
    rule = Rule(plan.name, keeper, steered, plan.parameters, analysis, plan.cost)
    return rule, keeper, steered


def _system(
    file: Live,
    profile: CardProfile,
    clock: Clock,
    sas: LiveSas,
    ports: Sequence[Port],
    rule: Rule,
    keeper: SteeredKeeper,
    outgoing: Outgoing,
    tracer: PacketTracer,
    crypto: Sequence[BothWaysCrypto],
    emitters: dict[str, Emitter],
    control: Control,
) -> System:
    def on_wait(edge: str, _began_ns: int, waited_ns: int) -> None:
        if emitters["edges"].wants(EdgeWaited):
            emitters["edges"](EdgeWaited(clock.now_ns(), edge, waited_ns))

    card = Card(profile, fault_plan(file), np.random.default_rng([file.seed or 0, 1]))
    news = BurstNews(emitters["bursts"], clock, DECISIONS, sas.table.spi_of)
    return System(
        sources=_sources(file, ports, clock, news),
        classifier=TracedClassifier(sas.classifier, tracer),
        announce=lambda _received: None,
        limits=partial(_tell_limit, emitters["lifetimes"], sas.table.spi_of),
        rule=rule,
        hottest=HottestSas(keeper.metrics_of),
        card=card,
        software_workers=file.gateway.software_workers,
        software_cost=None,
        software_crypto=crypto[0],
        nic_crypto=crypto[1],
        placement_news=PlacementNews(emitters["arbiter"], sas.table, rule),
        card_news=CardNews(card, emitters["nic"]),
        burst_news=news,
        leave=_exit(sas, outgoing),
        clock=clock,
        emitters=emitters,
        on_wait=on_wait,
        spi_of=sas.table.spi_of,
        control=control,
    )


def _exit(sas: LiveSas, outgoing: Outgoing) -> Exit:
    return Exit(sas.windows, [outgoing], sas.lifetimes, outgoing.on_refused)


def _sources(file: Live, ports: Sequence[Port], clock: Clock, news: BurstNews) -> list[Source]:
    """One receiver per port; bursts are numbered over all of them."""
    numbers = count()

    def receiver(port: Port) -> Source:
        async def receive(classifier: Outlet[Burst]) -> None:
            await run_receiver(
                port,
                classifier,
                file.gateway.burst,
                file.gateway.burst_wait_us * 1000,
                numbers.__next__,
                clock,
                news,
            )

        return receive

    return [receiver(port) for port in ports]


def _opened(file: Live, number: int, files: ExitStack) -> Port:
    port = open_port(file.ports[number], number)
    files.callback(port.close)
    return port


def _networks(port: PortTable) -> tuple[Network, ...]:
    """What an inside port reaches: what the file says, else the networks of its addresses."""
    if port.networks:
        return tuple(network for network in port.networks if network is not None)
    return tuple(ip_interface(address).network for address in port.addresses)


def _tell_limit(emit: Emitter, spi_of: Callable[[int], int], event: LifetimeEvent) -> None:
    if emit.wants(LifetimeReached):
        told = LifetimeReached(event.time_ns, event.sa, spi_of(event.sa), event.kind, event.limit)
        emit(told, event.number)
