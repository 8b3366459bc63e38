"""The NIC crypto engine: the card's side, with its SA cache, its loads and its queue."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import trio

from nicmodel.card import Card
from nicmodel.reports import Submission
from saactors.actors.burst_news import NOT_TOLD, BurstNews
from saactors.actors.card_news import CardNews
from saactors.model.burst import (
    CardCommand,
    Completion,
    Component,
    EvictCommand,
    Finished,
    LoadCommand,
    Outcome,
    ResetCommand,
    Share,
)
from saactors.model.packets import NO_SA
from saactors.runtime.agenda import Agenda
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Inlet, Outlet
from saactors.streams.crypto import Crypto, card_columns, flip_bits

Rows: TypeAlias = npt.NDArray[np.int32]

_NO_ROWS: Final = np.empty(0, np.int32)


async def run_nic(
    arbiter: Inlet[Share | CardCommand],
    egress: Outlet[Finished],
    returned: Outlet[Share],
    to_arbiter: Outlet[Completion],
    to_keeper: Outlet[Completion],
    card: Card,
    crypto: Crypto,
    clock: Clock,
    news: CardNews,
    bursts: BurstNews,
) -> None:
    """Encrypt for the SAs that are RESIDENT; give everything else back to software (law 5).

    Shares and load commands come over one edge, the card's command ring, and are taken in order.
    While the engine's queue is full, or a load has to wait for room, nothing more is taken: the
    ring fills up and the arbiter waits. That is where a card's backpressure comes from.
    """
    # What is in the engine, which the card bounds (engine_room_ns), and between it what the card
    # has refused. All of it comes back in one order, so that none of it depends on the scheduler.
    engine: Agenda[tuple[Submission | None, Share, Rows, int]] = Agenda(clock)

    async def finish_submissions() -> None:
        async for submission, share, flipped, began_ns in engine:
            if submission is not None and card.is_done(submission, clock.now_ns()):
                finished = crypto.process(share, Component.NIC)
                bursts.handled("nic", share.burst, share.rows, began_ns)
                await egress.send(flip_bits(finished, flipped, submission.flipped_bits))
            else:
                await returned.send(share)

    def report() -> None:
        for completion in news.completions():
            to_arbiter.send_nowait(completion)
            if completion.outcome is Outcome.LOADED:
                to_keeper.send_nowait(completion)

    async def report_at(instant_ns: int) -> None:
        await clock.sleep_until_ns(instant_ns)
        card.handle_time(clock.now_ns())
        report()

    async def load(command: LoadCommand) -> None:
        while card.profile.load_full == "wait" and card.load_room == 0:
            await clock.sleep_until_ns(card.load_room_ns(clock.now_ns()))
            card.handle_time(clock.now_ns())
        now_ns = clock.now_ns()
        card.handle_time(now_ns)
        report()  # what happened by now comes before a refusal, whosever turn it is
        victim = None if command.victim == NO_SA else command.victim
        ticket = card.load(command.sa, victim, now_ns)
        if ticket.accepted:
            news.issued(command.sa, now_ns)
            reports.start_soon(report_at, ticket.done_ns)
        else:
            refused = Completion(Outcome.REFUSED, command.sa, command.victim, now_ns)
            to_arbiter.send_nowait(refused)
            if victim is not None:
                card.evict(victim, now_ns)  # for the arbiter its slot is free already
        report()

    def evict(sa: int) -> None:
        now_ns = clock.now_ns()
        drained_ns = card.evict(sa, now_ns)
        report()
        if drained_ns is not None:
            reports.start_soon(report_at, drained_ns)

    def reset() -> None:
        card.reset(clock.now_ns())
        report()

    async def submit(share: Share) -> None:
        began_ns = bursts.begin()
        await clock.sleep_until_ns(card.engine_room_ns(clock.now_ns()))
        sas, lengths = card_columns(share)
        submission = card.submit(sas, lengths, clock.now_ns())
        if len(submission.refused_rows):
            refused = Share(share.burst, share.rows[submission.refused_rows])
            share = Share(share.burst, np.delete(share.rows, submission.refused_rows))
            engine.enter(clock.now_ns(), (None, refused, _NO_ROWS, NOT_TOLD))
        if submission.accepted:
            flipped = share.rows[submission.flipped_rows]
            engine.enter(submission.finish_ns, (submission, share, flipped, began_ns))

    with egress, returned:
        async with trio.open_nursery() as reports:
            for reset_ns in card.resets_planned_ns:
                reports.start_soon(report_at, reset_ns)
            async with trio.open_nursery() as work:
                work.start_soon(finish_submissions)
                with engine:
                    async for message in arbiter:
                        if isinstance(message, LoadCommand):
                            await load(message)
                        elif isinstance(message, EvictCommand):
                            evict(message.sa)
                        elif isinstance(message, ResetCommand):
                            reset()
                        else:
                            await submit(message)
            reports.cancel_scope.cancel()
