"""The picture in code: which actors there are, who may talk to whom, and how much may be under way.

    source → classifier → keeper → arbiter ─┬→ software ─┬→ egress
                           ↑↑ ↑      ↑ │    ├→ nic ──────┤
                      decay┘│ └──────┼─│────┘ │          │
                        ↑   │        └─┼──────┘          │
                     signals┘          └── past both ────┘

``edges`` is the drawing as data: the wiring below goes by it, and ``docs/architecture.md`` shows
what ``draw`` makes of it. Data flows one way, so a trace ends by every actor closing its outlets
behind it; only the card's reports flow back, over edges wide enough never to block.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any, Final, Protocol, TypeAlias

import trio

from nicmodel.card import Card
from nicmodel.profile import CardProfile
from saactors.actors.arbiter import Steering, run_arbiter
from saactors.actors.burst_news import BurstNews
from saactors.actors.card_news import CardNews
from saactors.actors.classifier import Classifier, run_classifier
from saactors.actors.decay import run_decay
from saactors.actors.egress import run_egress
from saactors.actors.keeper import run_keeper
from saactors.actors.nic import run_nic
from saactors.actors.placement_news import PlacementNews
from saactors.actors.signals import run_signals
from saactors.actors.software import run_software
from saactors.esp.lifetimes import LifetimeEvent
from saactors.model.burst import Burst
from saactors.observe.hottest import HottestSas
from saactors.observe.observer import Emitter
from saactors.placement.cost import CostModel
from saactors.placement.table import Rule
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Edge, Gauge, Inlet, Outlet, WaitListener, open_edge
from saactors.streams.crypto import Crypto
from saactors.streams.exit import Exit
from saactors.streams.shares import Splitter

# Bursts on an edge: with bursts of 256 about what a receive queue of 2048 descriptors holds.
BURSTS: Final = 8
TICKS: Final = 4
SIGNALS: Final = 16
# Resets that somebody may ask for before the arbiter has heard of the first.
RESETS_ASKED: Final = 64

# The emitting actors, in the order in which events of one instant are told.
EMITTERS: Final = (
    "run",
    "signals",
    "source",
    "classifier",
    "lifetimes",
    "keeper",
    "arbiter",
    "nic",
    "egress",
    "edges",
    "depths",
    "bursts",
    "log",
)


def edges(profile: CardProfile, software_workers: int = 1, resets: int = 0) -> tuple[Edge, ...]:
    """Every edge of a system with that card and that many software workers."""
    loads = profile.loads_outstanding_max
    rare = "changes are rare; whoever sends more within a period waits for its end"
    some = "a receive queue's worth of bursts: more would only add latency"
    waits = "the sender waits"
    behind = "never: wide enough for all that can be unread"
    workers = [f"software_{number}" for number in range(software_workers)]
    return (
        _edge("source", "classifier", "bursts", BURSTS, waits, some),
        _edge("classifier", "keeper", "bursts", BURSTS, waits, some),
        *(
            _edge("signals", follower, "rule changes", SIGNALS, waits, rare)
            for follower in ("keeper", "decay")
        ),
        _edge(
            "decay",
            "keeper",
            "ticks",
            TICKS,
            waits,
            "ticks carry their nominal time, so a late one is as good",
        ),
        _edge("keeper", "arbiter", "bursts, reviews, changes", BURSTS, waits, some),
        _edge("arbiter", "nic", "shares, commands", BURSTS, waits, some),
        *(_edge("arbiter", worker, "shares", BURSTS, waits, some) for worker in workers),
        _edge("arbiter", "egress", "shares without crypto", BURSTS, waits, some),
        _edge("nic", workers[0], "shares the card could not do", BURSTS, waits, some),
        *(_edge(worker, "egress", "finished shares", BURSTS, waits, some) for worker in workers),
        _edge("nic", "egress", "finished shares", BURSTS, waits, some),
        _edge(
            "nic",
            "arbiter",
            "completions",
            loads + resets,
            behind,
            "one per load command that may be unanswered, one per reset",
        ),
        _edge(
            "nic",
            "keeper",
            "completions",
            (loads + resets) * (BURSTS + 2),
            behind,
            "while the keeper waits, the arbiter works through an edge full of bursts",
        ),
    )


def _edge(source: str, target: str, carries: str, capacity: int, full: str, why: str) -> Edge:
    return Edge(f"{source}_{target}", source, target, carries, capacity, full, why)


def draw(drawn: Sequence[Edge]) -> str:
    """The edges as a Mermaid flow chart."""
    lines = [f"    {edge.source} -->|{edge.carries}| {edge.target}" for edge in drawn]
    return "\n".join(["flowchart LR", *lines])


Source: TypeAlias = Callable[[Outlet[Burst]], Awaitable[None]]  # sends bursts until none are left


class Control(Protocol):
    """Who steers a system that runs: the rule by ``follow``, the card by the arbiter."""

    @property
    def steering(self) -> Steering:
        """What the arbiter asks for commands that no burst has led to."""

    def wired(self, outlets: Mapping[str, Outlet[Any]], /) -> None:
        """The outlets by the names of their edges: rule changes and instructions may be sent."""

    async def flush(self) -> None:
        """Wait until all that has left has been taken by the ports."""


@dataclass
class System:
    """Everything the actors are given, built and not yet running."""

    sources: Sequence[Source]
    classifier: Classifier
    announce: Callable[[range], None]
    limits: Callable[[LifetimeEvent], None]
    rule: Rule
    hottest: HottestSas
    card: Card
    software_workers: int
    software_cost: CostModel | None  # what a share takes of a core's time; None: as it comes
    software_crypto: Crypto
    nic_crypto: Crypto
    placement_news: PlacementNews
    card_news: CardNews
    burst_news: BurstNews
    leave: Exit
    clock: Clock
    emitters: Mapping[str, Emitter]
    on_wait: WaitListener | None
    spi_of: Callable[[int], int]
    on_depth: Callable[[str], Callable[[int], None]] | None = None  # who is told of an edge's depth
    unblock: Callable[[], None] = lambda: None  # called by a signal's handler, may raise OSError
    signals: AsyncIterator[bytes] | None = None
    control: Control | None = None
    gauges: dict[str, Gauge] = field(default_factory=dict)
    receiving: trio.CancelScope = field(default_factory=trio.CancelScope)  # cancelled: drain
    interrupted: bool = False


async def run_system(system: System, *, stop_on_signal: bool = False) -> None:
    """Run the actors until the last packet has left, or until SIGINT or SIGTERM if asked to."""
    outlets: dict[str, Outlet[Any]] = {}
    inlets: dict[str, Inlet[Any]] = {}
    workers = system.software_workers
    resets = len(system.card.resets_planned_ns) + (RESETS_ASKED if system.control else 0)
    for edge in edges(system.card.profile, workers, resets):
        outlets[edge.name], inlets[edge.name] = open_edge(edge, system.clock, system.on_wait)
        gauge = system.gauges[edge.name] = outlets[edge.name].gauge
        if system.on_depth is not None:
            gauge.watch = system.on_depth(edge.name)
    if system.control is not None:
        system.control.wired(outlets)
    async with trio.open_nursery() as nursery:
        if stop_on_signal:
            nursery.start_soon(_stop_on_signal, system, nursery.cancel_scope)
        async with trio.open_nursery() as actors:
            _start_feeding(system, actors, outlets, inlets)
            _start_placing(system, actors, outlets, inlets)
            await run_egress(
                [
                    *(inlets[f"software_{number}_egress"] for number in range(workers)),
                    inlets["nic_egress"],
                ],
                inlets["arbiter_egress"],
                system.leave,
                system.clock,
                system.emitters["egress"],
                system.limits,
                system.burst_news,
                system.control.flush if system.control is not None else None,
            )
            actors.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


def _start_feeding(
    system: System,
    actors: trio.Nursery,
    outlets: Mapping[str, Outlet[Any]],
    inlets: Mapping[str, Inlet[Any]],
) -> None:
    """Source, classifier, keeper, decay timer and the control side."""
    clock, rule = system.clock, system.rule
    steered = system.signals is not None or system.control is not None
    actors.start_soon(_run_sources, system, outlets["source_classifier"])
    actors.start_soon(
        run_classifier,
        inlets["source_classifier"],
        outlets["classifier_keeper"],
        system.classifier,
        system.announce,
        system.limits,
        clock,
        system.burst_news,
    )
    actors.start_soon(
        partial(run_keeper, follows_at_once=system.control is not None),
        inlets["classifier_keeper"],
        inlets["decay_keeper"],
        inlets["nic_keeper"],
        outlets["keeper_arbiter"],
        rule.keeper,
        clock,
        rule.parameters.period_ns,
        rule.parameters.decide,
        system.hottest,
        system.burst_news,
        inlets["signals_keeper"] if steered else None,
        system.emitters["keeper"],
        system.spi_of,
    )
    actors.start_soon(
        run_decay,
        inlets["signals_decay"],
        outlets["decay_keeper"],
        rule.parameters.period_ns,
        clock,
    )
    if system.signals is not None:
        actors.start_soon(
            run_signals,
            system.signals,
            [outlets["signals_keeper"], outlets["signals_decay"]],
            rule.name,
            rule.cost,
            clock,
            system.emitters["signals"],
        )


async def _run_sources(system: System, classifier: Outlet[Burst]) -> None:
    """All sources into one edge, which ends when all of them have; then the system drains."""
    with classifier, system.receiving:
        async with trio.open_nursery() as nursery:
            for source in system.sources:
                nursery.start_soon(source, classifier)


def _start_placing(
    system: System,
    actors: trio.Nursery,
    outlets: Mapping[str, Outlet[Any]],
    inlets: Mapping[str, Inlet[Any]],
) -> None:
    """Arbiter, software workers and the card."""
    workers = [f"software_{number}" for number in range(system.software_workers)]
    actors.start_soon(
        run_arbiter,
        inlets["keeper_arbiter"],
        inlets["nic_arbiter"],
        outlets["arbiter_egress"],
        outlets["arbiter_nic"],
        [outlets[f"arbiter_{worker}"] for worker in workers],
        system.rule.arbiter,
        Splitter(system.software_workers),
        system.placement_news,
        system.burst_news,
        system.clock,
        system.control.steering if system.control is not None else None,
    )
    for worker in workers:
        sources = [inlets[f"arbiter_{worker}"]]
        if worker == workers[0]:
            sources.append(inlets[f"nic_{worker}"])
        actors.start_soon(
            run_software,
            sources,
            outlets[f"{worker}_egress"],
            system.software_crypto,
            system.software_cost,
            system.clock,
            system.burst_news,
            worker,
        )
    actors.start_soon(
        run_nic,
        inlets["arbiter_nic"],
        outlets["nic_egress"],
        outlets[f"nic_{workers[0]}"],
        outlets["nic_arbiter"],
        outlets["nic_keeper"],
        system.card,
        system.nic_crypto,
        system.clock,
        system.card_news,
        system.burst_news,
    )


async def _stop_on_signal(system: System, running: trio.CancelScope) -> None:
    """Wait for a signal, and end the run when it comes, even in the middle of a read."""
    loop = trio.lowlevel.current_trio_token()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        system.interrupted = True
        loop.run_sync_soon(running.cancel)
        system.unblock()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        await trio.sleep_forever()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
