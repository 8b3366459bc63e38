"""A software crypto worker: the driver agent's own cryptography, on one core's time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import trio

from saactors.actors.burst_news import NOT_TOLD, BurstNews
from saactors.model.burst import Component, Finished, Share
from saactors.placement.cost import CostModel
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Inlet, Outlet
from saactors.streams.crypto import Crypto, bytes_of


async def run_software(
    sources: Sequence[Inlet[Share]],
    egress: Outlet[Finished],
    crypto: Crypto,
    cost: CostModel | None,
    clock: Clock,
    news: BurstNews,
    name: str,
) -> None:
    """Process shares one after the other, each in its service time.

    Without a ``cost`` that is as long as it takes, with one as long as that host would take. Shares
    come from the arbiter, and from the card where it could not do them: ``sources`` in this order.
    Of shares that come at one instant, the card's go first.
    """
    core = _Core()

    async def serve(rank: int, shares: Inlet[Share]) -> None:
        async for share in shares:
            began_ns = news.begin()
            if cost is not None:
                service_ns = round(cost.software_ns(len(share.rows), bytes_of(share)))
                turn = core.claim(rank, service_ns, clock.now_ns())
                while turn.finish_ns > clock.now_ns():
                    await clock.sleep_until_ns(turn.finish_ns)
                began_ns = turn.starts_ns if news else NOT_TOLD
            finished = crypto.process(share, Component.SOFTWARE)
            news.handled("software", share.burst, share.rows, began_ns, name)
            await egress.send(finished)

    with egress:
        async with trio.open_nursery() as nursery:
            for rank, source in enumerate(sources):
                nursery.start_soon(serve, rank, source)


@dataclass(slots=True)
class _Turn:
    """A share's stretch of the core's time; put off if at its instant a higher rank claims one."""

    rank: int
    claimed_ns: int
    starts_ns: int
    service_ns: int

    @property
    def finish_ns(self) -> int:
        return self.starts_ns + self.service_ns


class _Core:
    """One core's time, given away claim by claim.

    At one instant the higher rank comes first, not whom the scheduler happens to run first: how
    long a share takes decides how long senders wait, and so what is decided when (law 7).
    """

    def __init__(self) -> None:
        self._last = _Turn(rank=0, claimed_ns=-1, starts_ns=0, service_ns=0)

    def claim(self, rank: int, service_ns: int, now_ns: int) -> _Turn:
        """The next turn of ``service_ns``."""
        last = self._last
        if last.claimed_ns == now_ns and last.rank < rank:
            turn = _Turn(rank, now_ns, last.starts_ns, service_ns)
            last.starts_ns += service_ns
            return turn
        self._last = _Turn(rank, now_ns, max(now_ns, last.finish_ns), service_ns)
        return self._last
