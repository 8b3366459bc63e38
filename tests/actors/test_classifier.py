"""The classifier: bursts go on in order, and SAs are announced as they are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import trio

from saactors.actors.classifier import run_classifier
from saactors.model.burst import Burst
from saactors.model.sa import SaTable
from saactors.model.selector import Selector, Stream, selector_columns
from saactors.streams.outbound import OutboundClassifier
from saactors.streams.sa_maker import SaMaker, SaTemplate

BurstOf = Callable[..., Burst]


def test_bursts_go_on_in_order_and_new_sas_are_announced_once(
    stage: Any, burst_of: BurstOf
) -> None:
    """Each before the burst that it was made for is handed on."""
    story: list[tuple[str, Any]] = []
    spd = selector_columns([Selector(None, None, stream=Stream.FLOW)])
    classifier = OutboundClassifier(
        spd,
        SaTable(),
        SaMaker([SaTemplate()], seed=1),
        sas_max=10,
        first_sequences=np.zeros(0, np.uint64),
    )
    bursts = [burst_of([0, 0], source_port=port) for port in ([1, 2], [2, 1], [2, 3])]

    async def scene() -> None:
        (source, source_in), (out, out_in) = stage.edge(), stage.edge()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                stage.feed, source, [(10 * n, burst) for n, burst in enumerate(bursts)]
            )
            nursery.start_soon(
                run_classifier,
                *(source_in, out, classifier),
                lambda received: story.append(("made", received)),
                print,
                stage.clock,
                stage.news(),
            )
            async for burst in out_in:
                number = bursts.index(burst)
                story.append(("burst", number))

    stage.run(scene)
    assert story == [
        ("made", range(2)),
        ("burst", 0),
        ("burst", 1),
        ("made", range(2, 3)),
        ("burst", 2),
    ]
    assert [burst.packets["sa"].tolist() for burst in bursts] == [[0, 1], [1, 0], [1, 2]]
