"""The NIC crypto engine: what it holds it encrypts, everything else goes back to software."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import trio

from nicmodel.card import Card
from nicmodel.faults import FaultPlan
from nicmodel.presets import PROFILES
from nicmodel.profile import customised
from saactors.actors.card_news import CardNews
from saactors.actors.nic import run_nic
from saactors.model.burst import Completion, Component, Finished, LoadCommand, Outcome, Share
from saactors.model.packets import NO_SA
from saactors.model.sa import SaTable
from saactors.model.verdicts import Verdict
from saactors.observe.events import CardReset, Loaded, LoadLost
from saactors.streams.crypto import Sealing

SMALL = customised(
    PROFILES["82599"],
    name="small",
    slots_max=2,
    load_latency_ns=1000,
    load_timeout_ns=5000,
    loads_at_once=1,
    load_queue_max=1,
    load_full="refuse",
    load_blocks_engine=False,
    engine_packet_ns=100.0,
    engine_byte_ns=0.0,
    engine_queue_packets_max=4,
)


@dataclass
class Seen:
    """What came out of the card's actor, each with its time."""

    finished: list[tuple[int, Finished]] = field(default_factory=list)
    returned: list[tuple[int, Share]] = field(default_factory=list)
    to_arbiter: list[Completion] = field(default_factory=list)
    to_keeper: list[Completion] = field(default_factory=list)

    @property
    def outcomes(self) -> list[tuple[Outcome, int, int]]:
        """What the arbiter is told: outcome, SA, time."""
        return [(news.outcome, news.sa, news.time_ns) for news in self.to_arbiter]

    @property
    def rows_done(self) -> list[tuple[int, list[int]]]:
        """When which rows were finished."""
        return [(now_ns, share.rows.tolist()) for now_ns, share in self.finished]

    @property
    def rows_returned(self) -> list[tuple[int, list[int]]]:
        """When which rows came back."""
        return [(now_ns, share.rows.tolist()) for now_ns, share in self.returned]


def play(
    stage: Any,
    sas: SaTable,
    messages: Iterable[tuple[int, Share | LoadCommand]],
    *,
    faults: FaultPlan | None = None,
    real: bool = False,
    **figures: object,
) -> tuple[Seen, Card]:
    """Run a small card over these messages; the ring then stays open until 50 µs have passed."""
    profile = customised(SMALL, **figures)
    card = Card(profile, faults or FaultPlan(), np.random.default_rng(1))
    seen = Seen()

    async def scene() -> None:
        ring, ring_in = stage.edge()
        (egress, egress_in), (back, back_in) = stage.edge(), stage.edge()
        (arbiter, arbiter_in), (keeper, keeper_in) = stage.edge(64), stage.edge(64)

        async def feed() -> None:
            with ring:
                for instant_ns, message in messages:
                    await stage.clock.sleep_until_ns(instant_ns)
                    await ring.send(message)
                await stage.clock.sleep_until_ns(50_000)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed)
            nursery.start_soon(stage.collect, egress_in, seen.finished)
            nursery.start_soon(stage.collect, back_in, seen.returned)
            news = CardNews(card, stage.emitter())
            await run_nic(
                *(ring_in, egress, back, arbiter, keeper),
                *(card, Sealing(sas, real=real), stage.clock, news, stage.news()),
            )
        seen.to_arbiter += arbiter_in.earlier_than(10**18)
        seen.to_keeper += keeper_in.earlier_than(10**18)

    stage.run(scene)
    return seen, card


def load(sa: int, victim: int = NO_SA) -> LoadCommand:
    """A command to load an SA."""
    return LoadCommand(sa, victim, 0)


def test_a_load_is_reported_to_arbiter_and_keeper_when_it_ends(stage: Any, sas: SaTable) -> None:
    """After the latency, once each, and told as an event with that latency."""
    seen, _ = play(stage, sas, [(100, load(3))])
    assert seen.to_arbiter == seen.to_keeper == [Completion(Outcome.LOADED, 3, NO_SA, 1100)]
    assert stage.events == [Loaded(1100, 3, 1000)]


def test_packets_of_a_resident_sa_are_finished_in_the_engines_time(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """Three packets of 100 ns each; the second share waits for the first."""
    first, second = share_of([0, 0, 0]), share_of([0])
    seen, _ = play(stage, sas, [(0, load(0)), (2000, first), (2100, second)])
    assert seen.rows_done == [(2300, [0, 1, 2]), (2400, [0])]
    assert {share.component for _, share in seen.finished} == {Component.NIC}
    assert seen.returned == []


def test_rows_that_the_card_cannot_do_come_back_at_once(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """Of a burst of three SAs one is resident; the others' rows are software's (law 5)."""
    share = share_of([0, 1, 0, 2, 0, 1], rows=[0, 1, 2, 3, 5])
    seen, card = play(stage, sas, [(0, load(0)), (2000, share)])
    assert seen.rows_returned == [(2000, [1, 3, 5])]
    assert seen.rows_done == [(2200, [0, 2])]
    assert card.statistics().packets_refused == 3


def test_a_share_none_of_whose_sas_is_resident_comes_back_whole(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """Nothing is submitted, nothing is finished; a load under way does not count yet."""
    seen, _ = play(stage, sas, [(0, load(0)), (500, share_of([0, 1]))])
    assert seen.rows_returned == [(500, [0, 1])]
    assert seen.finished == []


def test_while_the_engines_queue_is_full_nothing_is_taken_from_the_ring(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """A load behind a share that has to wait is given when that share has room."""
    messages = [
        (0, load(0)),
        (2000, share_of([0] * 6)),
        (2001, share_of([0] * 2)),
        (2002, load(1)),
    ]
    seen, card = play(stage, sas, messages)
    began_ns = seen.outcomes[1][2] - 1000
    assert began_ns > 2002
    assert seen.outcomes == [(Outcome.LOADED, 0, 1000), (Outcome.LOADED, 1, began_ns + 1000)]
    assert [now_ns for now_ns, _ in seen.finished] == [2600, 2800]
    assert card.statistics().packets == 8


def test_a_victim_is_replaced_after_its_packets_in_flight(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """The fetch waits for 300 ns of SA 0's packets; afterwards its packets come back (law 4).

    Those that are refused meanwhile come back in their turn, behind what is in the engine.
    """
    messages = [
        (0, load(0)),
        (0, load(1)),
        (3000, share_of([0] * 3)),
        (3000, load(2, victim=0)),
        (3050, share_of([0, 2, 1])),
        (5000, share_of([0, 2])),
    ]
    seen, _ = play(stage, sas, messages)
    assert seen.outcomes[2] == (Outcome.LOADED, 2, 4300)
    assert seen.to_arbiter[2].victim == 0
    assert seen.rows_done == [(3300, [0, 1, 2]), (3400, [2]), (5100, [1])]
    assert seen.rows_returned == [(3300, [0, 1]), (5000, [0])]


def test_a_card_that_refuses_says_so_and_gives_up_the_victim(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """For the arbiter the victim's slot is free from the decision on, so the card drops it, too."""
    refusing = FaultPlan(load_refused_probability=1.0)
    seen, card = play(stage, sas, [(0, load(0))], faults=refusing)
    assert seen.to_arbiter == [Completion(Outcome.REFUSED, 0, NO_SA, 0)]
    assert seen.to_keeper == []

    fills = [(0, load(0)), (2000, load(1)), (4000, load(2, 0)), (4000, load(3, 1))]
    again = type(stage)()
    seen, card = play(
        again, sas, [*fills, (4000, load(4)), (9000, share_of([0]))], load_queue_max=0
    )
    assert seen.outcomes[2:4] == [(Outcome.REFUSED, 3, 4000), (Outcome.REFUSED, 4, 4000)]
    assert seen.outcomes[4] == (Outcome.LOADED, 2, 5000)
    assert card.residents().tolist() == [2]
    assert seen.rows_returned == [(9000, [0])]


def test_a_driver_that_waits_for_room_holds_up_the_ring(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """Two loads at once are one too many: the second begins late, and what is behind it, too."""
    messages = [(0, load(0)), (10, load(1)), (20, share_of([0]))]
    seen, _ = play(stage, sas, messages, load_full="wait", load_queue_max=0)
    assert seen.outcomes == [(Outcome.LOADED, 0, 1000), (Outcome.LOADED, 1, 2000)]
    assert seen.rows_done == [(1100, [0])]


def test_a_lost_load_is_reported_when_the_driver_gives_up(stage: Any, sas: SaTable) -> None:
    """To the arbiter; the keeper gives no bonus for it."""
    losing = FaultPlan(load_lost_probability=1.0)
    seen, _ = play(stage, sas, [(7, load(0))], faults=losing)
    assert seen.to_arbiter == [Completion(Outcome.LOST, 0, NO_SA, 5007)]
    assert seen.to_keeper == []
    assert stage.events == [LoadLost(5007, 0, 5000)]


def test_a_reset_gives_back_what_was_in_the_engine(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """Software redoes it; the load under way is lost, and the card has forgotten SA 0 (law 5)."""
    messages = [
        (0, load(0)),
        (2000, share_of([0] * 2)),
        (2300, share_of([0] * 4)),
        (2300, load(1)),
        (3000, share_of([0])),
    ]
    seen, _ = play(stage, sas, messages, faults=FaultPlan(resets_ns=(2500,)))
    assert seen.rows_done == [(2200, [0, 1])]
    assert sorted(seen.rows_returned) == [(2700, [0, 1, 2, 3]), (3000, [0])]
    assert seen.outcomes == [
        (Outcome.LOADED, 0, 1000),
        (Outcome.LOST, 1, 2500),
        (Outcome.RESET, -1, 2500),
    ]
    assert stage.events == [
        Loaded(1000, 0, 1000),
        LoadLost(2500, 1, 200),
        CardReset(2500, 1),
    ]


def test_a_reset_says_how_many_sas_the_card_has_forgotten(stage: Any, sas: SaTable) -> None:
    """SA 2 in place of SA 0, and SA 1: two, not three."""
    messages = [(0, load(0)), (0, load(1)), (3000, load(2, victim=0))]
    play(stage, sas, messages, faults=FaultPlan(resets_ns=(9000,)))
    assert stage.events[-1] == CardReset(9000, 2)


def test_a_card_that_flips_bits_changes_what_it_encrypts_and_nothing_else(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """Each of its packets by one bit; what came back to software is untouched."""
    share = share_of([0, 1, 0])
    flipping = FaultPlan(bit_flip_probability=1.0)
    seen, _ = play(stage, sas, [(0, load(0)), (2000, share)], faults=flipping, real=True)
    ((_, finished),) = seen.finished
    right = Sealing(sas).process(Share(share.burst, finished.rows), Component.NIC)
    for place in range(2):
        octets = [
            np.frombuffer(memoryview(done.data), np.uint8)[  # type: ignore[arg-type]  # both set
                done.starts[place] : done.starts[place] + done.lengths[place]
            ]
            for done in (finished, right)
        ]
        assert int(np.bitwise_count(octets[0] ^ octets[1]).sum()) == 1
    assert seen.rows_returned == [(2000, [1])]


@pytest.mark.parametrize("seed", range(5))
def test_every_row_is_finished_or_comes_back_whatever_the_faults(
    seed: int, stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """Each exactly once (law 1), while loads are lost and refused and the card is reset twice."""
    random = np.random.default_rng(seed)
    messages: list[tuple[int, Share | LoadCommand]] = []
    now_ns = rows = 0
    for _ in range(40):
        now_ns += int(random.integers(0, 1500))
        if random.random() < 0.4:
            messages.append((now_ns, load(int(random.integers(0, 5)))))
        else:
            share = share_of(random.integers(0, 5, int(random.integers(1, 6))).tolist())
            rows += len(share.rows)
            messages.append((now_ns, share))
    faults = FaultPlan(
        load_refused_probability=0.2,
        load_lost_probability=0.2,
        resets_ns=(now_ns // 3, now_ns // 2),
    )
    seen, _ = play(stage, sas, messages, faults=faults)
    outcomes = [*seen.finished, *seen.returned]
    places = [(id(share.burst), int(row)) for _, share in outcomes for row in share.rows]
    assert len(places) == len(set(places)) == rows
    commands = sum(isinstance(message, LoadCommand) for _, message in messages)
    answers = [news for news in seen.to_arbiter if news.outcome is not Outcome.RESET]
    assert len(answers) == commands
    assert seen.to_keeper == [news for news in answers if news.outcome is Outcome.LOADED]


def test_verdicts_of_packets_that_cannot_be_sealed_travel_with_the_share(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """The egress counts them; the card does not care."""
    share = share_of([0, 0])
    share.burst.packets["sequence"][1] = 0
    seen, _ = play(stage, sas, [(0, load(0)), (2000, share)])
    assert seen.rows_done == [(2200, [0, 1])]
    verdicts = [Verdict(number) for number in share.burst.packets["verdict"]]
    assert verdicts == [Verdict.PASSED, Verdict.SEQUENCE_ZERO]
