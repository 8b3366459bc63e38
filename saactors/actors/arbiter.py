"""The cache arbiter: maps every packet to software or card, and decides what the card holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from saactors.actors.burst_news import BurstNews
from saactors.actors.placement_news import PlacementNews
from saactors.model.burst import (
    Burst,
    CardCommand,
    Completion,
    EvictCommand,
    LoadCommand,
    Outcome,
    Review,
    Share,
)
from saactors.placement.change import RuleChange
from saactors.placement.rule import CacheArbiter, Decisions
from saactors.placement.steered import SteeredArbiter
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Inlet, Outlet
from saactors.streams.shares import Splitter


@dataclass(frozen=True, slots=True, eq=False)
class Instruction:
    """Somebody steers: ``carry_out(tick, now_ns)`` is called between two bursts."""

    carry_out: Callable[[int, int], None]


ToArbiter: TypeAlias = Burst | Review | RuleChange | Instruction


class Steering(Protocol):
    """What the card has to be told that no burst has asked for."""

    def poll_commands(self, tick: int, now_ns: int) -> Sequence[CardCommand | Decisions]:
        """Commands since this was last asked, in order."""
        ...


async def run_arbiter(
    keeper: Inlet[ToArbiter],
    card: Inlet[Completion],
    egress: Outlet[Share],
    nic: Outlet[Share | CardCommand],
    software: Sequence[Outlet[Share]],
    arbiter: CacheArbiter,
    splitter: Splitter,
    news: PlacementNews,
    bursts: BurstNews,
    clock: Clock,
    steering: Steering | None = None,
) -> None:
    """Place every burst as of the instant at which the keeper saw it.

    A load command goes to the card behind the burst that asked for it: what the burst still sends
    through a victim comes first.
    """
    tick = 0

    async def send(destination: int, share: Share) -> None:
        if destination == Splitter.EXIT:
            await egress.send(share)
        elif destination == Splitter.NIC:
            await nic.send(share)
        else:
            await software[destination - Splitter.FIRST_SOFTWARE].send(share)

    def learn(now_ns: int) -> None:
        for completion in card.earlier_than(now_ns):
            hear(arbiter, completion, tick)
            news.hear(completion, now_ns)

    async def command(decisions: Decisions, now_ns: int) -> None:
        for row in decisions.commands:
            await nic.send(LoadCommand(int(row["sa"]), int(row["victim"]), now_ns))
        news.tell(decisions, now_ns)

    async def steer(now_ns: int) -> None:
        for wanted in steering.poll_commands(tick, now_ns) if steering is not None else ():
            if isinstance(wanted, Decisions):
                await command(wanted, now_ns)
            else:
                if isinstance(wanted, EvictCommand):
                    news.tell_dropped(wanted.sa, now_ns)
                await nic.send(wanted)

    async def follow(message: RuleChange | Instruction) -> None:
        nonlocal tick
        now_ns = clock.now_ns()
        if isinstance(message, RuleChange):
            tick = message.tick
            if message.plan is None:
                arbiter.follow(message.parameters, tick)
            else:
                assert isinstance(arbiter, SteeredArbiter), "only a gateway exchanges rules"
                arbiter.go_on_by(message.plan, tick, now_ns)
            news.follow(message.parameters)
            if message.followed is not None:
                message.followed()
        else:
            learn(now_ns)
            message.carry_out(tick, now_ns)
        await steer(now_ns)

    async def place(burst: Burst) -> Decisions:
        began_ns = bursts.begin()
        decisions = arbiter.decide(burst.packets, tick, burst.observed_ns)
        news.tell_burst(burst)
        bursts.handled("arbiter", burst, None, began_ns)
        for destination, share in splitter.split(burst):
            await send(destination, share)
        return decisions

    with ExitStack() as outlets:
        outlets.enter_context(nic)
        for outlet in (egress, *software):
            outlets.enter_context(outlet)
        async for message in keeper:
            if isinstance(message, RuleChange | Instruction):
                await follow(message)
                continue
            tick, now_ns = message.tick, message.observed_ns
            arbiter.receive(message.sa_count)
            learn(now_ns)
            if isinstance(message, Burst):
                decisions = await place(message)
            else:
                decisions = arbiter.review(message.sas, message.metrics, tick, now_ns)
            await command(decisions, now_ns)
            await steer(now_ns)


def hear(arbiter: CacheArbiter, completion: Completion, tick: int) -> None:
    """Take note of what became of a load, or of the card."""
    if completion.outcome is Outcome.LOADED:
        arbiter.loaded(completion.sa, tick)
    elif completion.outcome is Outcome.RESET:
        arbiter.reset()
    else:
        arbiter.failed(completion.sa, tick)
