"""The cache arbiter: maps every packet to software or card, and decides what the card holds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from saactors.actors.placement_news import PlacementNews
from saactors.model.burst import (
    Burst,
    Completion,
    LoadCommand,
    Outcome,
    Review,
    Share,
)
from saactors.placement.change import RuleChange
from saactors.placement.rule import CacheArbiter
from saactors.runtime.edges import Inlet, Outlet
from saactors.streams.shares import Splitter


async def run_arbiter(
    keeper: Inlet[Burst | Review | RuleChange],
    card: Inlet[Completion],
    egress: Outlet[Share],
    nic: Outlet[Share | LoadCommand],
    software: Sequence[Outlet[Share]],
    arbiter: CacheArbiter,
    splitter: Splitter,
    news: PlacementNews,
) -> None:
    """Place every burst as of the instant at which the keeper saw it.

    A load command goes to the card behind the burst that asked for it: what the burst still sends
    through a victim comes first.
    """

    async def send(destination: int, share: Share) -> None:
        if destination == Splitter.EXIT:
            await egress.send(share)
        elif destination == Splitter.NIC:
            await nic.send(share)
        else:
            await software[destination - Splitter.FIRST_SOFTWARE].send(share)

    with ExitStack() as outlets:
        outlets.enter_context(nic)
        for outlet in (egress, *software):
            outlets.enter_context(outlet)
        async for message in keeper:
            if isinstance(message, RuleChange):
                arbiter.follow(message.parameters, message.tick)
                news.follow(message.parameters)
                continue
            tick, now_ns = message.tick, message.observed_ns
            arbiter.receive(message.sa_count)
            for completion in card.earlier_than(now_ns):
                hear(arbiter, completion, tick)
                news.hear(completion, now_ns)
            if isinstance(message, Burst):
                decisions = arbiter.decide(message.packets, tick, now_ns)
                news.tell_burst(message)
                for destination, share in splitter.split(message):
                    await send(destination, share)
            else:
                decisions = arbiter.review(message.sas, message.metrics, tick, now_ns)
            for command in decisions.commands:
                sa, victim = int(command["sa"]), int(command["victim"])
                await nic.send(LoadCommand(sa, victim, now_ns))
            news.tell(decisions, now_ns)


def hear(arbiter: CacheArbiter, completion: Completion, tick: int) -> None:
    """Take note of what became of a load, or of the card."""
    if completion.outcome is Outcome.LOADED:
        arbiter.loaded(completion.sa, tick)
    elif completion.outcome is Outcome.RESET:
        arbiter.reset()
    else:
        arbiter.failed(completion.sa, tick)
