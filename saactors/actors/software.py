"""A software crypto worker: the driver agent's own cryptography, on one core's time."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from saactors.model.burst import Component, Finished, Share
from saactors.placement.cost import CostModel
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Inlet, Outlet
from saactors.streams.crypto import Crypto, bytes_of


async def run_software(
    sources: Sequence[Inlet[Share]],
    egress: Outlet[Finished],
    crypto: Crypto,
    cost: CostModel,
    clock: Clock,
) -> None:
    """Process shares one after the other, each in its service time.

    They come from the arbiter, and from the card where it could not do them.
    """
    free_ns = 0

    async def serve(shares: Inlet[Share]) -> None:
        nonlocal free_ns
        async for share in shares:
            service_ns = round(cost.software_ns(len(share.rows), bytes_of(share)))
            free_ns = max(free_ns, clock.now_ns()) + service_ns
            await clock.sleep_until_ns(free_ns)
            await egress.send(crypto.process(share, Component.SOFTWARE))

    with egress:
        async with trio.open_nursery() as nursery:
            for source in sources:
                nursery.start_soon(serve, source)
