"""From options to a system that is ready to run: built in the order of the data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from nicmodel.card import Card
from nicmodel.faults import FaultPlan
from nicmodel.profile import CardProfile
from saactors.actors.burst_news import BurstNews
from saactors.actors.card_news import CardNews
from saactors.actors.depth_news import depth_teller
from saactors.actors.placement_news import PlacementNews
from saactors.actors.signals import PlannedSignals
from saactors.actors.sinks import CaptureSink, Verifier
from saactors.actors.source import TraceSource
from saactors.errors import ParameterError
from saactors.esp.lifetimes import LifetimeEvent
from saactors.observe.decisions import DECISIONS
from saactors.observe.event_log import EventLogWriter
from saactors.observe.events import (
    EVENTS,
    USUAL_EVENTS,
    EdgeDepth,
    EdgeWaited,
    Event,
    LifetimeReached,
    SaAdded,
)
from saactors.observe.hottest import HottestSas
from saactors.observe.observer import Emitter, Listener, Observers
from saactors.observe.series import WAITING, SumSeries
from saactors.placement.cost import CostModel
from saactors.placement.table import Rule, make_rule, rule_entry
from saactors.placement.user_file import check_compilable, is_in_file
from saactors.replay.describe import describe_sa
from saactors.replay.files import check_files
from saactors.replay.options import ReplayOptions
from saactors.replay.security import Security, build_security
from saactors.runtime.clock import Clock, VirtualClock, WallClock
from saactors.scenario.equipment import card_profile, fault_plan, host_profile
from saactors.scenario.tables import Scenario
from saactors.streams.exit import Sink
from saactors.topology import EMITTERS, System
from saactors.traces.burst_former import BurstFormer
from saactors.traces.reader import CaptureReader, open_capture
from saactors.traces.receive_ring import ReceiveRing
from saactors.traces.writer import CaptureWriter


@dataclass
class Replay:
    """A replay that is built: what runs, and what it is made of."""

    options: ReplayOptions
    capture: CaptureReader
    profile: CardProfile
    security: Security
    observers: Observers
    tell: Callable[[Event], None]
    waiting: dict[str, SumSeries]
    verifier: Verifier | None
    source: TraceSource
    system: System


def build_replay(
    options: ReplayOptions,
    files: ExitStack,
    progress: Callable[[CaptureReader, int], None] | None,
    listeners: Sequence[Listener],
    signals: Sequence[tuple[int, bytes]],
    *,
    verbose: bool = False,
) -> Replay:
    """Build everything; ``files`` closes what is opened here.

    Raises:
        UserError: something that the options name cannot be used.
        OutputError: a file cannot be written.
    """
    scenario = options.scenario or Scenario()
    profile = card_profile(scenario, options.profile)
    rule = _rule(options, scenario, profile)
    security = build_security(options)
    capture = files.enter_context(open_capture(options.capture))
    check_files(options)
    clock: Clock = VirtualClock() if options.pace == "virtual" else WallClock(options.speed)
    observers = _observers(options, clock, files, listeners, verbose=verbose)
    emitters = {name: observers.emitter(rank) for rank, name in enumerate(EMITTERS)}
    verifier = Verifier(security.sas) if options.verify else None
    card = _card(options, profile, fault_plan(scenario))
    waiting: defaultdict[str, SumSeries] = defaultdict(lambda: SumSeries(*WAITING))

    def announce(received: range) -> None:
        if emitters["classifier"].wants(SaAdded):
            for sa in received:
                emitters["classifier"](describe_sa(security, sa, options, clock.now_ns()))

    announce(range(len(security.sas)))
    spi_of, verbose_log = security.sas.spi_of, observers.wants(EdgeDepth)
    burst_news = BurstNews(emitters["bursts"], clock, DECISIONS, spi_of)
    source = _source(options, capture, clock, emitters["source"], progress, burst_news)
    system = System(
        sources=(source,),
        classifier=security.classifier,
        announce=announce,
        limits=partial(_tell_limit, emitters["lifetimes"], security),
        rule=rule,
        hottest=HottestSas(rule.keeper.metrics_of),
        card=card,
        software_workers=options.software_workers,
        software_cost=rule.cost,
        software_crypto=security.crypto(),
        nic_crypto=security.crypto(),
        placement_news=PlacementNews(emitters["arbiter"], security.sas, rule),
        card_news=CardNews(card, emitters["nic"]),
        burst_news=burst_news,
        leave=security.exit(_sinks(options, capture, files, verifier)),
        clock=clock,
        emitters=emitters,
        on_wait=partial(_tell_wait, emitters["edges"], clock, waiting),
        spi_of=spi_of,
        on_depth=partial(_depth_teller, emitters["depths"], clock) if verbose_log else None,
        unblock=capture.interrupt,
        signals=PlannedSignals(signals, clock) if signals else None,
    )
    return Replay(
        options,
        capture,
        profile,
        security,
        observers,
        emitters["run"],
        waiting,
        verifier,
        source,
        system,
    )


def _tell_wait(
    emit: Emitter,
    clock: Clock,
    waiting: Mapping[str, SumSeries],
    edge: str,
    began_ns: int,
    waited_ns: int,
) -> None:
    waiting[edge].add_span(began_ns, began_ns + waited_ns)
    if emit.wants(EdgeWaited):
        emit(EdgeWaited(clock.now_ns(), edge, waited_ns))


def _depth_teller(emit: Emitter, clock: Clock, edge: str) -> Callable[[int], None]:
    return depth_teller(edge, emit, clock)


def _tell_limit(emit: Emitter, security: Security, event: LifetimeEvent) -> None:
    """Tell of it at its own place: components that finish at one instant have no order."""
    if emit.wants(LifetimeReached):
        spi = int(security.sas.records[event.sa]["spi"])
        told = LifetimeReached(event.time_ns, event.sa, spi, event.kind, event.limit)
        emit(told, event.number)


def _source(
    options: ReplayOptions,
    capture: CaptureReader,
    clock: Clock,
    emit: Emitter,
    progress: Callable[[CaptureReader, int], None] | None,
    news: BurstNews,
) -> TraceSource:
    def follow(packets: int) -> None:
        if progress is not None:
            progress(capture, packets)

    former = BurstFormer(options.burst, options.burst_wait_ns)
    ring = ReceiveRing(former, None if options.closed_loop else options.rx_ring)
    return TraceSource(capture, ring, clock, emit, follow, news, options.direction == "in")


def _rule(options: ReplayOptions, scenario: Scenario, profile: CardProfile) -> Rule:
    """The rule that the options name, else the scenario's; options go before the scenario."""
    host = host_profile(scenario)
    cost = CostModel(
        host.software_packet_ns,
        host.software_byte_ns,
        profile.nic_packet_ns,
        profile.nic_byte_ns,
        profile.load_host_ns,
    )
    name = options.rule or scenario.rule_name or "metric"
    entry = rule_entry(name)
    if entry.clairvoyant:
        expected = "a rule that need not know the future; this one is for the lab"
        raise ParameterError("rule", name, expected)
    parameters: dict[str, object] = {}
    if scenario.rule_name is None or rule_entry(scenario.rule_name) is entry:
        parameters.update(scenario.rule_parameters)
    parameters.update(options.rule_parameters)
    rule = make_rule(name, parameters, profile.slots_max, profile.loads_outstanding_max, cost)
    if is_in_file(name):
        check_compilable(name, entry, rule.arbiter)
    return rule


def _card(options: ReplayOptions, profile: CardProfile, faults: FaultPlan) -> Card:
    """The card, with chance of its own: what else the seed is used for does not move it."""
    return Card(profile, faults, np.random.default_rng([options.seed, 1]))


def _observers(
    options: ReplayOptions,
    clock: Clock,
    files: ExitStack,
    listeners: Sequence[Listener],
    *,
    verbose: bool,
) -> Observers:
    observers = Observers(clock.now_ns)
    if options.events is not None:
        log = files.enter_context(EventLogWriter(options.events))
        kinds = EVENTS.values() if options.events_verbose else USUAL_EVENTS
        observers.subscribe(log.write, kinds)
    for listener in listeners:
        observers.subscribe(listener, EVENTS.values() if verbose else USUAL_EVENTS)
    return observers


def _sinks(
    options: ReplayOptions, capture: CaptureReader, files: ExitStack, verifier: Verifier | None
) -> list[Sink]:
    def file(path: str | Path) -> CaptureWriter:
        return files.enter_context(CaptureWriter(path))

    sinks: list[Sink] = []
    if options.write_esp is not None:
        sinks.append(CaptureSink(file(options.write_esp), capture))
    if options.write_plain is not None:
        sinks.append(CaptureSink(file(options.write_plain), capture, only_processed=True))
    if verifier is not None:
        sinks.append(verifier)
    return sinks
